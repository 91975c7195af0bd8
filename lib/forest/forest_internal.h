/*
 * What the forest is made of; for the files of lib/forest alone.
 *
 * All trees' nodes stand in one array, 16 bytes each, siblings side by side in an aligned pair: a
 * step loads one node and goes to `left` or the place after it, and a pair never crosses a cache
 * line. A leaf's children are itself, so that a walk of a fixed number of steps needs no test for
 * leaves, and several walks can run interleaved.
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

struct tree {
    uint32_t root;
    uint32_t output; /* which margin it adds to */
    uint32_t depth;  /* steps to its deepest leaf */
    bool has_categories;
};

struct forest {
    const struct objective *objective;
    struct tree *trees;
    struct node *nodes;
    uint32_t *sets; /* each: number of categories it covers, then one bit for each of them */
    uint32_t n_trees, n_nodes, n_sets;
    int n_features, n_outputs;
    float base_margin;
};

/* Growing arrays while a forest is loaded; forest_load moves them into the forest. */
struct planting {
    struct tree *trees;
    struct node *nodes;
    uint32_t *sets;
    size_t n_trees, n_nodes, n_sets;
    size_t trees_capacity, nodes_capacity, sets_capacity;
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

#endif
