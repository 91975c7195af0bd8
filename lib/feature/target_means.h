/*
 * Target means of categories: how the target behaves where a column has a value.
 *
 * Each category's mean is drawn to the mean of all rows (the prior) by MEAN_SMOOTHING rows' worth:
 * (sum + 20 · prior) / (n + 20), Micci-Barreca 2001 with a fixed weight. A row that is trained on
 * must not see its own target, so training rows get means out of fold: fold i % MEAN_FOLDS of the
 * i-th row by the statistics of the other folds.
 */
#ifndef PGBOOST_FEATURE_TARGET_MEANS_H
#define PGBOOST_FEATURE_TARGET_MEANS_H

#include "feature/encoder.h"

#define MEAN_SMOOTHING 20
#define MEAN_FOLDS     5

/* The training rows as one column's means need them. */
struct mean_rows {
    const uint32_t *rows; /* of the frame */
    size_t n_rows;
    const uint32_t *categories; /* [n_rows] index, STRMAP_NONE: null or not kept */
    size_t n_categories;
    const struct encoder_target *target;
};

/* Means over all rows but those of fold left_out (-1: all): means[n_categories × n_outputs],
 * prior[n_outputs]. A category without rows has the prior itself. A result beyond float32:
 * ERR_DATA. */
MUST_CHECK enum err_code target_means(const struct mean_rows *in, int left_out, double *means,
                                      double *prior, struct err *err);

/* How many means a category gets of this target: 0 when it has none or too many outputs. */
int target_n_means(const struct encoder_target *target);

#endif
