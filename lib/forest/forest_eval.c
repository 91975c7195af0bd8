/*
 * The walk, and what is asked of a forest.
 *
 * A step depends on the one before it, so that a single walk waits for memory most of the time.
 * Several walks therefore go in step: of one row through the trees of a group, or of several rows
 * through one tree, as many as their places stay in registers. A walk that has reached its leaf
 * stays there. Leaves are added in tree order, in float32, as XGBoost does: the order decides the
 * bits.
 */
#include "forest/forest_step.h"

#define BLOCK_LANES 8    /* rows that walk a tree in step */
#define BLOCK_ROWS  64   /* at most: rows that stay in cache while all trees pass over them */
#define CODES_MAX   8192 /* of a block's rows together, on the stack */

/* ---- one row ---- */

static ALWAYS_INLINE void row_codes(const struct forest *forest, const float *features,
                                    uint32_t *codes)
{
    codes[0] = 0;
    for (uint32_t i = 1; i < forest->n_slots; i++)
        codes[i] = code_of(features[forest->slots[i].feature], forest->slots[i].missing);
}

/* ret_at[GROUP_TREES]: the leaf of each tree. */
static ALWAYS_INLINE void walk_group(const struct forest *forest, const struct group *group,
                                     const uint32_t *codes, bool categories, size_t *ret_at)
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
        ret_at[i] = at[i];
}

static void start_margins(const struct forest *forest, float *ret_margins)
{
    for (int k = 0; k < forest->n_outputs; k++)
        ret_margins[k] = forest->base_margins[k];
}

static void add_groups(const struct forest *forest, const uint32_t *codes, float *margins)
{
    const struct tree *tree = forest->trees, *end = forest->trees + forest->n_trees;

    for (size_t g = 0; g < forest_n_groups(forest); g++) {
        const struct group *group = &forest->groups[g];
        size_t at[GROUP_TREES];

        if (group->has_categories)
            walk_group(forest, group, codes, true, at);
        else
            walk_group(forest, group, codes, false, at);
        for (int i = 0; i < GROUP_TREES && tree < end; i++, tree++)
            margins[tree->output] += forest->nodes[at[i]].leaf;
    }
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

void forest_margin(const struct forest *forest, const float *features, float *ret_margins)
{
    uint32_t codes[CODES_MAX];

    if (forest->weights != NULL) {
        linear_margin(forest, features, ret_margins);
        return;
    }
    if (forest->links != NULL || forest->n_slots > CODES_MAX) {
        forest_margin_plain(forest, features, ret_margins);
        return;
    }
    row_codes(forest, features, codes);
    start_margins(forest, ret_margins);
    add_groups(forest, codes, ret_margins);
}

/* ---- blocks of rows ---- */

/* BLOCK_LANES rows through one tree; a row's codes are n_slots. */
static ALWAYS_INLINE void walk_rows(const struct forest *forest, const struct tree *tree,
                                    const uint32_t *codes, bool categories, float *margins)
{
    size_t n_slots = forest->n_slots, n_outputs = (size_t)forest->n_outputs;
    size_t at[BLOCK_LANES];

#pragma GCC unroll 8
    for (int i = 0; i < BLOCK_LANES; i++)
        at[i] = tree->root;
    for (uint32_t d = 0; d < tree->depth; d++) {
#pragma GCC unroll 8
        for (size_t i = 0; i < BLOCK_LANES; i++)
            at[i] = step(forest, at[i], codes + i * n_slots, categories);
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < BLOCK_LANES; i++)
        margins[i * n_outputs + tree->output] += forest->nodes[at[i]].leaf;
}

/* n_rows is a multiple of BLOCK_LANES. */
static void block_margins(const struct forest *forest, const float *features, size_t n_rows,
                          float *margins)
{
    size_t width = (size_t)forest->n_features, n_outputs = (size_t)forest->n_outputs;
    uint32_t codes[CODES_MAX];

    for (size_t i = 0; i < n_rows; i++) {
        row_codes(forest, features + i * width, codes + i * forest->n_slots);
        start_margins(forest, margins + i * n_outputs);
    }
    for (uint32_t t = 0; t < forest->n_trees; t++) {
        const struct tree *tree = &forest->trees[t];

        for (size_t i = 0; i < n_rows; i += BLOCK_LANES) {
            if (tree->has_categories)
                walk_rows(forest, tree, codes + i * forest->n_slots, true, margins + i * n_outputs);
            else
                walk_rows(forest, tree, codes + i * forest->n_slots, false,
                          margins + i * n_outputs);
        }
    }
}

/* Rows a block holds, a multiple of BLOCK_LANES; 0: rows go one by one. */
static size_t block_rows(const struct forest *forest)
{
    size_t n = CODES_MAX / forest->n_slots;

    if (forest->weights != NULL || forest->links != NULL)
        return 0;
    return (n < BLOCK_ROWS ? n : BLOCK_ROWS) / BLOCK_LANES * BLOCK_LANES;
}

void forest_margins(const struct forest *forest, const float *features, size_t n_rows,
                    float *ret_margins)
{
    size_t width = (size_t)forest->n_features, n_outputs = (size_t)forest->n_outputs;
    size_t block = block_rows(forest), row = 0;

    while (block > 0 && n_rows - row >= BLOCK_LANES) {
        size_t rest = (n_rows - row) / BLOCK_LANES * BLOCK_LANES, n = rest < block ? rest : block;

        block_margins(forest, features + row * width, n, ret_margins + row * n_outputs);
        row += n;
    }
    for (; row < n_rows; row++)
        forest_margin(forest, features + row * width, ret_margins + row * n_outputs);
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
           forest->n_slots * sizeof(*forest->slots) + forest->n_sets * sizeof(*forest->sets) +
           (n_outputs + n_weights) * sizeof(float);
}
