/*
 * The search of a run: trials over the settings of all its algorithms, the best by the key metric
 * on the validation rows of all folds.
 */
#ifndef PGBOOST_TRAIN_SEARCH_H
#define PGBOOST_TRAIN_SEARCH_H

#include "train/trial.h"

struct search_best {
    struct setting setting;
    struct trial_result result;
    int64_t trial_id;
    int n_completed, n_failed;
};
void search_best_release(struct search_best *best);

/* Runs the trials that the project's strategy and budget allow, each a row of the catalog. A trial
 * that fails is recorded and the search goes on; when all fail, the first reason is the error. */
MUST_CHECK enum err_code search_run(const struct trial_setup *setup, const struct designs *designs,
                                    struct control *control, struct search_best *ret_best,
                                    struct err *err);

#endif
