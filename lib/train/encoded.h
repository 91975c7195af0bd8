/*
 * Rows as the encoder makes them: the float32 matrix that XGBoost takes, in memory or in a file.
 *
 * In the way of the data: dataset → encoded (this) → XGBoost's matrix. Written once, read in
 * batches as often as XGBoost asks.
 */
#ifndef PGBOOST_TRAIN_ENCODED_H
#define PGBOOST_TRAIN_ENCODED_H

#include "base/spill.h"
#include "train/dataset.h"
#include "xgb/booster.h"

struct encoded {
    const struct encoder *encoder; /* the caller's */
    size_t n_rows, batch_rows;
    float *values;      /* [n_rows × n_features], or room for a batch where there is a file */
    float *labels;      /* [n_rows] */
    float *weights;     /* [n_rows], or NULL: 1 each */
    uint32_t *lists;    /* [n_rows] ranking: rising; else NULL */
    float *upper;       /* [n_rows] survival by times, whose labels are the lower ends; else NULL */
    struct spill *file; /* NULL: all is in memory */
};
void encoded_release(struct encoded *encoded);

/* training: the rows the encoder was fitted on, with target means out of fold; a matrix larger than
 * spill->above goes to a file. Others stay in memory. */
MUST_CHECK enum err_code encoded_init(struct encoded *encoded, const struct encoder *encoder,
                                      const struct dataset *dataset, const struct rows *rows,
                                      bool training, const struct spill_rule *spill,
                                      struct err *err);

/* XGBoost's matrix: by bins, for trees to train on, or exact, of rows that are in memory. */
MUST_CHECK enum err_code encoded_matrix(struct encoded *encoded, bool in_bins, int max_bin,
                                        int threads, struct matrix **ret_matrix, struct err *err);

#endif
