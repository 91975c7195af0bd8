#include "base/radix.h"

#include <stdbool.h>

#define DIGIT_BITS 11
#define DIGITS     (1 << DIGIT_BITS)
#define KEY_BITS   64

static size_t digit_of(uint64_t key, int shift)
{
    return key >> shift & (DIGITS - 1);
}

/* Where each digit's items begin. False: all have the same digit, there is nothing to do. */
static bool count_digits(const struct radix_item *items, size_t n, int shift, size_t starts[DIGITS])
{
    size_t next = 0;

    for (size_t digit = 0; digit < DIGITS; digit++)
        starts[digit] = 0;
    for (size_t i = 0; i < n; i++)
        starts[digit_of(items[i].key, shift)]++;
    if (starts[digit_of(items[0].key, shift)] == n)
        return false;
    for (size_t digit = 0; digit < DIGITS; digit++) {
        size_t count = starts[digit];

        starts[digit] = next;
        next += count;
    }
    return true;
}

struct radix_item *radix_sort(struct radix_item *items, struct radix_item *room, size_t n)
{
    size_t starts[DIGITS];

    for (int shift = 0; n > 0 && shift < KEY_BITS; shift += DIGIT_BITS) {
        struct radix_item *sorted = room;

        if (!count_digits(items, n, shift, starts))
            continue;
        for (size_t i = 0; i < n; i++)
            sorted[starts[digit_of(items[i].key, shift)]++] = items[i];
        room = items;
        items = sorted;
    }
    return items;
}
