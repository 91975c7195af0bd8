/*
 * Helpers of a run on this machine: workers like this one, of one thread each, that take trials of
 * its search. For data so small that the threads of one booster get into each other's way.
 *
 * They die with this process, and end by themselves when there is nothing more to help with.
 */
#ifndef PGBOOST_TRAIN_HELPERS_H
#define PGBOOST_TRAIN_HELPERS_H

#include <sys/types.h>

#include "train/run.h"

#define HELPERS_MAX 64

struct helpers {
    int n;
    pid_t pids[HELPERS_MAX];
};

/* Starts n helpers of the run; fewer where one cannot be started, which the log says. */
void helpers_start(struct helpers *helpers, const struct train_options *options, int64_t run_id,
                   int n);

/* Waits for them: their trials are over when the search is. Zeroed memory is valid. */
void helpers_release(struct helpers *helpers);

#endif
