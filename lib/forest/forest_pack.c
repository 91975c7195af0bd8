/*
 * From planted trees to the nodes that are walked.
 *
 * First a look at all of them: which slots are asked for, and whether 16 bits hold slots and steps.
 * Then each tree is written from a cache line on. The places in between are leaves of 0.
 */
#include <string.h>

#include "forest/forest_step.h"

#define CACHE_LINE 64
#define NODES_MAX  (UINT32_MAX / 2)

_Static_assert(NODES_PER_LINE * sizeof(struct node) == CACHE_LINE, "trees begin on a line");

struct packing {
    const struct planting *planting;
    struct forest *forest;
    uint32_t *slot_of; /* [n_features][missing goes left, right]; 0: no split asks for it */
    bool is_wide;      /* a step or a slot is beyond 16 bits */
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

static uint32_t *slot_for(const struct packing *packing, const struct planted *node)
{
    return &packing->slot_of[2 * (size_t)node->feature + node->missing_right];
}

/* ---- slots ---- */

/* Marks what each split asks for. */
static void look_at(struct packing *packing, const struct tree *tree)
{
    const struct planted *nodes = packing->planting->nodes + tree->root;

    for (uint32_t i = 0; i < tree->n_nodes; i++) {
        if (nodes[i].left == i)
            continue;
        *slot_for(packing, &nodes[i]) = 1;
        packing->is_wide |= nodes[i].left - i > UINT16_MAX;
    }
}

/* In the order of the features; slot 0 is the leaves'. */
static enum err_code number_slots(struct packing *packing, struct err *err)
{
    struct slots *slots = &packing->forest->slots;
    size_t n = 2 * (size_t)packing->forest->n_features;
    uint32_t next = 1;

    for (size_t i = 0; i < n; i++)
        if (packing->slot_of[i] != 0)
            packing->slot_of[i] = next++;
    packing->is_wide |= next > SLOT_CATEGORY;
    slots->n = next;
    slots->feature = forest_room(slots->n, sizeof(*slots->feature));
    slots->missing = forest_room(slots->n, sizeof(*slots->missing));
    if (slots->feature == NULL || slots->missing == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < n; i++) {
        if (packing->slot_of[i] == 0)
            continue;
        slots->feature[packing->slot_of[i]] = (uint32_t)(i / 2);
        slots->missing[packing->slot_of[i]] = i % 2 != 0 ? CODE_RIGHT : CODE_LEFT;
    }
    return ERR_OK;
}

/* ---- nodes ---- */

/* A condition of NaN sends every value right: no number is less. */
static uint32_t last_left_of(float condition)
{
    return code_of(condition, CODE_LEFT + 1) - 1;
}

static void pack_node(const struct packing *packing, const struct planted *planted, uint32_t place,
                      uint32_t at)
{
    struct node *node = &packing->forest->nodes[at];
    uint32_t slot, step = planted->left - place;

    if (step == 0) {
        node->leaf = planted->leaf;
        return;
    }
    slot = *slot_for(packing, planted);
    if (planted->is_category)
        node->set = planted->set;
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

static void pack_trees(const struct packing *packing)
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
    forest->n_trees = (uint32_t)planting->n_trees;
    forest->n_sets = (uint32_t)planting->n_sets;
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
    CLEANUP(free_ptr)
    uint32_t *slot_of = calloc(2 * (size_t)forest->n_features, sizeof(*slot_of));
    struct packing packing = {.planting = planting, .forest = forest, .slot_of = slot_of};

    if (slot_of == NULL)
        return err_nomem(err);
    for (size_t t = 0; t < planting->n_trees; t++)
        look_at(&packing, &planting->trees[t]);
    TRY(number_slots(&packing, err));
    TRY(make_room(&packing, err));
    pack_trees(&packing);
    group_trees(forest);
    if (planting->n_sets > 0)
        memcpy(forest->sets, planting->sets, planting->n_sets * sizeof(*forest->sets));
    forest->has_covers = !planting->lacks_covers;
    return ERR_OK;
}
