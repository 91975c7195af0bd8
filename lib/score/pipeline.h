/*
 * Windows on their way: filled by the thread that reads, predicted by some, written by one, in the
 * order they were filled. There are so many windows and no more: who is ahead waits.
 */
#ifndef PGBOOST_SCORE_PIPELINE_H
#define PGBOOST_SCORE_PIPELINE_H

#include "score/writer.h"

struct pipeline_options {
    const struct score_plan *plan;
    struct pg *reader; /* of the copy: cut when another part fails, so that nobody waits for it */
    struct pg_copy *copy; /* plan->read's columns in the order of the key */
    struct writer *writer;
    int threads;
    score_progress_fn progress;
    void *context;
    int64_t n_expected;
};

/* Until the last row is written and the score has ended, or the first error, whose it is. */
MUST_CHECK enum err_code pipeline_run(const struct pipeline_options *options, struct err *err);

#endif
