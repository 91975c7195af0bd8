/*
 * The race across folds: a trial that is surely worse than the best one on the folds that both
 * have done is not given the rest of them (Wilcoxon's signed-rank test, as Optuna's
 * WilcoxonPruner).
 */
#ifndef PGBOOST_SEARCH_RACE_H
#define PGBOOST_SEARCH_RACE_H

#include <stdbool.h>

#define RACE_FOLDS_MIN 2
#define RACE_FOLDS_MAX 64 /* of more folds the first decide */
#define RACE_P         0.1

/* The probability of a rank sum as bad as the trial's, were it as good as the best: of all 2^n ways
 * to give the differences their signs, exactly. Ties share their ranks' mean; differences of 0 keep
 * their rank, half of it on either side. 1 without folds. */
double race_p_value(const double *trial_scores, const double *best_scores, int n_folds,
                    bool higher_is_better);

/* False from RACE_FOLDS_MIN folds on, when that is below RACE_P (which takes four folds that are
 * all worse: 1 ÷ 16). */
bool race_allows(const double *trial_scores, const double *best_scores, int n_folds,
                 bool higher_is_better);

#endif
