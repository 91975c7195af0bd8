/*
 * The probability from which on class 1 is chosen: the one that is best by a metric of the chosen
 * class, on rows that did not fit the model.
 */
#ifndef PGBOOST_METRIC_THRESHOLD_H
#define PGBOOST_METRIC_THRESHOLD_H

#include "metric/metric.h"

/*
 * Class 1 is chosen where its probability is ≥ *ret_threshold, in [0, 1]; *ret_value is the metric
 * then. Two classes; `chosen` is not looked at, weights are.
 *
 * All thresholds between two neighbouring probabilities choose alike. Each such gap stands for .5
 * where it holds it, else for its middle, which keeps clear of both. Of equally good gaps the one
 * nearest to .5 wins, so that rows that do not tell (one class only) give .5 or the next to it.
 *
 * Both NaN where the metric is nowhere defined (no rows, a probability that is NaN). ERR_INVALID:
 * the metric has no threshold; the hint names those that do. O(n log n).
 */
MUST_CHECK enum err_code threshold_best(const struct metric_input *input,
                                        const struct metric *metric, double *ret_threshold,
                                        double *ret_value, struct err *err);

#endif
