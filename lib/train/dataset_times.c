#include "train/dataset_internal.h"

#include <math.h>
#include <string.h>

#include "search/hyperparams.h"

enum fault { TIME_TOO_EARLY, TIME_NEGATIVE, EVENT_MISSING, EVENT_OTHER, UPPER_BELOW, FAULTS };

static const struct {
    const char *key, *words, *hint;
} faults[] = {
    [TIME_TOO_EARLY] = {"target", "is 0 or negative",
                        "a time until an event is above 0: leave such rows out in the view, or "
                        "measure in a finer unit"},
    [TIME_NEGATIVE] = {"target", "is negative",
                       "a time until an event is 0 (already past when it was first looked for) or "
                       "more"},
    [EVENT_MISSING] = {"event", "is NULL",
                       "whether the event came is not known: false says that it was not seen until "
                       "the target's time"},
    [EVENT_OTHER] = {"event", "is neither 0 nor 1",
                     "1 or true where the event came, 0 or false where it was not seen"},
    [UPPER_BELOW] = {"target_upper", "is below the target, or 0,",
                     "the event came between the target and this time, both included; NULL where "
                     "no one knows how much later"},
};

static enum err_code refuse_times(const struct project *project, const size_t *n_faults,
                                  size_t n_rows, struct err *err)
{
    for (int fault = 0; fault < FAULTS; fault++) {
        const char *key = faults[fault].key;

        if (n_faults[fault] == 0)
            continue;
        err_set(err, ERR_DATA, "%s \"%s\" %s in %zu of %zu rows with a target", key,
                strcmp(key, "target") == 0  ? project->target
                : strcmp(key, "event") == 0 ? project->event
                                            : project->target_upper,
                faults[fault].words, n_faults[fault], n_rows);
        err_field(err, "/%s", key);
        return err_hint(err, "%s", faults[fault].hint);
    }
    return ERR_OK;
}

/* The end by whether the event came; a fault or -1. */
static int end_by_event(const struct cell *cell, double lower, double *ret_upper)
{
    double event = cell->is_null             ? NAN
                   : cell->kind == CELL_BOOL ? cell->bool_value
                                             : cell_as_number(cell);

    if (!((float)lower > 0))
        return TIME_TOO_EARLY;
    if (isnan(event))
        return EVENT_MISSING;
    if (event != 0 && event != 1)
        return EVENT_OTHER;
    *ret_upper = event != 0 ? lower : INFINITY;
    return -1;
}

/* The end as it is given; a fault or -1. A time beyond float32 is never. */
static int end_by_upper(const struct cell *cell, double lower, double *ret_upper)
{
    double upper = cell->is_null ? NAN : cell_as_number(cell);

    if (lower < 0)
        return TIME_NEGATIVE;
    if (isnan(upper) || isinf((float)upper))
        upper = upper < 0 ? upper : INFINITY;
    if (upper < lower || !((float)upper > 0))
        return UPPER_BELOW;
    *ret_upper = upper;
    return -1;
}

static enum err_code read_ends(struct dataset *dataset, const struct project *project,
                               const struct rows *rows, struct err *err)
{
    const char *name = project->event != NULL ? project->event : project->target_upper;
    const struct column *column = &dataset->frame->columns[frame_find(dataset->frame, name)];
    size_t n_faults[FAULTS] = {0};

    for (size_t i = 0; i < rows->n; i++) {
        uint32_t row = rows->items[i];
        struct cell cell;
        int fault;

        column_cell(column, row, &cell);
        fault = (project->event != NULL ? end_by_event : end_by_upper)(&cell, dataset->y[row],
                                                                       &dataset->upper[row]);
        if (fault >= 0)
            n_faults[fault]++;
        dataset->seen[row] = isfinite(dataset->upper[row]);
    }
    return refuse_times(project, n_faults, rows->n, err);
}

/* The noise that the likelihood of times is by: the project's, for all models that are measured on
 * its rows. */
static enum err_code read_noise(struct dataset *dataset, const struct project *project,
                                struct err *err)
{
    static const struct {
        const char *name;
        enum metric_aft aft;
    } names[] = {{"normal", METRIC_AFT_NORMAL},
                 {"logistic", METRIC_AFT_LOGISTIC},
                 {"extreme", METRIC_AFT_EXTREME}};
    struct hyperparams given = {0};
    const char *name;

    TRY(hyperparams_overlay(&given, ALGORITHM_XGBOOST, project->hyperparams, err));
    dataset->aft_scale = hyperparams_get(&given, "aft_loss_distribution_scale", 1);
    name = hyperparams_choice(&given, "aft_loss_distribution", "normal");
    for (size_t i = 0; i < N_ELEMENTS(names); i++)
        if (strcmp(names[i].name, name) == 0)
            dataset->aft = names[i].aft;
    return ERR_OK;
}

enum err_code dataset_read_times(struct dataset *dataset, const struct project *project,
                                 const struct rows *rows, struct err *err)
{
    size_t n_rows = dataset->frame->n_rows;

    if (dataset->task != METRIC_SURVIVAL)
        return ERR_OK;
    dataset->upper = calloc(n_rows + 1, sizeof(*dataset->upper));
    dataset->seen = calloc(n_rows + 1, sizeof(*dataset->seen));
    if (dataset->upper == NULL || dataset->seen == NULL)
        return err_nomem(err);
    dataset->hazards =
        project->objective != NULL && strcmp(project->objective, "survival:cox") == 0;
    TRY(read_noise(dataset, project, err));
    return read_ends(dataset, project, rows, err);
}

enum err_code dataset_check_times(const struct dataset *dataset, const struct rows *rows,
                                  const char *name, struct err *err)
{
    if (dataset->seen == NULL)
        return ERR_OK;
    for (size_t i = 0; i < rows->n; i++)
        if (dataset->seen[rows->items[i]] && dataset_weight(dataset, rows->items[i]) > 0)
            return ERR_OK;
    err_set(err, ERR_DATA, "all %zu %s rows are censored: no event was seen", rows->n, name);
    err_field(err, dataset->schema->event >= 0 ? "/event" : "/target_upper");
    return err_hint(err, "times are learnt from events that came; some are needed in each of "
                         "training, validation and test");
}

double dataset_signed_time(const struct dataset *dataset, uint32_t row)
{
    return dataset->seen[row] ? dataset->y[row] : -dataset->y[row];
}

struct moment {
    double time, weight;
    bool seen;
};

static int compare_moments(const void *a, const void *b)
{
    const struct moment *x = a, *y = b;
    int by_time = (x->time > y->time) - (x->time < y->time);

    return by_time != 0 ? by_time : y->seen - x->seen; /* who is censored then was at risk */
}

enum err_code dataset_median_time(const struct dataset *dataset, const struct rows *rows,
                                  double *ret_median, struct err *err)
{
    CLEANUP(free_ptr) struct moment *moments = calloc(rows->n + 1, sizeof(*moments));
    double at_risk = 0, surviving = 1;

    if (moments == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < rows->n; i++) {
        uint32_t row = rows->items[i];
        double lower = dataset->y[row], upper = dataset->upper[row];

        moments[i] = (struct moment){isfinite(upper) ? lower / 2 + upper / 2 : lower,
                                     dataset_weight(dataset, row), dataset->seen[row]};
        at_risk += moments[i].weight;
    }
    qsort(moments, rows->n, sizeof(*moments), compare_moments);
    for (size_t begin = 0, end; begin < rows->n; begin = end) {
        double died = 0, left = 0;

        for (end = begin; end < rows->n && moments[end].time == moments[begin].time; end++) {
            died += moments[end].seen ? moments[end].weight : 0;
            left += moments[end].weight;
        }
        if (at_risk > 0)
            surviving *= 1 - died / at_risk;
        at_risk -= left;
        *ret_median = moments[begin].time;
        if (surviving <= .5)
            break;
    }
    return ERR_OK;
}
