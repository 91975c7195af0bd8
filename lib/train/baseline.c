#include "train/baseline.h"

#include <string.h>

#include "train/baseline_linear.h"
#include "train/objective.h"

static void fill_values(struct predictions *predictions, double value)
{
    for (size_t i = 0; i < predictions->n_rows; i++)
        predictions->values[i] = value;
}

static enum err_code predict_mean(const struct dataset *dataset, const struct rows *training,
                                  struct predictions *predictions, struct err *err)
{
    (void)err;
    fill_values(predictions,
                target_mean(dataset->y, dataset->weights, training->items, training->n));
    return ERR_OK;
}

static enum err_code predict_median(const struct dataset *dataset, const struct rows *training,
                                    struct predictions *predictions, struct err *err)
{
    double median;

    TRY(target_median(dataset->y, dataset->weights, training->items, training->n, &median, err));
    fill_values(predictions, median);
    return ERR_OK;
}

/* Rows without a time are the oldest; rows of weight 0 are not there. */
static enum err_code predict_last(const struct dataset *dataset, const struct rows *training,
                                  struct predictions *predictions, struct err *err)
{
    const struct column *time =
        &dataset->frame->columns[dataset_column(dataset, dataset->schema->time)];
    int64_t newest = INT64_MIN;
    double mean = 0, n = 0;

    (void)err;
    for (size_t i = 0; i < training->n; i++) {
        double weight = dataset_weight(dataset, training->items[i]);
        struct cell cell;
        int64_t at;

        if (!(weight > 0))
            continue;
        column_cell(time, training->items[i], &cell);
        at = cell.is_null ? INT64_MIN : cell.int_value;
        if (at > newest) {
            newest = at;
            n = 0;
            mean = 0;
        }
        if (at == newest) {
            n += weight;
            mean += (dataset->y[training->items[i]] - mean) * weight / n;
        }
    }
    fill_values(predictions, mean);
    return ERR_OK;
}

static enum err_code predict_alike(const struct dataset *dataset, const struct rows *training,
                                   struct predictions *predictions, struct err *err)
{
    (void)training;
    (void)err;
    predictions->hazards = dataset->hazards;
    fill_values(predictions, 1);
    return ERR_OK;
}

static enum err_code predict_median_time(const struct dataset *dataset, const struct rows *training,
                                         struct predictions *predictions, struct err *err)
{
    double median = 0;

    TRY(dataset_median_time(dataset, training, &median, err));
    fill_values(predictions, median);
    return ERR_OK;
}

static void fill_classes(struct predictions *predictions, const double *shares)
{
    size_t n_classes = (size_t)predictions->n_classes;
    uint32_t best = (uint32_t)most_probable(shares, predictions->n_classes);

    for (size_t i = 0; i < predictions->n_rows; i++) {
        memcpy(predictions->probabilities + i * n_classes, shares, n_classes * sizeof(*shares));
        predictions->chosen[i] = best;
    }
}

static enum err_code class_shares(const struct dataset *dataset, const struct rows *training,
                                  double **ret_shares, struct err *err)
{
    double *shares = calloc((size_t)dataset_n_classes(dataset), sizeof(*shares)), total = 0;

    if (shares == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < training->n; i++)
        total += dataset_weight(dataset, training->items[i]);
    for (size_t i = 0; i < training->n; i++)
        shares[(int)dataset->y[training->items[i]]] +=
            dataset_weight(dataset, training->items[i]) / total;
    *ret_shares = shares;
    return ERR_OK;
}

static enum err_code predict_prior(const struct dataset *dataset, const struct rows *training,
                                   struct predictions *predictions, struct err *err)
{
    CLEANUP(free_ptr) double *shares = NULL;

    TRY(class_shares(dataset, training, &shares, err));
    fill_classes(predictions, shares);
    return ERR_OK;
}

static enum err_code predict_majority(const struct dataset *dataset, const struct rows *training,
                                      struct predictions *predictions, struct err *err)
{
    CLEANUP(free_ptr) double *shares = NULL;
    int n_classes = dataset_n_classes(dataset), best;

    TRY(class_shares(dataset, training, &shares, err));
    best = most_probable(shares, n_classes);
    for (int k = 0; k < n_classes; k++)
        shares[k] = k == best;
    fill_classes(predictions, shares);
    return ERR_OK;
}

static const struct baseline baselines[] = {
    {"mean", METRIC_REGRESSION, BASELINE_ANY, predict_mean},
    {"median", METRIC_REGRESSION, BASELINE_ANY, predict_median},
    {"last", METRIC_REGRESSION, BASELINE_BY_TIME, predict_last},
    {"prior", METRIC_BINARY | METRIC_MULTICLASS, BASELINE_ANY, predict_prior},
    {"majority", METRIC_BINARY | METRIC_MULTICLASS, BASELINE_ANY, predict_majority},
    {"linear", METRIC_REGRESSION | METRIC_BINARY | METRIC_MULTICLASS, BASELINE_ANY, NULL},
    {"random_order", METRIC_RANKING, BASELINE_ANY, predict_alike},
    {"kaplan_meier", METRIC_SURVIVAL, BASELINE_TIMES, predict_median_time},
    {"equal_hazards", METRIC_SURVIVAL, BASELINE_HAZARDS, predict_alike},
};

static bool fits(const struct baseline *baseline, const struct dataset *dataset)
{
    if (!(baseline->tasks & dataset->task))
        return false;
    switch (baseline->needs) {
    case BASELINE_ANY:
        return true;
    case BASELINE_BY_TIME:
        return dataset->split_by == SPLIT_TIME;
    case BASELINE_TIMES:
        return !dataset->hazards;
    case BASELINE_HAZARDS:
        return dataset->hazards;
    }
    return false;
}

const struct baseline *baseline_at(const struct dataset *dataset, int index)
{
    for (size_t i = 0; i < N_ELEMENTS(baselines); i++)
        if (fits(&baselines[i], dataset) && index-- == 0)
            return &baselines[i];
    return NULL;
}

enum err_code baseline_predict(const struct baseline *baseline, const struct project *project,
                               const struct dataset *dataset, const struct rows *training,
                               const struct rows *rows, struct predictions *ret, struct buf *why,
                               struct err *err)
{
    CLEANUP(predictions_release) struct predictions predictions = {0};

    TRY(predictions_init(&predictions, dataset, rows, err));
    if (baseline->predict != NULL)
        TRY(baseline->predict(dataset, training, &predictions, err));
    else
        TRY(baseline_linear(project, dataset, training, rows, &predictions, why, err));
    *ret = predictions;
    predictions = (struct predictions){0};
    return ERR_OK;
}
