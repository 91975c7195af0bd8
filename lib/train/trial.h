/*
 * One trial: one setting of an algorithm, boosted on the training rows, stopped by the validation
 * rows, scored by the key metric on them.
 */
#ifndef PGBOOST_TRAIN_TRIAL_H
#define PGBOOST_TRAIN_TRIAL_H

#include "search/portfolio.h"
#include "train/control.h"
#include "train/dataset.h"
#include "train/encoded.h"
#include "train/learning.h"
#include "train/objective.h"
#include "xgb/booster.h"

/* Rows as XGBoost takes them, with the encoder that made them: for algorithms of trees, or for
 * linear ones. Zeroed memory is valid. */
struct design {
    bool is_linear;
    struct encoder *encoder;
    struct encoded encoded_train, encoded_valid; /* until the matrices are built of them */
    struct matrix *train, *valid;                /* valid NULL: none */
    const struct rows *valid_rows;
};
void design_release(struct design *design);

/* Fits the encoder on `train` and encodes both; valid may be NULL. What is_linear stays in memory
 * as a whole, whatever spill says. */
MUST_CHECK enum err_code design_encode(struct design *design, bool is_linear,
                                       const struct project *project, const struct dataset *dataset,
                                       const struct rows *train, const struct rows *valid,
                                       const struct spill_rule *spill, struct err *err);

/* XGBoost's matrices of what was encoded, which is released; nothing where nothing was. */
MUST_CHECK enum err_code design_build(struct design *design, const struct project *project,
                                      int threads, struct err *err);

/* What all trials of a run share. */
struct trial_setup {
    const struct project *project;
    const struct dataset *dataset;
    const struct training_objective *objective;
    const struct metric *metric; /* key */
    double base_score;           /* NaN: XGBoost's */
    double spread;               /* of the target */
    int threads;
    int64_t deadline_ms; /* of the search: a trial past it ends with its best round */
};

struct trial_result {
    int rounds;   /* the best number of rounds */
    double score; /* key metric on the validation rows at that round */
    double seconds;
    struct learning learning; /* what the objective watches, round by round */
    float *margins;           /* [validation rows × outputs] at that round */
};
void trial_result_release(struct trial_result *result);

/* What follows from the rows that are trained on: base_score and spread. */
MUST_CHECK enum err_code trial_setup_rows(struct trial_setup *setup, const struct rows *training,
                                          struct err *err);

/* Boosts until the loss on the validation rows stops improving, or as long as the algorithm boosts
 * at all. `best` is the best score of earlier
 * trials, for the progress. ERR_CANCELLED and ERR_CONFLICT come from control. */
MUST_CHECK enum err_code trial_run(const struct trial_setup *setup, const struct design *design,
                                   const struct setting *setting, int number, int n_trials,
                                   double best, struct control *control,
                                   struct trial_result *ret_result, struct err *err);

/* Boosts exactly n_rounds on design->train and appends the model's UBJSON. Never a longer model cut
 * short: a dart's later rounds change the weights of its earlier trees. */
MUST_CHECK enum err_code trial_refit(const struct trial_setup *setup, const struct design *design,
                                     const struct setting *setting, int n_rounds,
                                     struct control *control, struct buf *bytes, struct err *err);

#endif
