/*
 * The walk, and what is asked of a forest.
 *
 * A step depends on the one before it, so that a single walk waits for memory most of the time.
 * LANES walks therefore go in step: of one row through several trees, or of several rows through
 * one tree. A walk that has reached its leaf stays there (a leaf's child is itself). Leaves are
 * added in tree order, in float32, as XGBoost does: the order decides the bits.
 */
#include <string.h>

#include "forest/forest_step.h"

#define LANES      8
#define BLOCK_ROWS 64 /* rows that stay in cache while all trees pass over them */

/* LANES walks of `depth` steps each, from at[i], by the row at features + i × stride. */
static ALWAYS_INLINE void walk(const struct forest *forest, uint32_t *at, const float *features,
                               size_t stride, uint32_t depth, bool categories)
{
    uint32_t lanes[LANES]; /* in registers: nothing takes its address once the loop is unrolled */

    memcpy(lanes, at, sizeof(lanes));
    for (uint32_t d = 0; d < depth; d++) {
#pragma GCC unroll 8
        for (size_t i = 0; i < LANES; i++)
            lanes[i] = step(forest, lanes[i], features + i * stride, categories);
    }
    memcpy(at, lanes, sizeof(lanes));
}

/* One row through n ≤ LANES trees. */
static void add_trees(const struct forest *forest, const struct tree *trees, int n,
                      const float *row, float *margins)
{
    uint32_t at[LANES], depth = 0;
    bool categories = false;

    for (int i = 0; i < LANES; i++) {
        const struct tree *tree = &trees[i < n ? i : 0];

        at[i] = tree->root;
        depth = tree->depth > depth ? tree->depth : depth;
        categories |= tree->has_categories;
    }
    if (categories)
        walk(forest, at, row, 0, depth, true);
    else
        walk(forest, at, row, 0, depth, false);
    for (int i = 0; i < n; i++)
        margins[trees[i].output] += forest->nodes[at[i]].leaf;
}

/* LANES rows through one tree. */
static void add_rows(const struct forest *forest, const struct tree *tree, const float *rows,
                     float *margins)
{
    size_t width = (size_t)forest->n_features;
    uint32_t at[LANES];

    for (int i = 0; i < LANES; i++)
        at[i] = tree->root;
    if (tree->has_categories)
        walk(forest, at, rows, width, tree->depth, true);
    else
        walk(forest, at, rows, width, tree->depth, false);
    for (size_t i = 0; i < LANES; i++)
        margins[i * (size_t)forest->n_outputs + tree->output] += forest->nodes[at[i]].leaf;
}

void forest_margin(const struct forest *forest, const float *features, float *ret_margins)
{
    uint32_t t = 0;

    if (forest->weights != NULL) {
        linear_margin(forest, features, ret_margins);
        return;
    }
    for (int k = 0; k < forest->n_outputs; k++)
        ret_margins[k] = forest->base_margins[k];
    for (; t + LANES <= forest->n_trees; t += LANES)
        add_trees(forest, forest->trees + t, LANES, features, ret_margins);
    if (t < forest->n_trees)
        add_trees(forest, forest->trees + t, (int)(forest->n_trees - t), features, ret_margins);
}

/* n_rows is a multiple of LANES. */
static void block_margins(const struct forest *forest, const float *features, size_t n_rows,
                          float *margins)
{
    size_t width = (size_t)forest->n_features, n_outputs = (size_t)forest->n_outputs;

    for (size_t i = 0; i < n_rows * n_outputs; i += n_outputs)
        for (size_t k = 0; k < n_outputs; k++)
            margins[i + k] = forest->base_margins[k];
    for (uint32_t t = 0; t < forest->n_trees; t++)
        for (size_t row = 0; row < n_rows; row += LANES)
            add_rows(forest, &forest->trees[t], features + row * width, margins + row * n_outputs);
}

void forest_margins(const struct forest *forest, const float *features, size_t n_rows,
                    float *ret_margins)
{
    size_t width = (size_t)forest->n_features, n_outputs = (size_t)forest->n_outputs;
    size_t n_in_lanes = forest->weights == NULL ? n_rows / LANES * LANES : 0;

    for (size_t row = 0; row < n_in_lanes; row += BLOCK_ROWS) {
        size_t n = n_in_lanes - row < BLOCK_ROWS ? n_in_lanes - row : BLOCK_ROWS;

        block_margins(forest, features + row * width, n, ret_margins + row * n_outputs);
    }
    for (size_t row = n_in_lanes; row < n_rows; row++)
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

    return sizeof(*forest) + forest->n_trees * sizeof(*forest->trees) +
           forest->n_nodes * (sizeof(*forest->nodes) + sizeof(*forest->edges)) +
           forest->n_sets * sizeof(*forest->sets) + (n_outputs + n_weights) * sizeof(float);
}
