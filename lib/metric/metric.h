/*
 * Metrics: a table of name, direction, tasks and function; definitions are scikit-learn's.
 *
 * Inputs are doubles: y as the target column has it, predictions as XGBoost's float32 widened.
 */
#ifndef PGBOOST_METRIC_METRIC_H
#define PGBOOST_METRIC_METRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum metric_task { METRIC_REGRESSION = 1, METRIC_BINARY = 2, METRIC_MULTICLASS = 4 };

/* What is measured. Regression: y and predictions. Classification: classes, probabilities, labels.
 */
struct metric_input {
    size_t n_rows;
    const double *y;             /* [n_rows] */
    const double *predictions;   /* [n_rows] */
    int n_classes;               /* 2: binary, class 1 is the positive one */
    const uint32_t *classes;     /* [n_rows] true class, below n_classes */
    const uint32_t *chosen;      /* [n_rows] predicted class, below n_classes */
    const double *probabilities; /* [n_rows × n_classes], rows sum to 1 */
};

struct metric {
    const char *name;  /* the key: "rmse" */
    const char *title; /* "root mean squared error" */
    bool higher_is_better;
    unsigned tasks;     /* of metric_task */
    const char *source; /* the function of scikit-learn it equals */
    /* NaN where it is not defined (no rows; roc_auc with one class). May allocate: ERR_NOMEM. */
    enum err_code (*compute)(const struct metric_input *input, double *ret_value, struct err *err);
};

extern const struct metric metrics[];
extern const int n_metrics;

const struct metric *metric_find(const char *name); /* or NULL */

/* The key metric where the project names none: rmse, log_loss. */
const struct metric *metric_default(enum metric_task task);

/* a is better than b by this metric. NaN is never better. */
bool metric_better(const struct metric *metric, double a, double b);

#endif
