#include <string.h>

#include "metric/metric_internal.h"

#define CLASSIFICATION (METRIC_BINARY | METRIC_MULTICLASS)

/* Sources are functions of scikit-learn 1.2.1's sklearn.metrics. */
const struct metric metrics[] = {
    {"rmse", "root mean squared error", false, METRIC_REGRESSION,
     "mean_squared_error(squared=False)", regression_rmse},
    {"mae", "mean absolute error", false, METRIC_REGRESSION, "mean_absolute_error", regression_mae},
    {"r2", "coefficient of determination", true, METRIC_REGRESSION, "r2_score", regression_r2},
    {"log_loss", "log loss", false, CLASSIFICATION, "log_loss(labels=all)", probability_log_loss},
    {"accuracy", "accuracy", true, CLASSIFICATION, "accuracy_score", class_accuracy},
    {"balanced_accuracy", "balanced accuracy", true, CLASSIFICATION, "balanced_accuracy_score",
     class_balanced_accuracy},
    {"f1_macro", "macro F1", true, CLASSIFICATION, "f1_score(average=\"macro\", zero_division=0)",
     class_f1},
    {"precision_macro", "macro precision", true, CLASSIFICATION,
     "precision_score(average=\"macro\", zero_division=0)", class_precision},
    {"recall_macro", "macro recall", true, CLASSIFICATION,
     "recall_score(average=\"macro\", zero_division=0)", class_recall},
    {"mcc", "Matthews correlation coefficient", true, CLASSIFICATION, "matthews_corrcoef",
     class_mcc},
    {"roc_auc", "area under the ROC curve", true, CLASSIFICATION,
     "roc_auc_score(multi_class=\"ovr\", average=\"macro\")", probability_roc_auc},
    {"brier", "Brier score", false, METRIC_BINARY, "brier_score_loss", probability_brier},
};
const int n_metrics = (int)N_ELEMENTS(metrics);

const struct metric *metric_find(const char *name)
{
    for (int i = 0; i < n_metrics; i++)
        if (strcmp(metrics[i].name, name) == 0)
            return &metrics[i];
    return NULL;
}

const struct metric *metric_default(enum metric_task task)
{
    return metric_find(task == METRIC_REGRESSION ? "rmse" : "log_loss");
}

bool metric_better(const struct metric *metric, double a, double b)
{
    if (isnan(a))
        return false;
    if (isnan(b))
        return true;
    return metric->higher_is_better ? a > b : a < b;
}
