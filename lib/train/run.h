/*
 * One run, from start to finish: the way of the data in training, on one page (run.c).
 *
 *   claim → definition meets relation → read → split → search (trials) → refit → golden rows →
 *   measure beside the baseline and the live model → models row and deployment in one transaction
 *
 * Whatever goes wrong is written into the run's row with its hint; nothing is half-written: the
 * model and the run's success are one transaction.
 */
#ifndef PGBOOST_TRAIN_RUN_H
#define PGBOOST_TRAIN_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/spill.h"

struct train_options {
    const char *dsn;      /* NULL: libpq's defaults */
    const char *read_dsn; /* NULL: dsn */
    const char *worker;   /* this worker's name */
    int64_t run_id;       /* 0: any */
    bool helps_only;      /* with trials of a run that another worker holds */
    int threads;
    struct spill_rule spill; /* of a run's rows, and of its encoded matrix */
};

/* Claims a run and trains it, or else helps with the trials of one that another worker holds.
 * *ret_claimed false: there was nothing to do. An error of the run is
 * returned after it was written to the catalog (as far as that was possible). */
MUST_CHECK enum err_code train_next(const struct train_options *options, bool *ret_claimed,
                                    struct err *err);

#endif
