/*
 * From planted trees to the nodes that are walked.
 *
 * First a look at all of them: which slots are asked for, and whether 16 bits hold slots and steps.
 * Then each tree is written from a cache line on. The places in between are leaves of 0.
 */
#include <string.h>

#include "forest/forest_step.h"

#define NODES_MAX (UINT32_MAX / 2)

_Static_assert(NODES_PER_LINE * sizeof(struct node) == CACHE_LINE, "trees begin on a line");

/* Sets of a slot are as long as its longest, so that a few hostile bytes could ask for much. */
#define SETS_MAX (64 * 1024 * 1024 / sizeof(uint32_t))

/* A slot that splits ask for. */
struct want {
    uint32_t slot; /* 0: none does */
    uint32_t n_categories;
};

#define WANTS_OF_FEATURE 4 /* compared as a number or a category, missing goes left or right */

struct packing {
    const struct planting *planting;
    struct forest *forest;
    struct want *wants; /* [n_features][WANTS_OF_FEATURE] */
    size_t n_sets;      /* words of sets that stand already */
    bool is_wide;       /* a step or a slot is beyond 16 bits */
};

void *forest_room(size_t n, size_t item_bytes)
{
    size_t n_bytes = n * item_bytes;
    void *room;

    n_bytes = n_bytes == 0 ? CACHE_LINE : (n_bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    room = aligned_alloc(CACHE_LINE, n_bytes);
    if (room != NULL)
        memset(room, 0, n_bytes);
    return room;
}

static struct want *want_of(const struct packing *packing, const struct planted *node)
{
    size_t kind = (size_t)node->is_category * 2 + node->missing_right;

    return &packing->wants[WANTS_OF_FEATURE * (size_t)node->feature + kind];
}

/* ---- slots ---- */

/* Marks what each split asks for. */
static void look_at(struct packing *packing, const struct tree *tree)
{
    const struct planted *nodes = packing->planting->nodes + tree->root;

    for (uint32_t i = 0; i < tree->n_nodes; i++) {
        struct want *want = want_of(packing, &nodes[i]);
        uint32_t n_categories;

        if (nodes[i].left == i)
            continue;
        want->slot = 1;
        n_categories = nodes[i].is_category ? packing->planting->sets[nodes[i].set] : 0;
        if (n_categories > want->n_categories)
            want->n_categories = n_categories;
        packing->is_wide |= nodes[i].left - i > UINT16_MAX;
    }
}

static enum err_code make_slots(struct slots *slots, uint32_t n, struct err *err)
{
    slots->n = n;
    slots->feature = forest_room(n, sizeof(*slots->feature));
    slots->missing = forest_room(n, sizeof(*slots->missing));
    slots->n_categories = forest_room(n, sizeof(*slots->n_categories));
    if (slots->feature == NULL || slots->missing == NULL || slots->n_categories == NULL)
        return err_nomem(err);
    return ERR_OK;
}

/* In the order of the features; slot 0 is the leaves'. */
static enum err_code number_slots(struct packing *packing, struct err *err)
{
    size_t n_wants = WANTS_OF_FEATURE * (size_t)packing->forest->n_features;
    struct slots *slots = &packing->forest->slots;
    uint32_t n = 1;

    for (size_t i = 0; i < n_wants; i++)
        if (packing->wants[i].slot != 0)
            packing->wants[i].slot = n++;
    packing->is_wide |= n > SLOT_CATEGORY;
    TRY(make_slots(slots, n, err));
    for (size_t i = 0; i < n_wants; i++) {
        const struct want *want = &packing->wants[i];

        if (want->slot == 0)
            continue;
        slots->feature[want->slot] = (uint32_t)(i / WANTS_OF_FEATURE);
        slots->missing[want->slot] = i % 2 != 0 ? CODE_RIGHT : CODE_LEFT;
        slots->n_categories[want->slot] = want->n_categories;
    }
    return ERR_OK;
}

/* ---- sets ---- */

/* A bit for each category, one before them and one behind: see category_code_of. */
static size_t set_words(uint32_t n_categories)
{
    return ((size_t)n_categories + 2 + 31) / 32;
}

static enum err_code count_sets(const struct packing *packing, uint32_t *ret_n, struct err *err)
{
    const struct planting *planting = packing->planting;
    size_t n = 0;

    for (size_t i = 0; i < planting->n_nodes; i++) {
        if (planting->nodes[i].is_category)
            n += set_words(want_of(packing, &planting->nodes[i])->n_categories);
        if (n > SETS_MAX)
            return err_set(err, ERR_LIMIT, "the model's category sets need more than %zu MiB",
                           SETS_MAX * sizeof(uint32_t) >> 20);
    }
    *ret_n = (uint32_t)n;
    return ERR_OK;
}

static uint32_t pack_set(struct packing *packing, const struct planted *node)
{
    const uint32_t *from = packing->planting->sets + node->set;
    uint32_t n_categories = want_of(packing, node)->n_categories;
    uint32_t *to = packing->forest->sets + packing->n_sets;
    uint32_t begin = (uint32_t)packing->n_sets, behind = n_categories + 1;

    for (uint32_t code = 0; code < from[0]; code++)
        to[(code + 1) / 32] |= (from[1 + code / 32] >> code % 32 & 1) << (code + 1) % 32;
    if (node->missing_right)
        to[behind / 32] |= UINT32_C(1) << behind % 32;
    packing->n_sets += set_words(n_categories);
    return begin;
}

/* ---- nodes ---- */

/* A condition of NaN sends every value right: no number is less. */
static uint32_t last_left_of(float condition)
{
    return code_of(condition, CODE_LEFT + 1) - 1;
}

static void pack_node(struct packing *packing, const struct planted *planted, uint32_t place,
                      uint32_t at)
{
    struct node *node = &packing->forest->nodes[at];
    uint32_t slot, step = planted->left - place;

    if (step == 0) {
        node->leaf = planted->leaf;
        return;
    }
    slot = want_of(packing, planted)->slot;
    if (planted->is_category)
        node->set = pack_set(packing, planted);
    else
        node->last_left = last_left_of(planted->condition);
    if (packing->is_wide) {
        packing->forest->links[at] =
            (struct link){slot | (planted->is_category ? LINK_CATEGORY : 0), step};
        return;
    }
    node->slot = (uint16_t)(slot | (planted->is_category ? SLOT_CATEGORY : 0));
    node->step = (uint16_t)step;
}

static void pack_trees(struct packing *packing)
{
    const struct planting *planting = packing->planting;
    struct forest *forest = packing->forest;
    uint32_t root = 0;

    for (uint32_t t = 0; t < forest->n_trees; t++) {
        const struct tree *tree = &planting->trees[t];

        forest->trees[t] = *tree;
        forest->trees[t].root = root;
        for (uint32_t i = 0; i < tree->n_nodes; i++)
            pack_node(packing, &planting->nodes[tree->root + i], i, root + i);
        memcpy(forest->edges + root, planting->edges + tree->root,
               tree->n_nodes * sizeof(*forest->edges));
        root += (tree->n_nodes + NODES_PER_LINE - 1) / NODES_PER_LINE * NODES_PER_LINE;
    }
}

static void group_trees(struct forest *forest)
{
    for (size_t i = 0; i < forest_n_groups(forest) * GROUP_TREES; i++) {
        const struct tree *tree = &forest->trees[i < forest->n_trees ? i : 0];
        struct group *group = &forest->groups[i / GROUP_TREES];

        group->roots[i % GROUP_TREES] = tree->root;
        group->outputs[i % GROUP_TREES] = tree->output;
        group->n_trees += i < forest->n_trees;
        group->has_categories |= tree->has_categories;
        if (tree->depth > group->depth)
            group->depth = tree->depth;
    }
}

/* ---- the forest ---- */

static enum err_code count_nodes(const struct planting *planting, uint32_t *ret_n, struct err *err)
{
    uint64_t n = 0;

    for (size_t t = 0; t < planting->n_trees; t++)
        n += ((uint64_t)planting->trees[t].n_nodes + NODES_PER_LINE - 1) / NODES_PER_LINE *
             NODES_PER_LINE;
    if (n > NODES_MAX)
        return err_set(err, ERR_LIMIT, "the model has more than %u nodes", (unsigned)NODES_MAX);
    *ret_n = (uint32_t)n;
    return ERR_OK;
}

static enum err_code make_room(const struct packing *packing, struct err *err)
{
    const struct planting *planting = packing->planting;
    struct forest *forest = packing->forest;

    TRY(count_nodes(planting, &forest->n_nodes, err));
    TRY(count_sets(packing, &forest->n_sets, err));
    forest->n_trees = (uint32_t)planting->n_trees;
    forest->trees = forest_room(forest->n_trees, sizeof(*forest->trees));
    forest->groups = forest_room(forest_n_groups(forest), sizeof(*forest->groups));
    forest->nodes = forest_room(forest->n_nodes, sizeof(*forest->nodes));
    forest->edges = forest_room(forest->n_nodes, sizeof(*forest->edges));
    forest->sets = forest_room(forest->n_sets, sizeof(*forest->sets));
    if (packing->is_wide)
        forest->links = forest_room(forest->n_nodes, sizeof(*forest->links));
    if (forest->trees == NULL || forest->groups == NULL || forest->nodes == NULL ||
        forest->edges == NULL || forest->sets == NULL ||
        (packing->is_wide && forest->links == NULL))
        return err_nomem(err);
    return ERR_OK;
}

enum err_code forest_pack(const struct planting *planting, struct forest *forest, struct err *err)
{
    size_t n_wants = WANTS_OF_FEATURE * (size_t)forest->n_features;
    CLEANUP(free_ptr) struct want *wants = calloc(n_wants, sizeof(*wants));
    struct packing packing = {.planting = planting, .forest = forest, .wants = wants};

    if (wants == NULL)
        return err_nomem(err);
    for (size_t t = 0; t < planting->n_trees; t++)
        look_at(&packing, &planting->trees[t]);
    TRY(number_slots(&packing, err));
    TRY(make_room(&packing, err));
    pack_trees(&packing);
    group_trees(forest);
    forest->has_covers = !planting->lacks_covers;
    return ERR_OK;
}
