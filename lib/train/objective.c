#include "train/objective.h"

#include <string.h>

#include "base/buf.h"
#include "base/nearest.h"

/* The first row of a task is its default. */
static const struct training_objective objectives[] = {
    {"reg:squarederror", METRIC_REGRESSION, "rmse"},
    {"binary:logistic", METRIC_BINARY, "log_loss"},
    {"multi:softprob", METRIC_MULTICLASS, "log_loss"},
};

/* The kinds of target a task may turn out to have. */
static unsigned possible_tasks(enum task task, int n_classes)
{
    if (task == TASK_REGRESSION)
        return METRIC_REGRESSION;
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

enum err_code training_objective_of(const struct project *project, enum task task, int n_classes,
                                    const struct training_objective **ret_objective,
                                    struct err *err)
{
    unsigned tasks = possible_tasks(task, n_classes);

    for (size_t i = 0; i < N_ELEMENTS(objectives); i++) {
        const struct training_objective *objective = &objectives[i];

        if ((objective->task & tasks) != 0 &&
            (project->objective == NULL || strcmp(project->objective, objective->name) == 0)) {
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
        if (metrics[i].tasks & tasks)
            buf_printf(&names, "%s%s", names.length > 0 ? ", " : "", metrics[i].name);
    err_set(err, ERR_CONFIG, "metric \"%s\" %s", name,
            metric_find(name) != NULL ? "does not fit this target" : "does not exist");
    err_field(err, "/metric");
    return err_hint(err, "for this target there are: %s", buf_text(&names));
}

enum err_code key_metric_of(const struct project *project, enum task task, int n_classes,
                            const struct metric **ret_metric, struct err *err)
{
    unsigned tasks = possible_tasks(task, n_classes);
    const struct metric *metric;

    if (project->metric == NULL)
        metric = metric_default(task == TASK_REGRESSION ? METRIC_REGRESSION : METRIC_BINARY);
    else
        metric = metric_find(project->metric);
    if (metric == NULL || (metric->tasks & tasks) == 0)
        return no_such_metric(project->metric, tasks, err);
    *ret_metric = metric;
    return ERR_OK;
}
