/*
 * Threads for bodies of many rows, so that no event loop, and none of its other connections, waits
 * for them. Jobs are done in the order they came, at a lower priority than the loops.
 *
 * bulk_submit may be called by any thread. How much waits is the caller's to bound.
 */
#ifndef PGBOOST_HTTP_BULK_H
#define PGBOOST_HTTP_BULK_H

#include <stdbool.h>

#include "base/err.h"

struct bulk;

/* Lives in what it is a job of, until run has been called. */
struct bulk_job {
    void (*run)(struct bulk_job *job);
    struct bulk_job *next; /* in the queue */
};

MUST_CHECK enum err_code bulk_new(int n_threads, struct bulk **ret_bulk, struct err *err);

/* False: nothing is taken any more, and the caller may run the job itself. */
bool bulk_submit(struct bulk *bulk, struct bulk_job *job);

/* Takes nothing more, does what was taken, and returns when that is done. */
void bulk_stop(struct bulk *bulk);

/* After bulk_stop, or alone; nobody submits any more. */
void bulk_free(struct bulk *bulk);

#endif
