#include <string.h>

#include "base/cleanup.h"
#include "metric/metric_internal.h"

#define CLASSIFICATION (METRIC_BINARY | METRIC_MULTICLASS)

/* What is better: higher_is_better and toward_zero. */
#define LOWER  false, false
#define HIGHER true, false
#define ZERO   false, true

/* Sources without another name are functions of scikit-learn's sklearn.metrics, 1.2.1. */
const struct metric metrics[] = {
    {"rmse", "root mean squared error", LOWER, METRIC_REGRESSION,
     "mean_squared_error(squared=False)", regression_rmse},
    {"mae", "mean absolute error", LOWER, METRIC_REGRESSION, "mean_absolute_error", regression_mae},
    {"medae", "median absolute error", LOWER, METRIC_REGRESSION, "median_absolute_error",
     regression_medae},
    {"mape", "mean absolute percentage error", LOWER, METRIC_REGRESSION,
     "mean_absolute_percentage_error (a share: 0.1 is 10 %)", regression_mape},
    {"smape", "symmetric mean absolute percentage error", LOWER, METRIC_REGRESSION,
     "Makridakis 1993 (a share, 0 to 2)", regression_smape},
    {"rmsle", "root mean squared logarithmic error", LOWER, METRIC_REGRESSION,
     "mean_squared_log_error(squared=False)", regression_rmsle},
    {"r2", "coefficient of determination", HIGHER, METRIC_REGRESSION, "r2_score", regression_r2},
    {"bias", "mean of prediction minus truth", ZERO, METRIC_REGRESSION, "mean error",
     regression_bias},
    {"pinball", "pinball loss", LOWER, METRIC_REGRESSION, "mean_pinball_loss(alpha=quantile)",
     regression_pinball},
    {"poisson_deviance", "mean Poisson deviance", LOWER, METRIC_REGRESSION, "mean_poisson_deviance",
     regression_poisson},
    {"gamma_deviance", "mean gamma deviance", LOWER, METRIC_REGRESSION, "mean_gamma_deviance",
     regression_gamma},
    {"tweedie_deviance", "mean Tweedie deviance", LOWER, METRIC_REGRESSION,
     "mean_tweedie_deviance(power=variance_power)", regression_tweedie},

    {"log_loss", "log loss", LOWER, CLASSIFICATION, "log_loss(labels=all)", probability_log_loss},
    {"accuracy", "accuracy", HIGHER, CLASSIFICATION, "accuracy_score", class_accuracy},
    {"balanced_accuracy", "balanced accuracy", HIGHER, CLASSIFICATION, "balanced_accuracy_score",
     class_balanced_accuracy},
    {"f1_macro", "macro F1", HIGHER, CLASSIFICATION, "f1_score(average=\"macro\", zero_division=0)",
     class_f1_macro},
    {"f1_weighted", "F1 weighted by the classes' rows", HIGHER, CLASSIFICATION,
     "f1_score(average=\"weighted\", zero_division=0)", class_f1_weighted},
    {"precision_macro", "macro precision", HIGHER, CLASSIFICATION,
     "precision_score(average=\"macro\", zero_division=0)", class_precision_macro},
    {"recall_macro", "macro recall", HIGHER, CLASSIFICATION,
     "recall_score(average=\"macro\", zero_division=0)", class_recall_macro},
    {"f1", "F1 of the positive class", HIGHER, METRIC_BINARY, "f1_score(zero_division=0)",
     class_f1},
    {"precision", "precision of the positive class", HIGHER, METRIC_BINARY,
     "precision_score(zero_division=0)", class_precision},
    {"recall", "recall of the positive class", HIGHER, METRIC_BINARY,
     "recall_score(zero_division=0)", class_recall},
    {"mcc", "Matthews correlation coefficient", HIGHER, CLASSIFICATION, "matthews_corrcoef",
     class_mcc},
    {"kappa", "Cohen's kappa", HIGHER, CLASSIFICATION, "cohen_kappa_score", class_kappa},
    {"roc_auc", "area under the ROC curve", HIGHER, CLASSIFICATION,
     "roc_auc_score(multi_class=\"ovr\", average=\"macro\")", score_roc_auc},
    {"pr_auc", "average precision", HIGHER, METRIC_BINARY, "average_precision_score", score_pr_auc},
    {"brier", "Brier score", LOWER, CLASSIFICATION,
     "brier_score_loss (more than two classes: as 1.7 has it, 0 to 2)", probability_brier},
    {"ece", "expected calibration error", LOWER, METRIC_BINARY,
     "Guo, Pleiss, Sun and Weinberger 2017, with 10 bins", probability_ece},
    {"ks", "Kolmogorov-Smirnov statistic", HIGHER, METRIC_BINARY, "max(tpr - fpr) of roc_curve",
     score_ks},
    {"lift", "lift of the top tenth", HIGHER, METRIC_BINARY, "share of positives there over .1",
     score_lift},
    {"top_k_accuracy", "top-k accuracy", HIGHER, METRIC_MULTICLASS, "top_k_accuracy_score",
     probability_top_k},

    {"ndcg", "normalised discounted cumulative gain at k", HIGHER, METRIC_RANKING, "ndcg_score",
     ranking_ndcg},
    {"map", "mean average precision at k", HIGHER, METRIC_RANKING, "McSherry and Najork 2008",
     ranking_map},
    {"mrr", "mean reciprocal rank", HIGHER, METRIC_RANKING, "McSherry and Najork 2008",
     ranking_mrr},
    {"precision_at_k", "precision at k", HIGHER, METRIC_RANKING, "McSherry and Najork 2008",
     ranking_precision},

    {"concordance", "concordance index", HIGHER, METRIC_SURVIVAL, "Harrell et al. 1982",
     survival_concordance},
    {"cox_nloglik", "negative log partial likelihood", LOWER, METRIC_SURVIVAL,
     "XGBoost's cox-nloglik; Breslow 1974", survival_cox},
    {"aft_nloglik", "negative log likelihood", LOWER, METRIC_SURVIVAL, "XGBoost's aft-nloglik",
     survival_aft},
};
const int n_metrics = (int)N_ELEMENTS(metrics);

const struct metric *metric_find(const char *name)
{
    for (int i = 0; i < n_metrics; i++)
        if (strcmp(metrics[i].name, name) == 0)
            return &metrics[i];
    return NULL;
}

bool metric_by_fold(const struct metric *metric)
{
    static const char *const names[] = {"roc_auc", "pr_auc",      "ks",
                                        "lift",    "concordance", "cox_nloglik"};

    for (size_t i = 0; i < N_ELEMENTS(names); i++)
        if (strcmp(metric->name, names[i]) == 0)
            return true;
    return false;
}

const struct metric *metric_default(enum metric_task task)
{
    switch (task) {
    case METRIC_REGRESSION:
        return metric_find("rmse");
    case METRIC_BINARY:
    case METRIC_MULTICLASS:
        return metric_find("log_loss");
    case METRIC_RANKING:
        return metric_find("ndcg");
    case METRIC_SURVIVAL:
        return metric_find("concordance");
    }
    return NULL;
}

bool metric_better(const struct metric *metric, double a, double b)
{
    if (isnan(a))
        return false;
    if (isnan(b))
        return true;
    if (metric->toward_zero)
        return fabs(a) < fabs(b);
    return metric->higher_is_better ? a > b : a < b;
}
