/*
 * SHAP values in time linear in a tree's nodes.
 *
 * The game is that of path-dependent TreeSHAP (Lundberg, Erion, Lee: Consistent Individualized
 * Feature Attribution for Tree Ensembles, 2018): where a split's feature is present the row goes
 * its own way, where it is absent it goes both ways, by the shares of the training rows' cover. A
 * leaf then counts with a product over the features of its path, of one if present (1: all the
 * path's splits on it let the row pass; else 0) and zero if absent (the product of the shares).
 *
 * A Shapley value is the integral over t from 0 to 1 of the derivative of that game's multilinear
 * extension, in which each feature is present with probability t (Owen: Multilinear Extensions of
 * Games, 1972). With factor_i(t) = zero_i (1 - t) + one_i t, feature i gets from each leaf
 *
 *     leaf × integral of (one_i - zero_i) × product of factor_j, j ≠ i
 *
 * a polynomial whose degree is below the number of the path's features: Gauss's quadrature with
 * half as many points is exact. At each point, products go down the tree and sums of leaves come up
 * again, as in Linear TreeSHAP (Yu et al. 2022), which has polynomials in their place. A feature
 * that a path asks again replaces the factor it had: the sum below changes hands at that edge.
 *
 * Doubles throughout, and every term is at most the leaf in size. No allocation, no recursion.
 */
#include <string.h>

#include "forest/forest_step.h"

/* Shares so small that nothing is left of a leaf behind them: no quotient may become 0/0. */
#define SHARE_MIN 1e-200

/* A place of a tree for one row, at SHAP_LANES values of t. */
struct place {
    double sum[SHAP_LANES]; /* down: product of the path's factors; up: sum of leaf × product */
    double inverse[SHAP_LANES]; /* 1 / factor of the feature that led here */
    double zero, one;           /* of that feature, over all edges of the path that ask it */
};

bool forest_has_covers(const struct forest *forest)
{
    return forest->has_covers;
}

size_t forest_shap_scratch(const struct forest *forest)
{
    return ((size_t)forest->n_tree_nodes + 1) * (sizeof(struct place) / sizeof(double));
}

/* A factor of 0 makes the product 0 for good: what its inverse is then does not matter, if it is
 * finite. */
static ALWAYS_INLINE void enter(struct place *place, const struct place *parent,
                                const struct place *earlier, double share, double passes,
                                const double *at)
{
    double zero = earlier->zero * share, one = earlier->one * passes, never;

    zero = zero < SHARE_MIN ? 0 : zero;
    never = zero + one > 0 ? 0 : 1;
    place->zero = zero;
    place->one = one;
#pragma GCC unroll 4
    for (int lane = 0; lane < SHAP_LANES; lane++) {
        double factor = zero * (1 - at[lane]) + one * at[lane];

        place->sum[lane] = parent->sum[lane] * earlier->inverse[lane] * factor;
        place->inverse[lane] = 1 / (factor + never);
    }
}

/* Products from the root down: children stand behind their parents. */
static void go_down(const struct forest *forest, const struct tree *tree, const float *features,
                    const double *at, struct place *places)
{
    const struct edge *edges = forest->edges + tree->root;

    /* The root stands for every feature that was not asked yet: factor 1, whatever t. */
    places[0] = (struct place){.zero = 1, .one = 1};
    for (int lane = 0; lane < SHAP_LANES; lane++)
        places[0].sum[lane] = places[0].inverse[lane] = 1;
    for (uint32_t i = 0; i < tree->n_nodes; i++) {
        size_t node = tree->root + i, left = left_of(forest, node) - tree->root, next;

        if (left == i)
            continue;
        next = step_row(forest, node, features) - tree->root;
        for (size_t child = left; child < left + 2; child++)
            enter(&places[child], &places[i], &places[edges[child].earlier],
                  (double)edges[child].share, child == next ? 1 : 0, at);
    }
}

/* What the leaves below an edge give its feature, in place of what they would give by the earlier
 * edge of the same feature. */
static ALWAYS_INLINE double hand_over(const struct place *place, const struct place *earlier,
                                      const double *weight)
{
    double now = place->one - place->zero, before = earlier->one - earlier->zero, sum = 0;

#pragma GCC unroll 4
    for (int lane = 0; lane < SHAP_LANES; lane++)
        sum += weight[lane] * place->sum[lane] *
               (now * place->inverse[lane] - before * earlier->inverse[lane]);
    return sum;
}

/* Sums of leaves from the last places up. */
static void go_up(const struct forest *forest, const struct tree *tree, const double *weight,
                  struct place *places, double *contributions)
{
    const struct edge *edges = forest->edges + tree->root;

    for (uint32_t i = tree->n_nodes; i-- > 0;) {
        size_t node = tree->root + i, left = left_of(forest, node) - tree->root;

        if (i == 1) /* the empty place beside the root */
            continue;
        if (left == i) {
            for (int lane = 0; lane < SHAP_LANES; lane++)
                places[i].sum[lane] *= (double)forest->nodes[node].leaf;
            continue;
        }
        for (size_t child = left; child < left + 2; child++)
            contributions[feature_of(forest, node)] +=
                hand_over(&places[child], &places[edges[child].earlier], weight);
        for (int lane = 0; lane < SHAP_LANES; lane++)
            places[i].sum[lane] = places[left].sum[lane] + places[left + 1].sum[lane];
    }
}

void forest_shap(const struct forest *forest, const float *features, double *ret_contributions,
                 double *scratch)
{
    struct place *places = (struct place *)scratch;
    size_t width = (size_t)forest->n_features + 1;

    if (forest->weights != NULL) {
        linear_shap(forest, features, ret_contributions);
        return;
    }
    memset(ret_contributions, 0, (size_t)forest->n_outputs * width * sizeof(*ret_contributions));
    for (uint32_t t = 0; t < forest->n_trees; t++) {
        const struct tree *tree = &forest->trees[t];

        for (int q = 0; q < forest->quadrature.n; q += SHAP_LANES) {
            go_down(forest, tree, features, forest->quadrature.at + q, places);
            go_up(forest, tree, forest->quadrature.weight + q, places,
                  ret_contributions + tree->output * width);
        }
    }
    for (int k = 0; k < forest->n_outputs; k++)
        ret_contributions[(size_t)k * width + width - 1] =
            (double)forest->base_margins[k] + forest->expected[k];
}
