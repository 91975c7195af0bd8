/*
 * What explanations need of a forest, worked out once when it is loaded.
 *
 * Every tree is walked through in depth, to know of each edge the nearest one above that asks the
 * same feature, and how many different features the longest path asks. All by a stack of its own: a
 * hostile tree may be as deep as it has nodes.
 */
#include <math.h>

#include "forest/forest_step.h"

#define POINTS_MAX 256
#define LEAVE      UINT32_C(0x80000000) /* on the stack: leave this place; places are below */

/* Room for the largest tree, reused from tree to tree. */
struct tracing {
    uint32_t *latest; /* [n_features] the place on the present path that the feature led to, or 0 */
    uint32_t *features; /* [nodes / 2] by pair of places: what their parent splits on */
    uint32_t *stack;    /* [nodes] */
    double *reach;      /* [nodes] share of the tree's cover that reaches the place */
    uint32_t n_stack, n_features, most_features; /* different ones, on the path and on any path */
};

static void tracing_release(struct tracing *tracing)
{
    free(tracing->latest);
    free(tracing->features);
    free(tracing->stack);
    free(tracing->reach);
}

static enum err_code tracing_init(struct tracing *tracing, const struct forest *forest,
                                  struct err *err)
{
    size_t n = (size_t)forest->n_tree_nodes + 1;

    tracing->latest = calloc((size_t)forest->n_features, sizeof(*tracing->latest));
    tracing->features = calloc(n, sizeof(*tracing->features));
    tracing->stack = calloc(n, sizeof(*tracing->stack));
    tracing->reach = calloc(n, sizeof(*tracing->reach));
    if (tracing->latest == NULL || tracing->features == NULL || tracing->stack == NULL ||
        tracing->reach == NULL)
        return err_nomem(err);
    return ERR_OK;
}

/* Puts the children of a split on the stack; a leaf has none. */
static void push_children(struct tracing *tracing, const struct forest *forest, uint32_t root,
                          uint32_t place)
{
    uint32_t left = (uint32_t)left_of(forest, root + place) - root;

    if (left == place)
        return;
    tracing->features[left / 2] = feature_of(forest, root + place);
    tracing->stack[tracing->n_stack++] = left;
    tracing->stack[tracing->n_stack++] = left + 1;
}

static void trace_edges(struct tracing *tracing, const struct forest *forest, uint32_t root)
{
    struct edge *edges = forest->edges + root;

    edges[0] = (struct edge){.share = 1};
    push_children(tracing, forest, root, 0);
    while (tracing->n_stack > 0) {
        uint32_t top = tracing->stack[--tracing->n_stack], place = top & ~LEAVE;
        uint32_t *latest = &tracing->latest[tracing->features[place / 2]];

        if (top & LEAVE) {
            *latest = edges[place].earlier;
            tracing->n_features -= *latest == 0;
            continue;
        }
        edges[place].earlier = *latest;
        tracing->n_features += *latest == 0;
        if (tracing->n_features > tracing->most_features)
            tracing->most_features = tracing->n_features;
        *latest = place;
        tracing->stack[tracing->n_stack++] = place | LEAVE;
        push_children(tracing, forest, root, place);
    }
}

/* The mean of the leaves by how much of the cover reaches each: parents stand before children. */
static double expected_leaf(struct tracing *tracing, const struct forest *forest,
                            const struct tree *tree)
{
    const struct edge *edges = forest->edges + tree->root;
    double expected = 0;

    tracing->reach[0] = 1;
    tracing->reach[1] = 0; /* the empty place beside the root */
    for (uint32_t place = 0; place < tree->n_nodes; place++) {
        uint32_t at = tree->root + place, left = (uint32_t)left_of(forest, at) - tree->root;

        if (left == place) {
            expected += tracing->reach[place] * (double)forest->nodes[at].leaf;
            continue;
        }
        for (uint32_t child = left; child < left + 2; child++)
            tracing->reach[child] = tracing->reach[place] * (double)edges[child].share;
    }
    return expected;
}

/* Gauss and Legendre's points for polynomials of degree 2n - 1, by Newton's method on the Legendre
 * polynomial of degree n (Press et al., Numerical Recipes, 4.6), moved from [-1, 1] to [0, 1]. */
static void fill_quadrature(struct quadrature *quadrature)
{
    int n = quadrature->n;

    for (int i = 0; i < (n + 1) / 2; i++) {
        double x = cos(M_PI * (i + 0.75) / (n + 0.5)), change = 1, slope = 1;

        for (int round = 0; round < 100 && fabs(change) > 1e-15; round++) {
            double value = 1, before = 0;

            for (int k = 0; k < n; k++) {
                double older = before;

                before = value;
                value = ((2 * k + 1) * x * before - k * older) / (k + 1);
            }
            slope = n * (x * value - before) / (x * x - 1);
            change = value / slope;
            x -= change;
        }
        quadrature->at[i] = (1 - x) / 2;
        quadrature->at[n - 1 - i] = (1 + x) / 2;
        quadrature->weight[i] = quadrature->weight[n - 1 - i] = 1 / ((1 - x * x) * slope * slope);
    }
}

/* n points integrate a path of 2n different features exactly; a forest of stumps takes as many as
 * are worked on at once. */
static enum err_code choose_quadrature(struct quadrature *quadrature, uint32_t most_features,
                                       struct err *err)
{
    uint32_t n = ((most_features + 1) / 2 + SHAP_LANES - 1) / SHAP_LANES * SHAP_LANES;

    n = n < SHAP_LANES ? SHAP_LANES : n;
    quadrature->n = n < POINTS_MAX ? (int)n : POINTS_MAX;
    quadrature->at = calloc(2 * (size_t)quadrature->n, sizeof(double));
    if (quadrature->at == NULL)
        return err_nomem(err);
    quadrature->weight = quadrature->at + quadrature->n;
    fill_quadrature(quadrature);
    return ERR_OK;
}

static enum err_code trace_trees(struct forest *forest, struct tracing *tracing, struct err *err)
{
    TRY(tracing_init(tracing, forest, err));
    for (uint32_t t = 0; t < forest->n_trees; t++) {
        const struct tree *tree = &forest->trees[t];

        trace_edges(tracing, forest, tree->root);
        forest->expected[tree->output] += expected_leaf(tracing, forest, tree);
    }
    return ERR_OK;
}

enum err_code forest_trace(struct forest *forest, struct err *err)
{
    struct tracing tracing = {0};
    enum err_code code;

    for (uint32_t t = 0; t < forest->n_trees; t++)
        if (forest->trees[t].n_nodes > forest->n_tree_nodes)
            forest->n_tree_nodes = forest->trees[t].n_nodes;
    forest->expected = calloc((size_t)forest->n_outputs, sizeof(*forest->expected));
    if (forest->expected == NULL)
        return err_nomem(err);
    code = trace_trees(forest, &tracing, err);
    if (code == ERR_OK)
        code = choose_quadrature(&forest->quadrature, tracing.most_features, err);
    tracing_release(&tracing);
    return code;
}
