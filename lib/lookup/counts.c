#include "lookup/counts.h"

const int64_t lookup_bounds_us[LOOKUP_BUCKETS] = {
    100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000};

static const enum lookup_result results[ERR_CODES] = {
    [ERR_OK] = LOOKUP_FOUND,
    [ERR_FAILED] = LOOKUP_FAILED,
    [ERR_USAGE] = LOOKUP_BAD,
    [ERR_CONFIG] = LOOKUP_FAILED,
    [ERR_INVALID] = LOOKUP_BAD,
    [ERR_DATA] = LOOKUP_BAD,
    [ERR_NOT_FOUND] = LOOKUP_NO_ROW,
    [ERR_CONFLICT] = LOOKUP_FAILED,
    [ERR_LIMIT] = LOOKUP_BAD,
    [ERR_NOMEM] = LOOKUP_FAILED,
    [ERR_IO] = LOOKUP_FAILED,
    [ERR_SQL] = LOOKUP_FAILED,
    [ERR_UNREACHABLE] = LOOKUP_UNREACHABLE,
    [ERR_DENIED] = LOOKUP_FAILED,
    [ERR_TIMEOUT] = LOOKUP_TIMED_OUT,
    [ERR_CORRUPT] = LOOKUP_FAILED,
    [ERR_CANCELLED] = LOOKUP_FAILED,
};

enum lookup_result counts_result(enum err_code code)
{
    return results[code];
}

void counts_note(struct lookup_counts *counts, enum lookup_result result, int64_t us)
{
    int bucket = 0;

    counts->n_by_result[result]++;
    if (us == LOOKUP_UNTIMED)
        return;
    while (bucket < LOOKUP_BUCKETS && us > lookup_bounds_us[bucket])
        bucket++;
    counts->n_by_bucket[bucket]++;
    counts->sum_us += (uint64_t)us;
}
