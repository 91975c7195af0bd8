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

/* Of a categorical feature, what a set is asked for: 1 + the category, its fractions cut off; 0 for
 * one that is in no set (negative, not below n_categories, as XGBoost's common::Decision has it)
 * and for a missing value that goes left, n_categories + 1 for one that goes right. */
static ALWAYS_INLINE uint32_t category_code_of(float value, uint32_t n_categories, uint32_t missing)
{
    if (value != value)
        return missing == CODE_RIGHT ? n_categories + 1 : 0;
    return value >= 0.0f && value < (float)n_categories ? 1 + (uint32_t)value : 0;
}

static ALWAYS_INLINE uint32_t code_of_slot(const struct slots *slots, uint32_t slot,
                                           const float *features)
{
    float value = features[slots->feature[slot]];

    if (slots->n_categories[slot] != 0)
        return category_code_of(value, slots->n_categories[slot], slots->missing[slot]);
    return code_of(value, slots->missing[slot]);
}

static ALWAYS_INLINE uint32_t in_set(const uint32_t *set, uint32_t code)
{
    return set[code / 32] >> code % 32 & 1;
}

/* Without branches: which way a row goes, and where trees ask for categories which kind of split it
 * meets, is what a processor cannot foresee. Where all splits are numerical, a step's end is an
 * addition with the comparison's carry. */
static ALWAYS_INLINE size_t step(const struct forest *forest, size_t at, const uint32_t *codes,
                                 bool categories)
{
    const struct node *node = &forest->nodes[at];
    uint32_t slot = node->slot, is_category, code, right;

    if (!categories)
        return at + node->step + (node->last_left < codes[slot]);
    is_category = -(slot / SLOT_CATEGORY); /* all bits or none */
    code = codes[slot % SLOT_CATEGORY];
    right = node->last_left < code;
    right ^= (right ^ in_set(forest->sets + (node->set & is_category), code & is_category)) &
             is_category;
    return at + node->step + right;
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
    uint32_t code = code_of_slot(&forest->slots, slot, features);

    if (link.step == 0)
        return at;
    if (link.slot & LINK_CATEGORY)
        return at + link.step + in_set(forest->sets + node->set, code);
    return at + link.step + (node->last_left < code);
}

#endif
