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
    *predictions = (struct predictions){0};
}

enum err_code predictions_init(struct predictions *predictions, const struct dataset *dataset,
                               const struct rows *rows, struct err *err)
{
    size_t n_cells;
    int n_classes = dataset_n_classes(dataset);

    *predictions = (struct predictions){.n_rows = rows->n, .n_classes = n_classes};
    if (__builtin_mul_overflow(rows->n, (size_t)n_classes + 1, &n_cells))
        return err_nomem(err);
    predictions->y = calloc(rows->n + 1, sizeof(double));
    predictions->classes = calloc(rows->n + 1, sizeof(uint32_t));
    predictions->chosen = calloc(rows->n + 1, sizeof(uint32_t));
    predictions->values = calloc(rows->n + 1, sizeof(double));
    predictions->probabilities = calloc(n_cells + 1, sizeof(double));
    if (predictions->y == NULL || predictions->classes == NULL || predictions->chosen == NULL ||
        predictions->values == NULL || predictions->probabilities == NULL) {
        predictions_release(predictions);
        return err_nomem(err);
    }
    for (size_t i = 0; i < rows->n; i++) {
        predictions->y[i] = dataset->y[rows->items[i]];
        if (n_classes > 0)
            predictions->classes[i] = (uint32_t)predictions->y[i];
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
    };
}

/* The first of equals, as model_predict chooses where there is no threshold. */
static uint32_t most_probable(const double *probabilities, int n_classes)
{
    int best = 0;

    for (int k = 1; k < n_classes; k++)
        if (probabilities[k] > probabilities[best])
            best = k;
    return (uint32_t)best;
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
    predictions->chosen[row] = most_probable(p, n_classes);
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
        predictions->chosen[row] = most_probable(p, predictions->n_classes);
}

enum err_code measure_model(const struct model *model, const struct dataset *dataset,
                            const struct rows *rows, struct predictions *ret, struct err *err)
{
    CLEANUP(free_ptr) float *matrix = NULL, *margins = NULL;
    CLEANUP(free_ptr) double *probabilities = calloc((size_t)model->n_labels + 1, sizeof(double));
    CLEANUP(free_ptr) int *classes = NULL;
    CLEANUP(predictions_release) struct predictions predictions = {0};
    size_t n_features = (size_t)model->encoder->n_features;
    size_t n_outputs = (size_t)model_n_outputs(model), n_cells;

    if ((model->n_labels == 0) != (dataset->task == METRIC_REGRESSION))
        return err_set(err, ERR_CONFLICT, "model %lld has another task", (long long)model->id);
    TRY(map_labels(model, dataset, &classes, err));
    TRY(predictions_init(&predictions, dataset, rows, err));
    if (__builtin_mul_overflow(rows->n, n_features + n_outputs, &n_cells))
        return err_nomem(err);
    matrix = calloc(rows->n * n_features + 1, sizeof(float));
    margins = calloc(rows->n * n_outputs + 1, sizeof(float));
    if (matrix == NULL || margins == NULL || probabilities == NULL)
        return err_nomem(err);
    TRY(encoder_apply(model->encoder, dataset->frame, rows->items, rows->n, matrix, err));
    forest_margins(model->forest, matrix, rows->n, margins);
    for (size_t i = 0; i < rows->n; i++) {
        int label = -1;

        model_predict(model, margins + i * n_outputs, &predictions.values[i], probabilities,
                      &label);
        if (model->n_labels > 0)
            set_mapped(&predictions, i, classes, probabilities, label);
    }
    *ret = predictions;
    predictions = (struct predictions){0};
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

/* The metric that skill is told by: the key where less of it is better, else the task's loss. */
static const struct metric *loss_of(const struct metric *key, enum metric_task task)
{
    return key->higher_is_better || key->toward_zero ? metric_default(task) : key;
}

enum err_code measure_skill(const struct predictions *model, const struct predictions *baseline,
                            enum metric_task task, const struct metric *key, int64_t seed,
                            struct buf *json, struct err *err)
{
    const struct metric *loss = loss_of(key, task);
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
