/*
 * The paired bootstrap: by how much one predictor is better than another on the same rows, and how
 * sure that is.
 *
 * A replicate draws as many rows as there are, with replacement, and is a vector of weights: how
 * often each row was drawn, times its own weight. Both predictors are measured under the same
 * weights, so that what makes a row hard for both cancels; every metric of the table can be
 * compared, also those that are no mean of losses (roc_auc, f1). Where the input has groups, whole
 * groups are drawn: rows of one are not independent, and a ranking's list is one observation.
 *
 * Intervals are the 2.5 and 97.5 % quantiles of the replicates (Efron and Tibshirani 1993, ch. 13).
 * The same seed gives the same answer on every machine. It tells how far the answer depends on the
 * rows that happened to be tested, not on those that happened to be trained with.
 *
 * Cost: twice the metric for each replicate. Where n_replicates is 0 there are 5·10⁷ / rows of
 * them, at least 200 and at most 1,000; rows of two classes are sorted once, so that roc_auc,
 * pr_auc, ks and lift take linear time then. Memory: 40 bytes a row beside the metric's own.
 */
#ifndef PGBOOST_METRIC_BOOTSTRAP_H
#define PGBOOST_METRIC_BOOTSTRAP_H

#include "metric/metric.h"

struct bootstrap_plan {
    uint64_t seed;
    size_t n_replicates; /* 0: by the number of rows, as above */
};

/* A value on the rows as they are, and the 95 % interval of the replicates. */
struct bootstrap_interval {
    double value, low, high;
};

struct bootstrap_result {
    double a, b;                          /* the metric of both on the rows as they are */
    struct bootstrap_interval difference; /* a − b */
    struct bootstrap_interval skill; /* 1 − a/b, b being the baseline: 0 no better, 1 perfect. Of
                                      * rankings and survival, whose metrics are 1 at their best,
                                      * 1 − (1 − a)/(1 − b). NaN for other metrics of which more is
                                      * better, and where the baseline is perfect */
    double p_better;  /* share of replicates in which a is better than b, equal ones half */
    size_t n_defined; /* replicates in which both are defined: the others are left out. Where they
                       * are fewer than half, or there are fewer than two rows (groups) to draw
                       * from, intervals and p_better are NaN */
    size_t n_replicates;
};

/* a and b: the same rows in the same order; a's weights and groups hold for both. ERR_INVALID where
 * they differ in number. */
MUST_CHECK enum err_code bootstrap_compare(const struct metric *metric,
                                           const struct metric_input *a,
                                           const struct metric_input *b,
                                           const struct bootstrap_plan *plan,
                                           struct bootstrap_result *ret_result, struct err *err);

/* Is a surely better than b: on the rows as they are, and in BOOTSTRAP_SURE of the replicates? A
 * difference that other rows might have turned around is none. */
#define BOOTSTRAP_SURE 0.95
bool bootstrap_surely_better(const struct metric *metric, const struct bootstrap_result *result);

/* The same of the mean of losses that the caller has for each row: [n_rows], less is better.
 * weights and groups as in struct metric_input, or NULL. */
MUST_CHECK enum err_code bootstrap_losses(const double *a, const double *b, size_t n_rows,
                                          const double *weights, const uint32_t *groups,
                                          const struct bootstrap_plan *plan,
                                          struct bootstrap_result *ret_result, struct err *err);

#endif
