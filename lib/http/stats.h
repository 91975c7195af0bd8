/*
 * What the requests were like: how many of each kind, with which status, how long they took.
 *
 * In the way of a request: exchange.c notes it once its answer is ready; metrics.c collects when
 * somebody asks. Each serving thread counts for itself, so that noting takes no lock and no cache
 * line of another thread; collecting adds up what all of them have, while they go on.
 *
 * A series is a route and a project. Bounded: STATS_SERIES_MAX a thread; what is beyond counts for
 * its route without a project, so that names that come and go cannot fill the memory.
 */
#ifndef PGBOOST_HTTP_STATS_H
#define PGBOOST_HTTP_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define STATS_SERIES_MAX 2048
#define STATS_BUCKETS    17 /* and one more for what takes longer */
#define STATS_STATUSES   22 /* and one more for all others */

struct route;
struct stats;

/* Upper bounds in microseconds, inclusive; the statuses that are told apart. */
extern const int64_t stats_bounds_us[STATS_BUCKETS];
extern const int stats_statuses[STATS_STATUSES];

struct stats_series {
    const struct route *route; /* NULL: the request was refused before it had one */
    int64_t project_id;        /* 0: of none */
    uint64_t n_by_status[STATS_STATUSES + 1];
    uint64_t n_by_bucket[STATS_BUCKETS + 1]; /* each request in one */
    uint64_t sum_us;
};

struct stats_series_list {
    size_t n;
    struct stats_series *items;
};
void stats_series_list_release(struct stats_series_list *list);

MUST_CHECK enum err_code stats_new(struct stats **ret_stats, struct err *err);
/* When no thread notes any more. */
void stats_free(struct stats *stats);

/* Any thread. What memory does not suffice for is not counted. */
void stats_note(struct stats *stats, const struct route *route, int64_t project_id, int status,
                int64_t us);

/* The sums over all threads, by route and project. */
MUST_CHECK enum err_code stats_collect(struct stats *stats, struct stats_series_list *ret_list,
                                       struct err *err);

#endif
