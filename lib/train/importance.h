/*
 * What a model looks at, five ways, as one JSON object for models.metrics:
 *
 *   gain, cover, weight  of each feature that a split asks for, as XGBoost has them
 *                        (saved_scores in xgb/booster.h: gain and cover are means over the splits);
 *                        of a linear booster only weight, its coefficients
 *   shap                 of each column: mean |what it adds to the margin| over test rows, all
 *                        features made of the column together, and over the outputs
 *   permutation          of each column: how much the loss of the test rows grows, in the mean of
 *                        three permutations, when the column's values are dealt to other rows
 *                        (Breiman 2001). The loss is measure_loss's; the same permutations of the
 *                        same rows serve every column; a column that no split asks for is 0
 *
 * "rows" says on how many rows each was worked out. At most 1,000 for shap and 10,000 for
 * permutation, spread over the test rows; fewer, and of permutation only the columns that shap puts
 * first, where a large model or many columns would take longer than about five seconds each. What
 * is left out depends on sizes alone, so that the same run has the same numbers. Of more than 1,000
 * features or columns the 1,000 largest are written.
 */
#ifndef PGBOOST_TRAIN_IMPORTANCE_H
#define PGBOOST_TRAIN_IMPORTANCE_H

#include "train/measure.h"

struct importance_request {
    const struct model *model; /* its labels are the dataset's */
    const struct buf *bytes;   /* the same model as XGBoost has it */
    const struct dataset *dataset;
    const struct metric *key;
    int64_t seed;
};

/* Appends the object. shap is null where the model does not know how many rows its nodes saw, or is
 * too large; permutation where it is too large. */
MUST_CHECK enum err_code importance_write(const struct importance_request *request,
                                          struct buf *json, struct err *err);

#endif
