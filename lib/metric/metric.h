/*
 * Metrics: a table of name, direction, tasks and function.
 *
 * Definitions are scikit-learn's where it has one; a row's `source` names its function, and the
 * rest are defined in the comments of their functions. Inputs are doubles: y as the target column
 * has it, predictions as XGBoost's float32 widened.
 *
 * Rules that hold for every row of the table:
 * - Weights: a row of weight 0 is as if it were not there, a row of weight 2 as if it stood twice,
 * so that a bootstrap replicate is a vector of integer weights (metric/bootstrap.h). Weights are
 * finite and not negative; that is the caller's to check. Only where scikit-learn counts rows of
 * weight 0 (classes that macro averages run over) or takes the lower median of weighted rows do the
 * two differ.
 * - NaN says "not defined": no rows, all weights 0, one class where two are compared, y or a
 *   prediction outside of a deviance's domain, a NaN anywhere it matters. An infinite loss stays
 *   infinite.
 * - Nothing depends on the order of the rows (but that rows of a group stand together): tied scores
 *   count half, or what they are worth in the mean over their orders.
 * - Sums are compensated; time is O(rows × classes), and O(n log n) where rows are sorted.
 */
#ifndef PGBOOST_METRIC_METRIC_H
#define PGBOOST_METRIC_METRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum metric_task {
    METRIC_REGRESSION = 1,
    METRIC_BINARY = 2,
    METRIC_MULTICLASS = 4,
    METRIC_RANKING = 8,
    METRIC_SURVIVAL = 16,
};

/* The distribution of an accelerated failure time model's noise: XGBoost's aft_loss_distribution.
 */
enum metric_aft { METRIC_AFT_NORMAL, METRIC_AFT_LOGISTIC, METRIC_AFT_EXTREME };

/*
 * What is measured. Zeroed members of the second half mean what their comment says.
 *
 * Regression: y and predictions. Classification: classes, chosen, probabilities.
 *
 * Ranking: y is the relevance (0: not relevant; not negative), predictions the scores, groups the
 * lists. A list's weight is that of its first row. ndcg, map and mrr are means over the lists that
 * have a relevant row: in a list without one no order is better than another, so it says nothing
 * about the scores, and counting it as 1 or 0 (XGBoost's "ndcg" and "ndcg-", scikit-learn's 0)
 * would move the mean by a constant of the data. precision_at_k, defined for every list, counts it
 * as 0.
 *
 * Survival: the event happens at a time in [lower, upper]: seen when they are equal, censored at
 * lower when upper is infinite, before upper when lower is 0 (XGBoost's label_lower_bound and
 * label_upper_bound). Without bounds y is Cox's signed time: an event at y, or censored at −y when
 * y is not positive. Predictions are times (AFT), or hazard ratios where `hazards` says so (Cox):
 * what XGBoost's transformed outputs are.
 */
struct metric_input {
    size_t n_rows;
    const double *y;             /* [n_rows] */
    const double *predictions;   /* [n_rows] */
    int n_classes;               /* 2: binary, class 1 is the positive one */
    const uint32_t *classes;     /* [n_rows] true class, below n_classes */
    const uint32_t *chosen;      /* [n_rows] predicted class, below n_classes */
    const double *probabilities; /* [n_rows × n_classes], rows sum to 1 */

    const double *weights;  /* [n_rows] finite, ≥ 0; NULL: 1 each */
    const uint32_t *groups; /* [n_rows] list of a row; rows of one stand together. NULL: one list */
    const double *lower;    /* [n_rows] survival: earliest time of the event; NULL: see above */
    const double *upper;    /* [n_rows] survival: latest time, may be INFINITY; NULL with lower */
    bool hazards;           /* survival: predictions are hazard ratios, higher means sooner */
    size_t k;               /* the first k: 0 is 10 in ranking, 3 in top_k_accuracy */
    double quantile;        /* pinball's level in (0, 1); 0: .5 */
    double variance_power;  /* tweedie_deviance's; 0: 1.5, as in XGBoost */
    enum metric_aft aft;    /* aft_nloglik's distribution */
    double aft_scale;       /* aft_nloglik's sigma; 0: 1 */
    const uint32_t *falling; /* [n_rows] binary: the rows by falling probability of class 1, where
                              * the caller has them sorted already; NULL: they are sorted here */
};

struct metric {
    const char *name;  /* the key: "rmse" */
    const char *title; /* "root mean squared error" */
    bool higher_is_better;
    bool toward_zero; /* best at 0 (bias): the smaller magnitude is better. Not to rank models by */
    unsigned tasks;   /* of metric_task */
    const char *source; /* the function of scikit-learn it equals, or where it is defined */
    /* NaN where it is not defined (no rows; roc_auc with one class). May allocate: ERR_NOMEM. */
    enum err_code (*compute)(const struct metric_input *input, double *ret_value, struct err *err);
};

extern const struct metric metrics[];
extern const int n_metrics;

const struct metric *metric_find(const char *name); /* or NULL */

/* Does only the order of all rows' predictions count? Then those of different models do not mix,
 * and a cross-validated value is the mean over its folds. Metrics of lists compare rows of one list
 * alone, which is whole in its fold: theirs is the mean over all lists. */
bool metric_by_fold(const struct metric *metric);

/* The key metric where the project names none: rmse, log_loss, ndcg, concordance. */
const struct metric *metric_default(enum metric_task task);

/* a is better than b by this metric. NaN is never better. */
bool metric_better(const struct metric *metric, double a, double b);

#endif
