/*
 * One tree: from XGBoost's parallel arrays to nodes of our own, checked on the way.
 *
 * Nodes are placed breadth first, children in pairs. A node that no split leads to (pruned ones
 * stay in XGBoost's arrays) is left out; a node that two splits lead to, or that leads back to
 * itself, is not a tree.
 */
#include <math.h>
#include <string.h>

#include "forest/forest_internal.h"

#define NODES_MAX    (UINT32_MAX / 2)
#define CATEGORY_MAX 16777216 /* XGBoost's OutOfRangeCat: codes are below */

/* Sets become bitmaps as long as their largest code, so that a few hostile bytes could ask for 2
 * MiB. Real models stay far below this. */
#define SETS_MAX (64 * 1024 * 1024 / sizeof(uint32_t))

/* XGBoost's arrays for a tree; all of them but the last five have an item for each node. */
struct columns {
    struct arena *arena;
    int64_t id, n_nodes, leaf_size;
    struct ubj_ints left, right, feature, default_left, split_type;
    struct ubj_floats condition; /* of a leaf: its value */
    struct ubj_floats cover;     /* empty where the model does not say */
    struct ubj_ints set_nodes, set_begins, set_sizes, categories;
};

/* ---- reading ---- */

static enum err_code read_ints_member(struct ubj_reader *reader, const struct ubj_member *member,
                                      void *context, struct err *err)
{
    struct columns *columns = context;

    return ubj_read_ints(reader, columns->arena,
                         (struct ubj_ints *)((char *)context + member->offset), err);
}

static enum err_code read_floats_member(struct ubj_reader *reader, const struct ubj_member *member,
                                        void *context, struct err *err)
{
    struct columns *columns = context;

    return ubj_read_floats(reader, columns->arena,
                           (struct ubj_floats *)((char *)context + member->offset), err);
}

static enum err_code read_int_member(struct ubj_reader *reader, const struct ubj_member *member,
                                     void *context, struct err *err)
{
    return ubj_read_int(reader, (int64_t *)((char *)context + member->offset), err);
}

enum err_code tree_read_param(struct ubj_reader *reader, const struct ubj_member *member,
                              void *context, struct err *err)
{
    struct ubj_text text = {0};
    int64_t value = 0;

    TRY(ubj_read_text(reader, &text, err));
    for (size_t i = 0; i < text.length; i++) {
        if (text.text[i] < '0' || text.text[i] > '9' || value > INT32_MAX)
            return ubj_error(reader, err, "\"%s\" is not a number", member->name);
        value = value * 10 + (text.text[i] - '0');
    }
    if (text.length == 0)
        return ubj_error(reader, err, "\"%s\" is empty", member->name);
    *(int64_t *)((char *)context + member->offset) = value;
    return ERR_OK;
}

static enum err_code read_tree_param(struct ubj_reader *reader, const struct ubj_member *member,
                                     void *context, struct err *err)
{
    static const struct ubj_member members[] = {
        {"num_nodes", tree_read_param, true, offsetof(struct columns, n_nodes)},
        {"size_leaf_vector", tree_read_param, false, offsetof(struct columns, leaf_size)},
    };

    (void)member;
    return ubj_read_object(reader, members, N_ELEMENTS(members), context, err);
}

static const struct ubj_member tree_members[] = {
    {"id", read_int_member, false, offsetof(struct columns, id)},
    {"tree_param", read_tree_param, true, 0},
    {"left_children", read_ints_member, true, offsetof(struct columns, left)},
    {"right_children", read_ints_member, true, offsetof(struct columns, right)},
    {"split_indices", read_ints_member, true, offsetof(struct columns, feature)},
    {"split_conditions", read_floats_member, true, offsetof(struct columns, condition)},
    {"default_left", read_ints_member, true, offsetof(struct columns, default_left)},
    {"sum_hessian", read_floats_member, false, offsetof(struct columns, cover)},
    {"split_type", read_ints_member, false, offsetof(struct columns, split_type)},
    {"categories", read_ints_member, false, offsetof(struct columns, categories)},
    {"categories_nodes", read_ints_member, false, offsetof(struct columns, set_nodes)},
    {"categories_segments", read_ints_member, false, offsetof(struct columns, set_begins)},
    {"categories_sizes", read_ints_member, false, offsetof(struct columns, set_sizes)},
};

/* ---- growing ---- */

void planting_release(struct planting *planting)
{
    free(planting->trees);
    free(planting->nodes);
    free(planting->sets);
    free(planting->edges);
    *planting = (struct planting){0};
}

/* Room for n_more items in a doubling array. */
static enum err_code grow(void **items, size_t *capacity, size_t n, size_t n_more,
                          size_t item_bytes, struct err *err)
{
    size_t wanted = n + n_more, n_bytes;
    void *grown;

    if (wanted <= *capacity)
        return ERR_OK;
    if (wanted < *capacity * 2)
        wanted = *capacity * 2;
    if (__builtin_mul_overflow(wanted, item_bytes, &n_bytes))
        return err_nomem(err);
    grown = realloc(*items, n_bytes);
    if (grown == NULL)
        return err_nomem(err);
    *items = grown;
    *capacity = wanted;
    return ERR_OK;
}

/* ---- checking and placing ---- */

/* A tree while it is placed. Places are relative to its root's, which is even. */
struct placing {
    const struct ubj_reader *reader; /* where errors point to */
    const struct columns *columns;
    struct planting *planting;
    uint32_t n_columns; /* nodes in XGBoost's arrays */
    uint32_t *source;   /* [n_columns + 1] by place: the node in XGBoost's arrays; [1] is unused */
    int32_t *set_of;    /* [n_columns] index of the node's set, or -1 */
    uint8_t *reached;   /* [n_columns] */
    uint32_t n_placed, root;
    bool has_categories;
};

static enum err_code check_lengths(const struct ubj_reader *reader, const struct columns *columns,
                                   struct err *err)
{
    size_t n = columns->left.n;

    if (columns->leaf_size > 1)
        return err_set(err, ERR_INVALID, "trees with vectors in their leaves are not supported");
    if (n == 0 || n > NODES_MAX || (int64_t)n != columns->n_nodes)
        return ubj_error(reader, err, "a tree of %zu nodes says it has %lld", n,
                         (long long)columns->n_nodes);
    if (columns->right.n != n || columns->feature.n != n || columns->default_left.n != n ||
        columns->condition.n != n || (columns->split_type.n != n && columns->split_type.n != 0) ||
        (columns->cover.n != n && columns->cover.n != 0))
        return ubj_error(reader, err, "a tree's arrays differ in length");
    if (columns->set_begins.n != columns->set_nodes.n ||
        columns->set_sizes.n != columns->set_nodes.n)
        return ubj_error(reader, err, "a tree's category arrays differ in length");
    return ERR_OK;
}

/* XGBoost writes the sets one after another; ranges that overlap would let a few bytes ask for much
 * work. */
static enum err_code index_sets(struct placing *placing, struct err *err)
{
    const struct columns *columns = placing->columns;
    size_t end = 0;

    memset(placing->set_of, 0xff, placing->n_columns * sizeof(*placing->set_of));
    for (size_t i = 0; i < columns->set_nodes.n; i++) {
        int32_t node = columns->set_nodes.items[i];
        int32_t size = columns->set_sizes.items[i];

        if (node < 0 || (uint32_t)node >= placing->n_columns || placing->set_of[node] != -1)
            return ubj_error(placing->reader, err, "category set %zu has no node of its own", i);
        if (columns->set_begins.items[i] < 0 || (size_t)columns->set_begins.items[i] != end ||
            size < 1 || (size_t)size > columns->categories.n - end)
            return ubj_error(placing->reader, err, "category set %zu is out of range", i);
        placing->set_of[node] = (int32_t)i;
        end += (size_t)size;
    }
    return ERR_OK;
}

static enum err_code place_set(struct placing *placing, int32_t set, uint32_t *ret_offset,
                               struct err *err)
{
    struct planting *planting = placing->planting;
    const int32_t *codes =
        placing->columns->categories.items + placing->columns->set_begins.items[set];
    int32_t n_codes = placing->columns->set_sizes.items[set], largest = 0;
    uint32_t *words;
    size_t n_words;

    for (int32_t i = 0; i < n_codes; i++) {
        if (codes[i] < 0 || codes[i] >= CATEGORY_MAX)
            return ubj_error(placing->reader, err, "category %d is out of range", (int)codes[i]);
        if (codes[i] > largest)
            largest = codes[i];
    }
    n_words = 1 + (size_t)largest / 32 + 1;
    if (n_words > SETS_MAX - planting->n_sets)
        return err_set(err, ERR_LIMIT, "the model's category sets need more than %zu MiB",
                       SETS_MAX * sizeof(uint32_t) >> 20);
    TRY(grow((void **)&planting->sets, &planting->sets_capacity, planting->n_sets, n_words,
             sizeof(*planting->sets), err));
    words = planting->sets + planting->n_sets;
    memset(words, 0, n_words * sizeof(*words));
    words[0] = (uint32_t)largest + 1;
    for (int32_t i = 0; i < n_codes; i++)
        words[1 + codes[i] / 32] |= UINT32_C(1) << codes[i] % 32;
    *ret_offset = (uint32_t)planting->n_sets;
    planting->n_sets += n_words;
    return ERR_OK;
}

/* Gives a child the next place, once. */
static enum err_code place_child(struct placing *placing, int32_t child, struct err *err)
{
    if (child < 0 || (uint32_t)child >= placing->n_columns)
        return ubj_error(placing->reader, err, "a node's child %d is out of range", (int)child);
    if (placing->reached[child])
        return ubj_error(placing->reader, err, "node %d is reached twice", (int)child);
    placing->reached[child] = 1;
    placing->source[placing->n_placed++] = (uint32_t)child;
    return ERR_OK;
}

/* A split that no training row reached, or whose covers are no covers, leans to neither side. */
static float share_of(float cover, float sibling)
{
    double total = (double)cover + (double)sibling;

    if (!(cover >= 0 && sibling >= 0 && total > 0 && isfinite(total)))
        return 0.5F;
    return (float)((double)cover / total);
}

/* The edges to the two children that stand last. */
static void place_edges(struct placing *placing, uint32_t source)
{
    const struct columns *columns = placing->columns;
    struct edge *edges = placing->planting->edges + placing->root + placing->n_placed - 2;
    float left, right;

    if (columns->cover.n == 0) {
        placing->planting->lacks_covers = true;
        return;
    }
    left = columns->cover.items[columns->left.items[source]];
    right = columns->cover.items[columns->right.items[source]];
    edges[0].share = share_of(left, right);
    edges[1].share = share_of(right, left);
}

static enum err_code place_split(struct placing *placing, uint32_t source, struct planted *node,
                                 struct err *err)
{
    const struct columns *columns = placing->columns;
    int32_t feature = columns->feature.items[source];

    if (feature < 0)
        return ubj_error(placing->reader, err, "a split's feature %d is out of range",
                         (int)feature);
    if (feature > placing->planting->largest_feature)
        placing->planting->largest_feature = feature;
    node->condition = columns->condition.items[source];
    node->left = placing->n_placed;
    node->feature = (uint32_t)feature;
    node->missing_right = columns->default_left.items[source] != 1;
    node->is_category = columns->split_type.n != 0 && columns->split_type.items[source] == 1;
    if (node->is_category) {
        if (placing->set_of[source] < 0)
            return ubj_error(placing->reader, err, "a categorical split has no set");
        TRY(place_set(placing, placing->set_of[source], &node->set, err));
        placing->has_categories = true;
    }
    TRY(place_child(placing, columns->left.items[source], err));
    TRY(place_child(placing, columns->right.items[source], err));
    place_edges(placing, source);
    return ERR_OK;
}

/* Breadth first: places are handed out level by level, so that the depth is the number of levels.
 */
static enum err_code place_nodes(struct placing *placing, uint32_t *ret_depth, struct err *err)
{
    struct planted *nodes = placing->planting->nodes + placing->root;
    uint32_t depth = 0, level_end = 2;

    placing->reached[0] = 1;
    placing->n_placed = 2; /* the root and the empty place beside it */
    for (uint32_t place = 0; place < placing->n_placed; place++) {
        uint32_t source = placing->source[place];

        if (place == level_end) {
            depth++;
            level_end = placing->n_placed;
        }
        nodes[place] = (struct planted){.left = place};
        if (place == 1)
            continue;
        if (placing->columns->left.items[source] == -1)
            nodes[place].leaf = placing->columns->condition.items[source];
        else
            TRY(place_split(placing, source, &nodes[place], err));
    }
    *ret_depth = depth;
    return ERR_OK;
}

static enum err_code plant(struct placing *placing, struct arena *arena, struct err *err)
{
    struct planting *planting = placing->planting;
    uint32_t n = placing->n_columns, depth = 0;

    if (planting->n_nodes + n + 1 > NODES_MAX)
        return err_set(err, ERR_LIMIT, "the model has more than %u nodes", (unsigned)NODES_MAX);
    placing->root = (uint32_t)planting->n_nodes;
    placing->source = arena_alloc_array(arena, (size_t)n + 1, sizeof(*placing->source));
    placing->set_of = arena_alloc_array(arena, n, sizeof(*placing->set_of));
    placing->reached = arena_alloc(arena, n);
    if (placing->source == NULL || placing->set_of == NULL || placing->reached == NULL)
        return err_nomem(err);
    TRY(grow((void **)&planting->nodes, &planting->nodes_capacity, planting->n_nodes, (size_t)n + 1,
             sizeof(*planting->nodes), err));
    TRY(grow((void **)&planting->edges, &planting->edges_capacity, planting->n_nodes, (size_t)n + 1,
             sizeof(*planting->edges), err));
    memset(planting->edges + planting->n_nodes, 0, ((size_t)n + 1) * sizeof(*planting->edges));
    TRY(grow((void **)&planting->trees, &planting->trees_capacity, planting->n_trees, 1,
             sizeof(*planting->trees), err));
    TRY(index_sets(placing, err));
    TRY(place_nodes(placing, &depth, err));
    planting->trees[planting->n_trees++] = (struct tree){
        .root = placing->root,
        .n_nodes = placing->n_placed,
        .depth = depth,
        .has_categories = placing->has_categories,
    };
    planting->n_nodes += placing->n_placed;
    return ERR_OK;
}

enum err_code tree_read(struct ubj_reader *reader, struct planting *planting, struct err *err)
{
    CLEANUP(arena_release) struct arena arena = {0};
    struct columns columns = {.arena = &arena, .id = (int64_t)planting->n_trees};
    struct placing placing = {.reader = reader, .columns = &columns, .planting = planting};

    TRY(ubj_read_object(reader, tree_members, N_ELEMENTS(tree_members), &columns, err));
    TRY(check_lengths(reader, &columns, err));
    if (columns.id != (int64_t)planting->n_trees)
        return ubj_error(reader, err, "tree %zu says it is tree %lld", planting->n_trees,
                         (long long)columns.id);
    placing.n_columns = (uint32_t)columns.left.n;
    return plant(&placing, &arena, err);
}
