/*
 * One step down a tree: what predictions and explanations share; for the files of lib/forest alone.
 */
#ifndef PGBOOST_FOREST_FOREST_STEP_H
#define PGBOOST_FOREST_FOREST_STEP_H

#include <string.h>

#include "forest/forest_internal.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

#define SIGN_BIT UINT32_C(0x80000000)

/* a < b as floats where code_of(a) < code_of(b) as integers, denormals and infinities among them;
 * -0 is 0. No number has CODE_LEFT, CODE_RIGHT or CODE_LEFT + 1. */
static ALWAYS_INLINE uint32_t code_of(float value, uint32_t missing)
{
    uint32_t bits;

    value += 0.0f; /* -0 + 0 is 0 */
    memcpy(&bits, &value, sizeof(bits));
    bits ^= (uint32_t)((int32_t)bits >> 31) | SIGN_BIT; /* below 0 the order of bits is reversed */
    return value != value ? missing : bits;
}

/* What code_of was given; NaN where that was missing. */
static ALWAYS_INLINE float value_of(uint32_t code)
{
    float value;

    code = code & SIGN_BIT ? code ^ SIGN_BIT : ~code;
    memcpy(&value, &code, sizeof(value));
    return value;
}

/* XGBoost's common::Decision: right when in the set; negative codes and codes beyond it are not. */
static ALWAYS_INLINE uint32_t in_set(const uint32_t *set, uint32_t code)
{
    float value = value_of(code);
    uint32_t category;

    if (!(value >= 0.0f && value < (float)set[0]))
        return code == CODE_RIGHT;
    category = (uint32_t)value; /* fractions are cut off */
    return set[1 + category / 32] >> category % 32 & 1;
}

/* Without branches but for categories: which way a row goes is what a processor cannot foresee. The
 * step's end is an addition with the comparison's carry. */
static ALWAYS_INLINE size_t step(const struct forest *forest, size_t at, const uint32_t *codes,
                                 bool categories)
{
    const struct node *node = &forest->nodes[at];

    if (categories && node->slot & SLOT_CATEGORY)
        return at + node->step +
               in_set(forest->sets + node->set, codes[node->slot - SLOT_CATEGORY]);
    return at + node->step + (node->last_left < codes[node->slot]);
}

static ALWAYS_INLINE struct link link_of(const struct forest *forest, size_t at)
{
    const struct node *node = &forest->nodes[at];

    if (forest->links != NULL)
        return forest->links[at];
    if (node->slot & SLOT_CATEGORY)
        return (struct link){(node->slot - SLOT_CATEGORY) | LINK_CATEGORY, node->step};
    return (struct link){node->slot, node->step};
}

static ALWAYS_INLINE uint32_t feature_of(const struct forest *forest, size_t at)
{
    return forest->slots.feature[link_of(forest, at).slot & ~LINK_CATEGORY];
}

/* The left child; a leaf: itself. */
static ALWAYS_INLINE size_t left_of(const struct forest *forest, size_t at)
{
    return at + link_of(forest, at).step;
}

/* The same step of any forest, by the row itself. */
static ALWAYS_INLINE size_t step_row(const struct forest *forest, size_t at, const float *features)
{
    const struct node *node = &forest->nodes[at];
    const struct link link = link_of(forest, at);
    uint32_t slot = link.slot & ~LINK_CATEGORY;
    uint32_t code = code_of(features[forest->slots.feature[slot]], forest->slots.missing[slot]);

    if (link.step == 0)
        return at;
    if (link.slot & LINK_CATEGORY)
        return at + link.step + in_set(forest->sets + node->set, code);
    return at + link.step + (node->last_left < code);
}

#endif
