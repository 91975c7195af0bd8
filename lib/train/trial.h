/*
 * One trial: one setting of an algorithm, boosted on the training rows of each fold, stopped by the
 * fold's validation rows, scored by the key metric on those of all folds. A hold-out is one fold.
 *
 * The score. Where a metric looks at each row's prediction for itself (rmse, log_loss, f1 …), or at
 * each list's (ndcg …; a list is whole in its fold), it is that of the validation rows of all folds
 * together, which is what it will be on as many new rows: the mean over folds of a root or a ratio
 * is something else. Where only the order of all rows counts (metric_by_fold: roc_auc, concordance
 * …) it is the mean over the folds in which it is defined, since margins of different boosters do
 * not order rows among each other.
 * The number of rounds is the mean of the folds' best, rounded: more rows would bear a few more
 * rounds, by less than the folds differ among themselves.
 */
#ifndef PGBOOST_TRAIN_TRIAL_H
#define PGBOOST_TRAIN_TRIAL_H

#include "search/portfolio.h"
#include "train/control.h"
#include "train/design.h"
#include "train/learning.h"

/* After each round of each fold, to whoever would rather stop a trial that leads nowhere. */
struct trial_moment {
    int fold, n_folds;      /* the fold under way, from 0 */
    int round;              /* in this fold, 1 is the first */
    double loss, best_loss; /* on the fold's validation rows: of what the objective watches, 1 -
                               it where more is better */
};
struct trial_watch {
    bool (*stop)(void *context, const struct trial_moment *moment);
    void *context;
};

struct trial_request {
    const struct design *folds; /* [n_folds] */
    int n_folds;
    const struct setting *setting;
    const struct trial_watch *watch; /* NULL: it runs to its end */
    struct control *control;
    int number, n_trials;   /* these, for the progress */
    double best;            /* score of earlier trials; NaN: none */
    const int *fold_rounds; /* [n_folds] at most so many; NULL: as the setting says */
};

struct trial_result {
    int rounds;   /* to train the final model for */
    double score; /* the key metric */
    double seconds;
    double predict_us; /* for one row, by the last fold's model */
    bool is_stopped;   /* by the watch: there is no score, nor what follows */
    int n_folds;
    int fold_rounds[SPLIT_FOLDS_MAX];    /* the best number of each */
    double fold_scores[SPLIT_FOLDS_MAX]; /* NaN: not defined on the fold's rows */
    struct learning learning; /* what the objective watches, round by round, mean over folds */
    float *margins; /* [validation rows × outputs], fold after fold, each at its best round */
};
void trial_result_release(struct trial_result *result);

/* The folds' scores as a JSON array. */
void trial_put_folds(const struct trial_result *result, struct buf *json);

/* Boosts each fold until the loss on its validation rows stops improving, or as long as the
 * algorithm boosts at all; folds that are left share the time that is left. ERR_CANCELLED and
 * ERR_CONFLICT come from control. ERR_DATA: it diverged, or the key metric is not defined. */
MUST_CHECK enum err_code trial_run(const struct trial_setup *setup,
                                   const struct trial_request *request,
                                   struct trial_result *ret_result, struct err *err);

/* A booster of the setting, which has not boosted yet. */
MUST_CHECK enum err_code trial_booster(const struct trial_setup *setup, const struct design *design,
                                       const struct setting *setting, struct booster **ret_booster,
                                       struct err *err);

/* Boosts exactly n_rounds on design->train and appends the model's UBJSON. Never a longer model cut
 * short: a dart's later rounds change the weights of its earlier trees. */
MUST_CHECK enum err_code trial_refit(const struct trial_setup *setup, const struct design *design,
                                     const struct setting *setting, int n_rounds,
                                     struct control *control, struct buf *bytes, struct err *err);

#endif
