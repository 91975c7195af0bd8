/*
 * The functions behind the table, and what they share; for the files of lib/metric alone.
 */
#ifndef PGBOOST_METRIC_METRIC_INTERNAL_H
#define PGBOOST_METRIC_METRIC_INTERNAL_H

#include <math.h>

#include "metric/metric.h"

/* A sum that keeps what rounding loses (Neumaier 1974), so that a million rows cost no digits. */
struct sum {
    double total, lost;
};

static inline void sum_add(struct sum *sum, double value)
{
    double total = sum->total + value;

    if (fabs(sum->total) >= fabs(value))
        sum->lost += (sum->total - total) + value;
    else
        sum->lost += (value - total) + sum->total;
    sum->total = total;
}

/* An infinite total has lost NaN. */
static inline double sum_value(const struct sum *sum)
{
    return isfinite(sum->total) ? sum->total + sum->lost : sum->total;
}

/* A weighted mean; NaN of nothing. Values of weight 0 are not looked at: they may be NaN. */
struct mean {
    struct sum values, weights;
};

static inline void mean_add(struct mean *mean, double value, double weight)
{
    if (!(weight > 0))
        return;
    sum_add(&mean->values, weight * value);
    sum_add(&mean->weights, weight);
}

static inline double mean_value(const struct mean *mean)
{
    return sum_value(&mean->values) / sum_value(&mean->weights);
}

static inline double metric_weight(const struct metric_input *input, size_t row)
{
    return input->weights == NULL ? 1 : input->weights[row];
}

/* ---- quantiles of weighted values (quantile.c) ---- */

struct weighted {
    double value, weight;
};

/* Drops what weighs nothing and sorts the rest; returns how many are left. */
size_t weighted_sort(struct weighted *values, size_t n);

/* The quantile at `percent` of sorted values of positive weight: the least value up to which at
 * least percent/100 of the weight lies, or the mean of it and the next where it is exactly that
 * much (Hyndman and Fan 1996, definition 2; numpy's "averaged_inverted_cdf"). NaN of nothing. */
double weighted_quantile(const struct weighted *values, size_t n, double percent);

/* ---- rows by falling score (steps.c) ---- */

/* What a threshold passes at once: the rows of one score. */
struct step {
    double score;              /* rows with a score ≥ this … */
    double positive, negative; /* … and below the step before: their weights */
    double n_rows;             /* … and number, of those with a weight */
};

struct steps {
    struct step *items; /* by falling score, all different */
    size_t n;
    double positive, negative; /* totals */
    bool not_numbers;          /* a score is NaN: there is no order, and n is 0 */
};

static inline void steps_release(struct steps *steps)
{
    free(steps->items);
    *steps = (struct steps){0};
}

/* The rows by the probability of class `positive`, one against the rest. */
MUST_CHECK enum err_code steps_of(const struct metric_input *input, uint32_t positive,
                                  struct steps *ret_steps, struct err *err);

/* The weights of positives and rows among the first `share` of the weight, the tie that the border
 * cuts counted in proportion. */
struct passed {
    double positive, weight;
};
struct passed steps_first(const struct steps *steps, double share);

/* The rows' numbers (of all) in that order; struct metric_input's `falling`. */
MUST_CHECK enum err_code steps_order(const struct metric_input *input, uint32_t *ret_falling,
                                     struct err *err);

/* ---- rows by class (classes.c) ---- */

/* Weights of the rows of a class, those chosen as it, those of both. */
struct class_count {
    double truth, chosen, both;
};

struct class_counts {
    struct class_count *classes; /* [n_classes] */
    int n_classes;
    struct class_count all; /* sums over the classes, truth and chosen each their own: where there
                             * is one class only, its count is exactly that of all */
};

/* The scores of the table that follow from the counts alone. */
typedef double counts_score(const struct class_counts *counts);
counts_score counts_accuracy, counts_balanced_accuracy, counts_precision_macro, counts_recall_macro,
    counts_f1_macro, counts_f1_weighted, counts_precision, counts_recall, counts_f1, counts_mcc,
    counts_kappa;

/* ---- times of events (survival) ---- */

/* When a row's event happens: see struct metric_input. */
struct span {
    double lower, upper;
};

static inline struct span metric_span(const struct metric_input *input, size_t row)
{
    double y;

    if (input->lower != NULL)
        return (struct span){input->lower[row], input->upper[row]};
    y = input->y[row];
    if (isnan(y))
        return (struct span){NAN, NAN};
    return (struct span){fabs(y), y > 0 ? y : INFINITY};
}

/* ---- the functions of the table ---- */

typedef enum err_code metric_compute(const struct metric_input *input, double *ret_value,
                                     struct err *err);

metric_compute regression_rmse, regression_mae, regression_medae, regression_mape, regression_smape,
    regression_rmsle, regression_r2, regression_bias, regression_pinball;
metric_compute regression_poisson, regression_gamma, regression_tweedie;
metric_compute class_accuracy, class_balanced_accuracy, class_precision_macro, class_recall_macro,
    class_f1_macro, class_f1_weighted, class_precision, class_recall, class_f1, class_mcc,
    class_kappa;
metric_compute probability_log_loss, probability_brier, probability_ece, probability_top_k;
metric_compute score_roc_auc, score_pr_auc, score_ks, score_lift;
metric_compute ranking_ndcg, ranking_map, ranking_mrr, ranking_precision;
metric_compute survival_concordance, survival_cox, survival_aft;

#endif
