/*
 * XGBoost's objectives as projects may name them: for which task, and what is measured while
 * boosting.
 */
#ifndef PGBOOST_TRAIN_OBJECTIVE_H
#define PGBOOST_TRAIN_OBJECTIVE_H

#include "config/project.h"
#include "metric/metric.h"

/* Where boosting starts, in output space. XGBoost's own 0.5 is far from most targets. */
enum objective_base {
    BASE_MEAN,
    BASE_MEDIAN,
    BASE_LOG_MEAN, /* exp(mean(log(1 + y))) - 1 */
    BASE_ZERO,
    BASE_ONE,
    BASE_MEDIAN_TIME, /* dataset_median_time */
    BASE_NONE,        /* XGBoost's */
};

/* The targets an objective is defined for. */
enum objective_domain {
    DOMAIN_ALL,
    DOMAIN_ABOVE_MINUS_1,
    DOMAIN_0_TO_1,
    DOMAIN_FROM_0,
    DOMAIN_ABOVE_0,
    DOMAIN_GRADES, /* whole numbers: gains are 2^y - 1 */
    DOMAIN_0_OR_1,
};

struct training_objective {
    const char *name; /* XGBoost's: "reg:squarederror" */
    enum metric_task task;
    const char *loss; /* the metric that early stopping watches: what the objective minimises, or
                         what comes nearest */
    enum objective_domain domain;
    enum objective_base base;
};

/* The objective of a project, its own or the task's default. n_classes is 0 while the rows are not
 * known: then a classification objective may be either kind. ERR_CONFIG, field "/objective", or
 * that of the key that cannot go with it. */
MUST_CHECK enum err_code training_objective_of(const struct project *project, enum task task,
                                               int n_classes,
                                               const struct training_objective **ret_objective,
                                               struct err *err);

/* The key metric of a project: its own, checked against the task, or the task's default. n_classes
 * as above. ERR_CONFIG, field "/metric". */
MUST_CHECK enum err_code key_metric_of(const struct project *project, enum task task, int n_classes,
                                       const struct metric **ret_metric, struct err *err);

/* Is every target one that the objective is defined for? ERR_DATA says which are not. Rows without
 * a target (NaN) do not count. */
MUST_CHECK enum err_code objective_check_target(const struct training_objective *objective,
                                                const double *y, size_t n_rows, const char *target,
                                                struct err *err);

/* XGBoost's base_score for these training rows; NaN: it is left to XGBoost. */
MUST_CHECK enum err_code objective_base_score(const struct training_objective *objective,
                                              const double *y, const double *weights,
                                              const uint32_t *rows, size_t n_rows,
                                              double *ret_base_score, struct err *err);

/* Of the training rows' targets. weights as y is indexed, or NULL: 1 each. The median is a value
 * with at most half of the weight on either side, the mean of two where there are two. */
double target_mean(const double *y, const double *weights, const uint32_t *rows, size_t n_rows);
MUST_CHECK enum err_code target_median(const double *y, const double *weights, const uint32_t *rows,
                                       size_t n_rows, double *ret_median, struct err *err);

/* The standard deviation of the training rows' targets, 1 where they are all alike: the slope of
 * pseudo-Huber errors, which is 1 for a target with a spread of 1. */
double target_spread(const double *y, const double *weights, const uint32_t *rows, size_t n_rows);

#endif
