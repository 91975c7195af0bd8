/*
 * Reports: what a picture of a model's errors is drawn from, each one JSON value appended to a buf.
 *
 * A report that is not defined (no rows, a NaN among the predictions, a curve where a class does
 * not occur) is null, and so is a single value that is not. Weights count as in metric.h; "count"
 * is the number of rows with a weight, "weight" their sum. `positive` is the class that
 * probabilities are those of, against the rest: 1 where there are two.
 *
 * Errors: ERR_NOMEM, also where the buf has failed. O(n log n), but curves: see report_roc.
 */
#ifndef PGBOOST_METRIC_REPORT_H
#define PGBOOST_METRIC_REPORT_H

#include "base/buf.h"
#include "metric/metric.h"

#define REPORT_POINTS_MAX  200 /* of a curve */
#define REPORT_CLASSES_MAX 100 /* of a confusion matrix; beyond it is null */

/* {"n_classes": K, "counts": [[…], …]}: weights of rows, truth down, choice across; the order is
 * the classes'. */
MUST_CHECK enum err_code report_confusion(const struct metric_input *input, struct buf *json,
                                          struct err *err);

/*
 * {"n_thresholds": n, "points": [[false positive rate, true positive rate, threshold], …]} from
 * [0, 0, null] to [1, 1, least]: rows with a probability ≥ threshold are chosen. roc_curve's
 * points, thinned to REPORT_POINTS_MAX.
 *
 * Thinning (both curves) is Douglas and Peucker's 1973, farthest point first: both ends stay, then
 * again and again the point that lies farthest from the lines drawn so far, so that corners stay
 * and what lies on a line goes. Every point is one of the exact curve. About 8 passes over n
 * points, 200 at worst.
 */
MUST_CHECK enum err_code report_roc(const struct metric_input *input, uint32_t positive,
                                    struct buf *json, struct err *err);

/* {"n_thresholds": n, "points": [[recall, precision, threshold], …]} from [0, 1, null] to recall 1:
 * precision_recall_curve's points, thinned likewise. Between points precision is not linear in
 * recall; draw steps. */
MUST_CHECK enum err_code report_pr(const struct metric_input *input, uint32_t positive,
                                   struct buf *json, struct err *err);

/* [{"count", "weight", "mean_predicted", "observed"}, …] by rising probability: tenths of the
 * weight. Rows of one probability stay together, in the tenth that holds their middle; so tenths
 * may be uneven, and empty ones are not listed. */
MUST_CHECK enum err_code report_calibration(const struct metric_input *input, uint32_t positive,
                                            struct buf *json, struct err *err);

/* [{"decile", "positives", "share", "lift", "captured", "cumulative_lift"}, …]: ten, by falling
 * probability; of a tie that a border cuts, each side has its proportion. share: of positives in
 * the decile; lift: share over that of all rows; captured: of all positives in this and the deciles
 * before; cumulative_lift: captured over the rows' share. The first lift is the metric "lift". */
MUST_CHECK enum err_code report_lift(const struct metric_input *input, uint32_t positive,
                                     struct buf *json, struct err *err);

/* {"count", "mean", "quantiles": [[percent, value], …]} of y − prediction, at 0, 1, 5, 10, 25, 50,
 * 75, 90, 95, 99 and 100 %; a quantile that falls between two values is their mean (numpy's
 * "averaged_inverted_cdf"). */
MUST_CHECK enum err_code report_residuals(const struct metric_input *input, struct buf *json,
                                          struct err *err);

#endif
