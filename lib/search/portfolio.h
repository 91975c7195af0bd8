/*
 * The portfolio: settings known to be good, tried in order before anything is searched.
 * Sources beside each row in portfolio.c (pytabkit's tuned defaults, AutoGluon's zero-shot sets).
 */
#ifndef PGBOOST_SEARCH_PORTFOLIO_H
#define PGBOOST_SEARCH_PORTFOLIO_H

#include <stdbool.h>
#include <stddef.h>

#include "search/hyperparams.h"

int portfolio_size(bool classification);
/* Setting i of [0, portfolio_size); ret_params is overwritten. */
void portfolio_get(bool classification, int i, struct hyperparams *ret_params);

/* Rounds to wait for an improvement: max(base, 0.3 × best_round + 20), base =
 * clamp(300 × 10000 / n_rows, 20, 300) (AutoGluon's adaptive early stopping). */
int early_stopping_patience(size_t n_rows, int best_round);

#define EARLY_STOPPING_MIN_DELTA 2e-6
#define ROUNDS_MAX               10000

#endif
