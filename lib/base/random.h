/*
 * A small seeded generator (splitmix64, Steele, Lea and Flood 2014): the same seed gives the same
 * numbers on every machine. Not for secrets.
 */
#ifndef PGBOOST_BASE_RANDOM_H
#define PGBOOST_BASE_RANDOM_H

#include <stdint.h>

struct rng {
    uint64_t state;
};

void rng_init(struct rng *rng, uint64_t seed);
uint64_t rng_next(struct rng *rng);
double rng_uniform(struct rng *rng);                 /* [0, 1), 53 bits */
uint64_t rng_below(struct rng *rng, uint64_t bound); /* [0, bound), without bias; bound > 0 */

#endif
