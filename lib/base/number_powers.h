/*
 * Powers of five for number.c and nobody else: 128 bits of each, the first of them set. 5^q is
 * table × 2^(floor(q log2 5) - 127), exactly for q of 0 and more, rounded up below.
 */
#ifndef PGBOOST_BASE_NUMBER_POWERS_H
#define PGBOOST_BASE_NUMBER_POWERS_H

#include <stdint.h>

#define POWER_MIN (-64)
#define POWER_MAX 55 /* 5^55 is the last that 128 bits hold */

struct power_of_five {
    uint64_t high, low;
};
extern const struct power_of_five powers_of_five[POWER_MAX - POWER_MIN + 1]; /* from 5^POWER_MIN */

#endif
