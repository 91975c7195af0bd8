/*
 * The walk, and what is asked of a forest.
 *
 * A step depends on the one before it, so that a single walk waits for memory most of the time. One
 * row therefore walks the trees of a group in step, as many as their places stay in registers. A
 * walk that has reached its leaf stays there. Leaves are added in tree order, in float32, as
 * XGBoost does: the order decides the bits.
 */
#include "forest/forest_step.h"

#define CODES_MAX  8192 /* of a block's rows together, on the stack */
#define BLOCK_ROWS 64   /* at most: with a group's nodes they stay in the first cache */

/* ---- codes ---- */

/* codes[slots.n] */
static void row_codes(const struct forest *forest, const float *features, uint32_t *codes)
{
    const struct slots *slots = &forest->slots;

    codes[0] = 0;
    for (uint32_t i = 1; i < slots->n; i++)
        codes[i] = code_of_slot(slots, i, features);
}

/* How many rows' codes a block holds; 0: there is no room for one. */
static size_t block_rows(const struct forest *forest)
{
    size_t n = CODES_MAX / forest->slots.n;

    if (forest->links != NULL)
        return 0;
    return n < BLOCK_ROWS ? n : BLOCK_ROWS;
}

/* ---- walks ---- */

static ALWAYS_INLINE void walk(const struct forest *forest, const struct group *group,
                               const uint32_t *codes, bool categories, float *ret_leaves)
{
    size_t at[GROUP_TREES]; /* in registers: nothing takes its address once loops are unrolled */

#pragma GCC unroll 10
    for (int i = 0; i < GROUP_TREES; i++)
        at[i] = group->roots[i];
    for (uint32_t d = 0; d < group->depth; d++) {
#pragma GCC unroll 10
        for (int i = 0; i < GROUP_TREES; i++)
            at[i] = step(forest, at[i], codes, categories);
    }
#pragma GCC unroll 10
    for (int i = 0; i < GROUP_TREES; i++)
        ret_leaves[i] = forest->nodes[at[i]].leaf;
}

static ALWAYS_INLINE void add_leaves(const struct forest *forest, const struct group *group,
                                     const float *leaves, float *margins)
{
    float margin = margins[0];

    if (forest->n_outputs == 1 && group->n_trees == GROUP_TREES) {
#pragma GCC unroll 10
        for (int i = 0; i < GROUP_TREES; i++)
            margin += leaves[i];
        margins[0] = margin;
        return;
    }
    for (uint32_t i = 0; i < group->n_trees; i++)
        margins[group->outputs[i]] += leaves[i];
}

static ALWAYS_INLINE void add_group(const struct forest *forest, const struct group *group,
                                    const uint32_t *codes, float *margins)
{
    float leaves[GROUP_TREES];

    if (group->has_categories)
        walk(forest, group, codes, true, leaves);
    else
        walk(forest, group, codes, false, leaves);
    add_leaves(forest, group, leaves, margins);
}

static void start_margins(const struct forest *forest, float *ret_margins)
{
    for (int k = 0; k < forest->n_outputs; k++)
        ret_margins[k] = forest->base_margins[k];
}

void forest_margin_plain(const struct forest *forest, const float *features, float *ret_margins)
{
    start_margins(forest, ret_margins);
    for (uint32_t t = 0; t < forest->n_trees; t++) {
        const struct tree *tree = &forest->trees[t];
        size_t at = tree->root;

        for (uint32_t d = 0; d < tree->depth; d++)
            at = step_row(forest, at, features);
        ret_margins[tree->output] += forest->nodes[at].leaf;
    }
}

/* n_rows is at most block_rows. Groups are outside: their nodes serve all rows of the block. */
static void block_margins(const struct forest *forest, const float *features, size_t n_rows,
                          float *ret_margins)
{
    size_t width = (size_t)forest->n_features, n_outputs = (size_t)forest->n_outputs;
    uint32_t codes[CODES_MAX];

    for (size_t i = 0; i < n_rows; i++) {
        row_codes(forest, features + i * width, codes + i * forest->slots.n);
        start_margins(forest, ret_margins + i * n_outputs);
    }
    for (size_t g = 0; g < forest_n_groups(forest); g++)
        for (size_t i = 0; i < n_rows; i++)
            add_group(forest, &forest->groups[g], codes + i * forest->slots.n,
                      ret_margins + i * n_outputs);
}

void forest_margin(const struct forest *forest, const float *features, float *ret_margins)
{
    forest_margins(forest, features, 1, ret_margins);
}

void forest_margins(const struct forest *forest, const float *features, size_t n_rows,
                    float *ret_margins)
{
    size_t width = (size_t)forest->n_features, n_outputs = (size_t)forest->n_outputs;
    size_t block = block_rows(forest);

    for (size_t row = 0, n; row < n_rows; row += n) {
        const float *from = features + row * width;
        float *to = ret_margins + row * n_outputs;

        n = forest->weights != NULL || block == 0 ? 1 : block;
        n = n < n_rows - row ? n : n_rows - row;
        if (forest->weights != NULL)
            linear_margin(forest, from, to);
        else if (block == 0)
            forest_margin_plain(forest, from, to);
        else
            block_margins(forest, from, n, to);
    }
}

void forest_transform(const struct forest *forest, float *values)
{
    forest->objective->transform(values, forest->n_outputs);
}

/* ---- getters ---- */

int forest_n_features(const struct forest *forest)
{
    return forest->n_features;
}

int forest_n_outputs(const struct forest *forest)
{
    return forest->n_outputs;
}

int forest_n_trees(const struct forest *forest)
{
    return (int)forest->n_trees;
}

const char *forest_booster(const struct forest *forest)
{
    return forest->booster;
}

const char *forest_objective(const struct forest *forest)
{
    return forest->objective->name;
}

float forest_base_margin(const struct forest *forest)
{
    return forest->base_margins[0];
}

void forest_set_base_margin(struct forest *forest, float base_margin)
{
    for (int k = 1; k < forest->n_outputs; k++)
        if (forest->base_margins[k] != forest->base_margins[0])
            return;
    for (int k = 0; k < forest->n_outputs; k++)
        forest->base_margins[k] = base_margin;
}

size_t forest_bytes(const struct forest *forest)
{
    size_t n_outputs = (size_t)forest->n_outputs;
    size_t n_weights = forest->weights != NULL ? ((size_t)forest->n_features + 1) * n_outputs : 0;

    size_t of_node = sizeof(*forest->nodes) + sizeof(*forest->edges) +
                     (forest->links != NULL ? sizeof(*forest->links) : 0);

    return sizeof(*forest) + forest->n_trees * sizeof(*forest->trees) +
           forest_n_groups(forest) * sizeof(*forest->groups) + forest->n_nodes * of_node +
           forest->slots.n * 3 * sizeof(uint32_t) + forest->n_sets * sizeof(*forest->sets) +
           (n_outputs + n_weights) * sizeof(float);
}
