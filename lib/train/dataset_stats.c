#include "train/dataset_internal.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "frame/profile.h"

/* Mean weights beyond which hyperparameters lose their meaning. */
#define WEIGHT_MEAN_LOW  0.1
#define WEIGHT_MEAN_HIGH 10

/* An integer target with two values is more often a class than a quantity. */
static bool looks_binary(const struct dataset *dataset)
{
    const struct column *target = &dataset->frame->columns[0];
    double seen[2] = {0};
    int n = 0;

    if (dataset->task != METRIC_REGRESSION || target->kind != CELL_INT)
        return false;
    for (size_t row = 0; row < dataset->frame->n_rows; row++) {
        double y = dataset->y[row];

        if (isnan(y) || (n > 0 && y == seen[0]) || (n > 1 && y == seen[1]))
            continue;
        if (n == 2)
            return false;
        seen[n++] = y;
    }
    return n == 2;
}

static void put_time(const struct column *time, const char *name, int64_t value, struct buf *json)
{
    struct cell cell = {.kind = time->kind, .int_value = value};

    /* what the split ordered by: integers and times as they are; doubles are left out */
    if (time->kind != CELL_TIMESTAMP && time->kind != CELL_INT)
        return;
    buf_printf(json, ",\"%s\":", name);
    cell_to_json(time->type, &cell, json);
}

static void put_names(const struct schema *schema, const int *columns, int n, struct buf *json)
{
    buf_putc(json, '[');
    for (int i = 0; i < n; i++) {
        if (i > 0)
            buf_putc(json, ',');
        json_put_text(json, schema->columns[columns[i]].name);
    }
    buf_putc(json, ']');
}

/* The members of the rule: by a time the seed and the key have no say, by a group the key has one
 * only where groups are NULL. */
static void put_rule(const struct dataset *dataset, const struct project *project, struct buf *json)
{
    static const char *const names[] = {
        [SPLIT_RANDOM] = "random",
        [SPLIT_STRATIFIED] = "stratified",
        [SPLIT_TIME] = "time",
        [SPLIT_GROUP] = "group",
    };
    const struct schema *schema = dataset->schema;

    buf_printf(json, "\"by\":\"%s\",\"size\":", names[dataset->split_by]);
    json_put_double(json, project->test_size);
    if (dataset->split_by == SPLIT_TIME) {
        buf_puts(json, ",\"time\":");
        json_put_text(json, schema->columns[schema->time].name);
        if (dataset->lists != NULL) { /* that stay whole */
            buf_puts(json, ",\"group\":");
            json_put_text(json, schema->columns[schema->group].name);
        }
        return;
    }
    buf_printf(json, ",\"seed\":%lld", (long long)project->seed);
    if (dataset->split_by == SPLIT_GROUP) {
        buf_puts(json, ",\"group\":");
        json_put_text(json, schema->columns[schema->group].name);
        if (dataset->frame->columns[dataset_column(dataset, schema->group)].n_nulls == 0)
            return;
    }
    buf_puts(json, ",\"key\":");
    if (schema->n_keys > 0)
        put_names(schema, schema->keys, schema->n_keys, json);
    else /* the whole row that was read */
        put_names(schema, schema->read, schema->n_read, json);
    if (dataset->split_by == SPLIT_STRATIFIED && dataset->seen != NULL) {
        buf_puts(json, ",\"event\":");
        json_put_text(json,
                      schema->columns[schema->event >= 0 ? schema->event : schema->upper].name);
    }
    if (dataset->together) {
        buf_puts(json, ",\"together\":");
        put_names(schema, schema->features, schema->n_features, json);
    }
}

void dataset_split_rule(const struct dataset *dataset, const struct project *project,
                        struct buf *json)
{
    buf_putc(json, '{');
    put_rule(dataset, project, json);
    buf_putc(json, '}');
}

enum err_code split_rules_equal(const char *a, const char *b, bool *ret_equal, struct err *err)
{
    CLEANUP(cjson_delete_ptr) cJSON *left = NULL;
    CLEANUP(cjson_delete_ptr) cJSON *right = NULL;

    TRY(json_parse(a, strlen(a), "the split", &left, err));
    TRY(json_parse(b, strlen(b), "the split", &right, err));
    *ret_equal = cJSON_Compare(left, right, true);
    return ERR_OK;
}

static void put_split(const struct dataset *dataset, const struct project *project,
                      struct buf *json)
{
    const struct schema *schema = dataset->schema;

    buf_puts(json, "\"split\":{");
    put_rule(dataset, project, json);
    if (dataset->split_by == SPLIT_TIME) {
        const struct column *time = &dataset->frame->columns[dataset_column(dataset, schema->time)];

        put_time(time, "test_from", dataset->split->test_from, json);
        put_time(time, "valid_from", dataset->split->folds[0].valid_from, json);
    }
    if (dataset->split_by == SPLIT_GROUP)
        buf_printf(json, ",\"groups\":%zu", dataset->split->n_groups);
    if (dataset->split_by == SPLIT_RANDOM || dataset->split_by == SPLIT_STRATIFIED)
        buf_printf(json, ",\"distinct\":%zu,\"twins\":%zu", dataset->twins.n_distinct,
                   dataset->twins.n_twins);
    buf_putc(json, '}');
}

PRINTF_LIKE(2, 3) static void warn(struct buf *list, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (list->length > 0)
        buf_putc(list, ',');
    json_put_text(list, text);
}

static void warn_of_twins(const struct dataset *dataset, struct buf *list)
{
    if (dataset->twins.n_twins > 0 && !dataset->together)
        warn(list,
             "%zu of the rows have the same features as others, and the split does not keep them "
             "together: there are only %zu different ones",
             dataset->twins.n_twins, dataset->twins.n_distinct);
}

/* Of a class without training rows nothing is known. */
static enum err_code warn_of_classes(const struct dataset *dataset, struct buf *list,
                                     struct err *err)
{
    const struct fold *last = split_last(dataset->split);
    const struct rows *parts[] = {&last->train, &last->valid};
    CLEANUP(free_ptr) bool *learnt = calloc(dataset->labels.n + 1, sizeof(*learnt));

    if (learnt == NULL)
        return err_nomem(err);
    for (size_t p = 0; p < N_ELEMENTS(parts); p++)
        for (size_t i = 0; i < parts[p]->n && dataset->labels.n > 0; i++)
            learnt[(int)dataset->y[parts[p]->items[i]]] = true;
    for (uint32_t k = 0; k < dataset->labels.n; k++)
        if (!learnt[k])
            warn(list, "class \"%s\" is among the test rows alone: the model cannot know it",
                 dataset->labels.items[k].text);
    return ERR_OK;
}

/* min_child_weight and lambda are compared with sums of weights. */
static void warn_of_weights(const struct dataset *dataset, struct buf *list)
{
    const struct rows *train = &split_last(dataset->split)->train;
    double mean;

    if (dataset->weights == NULL)
        return;
    mean = dataset_sum_of_weights(dataset, train) / (double)train->n;
    if (mean < WEIGHT_MEAN_LOW || mean > WEIGHT_MEAN_HIGH)
        warn(list,
             "the mean of weight \"%s\" is %.3g: min_child_weight and lambda, which XGBoost "
             "compares with sums of weights, mean something else then; scale it to 1 in the view",
             dataset->weight, mean);
}

static void warn_of_folds(const struct dataset *dataset, const struct project *project,
                          struct buf *list)
{
    int n_folds = dataset->split->n_folds;

    if (n_folds < project->search_folds)
        warn(list,
             "there are %d folds in place of %d: rows that stay together left the others "
             "empty",
             n_folds, project->search_folds);
}

static enum err_code put_warnings(const struct dataset *dataset, const struct project *project,
                                  const struct buf *warnings, struct buf *json, struct err *err)
{
    CLEANUP(buf_release) struct buf list = {0};

    buf_append(&list, buf_text(warnings), warnings->length);
    if (looks_binary(dataset))
        warn(&list, "the target has only two whole values: \"task\": \"classification\" would give "
                    "probabilities");
    warn_of_twins(dataset, &list);
    warn_of_folds(dataset, project, &list);
    TRY(warn_of_classes(dataset, &list, err));
    warn_of_weights(dataset, &list);
    TRY(buf_check(&list, err));
    buf_append(json, buf_text(&list), list.length);
    return ERR_OK;
}

static void put_left_out(const struct schema *schema, struct buf *json)
{
    const char *separator = "";

    for (int i = 0; i < schema->n_columns; i++) {
        const struct schema_column *column = &schema->columns[i];

        if (!(column->roles & COLUMN_LEFT_OUT))
            continue;
        buf_printf(json, "%s{\"column\":", separator);
        json_put_text(json, column->name);
        buf_puts(json, ",\"why\":");
        json_put_text(json, column->why);
        buf_putc(json, '}');
        separator = ",";
    }
}

enum err_code dataset_stats(const struct dataset *dataset, const struct project *project,
                            const char *fingerprint, const struct buf *warnings, struct buf *json,
                            struct err *err)
{
    const struct split *split = dataset->split;
    const struct fold *last = split_last(split);

    buf_printf(json,
               "{\"rows\":%zu,\"without_target\":%zu,\"train\":%zu,\"valid\":%zu,\"test\":%zu,"
               "\"folds\":%d,\"fingerprint\":\"%s\",",
               dataset->frame->n_rows, dataset->n_without_target, last->train.n, last->valid.n,
               split->test.n, split->n_folds, fingerprint);
    put_split(dataset, project, json);
    buf_puts(json, ",\"left_out\":[");
    put_left_out(dataset->schema, json);
    buf_puts(json, "],\"warnings\":[");
    TRY(put_warnings(dataset, project, warnings, json, err));
    buf_puts(json, "]}");
    return buf_check(json, err);
}
