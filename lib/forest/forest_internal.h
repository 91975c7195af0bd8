/*
 * What the forest is made of; for the files of lib/forest alone.
 *
 * All trees' nodes stand in one array, 16 bytes each, siblings side by side in an aligned pair: a
 * step loads one node and goes to `left` or the place after it, and a pair never crosses a cache
 * line. A leaf's children are itself, so that a walk of a fixed number of steps needs no test for
 * leaves, and several walks can run interleaved.
 *
 * What only explanations need stands apart, in an edge beside each node, so that walks do not load
 * it.
 */
#ifndef PGBOOST_FOREST_FOREST_INTERNAL_H
#define PGBOOST_FOREST_FOREST_INTERNAL_H

#include "forest/forest.h"
#include "forest/objective.h"
#include "forest/ubjson.h"

struct node {
    union {
        float condition; /* numerical: left when x < condition */
        uint32_t set;    /* categorical: where its set begins in forest->sets */
        float leaf;      /* leaf: its value */
    };
    uint32_t left;    /* index of the left child, the right one follows; a leaf: itself */
    uint32_t feature; /* 0 for a leaf */
    uint8_t
        lets_right[2]; /* may a value that is there [0], a missing one [1] go right; a leaf: 0, 0 */
    uint8_t is_category;
};
_Static_assert(sizeof(struct node) == 16, "four nodes a cache line");

/* From a node's parent to the node. Places are relative to the tree's root; the root's own edge
 * says that everything comes by it. */
struct edge {
    float share;      /* of the parent's cover (the training rows' hessians) that came this way */
    uint32_t earlier; /* the nearest place above whose parent splits on the same feature; 0: none */
};

/* Points and weights of an integral from 0 to 1: weight[n] follows at[n]. */
struct quadrature {
    int n; /* a multiple of SHAP_LANES */
    double *at, *weight;
};

struct tree {
    uint32_t root;
    uint32_t output; /* which margin it adds to */
    uint32_t depth;  /* steps to its deepest leaf */
    bool has_categories;
};

struct forest {
    const struct objective *objective;
    const char *booster; /* its name, a literal */
    struct tree *trees;
    struct node *nodes;
    uint32_t *sets; /* each: number of categories it covers, then one bit for each of them */
    uint32_t n_trees, n_nodes, n_sets;
    int n_features, n_outputs;
    float *base_margins; /* [n_outputs] */
    float *weights;      /* [n_features + 1][n_outputs], the bias last; NULL: there are trees */
    /* explanations */
    bool has_covers;
    struct edge *edges;    /* [n_nodes] */
    double *expected;      /* [n_outputs] sum over trees of the mean leaf, weighted by cover */
    uint32_t n_tree_nodes; /* of the largest tree */
    struct quadrature quadrature; /* exact for the forest's longest path: see shap.c */
};

static inline uint32_t tree_n_nodes(const struct forest *forest, uint32_t tree)
{
    uint32_t end = tree + 1 < forest->n_trees ? forest->trees[tree + 1].root : forest->n_nodes;

    return end - forest->trees[tree].root;
}

/* Growing arrays while a forest is loaded; forest_load moves them into the forest. */
struct planting {
    struct tree *trees;
    struct node *nodes;
    uint32_t *sets;
    struct edge *edges; /* [n_nodes]; their `earlier` is not known yet */
    size_t n_trees, n_nodes, n_sets;
    size_t trees_capacity, nodes_capacity, sets_capacity, edges_capacity;
    bool lacks_covers;       /* a tree with splits came without sum_hessian */
    int64_t largest_feature; /* that a split uses; -1: none */
};

void planting_release(struct planting *planting);

/* Reads the next tree of the "trees" array, checks it and appends it to planting. */
MUST_CHECK enum err_code tree_read(struct ubj_reader *reader, struct planting *planting,
                                   struct err *err);

/* The members that XGBoost writes as numbers in text ("num_class": "3"); *(int64_t *)(context +
 * offset). */
MUST_CHECK enum err_code tree_read_param(struct ubj_reader *reader, const struct ubj_member *member,
                                         void *context, struct err *err);

/* A linear model's forest_margin and forest_shap. */
void linear_margin(const struct forest *forest, const float *features, float *ret_margins);
void linear_shap(const struct forest *forest, const float *features, double *ret_contributions);

/* How many values are worked on at once in an explanation. */
#define SHAP_LANES 4

/* Fills in what explanations need once all nodes stand: edges' `earlier`, expected, quadrature. */
MUST_CHECK enum err_code forest_trace(struct forest *forest, struct err *err);

#endif
