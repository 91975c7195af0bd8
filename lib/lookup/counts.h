/*
 * What became of look-ups, how long they took, and what the pool is doing. Counted under the pool's
 * lock. For lib/lookup, and who shows them.
 */
#ifndef PGBOOST_LOOKUP_COUNTS_H
#define PGBOOST_LOOKUP_COUNTS_H

#include <stdint.h>

#include "base/err.h"

/* Each ask is one of these, once: they add up to all that were put. */
enum lookup_result {
    LOOKUP_FOUND,  /* keys, of many some may have no row */
    LOOKUP_KEPT,   /* from a row that is kept, without Postgres */
    LOOKUP_NO_ROW, /* of the one key */
    LOOKUP_BAD,    /* keys, columns or a number of rows that cannot be read: the request's fault */
    LOOKUP_QUEUE_FULL,  /* it was not taken */
    LOOKUP_STOPPED,     /* nor was this, or no longer: the pool ends */
    LOOKUP_OVERDUE,     /* no connection had time for it */
    LOOKUP_TIMED_OUT,   /* its statement took too long */
    LOOKUP_UNREACHABLE, /* no server could be asked */
    LOOKUP_FAILED,      /* anything else: the relation has changed, the server refuses */
    LOOKUP_RESULTS
};

#define LOOKUP_BUCKETS 14 /* and one more for what takes longer */

/* Upper bounds in microseconds, inclusive. */
extern const int64_t lookup_bounds_us[LOOKUP_BUCKETS];

/* Of projects whose rows may be answered from memory. */
struct row_cache_counts {
    uint64_t n_hits, n_misses; /* of asks that may be answered from them, ever */
    size_t n_rows, n_bytes;    /* at present */
};

struct lookup_counts {
    uint64_t n_by_result[LOOKUP_RESULTS];
    uint64_t n_by_bucket[LOOKUP_BUCKETS + 1]; /* from when it was put until its rows came */
    uint64_t sum_us;
    uint64_t n_batches;                   /* asks that were read together count as one */
    uint64_t n_retries;                   /* of batches, on another connection or with a new plan */
    int n_connections, n_busy, n_waiting; /* at present: open, at work; asks in the queue */
    struct row_cache_counts cache;
};

/* What a code that a batch or a row ended with is. */
enum lookup_result counts_result(enum err_code code);

/* us: how long it took; LOOKUP_UNTIMED: it was answered, or refused, when it was put. */
#define LOOKUP_UNTIMED (-1)
void counts_note(struct lookup_counts *counts, enum lookup_result result, int64_t us);

#endif
