/*
 * What the forest is made of; for the files of lib/forest alone.
 *
 * A walk reads the nodes and the row's codes, nothing else, and both are made for it:
 *
 *   - A code is a value as an unsigned number of the same order, so that one integer comparison
 *     decides a split. A missing value has the lowest code or the highest, by the way the split
 *     sends it: a row has a code for each pair of feature and way that the forest asks for, its
 *     slots. Whether a value is missing is asked once a row, not once a step.
 *   - A node has 8 bytes. All trees' nodes stand in one array, each tree's from a cache line on,
 *     breadth first, siblings side by side: the first three levels are one line. A leaf looks at
 *     slot 0, whose code is always 0 and never goes right, and leads to itself, so that a walk of a
 *     fixed number of steps needs no test for leaves, and several walks can run interleaved.
 *
 * What only explanations need stands apart, in an edge beside each node.
 *
 * Measured and left out (Cascade Lake): the same nodes by gathers of AVX2 and AVX-512, 8 or 16
 * trees or rows at once, took two to four times as long as plain walks; all splits of a tree by
 * AVX-512 masks over 16 rows, without gathers, twice as long.
 */
#ifndef PGBOOST_FOREST_FOREST_INTERNAL_H
#define PGBOOST_FOREST_FOREST_INTERNAL_H

#include "forest/forest.h"
#include "forest/objective.h"
#include "forest/ubjson.h"

struct node {
    union {
        uint32_t last_left; /* numerical: the last code that goes left */
        uint32_t set;       /* categorical: where its set begins in forest->sets */
        float leaf;         /* leaf: its value */
    };
    uint16_t slot; /* of the code it looks at, and SLOT_CATEGORY; a leaf: 0 */
    uint16_t step; /* to the left child, the right one follows; a leaf: 0 */
};
_Static_assert(sizeof(struct node) == 8, "eight nodes a cache line");

#define SLOT_CATEGORY  0x8000
#define NODES_PER_LINE 8

/* Slot and step of a node where 16 bits do not hold those of all: trees of 2^16 nodes and more, or
 * as many features. Such forests are walked without codes, by step_row. */
struct link {
    uint32_t slot; /* LINK_CATEGORY in place of SLOT_CATEGORY */
    uint32_t step;
};

#define LINK_CATEGORY UINT32_C(0x80000000)

/* What a row's codes are made of. Slot 0 is the leaves': its code is 0 whatever the row. */
struct slots {
    uint32_t *feature;      /* [n] */
    uint32_t *missing;      /* [n] the code of a missing value: CODE_LEFT or CODE_RIGHT */
    uint32_t *n_categories; /* [n] that any set of the feature covers; 0: compared as a number */
    uint32_t n;
};

#define CODE_LEFT  UINT32_C(0)
#define CODE_RIGHT UINT32_MAX

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
    uint32_t n_nodes;
    uint32_t output; /* which margin it adds to */
    uint32_t depth;  /* steps to its deepest leaf */
    bool has_categories;
};

/* Trees that one row walks at once, in their order; the last group is filled up with the first
 * tree. */
#define GROUP_TREES 10

struct group {
    uint32_t roots[GROUP_TREES];
    uint32_t outputs[GROUP_TREES];
    uint32_t n_trees;
    uint32_t depth; /* of the deepest */
    bool has_categories;
};

struct forest {
    const struct objective *objective;
    const char *booster; /* its name, a literal */
    struct tree *trees;
    struct group *groups; /* [n_trees / GROUP_TREES], rounded up */
    struct node *nodes;
    struct link *links; /* [n_nodes]; NULL: the nodes' own suffice */
    struct slots slots;
    uint32_t *sets; /* each: a bit for each code of a category, those of a slot of equal length */
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

static inline size_t forest_n_groups(const struct forest *forest)
{
    return ((size_t)forest->n_trees + GROUP_TREES - 1) / GROUP_TREES;
}

/* A node as it is read, in full. */
struct planted {
    union {
        float condition; /* numerical: left when x < condition */
        uint32_t set;    /* categorical: where its set begins in planting->sets: the number of
                          * categories it covers, then a bit for each of them */
        float leaf;
    };
    uint32_t left; /* place of the left child in its tree, the right one follows; a leaf: its own */
    uint32_t feature; /* 0 for a leaf */
    bool missing_right, is_category;
};

/* Growing arrays while a forest is loaded; forest_pack makes the forest of them. */
struct planting {
    struct tree *trees;
    struct planted *nodes;
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

/* Planted trees as the forest's trees, groups, nodes, links, slots, sets and edges. */
MUST_CHECK enum err_code forest_pack(const struct planting *planting, struct forest *forest,
                                     struct err *err);

/* n items of zeros, on a cache line; NULL without memory. */
void *forest_room(size_t n, size_t item_bytes);

/* forest_margin without codes: for rows too wide to have them prepared, and for links. */
void forest_margin_plain(const struct forest *forest, const float *features, float *ret_margins);

/* A linear model's forest_margin and forest_shap. */
void linear_margin(const struct forest *forest, const float *features, float *ret_margins);
void linear_shap(const struct forest *forest, const float *features, double *ret_contributions);

/* How many values are worked on at once in an explanation. */
#define SHAP_LANES 4

/* Fills in what explanations need once all nodes stand: edges' `earlier`, expected, quadrature. */
MUST_CHECK enum err_code forest_trace(struct forest *forest, struct err *err);

#endif
