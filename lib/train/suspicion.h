/*
 * What a careful statistician would frown at before training: features that know the answer, ids,
 * constants. A warning changes nothing in the run; it is stored with it and shown.
 */
#ifndef PGBOOST_TRAIN_SUSPICION_H
#define PGBOOST_TRAIN_SUSPICION_H

#include "frame/profile.h"
#include "train/control.h"
#include "train/dataset.h"

/* A feature at or above this alone predicts the target: too good to be known beforehand. */
#define SUSPICIOUS_POWER 0.99

/* How well one feature alone tells the target: the rows are put into at most 32 bins of equal size
 * (a bin a category; missing values apart), every other row learns its bin's mean, and the rest
 * judge it. Regression: R². Classification: ROC AUC, the largest over the classes. values[n], the
 * encoded feature; y[n], the target or the class's number. Fewer than 100 rows: 0. */
MUST_CHECK enum err_code feature_power(const float *values, const double *y, size_t n,
                                       bool is_category, int n_classes, double *ret_power,
                                       struct err *err);

/* Appends the column's warnings to json, as strings of a JSON array that `*n` have gone into. */
MUST_CHECK enum err_code column_warnings(const struct dataset *dataset,
                                         const struct encoder *encoder,
                                         const struct schema_column *schema_column,
                                         const struct column_profile *profile, struct buf *json,
                                         int *n, struct err *err);

/* control is asked and told of the progress at each column. The profile of what a run read: a JSON
 * array of columns (what profile_to_json writes, and "role": target, key, group, weight, feature or
 * time), and all their warnings. */
MUST_CHECK enum err_code dataset_profile(const struct dataset *dataset,
                                         const struct encoder *encoder, struct control *control,
                                         struct buf *columns, struct buf *warnings,
                                         struct err *err);

#endif
