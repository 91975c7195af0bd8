/*
 * The search of a run: trials over the settings of all its algorithms, the best by the key metric
 * on the validation rows of all folds.
 *
 * Trials are rows of the catalog, and their number alone says what they are (search/sampler.h,
 * train/trials.h): a run that goes on after a crash, and workers that help, take up the trials that
 * are to be had, and all come to the same end.
 */
#ifndef PGBOOST_TRAIN_SEARCH_H
#define PGBOOST_TRAIN_SEARCH_H

#include "train/helpers.h"
#include "train/trial.h"

struct search_best {
    struct setting setting;
    struct trial_result result;
    int64_t trial_id;
    int number;
};
void search_best_release(struct search_best *best);

struct search_request {
    const struct trial_setup *setup;
    const struct designs *designs;
    struct control *control;
    const struct train_options *options;
};

/* Runs the trials that the strategy and the budget allow, with helpers where several trials at a
 * time are faster than several threads for one. A trial that fails is recorded and the search goes
 * on; when all fail, the commonest reason is the error. */
MUST_CHECK enum err_code search_run(const struct search_request *request,
                                    struct search_best *ret_best, struct err *err);

/* Trials of a search that another worker holds, until there are none to be had. */
MUST_CHECK enum err_code search_help(const struct search_request *request, struct err *err);

#endif
