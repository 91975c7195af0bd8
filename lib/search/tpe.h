/*
 * The tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011), multivariate, with Optuna's
 * rules: of an algorithm's trials the best tenth (at most 25) makes one density, the rest another,
 * and of 24 points drawn from the first the one is tried that the first has most above the second.
 *
 * Trials are ranked as history_rank says. Those that run count among the rest (a constant liar), so
 * that workers who ask at the same time do not try the same. Private to lib/search and its tests.
 */
#ifndef PGBOOST_SEARCH_TPE_H
#define PGBOOST_SEARCH_TPE_H

#include "search/history.h"
#include "search/parzen.h"
#include "search/space.h"

/* Finished trials of a run before it is asked: drawn at random, or of settings known to be good. */
#define TPE_STARTUP       10
#define TPE_STARTUP_KNOWN 3
#define TPE_CANDIDATES    24

/* One axis a dimension; a dimension that is 0 half of the time has a choice (0 or not) before it.
 */
struct tpe {
    const struct space *space;
    int n_axes;
    struct parzen_axis axes[2 * HYPERPARAMS_MAX];
    struct parzen below, above;
};

/* Of the trials of the space's algorithm. tpe must stay where it is. */
MUST_CHECK enum err_code tpe_init(struct tpe *tpe, const struct space *space,
                                  const struct history *history, struct err *err);
void tpe_release(struct tpe *tpe);

/* The best of the candidates that was not tried yet; of all of them where all were. */
void tpe_suggest(const struct tpe *tpe, const struct history *history, struct rng *rng,
                 struct setting *ret_setting);

/* min(⌈n / 10⌉, 25) */
int tpe_n_below(int n_finished);

/* Dimension i's axis of numbers or of choices. */
int tpe_axis_of(const struct tpe *tpe, int dimension);

/* A number of a dimension's axis at the nearest value that its range has. */
double tpe_number(const struct dimension *dimension, double at);

#endif
