/*
 * What a run's search found, for people: its best trials, which hyperparameters mattered, and where
 * it would go on.
 */
#ifndef PGBOOST_CMD_SEARCHED_H
#define PGBOOST_CMD_SEARCHED_H

#include "list.h"
#include "train/trials.h"

/* A run's trials, best first: completed ones by score, then pruned and failed ones. */
struct ranked {
    int n;
    struct trial_row *items; /* [n] */
};
void ranked_release(struct ranked *ranked);
MUST_CHECK enum err_code ranked_init(struct ranked *ranked, const struct trials *trials,
                                     bool higher_is_better, struct err *err);
struct list list_of_trials(const struct ranked *ranked);

/* Of the project's run. Nothing where it has no trials. */
MUST_CHECK enum err_code searched_put(struct buf *out, const struct trials *trials, int64_t run_id,
                                      const struct project_row *project, bool colour,
                                      struct err *err);

#endif
