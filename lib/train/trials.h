/*
 * A run's trials as the search's history: rows of the catalog as records, and back.
 *
 * What a trial learns from is fixed by its number: those that came `parallel` numbers before it or
 * earlier have ended by then, those between stand there without a result. So the same trials come
 * whichever worker is faster.
 */
#ifndef PGBOOST_TRAIN_TRIALS_H
#define PGBOOST_TRAIN_TRIALS_H

#include "catalog/catalog.h"
#include "search/history.h"
#include "search/race.h"

/* What a worker notes of a trial under way. Zeroed memory is valid. */
#define TRIAL_STEPS_MAX 64
struct trial_notes {
    int n_steps, n_folds, n_rounds;
    struct trial_step steps[TRIAL_STEPS_MAX]; /* of the first fold */
    double fold_losses[RACE_FOLDS_MAX];       /* of folds that ended: their best loss */
    int rounds[RACE_FOLDS_MAX];               /* of a completed trial: each fold's best */
};

/* {"steps":[[step,loss],…],"folds":[loss,…],"rounds":[n,…]} for trials.steps. */
void trial_notes_put(const struct trial_notes *notes, struct buf *json);

/* Rows as records, by number. Zeroed memory is valid. */
struct trials {
    struct trial_rows rows;
    struct trial_record *records; /* [rows.n] */
    struct trial_notes *notes;    /* [rows.n] */
};
void trials_release(struct trials *trials);

MUST_CHECK enum err_code trials_read(struct pg *pg, int64_t run_id, struct trials *ret_trials,
                                     struct err *err);

/* The number of the next trial. */
int trials_next(const struct trials *trials);

/* Have all trials ended whose numbers are below? */
bool trials_ended(const struct trials *trials, int before);

/* What trial `number` learns from: the trials before it, the last `parallel` - 1 of them without
 * what came of them. Those to number - parallel it has to know (trials_ended). The history's
 * records are trials', which it changes. */
struct history trials_history(struct trials *trials, int number, int parallel,
                              bool higher_is_better);

/* All of them, as they ended. */
struct history trials_all(const struct trials *trials, bool higher_is_better);

int trials_count(const struct trials *trials, enum trial_state state);
double trials_usual_seconds(
    const struct trials *trials); /* the median of completed ones; 0: none */

/* The error that most trials failed of, as the first of them said it; errors that differ in their
 * numbers alone count as one. NULL: none failed. */
const char *trials_commonest_error(const struct trials *trials, int *ret_n);

#endif
