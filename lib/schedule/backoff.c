#include "schedule/backoff.h"

#include <limits.h>

int64_t backoff_fail(struct backoff *backoff, struct rng *rng)
{
    int64_t delay_ms = backoff->first_ms;

    for (int i = 0; i < backoff->n_failures && delay_ms < backoff->most_ms; i++)
        delay_ms *= 2;
    if (delay_ms > backoff->most_ms)
        delay_ms = backoff->most_ms;
    if (backoff->n_failures < INT_MAX)
        backoff->n_failures++;
    return delay_ms - (int64_t)rng_below(rng, (uint64_t)(delay_ms / 2) + 1);
}

void backoff_succeed(struct backoff *backoff)
{
    backoff->n_failures = 0;
}
