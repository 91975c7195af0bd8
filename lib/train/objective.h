/*
 * XGBoost's objectives as projects may name them: for which task, and what is measured while
 * boosting.
 */
#ifndef PGBOOST_TRAIN_OBJECTIVE_H
#define PGBOOST_TRAIN_OBJECTIVE_H

#include "config/project.h"
#include "metric/metric.h"

struct training_objective {
    const char *name; /* XGBoost's: "reg:squarederror" */
    enum metric_task task;
    const char *loss; /* the metric that early stopping watches: what the objective minimises */
};

/* The objective of a project, its own or the task's default. n_classes is 0 while the rows are not
 * known: then a classification objective may be either kind. ERR_CONFIG, field "/objective". */
MUST_CHECK enum err_code training_objective_of(const struct project *project, enum task task,
                                               int n_classes,
                                               const struct training_objective **ret_objective,
                                               struct err *err);

/* The key metric of a project: its own, checked against the task, or the task's default. n_classes
 * as above. ERR_CONFIG, field "/metric". */
MUST_CHECK enum err_code key_metric_of(const struct project *project, enum task task, int n_classes,
                                       const struct metric **ret_metric, struct err *err);

#endif
