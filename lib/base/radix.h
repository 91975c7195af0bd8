/*
 * Sorting by a 64-bit key in time linear in n, from the lowest digit up: equal keys stay as they
 * came. For millions of rows, where qsort's comparisons would be waited for.
 */
#ifndef PGBOOST_BASE_RADIX_H
#define PGBOOST_BASE_RADIX_H

#include <stddef.h>
#include <stdint.h>

struct radix_item {
    uint64_t key;
    uint32_t index; /* the caller's */
};

/* The order of signed numbers as that of keys. */
static inline uint64_t radix_key_of_int(int64_t value)
{
    return (uint64_t)value ^ UINT64_C(1) << 63;
}

/* Sorts items[n] with the help of room[n]; returns the one of the two that is sorted. */
struct radix_item *radix_sort(struct radix_item *items, struct radix_item *room, size_t n);

#endif
