/*
 * May a trial go on? Decided from losses that trials of the same algorithm had at the same step.
 *
 * Steps are rounds at a learning rate of 0.1; at another eta a step ends after as many rounds more
 * (pruner_round), so that trials are compared when they have come as far. Trials report at the
 * steps 10, 20, 30, 60, 90, 180, 270, 540, 810 … and ask after each. Functions of the history
 * alone: whoever asks with the same history gets the same answer. A loss that is NaN may not go on.
 *
 * Optuna's definitions: SuccessiveHalvingPruner(min_resource=30, reduction_factor=3), but for its
 * rungs beyond the third, and MedianPruner(n_startup_trials=5); PRUNER_TRIALS_MIN is ours.
 */
#ifndef PGBOOST_SEARCH_PRUNER_H
#define PGBOOST_SEARCH_PRUNER_H

#include "search/history.h"

#define PRUNER_REDUCTION 3
/* Before, quick learners are ahead of good ones: the first rounds say how large steps are. Shallow
 * trees, whose rounds are cheap, need the most of them. */
#define PRUNER_STEP_MIN         90
#define PRUNER_HALVING_STEP_MIN 270
#define PRUNER_TRIALS_MIN       5 /* completed trials of the algorithm before one is pruned */

/* Step i, from 0: 10, 20, 30, 60, 90 … */
int pruner_step(int i);

/* The round that ends a step at a learning rate, at least 1. */
int pruner_round(int step, double eta);

/* Asynchronous successive halving (Li et al., MLSys 2020) at the rungs 30, 90 and 270: of n trials
 * that came to a rung so far, whatever became of them, this one included, those go on whose loss is
 * not above the ⌊n ÷ 3⌋-th smallest (at least the smallest). Decides by the trial's last step;
 * where that is no rung, all go on but a NaN. */
bool halving_allows(const struct history *history, const struct trial_record *trial);

/* The median rule (Golovin et al., KDD 2017): the trial's best loss so far is not above the median
 * of the losses that completed trials had at its last step. True while fewer than n_min have
 * completed, or none of them came so far. */
bool median_allows(const struct history *history, const struct trial_record *trial, int n_min);

/* The median rule from PRUNER_STEP_MIN, halving from PRUNER_HALVING_STEP_MIN, both from
 * PRUNER_TRIALS_MIN completed trials on. The trial itself may be in the history: it goes by its
 * number. */
bool pruner_allows(const struct history *history, const struct trial_record *trial);

#endif
