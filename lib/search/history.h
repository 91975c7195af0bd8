/*
 * What a search knows when it decides: the trials so far, whoever ran them.
 *
 * Losses are of the validation rows, less is better; scores are of the key metric, whichever way it
 * goes. Callers give trials in the order of their numbers.
 */
#ifndef PGBOOST_SEARCH_HISTORY_H
#define PGBOOST_SEARCH_HISTORY_H

#include "search/portfolio.h"

enum trial_state { TRIAL_RUNNING, TRIAL_COMPLETED, TRIAL_PRUNED, TRIAL_FAILED };

/* The loss when a trial had come to a step (pruner.h). */
struct trial_step {
    int step;
    double loss;
};

struct trial_record {
    int number;
    enum trial_state state;
    struct setting setting;
    double score; /* of a completed one */
    int rounds;   /* of a completed one: the mean of its folds' best */
    int n_steps;  /* in order */
    const struct trial_step *steps;
};

struct history {
    int n;
    const struct trial_record *trials;
    bool higher_is_better; /* of scores */
};

/* How many trials have completed or were pruned, of an algorithm or (NULL) of all. */
int history_n_finished(const struct history *history, const struct algorithm *algorithm);

/* Has a trial this setting, whatever became of it? */
bool history_has(const struct history *history, const struct setting *setting);

/* Indexes of the trials of an algorithm (NULL: of all), the best first: completed ones by score;
 * pruned ones, those that came further first, then by loss; last running and failed ones, which
 * stand for bad results until they have one. Equals in the order of their numbers. The caller frees
 * ret_indexes. */
MUST_CHECK enum err_code history_rank(const struct history *history,
                                      const struct algorithm *algorithm, int **ret_indexes,
                                      int *ret_n, struct err *err);

/* The best completed trial, or NULL. */
const struct trial_record *history_best(const struct history *history);

#endif
