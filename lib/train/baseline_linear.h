/*
 * The linear baseline: ridge regression, or logistic regression with the same penalty, on the
 * features as linear algorithms see them (imputed, standardised, one-hot), with nothing tuned.
 *
 * XGBoost's gblinear, by coordinate descent: it minimises the mean of the rows' halved squared
 * errors (or log losses) + BASELINE_LAMBDA ÷ 2 · the sum of the squared coefficients, the intercept
 * not among them: scikit-learn's Ridge of alpha = BASELINE_LAMBDA · the sum of weights. Its matrix
 * is in memory as a whole, which is why it is left out where there are too many values.
 */
#ifndef PGBOOST_TRAIN_BASELINE_LINEAR_H
#define PGBOOST_TRAIN_BASELINE_LINEAR_H

#include "train/measure.h"

#define BASELINE_LAMBDA 1e-3
#define BASELINE_VALUES_MAX                                                                        \
    2000000 /* rows × features, training and test: 32 MB, a second or two                         \
             */

/* Fills predictions of `rows`, which were initialised; or why, where there is no such baseline. */
MUST_CHECK enum err_code baseline_linear(const struct project *project,
                                         const struct dataset *dataset, const struct rows *training,
                                         const struct rows *rows, struct predictions *predictions,
                                         struct buf *why, struct err *err);

#endif
