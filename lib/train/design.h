/*
 * Rows as XGBoost takes them, with the encoder that made them: of one fold, or of the final fit.
 *
 * In the way of the data: split → design (this) → trials. Encoded first, then built, so that the
 * rows can be looked at in between (fit, encode, build); what was encoded is released when the
 * matrices are there.
 */
#ifndef PGBOOST_TRAIN_DESIGN_H
#define PGBOOST_TRAIN_DESIGN_H

#include "train/dataset.h"
#include "train/encoded.h"
#include "train/objective.h"
#include "xgb/booster.h"

/* What the trials of a run share. */
struct trial_setup {
    const struct project *project;
    const struct dataset *dataset;
    const struct training_objective *objective;
    const struct metric *metric; /* key */
    int threads;
    int64_t deadline_ms; /* of the search: a trial past it ends with its best round */
};

/* For algorithms of trees, or for linear ones. Zeroed memory is valid. */
struct design {
    bool is_linear;
    struct encoder *encoder;
    struct encoded encoded_train, encoded_valid; /* until the matrices are built of them */
    struct matrix *train, *valid;                /* valid NULL: none */
    const struct rows *valid_rows;
    float *sample; /* [n_sample × n_features] some encoded validation rows, to time models by */
    size_t n_sample;
    double base_score; /* of the training rows; NaN: XGBoost's */
    double spread;     /* of their target */
};
void design_release(struct design *design);

/* Fits the encoder on `train`, and looks at its target. */
MUST_CHECK enum err_code design_fit(struct design *design, bool is_linear,
                                    const struct trial_setup *setup, const struct rows *train,
                                    struct err *err);

/* Encodes both; valid may be NULL. What is linear stays in memory as a whole, whatever spill says.
 */
MUST_CHECK enum err_code design_encode(struct design *design, const struct trial_setup *setup,
                                       const struct rows *train, const struct rows *valid,
                                       const struct spill_rule *spill, struct err *err);

/* XGBoost's matrices of what was encoded, which is released; nothing where nothing was. */
MUST_CHECK enum err_code design_build(struct design *design, const struct trial_setup *setup,
                                      struct err *err);

/* The folds of a search, for each kind of algorithm; NULL where none of a kind competes. */
struct designs {
    int n_folds;
    struct design *folds[2]; /* [is_linear][n_folds] */
};
void designs_release(struct designs *designs);

/* Both steps, of every fold of the split and every kind in `algorithms`. */
MUST_CHECK enum err_code designs_encode(struct designs *designs, const struct trial_setup *setup,
                                        unsigned algorithms, const struct spill_rule *spill,
                                        struct err *err);
MUST_CHECK enum err_code designs_build(struct designs *designs, const struct trial_setup *setup,
                                       struct err *err);

/* Has a feature of the trees XGBoost's categorical type? */
bool designs_have_categories(const struct designs *designs);

/* Of the last fold, by the encoding of trees where there is one. */
const struct encoder *designs_encoder(const struct designs *designs);

#endif
