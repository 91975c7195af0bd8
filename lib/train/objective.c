#include "train/objective.h"

#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/nearest.h"

#define GRADE_MAX 30 /* XGBoost shifts an int by it */

/* The first row of a task is its default. Of survival it is the one that answers a time, takes
 * every kind of censoring and knows weights. binary:logitraw and multi:softmax train as their
 * siblings here do and answer without probabilities. */
static const struct training_objective objectives[] = {
    {"reg:squarederror", METRIC_REGRESSION, "rmse", DOMAIN_ALL, BASE_MEAN},
    {"reg:absoluteerror", METRIC_REGRESSION, "mae", DOMAIN_ALL, BASE_MEDIAN},
    {"reg:pseudohubererror", METRIC_REGRESSION, "mae", DOMAIN_ALL, BASE_MEDIAN},
    {"reg:squaredlogerror", METRIC_REGRESSION, "rmsle", DOMAIN_ABOVE_MINUS_1, BASE_LOG_MEAN},
    {"reg:logistic", METRIC_REGRESSION, "rmse", DOMAIN_0_TO_1, BASE_MEAN},
    {"count:poisson", METRIC_REGRESSION, "poisson_deviance", DOMAIN_FROM_0, BASE_MEAN},
    {"reg:gamma", METRIC_REGRESSION, "gamma_deviance", DOMAIN_ABOVE_0, BASE_MEAN},
    {"reg:tweedie", METRIC_REGRESSION, "tweedie_deviance", DOMAIN_FROM_0, BASE_MEAN},
    {"binary:logistic", METRIC_BINARY, "log_loss", DOMAIN_ALL, BASE_MEAN},
    {"multi:softprob", METRIC_MULTICLASS, "log_loss", DOMAIN_ALL, BASE_NONE},
    {"rank:ndcg", METRIC_RANKING, "ndcg", DOMAIN_GRADES, BASE_ZERO},
    {"rank:pairwise", METRIC_RANKING, "ndcg", DOMAIN_FROM_0, BASE_ZERO},
    {"rank:map", METRIC_RANKING, "map", DOMAIN_0_OR_1, BASE_ZERO},
    {"survival:aft", METRIC_SURVIVAL, "aft_nloglik", DOMAIN_FROM_0, BASE_MEDIAN_TIME},
    {"survival:cox", METRIC_SURVIVAL, "cox_nloglik", DOMAIN_ABOVE_0, BASE_ONE},
};

static const struct {
    double low, high;
    bool is_open; /* low itself does not count */
    bool is_whole;
    const char *words;
} domains[] = {
    [DOMAIN_ALL] = {-INFINITY, INFINITY, false, false, "any number"},
    [DOMAIN_ABOVE_MINUS_1] = {-1, INFINITY, true, false, "numbers above -1"},
    [DOMAIN_0_TO_1] = {0, 1, false, false, "numbers from 0 to 1"},
    [DOMAIN_FROM_0] = {0, INFINITY, false, false, "numbers of 0 or more"},
    [DOMAIN_ABOVE_0] = {0, INFINITY, true, false, "numbers above 0"},
    [DOMAIN_GRADES] = {0, GRADE_MAX, false, true, "whole numbers from 0 to 30"},
    [DOMAIN_0_OR_1] = {0, 1, false, true, "0 or 1"},
};

static bool is_outside(enum objective_domain domain, double y)
{
    double low = domains[domain].low, high = domains[domain].high;

    return y < low || y > high || (y == low && domains[domain].is_open) ||
           (domains[domain].is_whole && y != floor(y));
}

/* The kinds of target a task may turn out to have. */
static unsigned possible_tasks(enum task task, int n_classes)
{
    if (task == TASK_REGRESSION)
        return METRIC_REGRESSION;
    if (task == TASK_RANKING || task == TASK_SURVIVAL)
        return task == TASK_RANKING ? METRIC_RANKING : METRIC_SURVIVAL;
    if (n_classes == 0)
        return METRIC_BINARY | METRIC_MULTICLASS;
    return n_classes == 2 ? METRIC_BINARY : METRIC_MULTICLASS;
}

static enum err_code no_such_objective(const char *name, unsigned tasks, struct err *err)
{
    CLEANUP(buf_release) struct buf names = {0};

    for (size_t i = 0; i < N_ELEMENTS(objectives); i++)
        if (objectives[i].task & tasks)
            buf_printf(&names, "%s%s", names.length > 0 ? ", " : "", objectives[i].name);
    err_set(err, ERR_CONFIG, "objective \"%s\" is not available for this target", name);
    err_field(err, "/objective");
    return err_hint(err, "available: %s", buf_text(&names));
}

/* Absolute errors, which start from the median, take several rounds: XGBoost gives each tree of a
 * forest the whole median that is left, and pseudo-Huber's first step overshoots. So does that of
 * hazards: the order is right, and the ratios are too large to be worth anything. */
static enum err_code check_rounds(const struct project *project,
                                  const struct training_objective *objective, struct err *err)
{
    bool absolute = objective->base == BASE_MEDIAN;

    if (!(absolute || objective->base == BASE_ONE) ||
        !(project->algorithms & ALGORITHM_BIT(ALGORITHM_RANDOM_FOREST)))
        return ERR_OK;
    err_set(err, ERR_CONFIG, "objective \"%s\" cannot be trained by random_forest",
            objective->name);
    err_field(err, "/algorithms");
    return err_hint(err, "a forest has one round, and %s take several; %s",
                    absolute ? "absolute errors" : "hazards",
                    absolute ? "for a metric of absolute errors, leave \"objective\" out"
                             : "\"survival:aft\" can be trained in one");
}

/* XGBoost's gradients of the partial likelihood count every row at risk once, whatever it weighs.
 */
static enum err_code check_hazards(const struct project *project,
                                   const struct training_objective *objective, struct err *err)
{
    if (objective->base != BASE_ONE || (project->weight == NULL && project->target_upper == NULL))
        return ERR_OK;
    err_set(err, ERR_CONFIG, "objective \"%s\" cannot go with \"%s\"", objective->name,
            project->weight != NULL ? "weight" : "target_upper");
    err_field(err, project->weight != NULL ? "/weight" : "/target_upper");
    return err_hint(err, "%s; \"survival:aft\" can",
                    project->weight != NULL
                        ? "XGBoost leaves weights out of the rows at risk"
                        : "a partial likelihood takes times that were seen or censored: \"event\"");
}

enum err_code training_objective_of(const struct project *project, enum task task, int n_classes,
                                    const struct training_objective **ret_objective,
                                    struct err *err)
{
    unsigned tasks = possible_tasks(task, n_classes);

    for (size_t i = 0; i < N_ELEMENTS(objectives); i++) {
        const struct training_objective *objective = &objectives[i];

        if ((objective->task & tasks) != 0 &&
            (project->objective == NULL || strcmp(project->objective, objective->name) == 0)) {
            TRY(check_rounds(project, objective, err));
            TRY(check_hazards(project, objective, err));
            *ret_objective = objective;
            return ERR_OK;
        }
    }
    return no_such_objective(project->objective, tasks, err);
}

static enum err_code no_such_metric(const char *name, unsigned tasks, struct err *err)
{
    CLEANUP(buf_release) struct buf names = {0};

    for (int i = 0; i < n_metrics; i++)
        if ((metrics[i].tasks & tasks) && !metrics[i].toward_zero)
            buf_printf(&names, "%s%s", names.length > 0 ? ", " : "", metrics[i].name);
    err_set(err, ERR_CONFIG, "metric \"%s\" %s", name,
            metric_find(name) != NULL ? "does not fit this target" : "does not exist");
    err_field(err, "/metric");
    return err_hint(err, "for this target there are: %s", buf_text(&names));
}

/* The likelihood of times needs times, that of an order hazards. */
static enum err_code check_likelihood(const struct project *project, const struct metric *metric,
                                      struct err *err)
{
    bool hazards = project->objective != NULL && strcmp(project->objective, "survival:cox") == 0;

    if (strcmp(metric->name, hazards ? "aft_nloglik" : "cox_nloglik") != 0)
        return ERR_OK;
    err_set(err, ERR_CONFIG, "metric \"%s\" is not defined for what objective \"%s\" answers",
            metric->name, hazards ? "survival:cox" : "survival:aft");
    err_field(err, "/metric");
    return err_hint(err, "use \"%s\" or \"concordance\"", hazards ? "cox_nloglik" : "aft_nloglik");
}

enum err_code key_metric_of(const struct project *project, enum task task, int n_classes,
                            const struct metric **ret_metric, struct err *err)
{
    unsigned tasks = possible_tasks(task, n_classes);
    const struct metric *metric;

    if (project->metric == NULL)
        metric =
            metric_default(task == TASK_CLASSIFICATION ? METRIC_BINARY : (enum metric_task)tasks);
    else
        metric = metric_find(project->metric);
    /* what is best at zero has no order for leaderboards in SQL */
    if (metric == NULL || (metric->tasks & tasks) == 0 || metric->toward_zero)
        return no_such_metric(project->metric, tasks, err);
    TRY(check_likelihood(project, metric, err));
    *ret_metric = metric;
    return ERR_OK;
}

enum err_code objective_check_target(const struct training_objective *objective, const double *y,
                                     size_t n_rows, const char *target, struct err *err)
{
    size_t n_outside = 0;

    for (size_t i = 0; i < n_rows; i++)
        n_outside += !isnan(y[i]) && is_outside(objective->domain, y[i]);
    if (n_outside == 0)
        return ERR_OK;
    err_set(err, ERR_DATA,
            "objective \"%s\" needs %s, and target \"%s\" has others in %zu of its rows",
            objective->name, domains[objective->domain].words, target, n_outside);
    err_field(err, "/objective");
    return err_hint(err, "leave such rows out in the view, or choose another objective");
}

struct weighed {
    double value, weight;
};

static int compare_values(const void *left, const void *right)
{
    double a = ((const struct weighed *)left)->value, b = ((const struct weighed *)right)->value;

    return (a > b) - (a < b);
}

static double weight_of(const double *weights, uint32_t row)
{
    return weights == NULL ? 1 : weights[row];
}

/* Of sorted values, each with a weight. */
static double median_of(const struct weighed *values, size_t n, double total)
{
    double below = 0;

    for (size_t i = 0; i + 1 < n; i++) {
        below += values[i].weight;
        if (2 * below == total)
            return values[i].value / 2 + values[i + 1].value / 2;
        if (2 * below > total)
            return values[i].value;
    }
    return n > 0 ? values[n - 1].value : NAN;
}

enum err_code target_median(const double *y, const double *weights, const uint32_t *rows,
                            size_t n_rows, double *ret_median, struct err *err)
{
    CLEANUP(free_ptr) struct weighed *values = calloc(n_rows + 1, sizeof(*values));
    double total = 0;
    size_t n = 0;

    if (values == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < n_rows; i++) {
        double weight = weight_of(weights, rows[i]);

        if (weight > 0)
            values[n++] = (struct weighed){y[rows[i]], weight};
        total += weight;
    }
    qsort(values, n, sizeof(*values), compare_values);
    *ret_median = median_of(values, n, total);
    return ERR_OK;
}

/* A running mean: a sum of large values may overflow. */
static void mean_add(double *mean, double *total, double value, double weight)
{
    *total += weight;
    if (weight > 0)
        *mean += (value - *mean) * weight / *total;
}

double target_mean(const double *y, const double *weights, const uint32_t *rows, size_t n_rows)
{
    double mean = 0, total = 0;

    for (size_t i = 0; i < n_rows; i++)
        mean_add(&mean, &total, y[rows[i]], weight_of(weights, rows[i]));
    return mean;
}

static double mean_of_logs(const double *y, const double *weights, const uint32_t *rows,
                           size_t n_rows)
{
    double mean = 0, total = 0;

    for (size_t i = 0; i < n_rows; i++)
        mean_add(&mean, &total, log1p(y[rows[i]]), weight_of(weights, rows[i]));
    return mean;
}

/* Where the link is a logarithm or a logit, its ends are infinite. */
static double inside(const struct training_objective *objective, double base)
{
    const double least = 1e-6;

    if (objective->task == METRIC_BINARY || objective->domain == DOMAIN_0_TO_1)
        return fmin(fmax(base, least), 1 - least);
    if (objective->domain == DOMAIN_FROM_0 || objective->domain == DOMAIN_ABOVE_0)
        return base > 0 ? base : least;
    return base;
}

double target_spread(const double *y, const double *weights, const uint32_t *rows, size_t n_rows)
{
    double mean = target_mean(y, weights, rows, n_rows), squares = 0, total = 0;

    for (size_t i = 0; i < n_rows; i++)
        total += weight_of(weights, rows[i]);
    for (size_t i = 0; i < n_rows; i++)
        squares += (y[rows[i]] - mean) * (y[rows[i]] - mean) * weight_of(weights, rows[i]) / total;
    return squares > 0 ? sqrt(squares) : 1;
}

enum err_code objective_base_score(const struct training_objective *objective, const double *y,
                                   const double *weights, const uint32_t *rows, size_t n_rows,
                                   double *ret_base_score, struct err *err)
{
    double base = NAN;

    switch (objective->base) {
    case BASE_MEAN:
        base = target_mean(y, weights, rows, n_rows);
        break;
    case BASE_MEDIAN:
        TRY(target_median(y, weights, rows, n_rows, &base, err));
        break;
    case BASE_LOG_MEAN:
        base = expm1(mean_of_logs(y, weights, rows, n_rows));
        break;
    case BASE_ZERO:
    case BASE_ONE:
        *ret_base_score = objective->base == BASE_ONE;
        return ERR_OK;
    case BASE_MEDIAN_TIME:
    case BASE_NONE:
        break;
    }
    *ret_base_score = inside(objective, base);
    return ERR_OK;
}
