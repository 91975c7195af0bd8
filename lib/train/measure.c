#include "train/measure.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "metric/bootstrap.h"
#include "metric/report.h"

void predictions_release(struct predictions *predictions)
{
    free(predictions->y);
    free(predictions->classes);
    free(predictions->values);
    free(predictions->probabilities);
    free(predictions->chosen);
    free(predictions->weights);
    free(predictions->lists);
    free(predictions->upper);
    *predictions = (struct predictions){0};
}

/* What metrics of lists and of times take beside y. */
static enum err_code take_answers(struct predictions *predictions, const struct dataset *dataset,
                                  const struct rows *rows, struct err *err)
{
    predictions->aft = dataset->aft;
    predictions->aft_scale = dataset->aft_scale;
    if (dataset->lists != NULL)
        predictions->lists = calloc(rows->n + 1, sizeof(*predictions->lists));
    if (dataset->upper != NULL)
        predictions->upper = calloc(rows->n + 1, sizeof(*predictions->upper));
    if ((dataset->lists != NULL && predictions->lists == NULL) ||
        (dataset->upper != NULL && predictions->upper == NULL))
        return err_nomem(err);
    for (size_t i = 0; i < rows->n; i++) {
        if (dataset->lists != NULL)
            predictions->lists[i] = dataset->lists[rows->items[i]];
        if (dataset->upper != NULL)
            predictions->upper[i] = dataset->upper[rows->items[i]];
    }
    return ERR_OK;
}

enum err_code predictions_init(struct predictions *predictions, const struct dataset *dataset,
                               const struct rows *rows, struct err *err)
{
    size_t n_cells;
    int n_classes = dataset_n_classes(dataset);
    enum err_code code;

    *predictions = (struct predictions){.n_rows = rows->n, .n_classes = n_classes};
    if (__builtin_mul_overflow(rows->n, (size_t)n_classes + 1, &n_cells))
        return err_nomem(err);
    predictions->y = calloc(rows->n + 1, sizeof(double));
    predictions->classes = calloc(rows->n + 1, sizeof(uint32_t));
    predictions->chosen = calloc(rows->n + 1, sizeof(uint32_t));
    predictions->values = calloc(rows->n + 1, sizeof(double));
    predictions->probabilities = calloc(n_cells + 1, sizeof(double));
    if (dataset->weights != NULL)
        predictions->weights = calloc(rows->n + 1, sizeof(double));
    if (predictions->y == NULL || predictions->classes == NULL || predictions->chosen == NULL ||
        predictions->values == NULL || predictions->probabilities == NULL ||
        (dataset->weights != NULL && predictions->weights == NULL)) {
        predictions_release(predictions);
        return err_nomem(err);
    }
    code = take_answers(predictions, dataset, rows, err);
    if (code != ERR_OK) {
        predictions_release(predictions);
        return code;
    }
    for (size_t i = 0; i < rows->n; i++) {
        predictions->y[i] = dataset->y[rows->items[i]];
        if (n_classes > 0)
            predictions->classes[i] = (uint32_t)predictions->y[i];
        if (dataset->weights != NULL)
            predictions->weights[i] = dataset->weights[rows->items[i]];
    }
    return ERR_OK;
}

struct metric_input predictions_input(const struct predictions *predictions)
{
    return (struct metric_input){
        .n_rows = predictions->n_rows,
        .y = predictions->y,
        .predictions = predictions->values,
        .n_classes = predictions->n_classes,
        .classes = predictions->classes,
        .chosen = predictions->chosen,
        .probabilities = predictions->probabilities,
        .weights = predictions->weights,
        .groups = predictions->lists,
        .lower = predictions->upper != NULL ? predictions->y : NULL,
        .upper = predictions->upper,
        .hazards = predictions->hazards,
        .aft = predictions->aft,
        .aft_scale = predictions->aft_scale,
    };
}

void predictions_set(struct predictions *predictions, size_t row, const float *outputs)
{
    int n_classes = predictions->n_classes;
    double *p = predictions->probabilities + row * (size_t)n_classes;

    if (n_classes == 0) {
        predictions->values[row] = outputs[0];
        return;
    }
    if (n_classes == 2) {
        p[0] = 1.0 - (double)outputs[0];
        p[1] = outputs[0];
    } else {
        for (int k = 0; k < n_classes; k++)
            p[k] = outputs[k];
    }
    predictions->chosen[row] = (uint32_t)most_probable(p, n_classes);
}

/* The model's class for each of the dataset's, by the labels' text; -1: it does not know it. */
static enum err_code map_labels(const struct model *model, const struct dataset *dataset,
                                int **ret_classes, struct err *err)
{
    int n_classes = dataset_n_classes(dataset);
    int *classes = calloc((size_t)n_classes + 1, sizeof(*classes));

    if (classes == NULL)
        return err_nomem(err);
    for (int k = 0; k < n_classes; k++) {
        classes[k] = -1;
        for (int i = 0; i < model->n_labels; i++)
            if (strcmp(model->labels[i].text, dataset->labels.items[k].text) == 0)
                classes[k] = i;
    }
    *ret_classes = classes;
    return ERR_OK;
}

/* A class that the model never saw has no probability; one that is gone takes its own with it, and
 * where it is what the model says, the next probable stands for it. */
static void set_mapped(struct predictions *predictions, size_t row, const int *classes,
                       const double *probabilities, int label)
{
    double *p = predictions->probabilities + row * (size_t)predictions->n_classes;
    bool is_known = false;

    for (int k = 0; k < predictions->n_classes; k++) {
        p[k] = classes[k] < 0 ? 0 : probabilities[classes[k]];
        if (classes[k] != label)
            continue;
        predictions->chosen[row] = (uint32_t)k;
        is_known = true;
    }
    if (!is_known)
        predictions->chosen[row] = (uint32_t)most_probable(p, predictions->n_classes);
}

/* So many rows are encoded at a time. */
#define BLOCK_ROWS  65536
#define BLOCK_BYTES ((size_t)8 << 20) /* of wide rows */

/* A model at work on rows. */
struct measuring {
    const struct model *model;
    const struct dataset *dataset;
    int *classes; /* of map_labels */
    size_t n_outputs, block_rows;
    float *matrix;         /* [block_rows × n_features] */
    float *margins;        /* [block_rows × n_outputs] */
    double *probabilities; /* [n_labels] of one row */
    struct predictions predictions;
};

static void measuring_release(struct measuring *measuring)
{
    free(measuring->classes);
    free(measuring->matrix);
    free(measuring->margins);
    free(measuring->probabilities);
    predictions_release(&measuring->predictions);
}

static enum err_code measuring_init(struct measuring *measuring, const struct rows *rows,
                                    struct err *err)
{
    const struct model *model = measuring->model;
    size_t n_features = (size_t)model->encoder->n_features;
    size_t n = BLOCK_BYTES / (n_features * sizeof(float) + 1);

    n = n < 1 ? 1 : n > BLOCK_ROWS ? BLOCK_ROWS : n;
    measuring->block_rows = n < rows->n ? n : rows->n;
    measuring->n_outputs = (size_t)model_n_outputs(model);
    measuring->matrix = calloc(measuring->block_rows * n_features + 1, sizeof(float));
    measuring->margins = calloc(measuring->block_rows * measuring->n_outputs + 1, sizeof(float));
    measuring->probabilities = calloc((size_t)model->n_labels + 1, sizeof(double));
    if (measuring->matrix == NULL || measuring->margins == NULL || measuring->probabilities == NULL)
        return err_nomem(err);
    TRY(map_labels(model, measuring->dataset, &measuring->classes, err));
    return predictions_init(&measuring->predictions, measuring->dataset, rows, err);
}

static enum err_code measure_block(struct measuring *measuring, const struct rows *rows,
                                   size_t first, size_t n, struct err *err)
{
    const struct model *model = measuring->model;
    float *outputs = measuring->margins;

    TRY(encoder_apply(model->encoder, measuring->dataset->frame, rows->items + first, n,
                      measuring->matrix, err));
    forest_margins(model->forest, measuring->matrix, n, measuring->margins);
    for (size_t i = 0; i < n; i++, outputs += measuring->n_outputs) {
        int label = -1;

        model_predict(model, outputs, &measuring->predictions.values[first + i],
                      measuring->probabilities, &label);
        if (model->n_labels > 0)
            set_mapped(&measuring->predictions, first + i, measuring->classes,
                       measuring->probabilities, label);
    }
    return ERR_OK;
}

enum err_code measure_model(const struct model *model, const struct dataset *dataset,
                            const struct rows *rows, struct predictions *ret, struct err *err)
{
    CLEANUP(measuring_release)
    struct measuring measuring = {.model = model, .dataset = dataset};

    if (model->task != dataset_task(dataset))
        return err_set(err, ERR_CONFLICT, "model %lld has another task", (long long)model->id);
    TRY(measuring_init(&measuring, rows, err));
    measuring.predictions.hazards = model_answers_hazards(model);
    for (size_t first = 0; first < rows->n; first += measuring.block_rows) {
        size_t rest = rows->n - first;

        TRY(measure_block(&measuring, rows, first,
                          rest < measuring.block_rows ? rest : measuring.block_rows, err));
    }
    *ret = measuring.predictions;
    measuring.predictions = (struct predictions){0};
    return ERR_OK;
}

enum err_code measure_metrics(const struct predictions *predictions, enum metric_task task,
                              const struct metric *key, struct buf *json, double *ret_key,
                              struct err *err)
{
    struct metric_input input = predictions_input(predictions);
    const char *separator = "";
    double key_value = NAN;

    for (int i = 0; i < n_metrics; i++) {
        double value = NAN;

        if (!(metrics[i].tasks & task))
            continue;
        TRY(metrics[i].compute(&input, &value, err));
        buf_printf(json, "%s\"%s\":", separator, metrics[i].name);
        json_put_double(json, value);
        separator = ",";
        if (&metrics[i] == key)
            key_value = value;
    }
    TRY(buf_check(json, err));
    *ret_key = key_value;
    return ERR_OK;
}

/* One report by name: a value that it writes, null where it is not defined. */
struct report {
    const char *name;
    unsigned tasks;
    enum err_code (*write)(const struct metric_input *input, struct buf *json, struct err *err);
    enum err_code (*write_class)(const struct metric_input *input, uint32_t positive,
                                 struct buf *json, struct err *err);
};

static const struct report reports[] = {
    {"residuals", METRIC_REGRESSION, report_residuals, NULL},
    {"confusion", METRIC_BINARY | METRIC_MULTICLASS, report_confusion, NULL},
    {"roc", METRIC_BINARY, NULL, report_roc},
    {"pr", METRIC_BINARY, NULL, report_pr},
    {"calibration", METRIC_BINARY, NULL, report_calibration},
    {"lift", METRIC_BINARY, NULL, report_lift},
};

enum err_code measure_reports(const struct predictions *predictions, enum metric_task task,
                              struct buf *json, struct err *err)
{
    struct metric_input input = predictions_input(predictions);
    const char *separator = "";

    for (size_t i = 0; i < N_ELEMENTS(reports); i++) {
        if (!(reports[i].tasks & task))
            continue;
        buf_printf(json, "%s\"%s\":", separator, reports[i].name);
        separator = ",";
        if (reports[i].write != NULL)
            TRY(reports[i].write(&input, json, err));
        else
            TRY(reports[i].write_class(&input, 1, json, err));
    }
    return buf_check(json, err);
}

const struct metric *measure_loss(const struct metric *key, enum metric_task task)
{
    /* a likelihood of times may be any number, and has no share of the baseline's */
    if (key->higher_is_better || key->toward_zero || task == METRIC_SURVIVAL)
        return metric_default(task);
    return key;
}

enum err_code measure_skill(const struct predictions *model, const struct predictions *baseline,
                            enum metric_task task, const struct metric *key, int64_t seed,
                            struct buf *json, struct err *err)
{
    const struct metric *loss = measure_loss(key, task);
    const struct bootstrap_plan plan = {.seed = (uint64_t)seed};
    struct metric_input a = predictions_input(model), b = predictions_input(baseline);
    struct bootstrap_result result;

    TRY(bootstrap_compare(loss, &a, &b, &plan, &result, err));
    buf_printf(json, "{\"metric\":\"%s\",\"value\":", loss->name);
    json_put_double(json, result.skill.value);
    buf_puts(json, ",\"low\":");
    json_put_double(json, result.skill.low);
    buf_puts(json, ",\"high\":");
    json_put_double(json, result.skill.high);
    buf_putc(json, '}');
    return buf_check(json, err);
}
