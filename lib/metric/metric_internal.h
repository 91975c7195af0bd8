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

static inline double sum_value(const struct sum *sum)
{
    return sum->total + sum->lost;
}

typedef enum err_code metric_compute(const struct metric_input *input, double *ret_value,
                                     struct err *err);

metric_compute regression_rmse, regression_mae, regression_r2;
metric_compute class_accuracy, class_balanced_accuracy, class_precision, class_recall, class_f1,
    class_mcc;
metric_compute probability_log_loss, probability_brier, probability_roc_auc;

#endif
