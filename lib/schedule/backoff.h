/*
 * How long to wait before trying again: doubling from first_ms to most_ms, with half of each delay
 * left to chance so that many daemons do not come back in step ("equal jitter", M. Brooker,
 * Exponential Backoff and Jitter, AWS 2015). The policy is data; the caller keeps the time.
 */
#ifndef PGBOOST_SCHEDULE_BACKOFF_H
#define PGBOOST_SCHEDULE_BACKOFF_H

#include <stdint.h>

#include "base/random.h"

struct backoff {
    int64_t first_ms, most_ms;
    int n_failures; /* since the last success */
};

/* Counts a failure and gives the delay after it: in [d/2, d] for d = min(first × 2^(n-1), most). */
int64_t backoff_fail(struct backoff *backoff, struct rng *rng);
void backoff_succeed(struct backoff *backoff);

#endif
