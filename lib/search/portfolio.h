/*
 * The portfolio: settings of each algorithm that are known to be good, tried in order before
 * anything is searched. Where a setting comes from stands above it in portfolio.c: pytabkit's tuned
 * defaults, AutoGluon's zero-shot sets, libraries' own defaults; the rest is ours.
 */
#ifndef PGBOOST_SEARCH_PORTFOLIO_H
#define PGBOOST_SEARCH_PORTFOLIO_H

#include <stdbool.h>
#include <stddef.h>

#include "search/algorithm.h"
#include "search/hyperparams.h"

/* The eta that settings of boosted trees are compared at, unless a definition says otherwise. */
#define SEARCH_ETA 0.1
/* max_cat_to_onehot beyond the categories that a native column has. */
#define SEARCH_ONEHOT_ALL 2000

/* What a trial tries. */
struct setting {
    const struct algorithm *algorithm;
    struct hyperparams params;
};

/* Same algorithm, same values, in whatever order? */
bool setting_equal(const struct setting *a, const struct setting *b);

int portfolio_size(enum algorithm_id algorithm, bool classification);
/* Setting i of [0, portfolio_size); ret_setting is overwritten. */
void portfolio_get(enum algorithm_id algorithm, bool classification, int i,
                   struct setting *ret_setting);

/* The portfolios of several algorithms (bits) as one list: the first setting of each, then the
 * second of each …, so that a search that ends early has seen them all. portfolio_size_of counts at
 * most n_each settings of each; number is one of [0, portfolio_size_of). */
int portfolio_size_of(unsigned algorithms, bool classification, int n_each);
void portfolio_get_of(unsigned algorithms, bool classification, int number,
                      struct setting *ret_setting);

/* Rounds to wait for an improvement: max(base × 0.1 ÷ eta, 0.3 × best_round + 20), base =
 * clamp(1,000,000 ÷ n_rows, 20, 50): AutoGluon's adaptive early stopping, with a base that is worth
 * its rounds at the eta of a search. Smaller steps take longer to get anywhere; 0.1 ÷ eta counts
 * from a third to 3. */
int early_stopping_patience(size_t n_rows, double eta, int best_round);

#define EARLY_STOPPING_MIN_DELTA 2e-6

#endif
