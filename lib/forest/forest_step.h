/*
 * One step down a tree: what predictions and explanations share; for the files of lib/forest alone.
 */
#ifndef PGBOOST_FOREST_FOREST_STEP_H
#define PGBOOST_FOREST_FOREST_STEP_H

#include "forest/forest_internal.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* XGBoost's common::Decision: right when in the set; negative codes and codes beyond it are not. */
static ALWAYS_INLINE uint32_t in_set(const uint32_t *set, float value)
{
    uint32_t code;

    if (!(value >= 0.0f && value < (float)set[0]))
        return 0;
    code = (uint32_t)value; /* fractions are cut off */
    return set[1 + code / 32] >> code % 32 & 1;
}

/* Without branches but for categories: which way a row goes is what a processor cannot foresee. A
 * NaN compares as "not less", so that it goes right where the node lets a missing value go right.
 */
static ALWAYS_INLINE uint32_t step(const struct forest *forest, uint32_t at, const float *features,
                                   bool categories)
{
    const struct node *node = &forest->nodes[at];
    float value = features[node->feature];
    uint32_t missing = value != value;
    uint32_t right = !(value < node->condition);

    if (categories && node->is_category)
        right = in_set(forest->sets + node->set, value) | missing;
    return node->left + (right & node->lets_right[missing]);
}

#endif
