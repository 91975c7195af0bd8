#include "base/random.h"

void rng_init(struct rng *rng, uint64_t seed)
{
    rng->state = seed;
}

/* Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014; the
 * constants are those of Vigna's reference splitmix64.c. */
uint64_t rng_next(struct rng *rng)
{
    uint64_t z = rng->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

double rng_uniform(struct rng *rng)
{
    return (double)(rng_next(rng) >> 11) * 0x1p-53;
}

/* Lemire, "Fast random integer generation in an interval", ACM TOMACS 2019: the high half of a
 * 128-bit product, with the few products that would bias it drawn again. */
uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    uint64_t uneven = -bound % bound; /* 2^64 mod bound */
    unsigned __int128 product;

    do
        product = (unsigned __int128)rng_next(rng) * bound;
    while ((uint64_t)product < uneven);
    return (uint64_t)(product >> 64);
}
