#include "train/dataset.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "frame/profile.h"

/* Mean weights beyond which hyperparameters lose their meaning. */
#define WEIGHT_MEAN_LOW  0.1
#define WEIGHT_MEAN_HIGH 10

void rows_release(struct rows *rows)
{
    free(rows->items);
    *rows = (struct rows){0};
}

void dataset_free(struct dataset *dataset)
{
    if (dataset == NULL)
        return;
    split_free(dataset->split);
    labels_release(&dataset->labels);
    free(dataset->y);
    free(dataset->weights);
    twins_release(&dataset->twins);
    free(dataset->output_labels);
    frame_free(dataset->frame);
    free(dataset);
}

int dataset_n_classes(const struct dataset *dataset)
{
    return dataset->task == METRIC_REGRESSION ? 0 : (int)dataset->labels.n;
}

static double cell_number(const struct cell *cell)
{
    switch (cell->kind) {
    case CELL_BOOL:
        return cell->bool_value ? 1 : 0;
    case CELL_FLOAT4:
        return cell->float_value;
    case CELL_DOUBLE:
        return cell->double_value;
    default:
        return (double)cell->int_value;
    }
}

/* Regression: y from the column. An infinite target has no squared error. */
static enum err_code read_numbers(struct dataset *dataset, struct err *err)
{
    const struct column *target = &dataset->frame->columns[0];

    for (size_t row = 0; row < dataset->frame->n_rows; row++) {
        struct cell cell;

        column_cell(target, row, &cell);
        dataset->y[row] = cell.is_null ? NAN : cell_number(&cell);
        if (isinf((float)dataset->y[row])) {
            err_set(err, ERR_DATA, "target \"%s\" has a value that is infinite as a float32",
                    target->name);
            return err_hint(err, "leave such rows out in the view, or scale the target");
        }
    }
    return ERR_OK;
}

/* Classification: classes, and y as the class's number. */
static enum err_code read_classes(struct dataset *dataset, struct err *err)
{
    const struct column *target = &dataset->frame->columns[0];

    TRY(labels_new(dataset->frame, 0, &dataset->labels, err));
    if (dataset->labels.n == 1) {
        err_set(err, ERR_DATA, "target \"%s\" has only one class, \"%s\"", target->name,
                dataset->labels.items[0].text);
        return err_hint(err, "a classifier needs rows of at least two classes");
    }
    dataset->task = dataset->labels.n == 2 ? METRIC_BINARY : METRIC_MULTICLASS;
    for (size_t row = 0; row < dataset->frame->n_rows; row++)
        dataset->y[row] = column_is_null(target, row) ? NAN : dataset->labels.classes[row];
    return ERR_OK;
}

/* Names of the outputs that target means are of. */
static enum err_code name_outputs(struct dataset *dataset, struct err *err)
{
    if (dataset->task != METRIC_MULTICLASS)
        return ERR_OK;
    dataset->output_labels = calloc(dataset->labels.n, sizeof(char *));
    if (dataset->output_labels == NULL)
        return err_nomem(err);
    for (uint32_t k = 0; k < dataset->labels.n; k++)
        dataset->output_labels[k] = dataset->labels.items[k].text;
    return ERR_OK;
}

struct encoder_target dataset_encoder_target(const struct dataset *dataset)
{
    bool several = dataset->task == METRIC_MULTICLASS;

    return (struct encoder_target){.n_outputs = several ? (int)dataset->labels.n : 1,
                                   .values = dataset->y,
                                   .labels = dataset->output_labels};
}

/* Rows that have a target; the others are counted. */
static enum err_code usable_rows(struct dataset *dataset, struct rows *ret_rows, struct err *err)
{
    size_t n_rows = dataset->frame->n_rows, n = 0;
    uint32_t *items;

    if (n_rows >= UINT32_MAX)
        return err_set(err, ERR_LIMIT, "the relation has more than %u rows", UINT32_MAX);
    items = calloc(n_rows + 1, sizeof(*items));
    if (items == NULL)
        return err_nomem(err);
    for (size_t row = 0; row < n_rows; row++)
        if (!isnan(dataset->y[row]))
            items[n++] = (uint32_t)row;
    dataset->n_without_target = n_rows - n;
    *ret_rows = (struct rows){.items = items, .n = n};
    return ERR_OK;
}

static enum split_by choose_split(const struct project *project, const struct dataset *dataset)
{
    bool is_regression = dataset->task == METRIC_REGRESSION;

    switch (project->test_by) {
    case TEST_BY_RANDOM:
        return SPLIT_RANDOM;
    case TEST_BY_STRATIFIED:
        return is_regression ? SPLIT_RANDOM : SPLIT_STRATIFIED;
    case TEST_BY_TIME:
        return SPLIT_TIME;
    case TEST_BY_GROUP:
        return SPLIT_GROUP;
    case TEST_BY_AUTO:
        break;
    }
    if (dataset->schema->time >= 0)
        return SPLIT_TIME;
    if (dataset->schema->group >= 0)
        return SPLIT_GROUP;
    return is_regression ? SPLIT_RANDOM : SPLIT_STRATIFIED;
}

/* The frame's column of a column of the schema. */
static int find_in_frame(const struct dataset *dataset, int column)
{
    return column < 0 ? -1 : frame_find(dataset->frame, dataset->schema->columns[column].name);
}

static enum err_code find_twins(const struct project *project, struct dataset *dataset,
                                const struct rows *rows, struct err *err)
{
    const struct schema *schema = dataset->schema;
    CLEANUP(free_ptr) int *columns = calloc((size_t)schema->n_features + 1, sizeof(*columns));

    if (columns == NULL)
        return err_nomem(err);
    for (int i = 0; i < schema->n_features; i++)
        columns[i] = find_in_frame(dataset, schema->features[i]);
    return twins_find(dataset->frame, columns, schema->n_features, rows->items, rows->n,
                      project->seed, dataset->frame->keys, &dataset->twins, err);
}

/* By hash: twins together. Where they leave nothing for one of the parts, each goes its own way. */
static enum err_code split_by_hash(const struct project *project, struct dataset *dataset,
                                   const struct rows *rows, struct split_options *options,
                                   struct err *err)
{
    enum err_code code;

    TRY(find_twins(project, dataset, rows, err));
    options->places = dataset->twins.places;
    code = split_new(dataset->frame, rows->items, rows->n, options, &dataset->split, err);
    dataset->together = code == ERR_OK && options->places != NULL;
    if (code == ERR_DATA && options->places != NULL) {
        options->places = NULL;
        code = split_new(dataset->frame, rows->items, rows->n, options, &dataset->split, err);
    }
    free(dataset->twins.places);
    dataset->twins.places = NULL;
    return code;
}

static enum err_code split_by_group(const struct project *project, struct dataset *dataset,
                                    const struct rows *rows, struct split_options *options,
                                    struct err *err)
{
    const struct frame *frame = dataset->frame;
    CLEANUP(free_ptr) uint64_t *places = NULL;

    TRY(split_group_places(&frame->columns[find_in_frame(dataset, dataset->schema->group)],
                           project->seed, frame->keys, frame->n_rows, &places, err));
    options->places = places;
    return split_new(frame, rows->items, rows->n, options, &dataset->split, err);
}

static enum err_code split_rows(const struct project *project, struct dataset *dataset,
                                const struct rows *rows, struct err *err)
{
    struct split_options options = {.by = choose_split(project, dataset),
                                    .test_size = project->test_size,
                                    .hashes = dataset->frame->keys,
                                    .time = find_in_frame(dataset, dataset->schema->time),
                                    .classes = dataset->labels.classes,
                                    .n_classes = dataset->labels.n,
                                    .searching = project->search_strategy != SEARCH_NONE};

    dataset->split_by = options.by;
    switch (options.by) {
    case SPLIT_RANDOM:
    case SPLIT_STRATIFIED:
        return split_by_hash(project, dataset, rows, &options, err);
    case SPLIT_GROUP:
        return split_by_group(project, dataset, rows, &options, err);
    case SPLIT_TIME:
        break;
    }
    return split_new(dataset->frame, rows->items, rows->n, &options, &dataset->split, err);
}

/* Weights ---------------------------------------------------------------------------------------
 */

enum weight_fault { WEIGHT_MISSING, WEIGHT_NEGATIVE, WEIGHT_INFINITE, WEIGHT_FAULTS };

static const struct {
    const char *words, *hint;
} weight_faults[] = {
    [WEIGHT_MISSING] = {"NULL or NaN",
                        "how much such a row counts is not known: say it in the view, for example "
                        "by coalesce(…, 1), or leave the row out there"},
    [WEIGHT_NEGATIVE] = {"negative", "a weight says how much a row counts: 0 or more"},
    [WEIGHT_INFINITE] = {"infinite as a float32", "scale the weights in the view: their mean "
                                                  "should be near 1"},
};

static int fault_of(const struct cell *cell, double weight)
{
    if (cell->is_null)
        return WEIGHT_MISSING;
    if (weight < 0)
        return WEIGHT_NEGATIVE;
    return isinf((float)weight) ? WEIGHT_INFINITE : -1;
}

static enum err_code refuse_weights(const struct column *column, const size_t *n_faults,
                                    size_t n_rows, struct err *err)
{
    for (int fault = 0; fault < WEIGHT_FAULTS; fault++) {
        if (n_faults[fault] == 0)
            continue;
        err_set(err, ERR_DATA, "weight \"%s\" is %s in %zu of %zu rows with a target", column->name,
                weight_faults[fault].words, n_faults[fault], n_rows);
        err_field(err, "/weight");
        return err_hint(err, "%s", weight_faults[fault].hint);
    }
    return ERR_OK;
}

/* Of the rows with a target; no one asks what the others would weigh. */
static enum err_code read_weights(struct dataset *dataset, const struct rows *rows, struct err *err)
{
    int index = find_in_frame(dataset, dataset->schema->weight);
    const struct column *column;
    size_t n_faults[WEIGHT_FAULTS] = {0};

    if (index < 0)
        return ERR_OK;
    column = &dataset->frame->columns[index];
    dataset->weights = calloc(dataset->frame->n_rows + 1, sizeof(double));
    if (dataset->weights == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < rows->n; i++) {
        double *weight = &dataset->weights[rows->items[i]];
        struct cell cell;
        int fault;

        column_cell(column, rows->items[i], &cell);
        *weight = cell.is_null ? 0 : cell_number(&cell) + 0.0;
        fault = fault_of(&cell, *weight);
        if (fault >= 0)
            n_faults[fault]++;
    }
    return refuse_weights(column, n_faults, rows->n, err);
}

/* As XGBoost has them. */
static double sum_of_weights(const struct dataset *dataset, const struct rows *rows)
{
    double sum = 0;

    for (size_t i = 0; i < rows->n; i++)
        sum += (float)dataset_weight(dataset, rows->items[i]);
    return sum;
}

/* Rows of weight 0 alone teach and measure nothing. */
static enum err_code check_part_weight(const struct dataset *dataset, const struct rows *rows,
                                       const char *name, struct err *err)
{
    if (dataset->weights == NULL || sum_of_weights(dataset, rows) > 0)
        return ERR_OK;
    err_set(err, ERR_DATA, "weight \"%s\" is 0 in all %zu %s rows",
            dataset->schema->columns[dataset->schema->weight].name, rows->n, name);
    err_field(err, "/weight");
    return err_hint(err, "a row of weight 0 is as if it were not there: some in each of training, "
                         "validation and test need another");
}

/* What the split left to learn from. */
static enum err_code check_training(const struct dataset *dataset, struct err *err)
{
    const struct rows *train = &dataset->split->train;
    const char *target = dataset->frame->columns[0].name;
    double first = dataset->y[train->items[0]];

    for (size_t i = 1; i < train->n; i++)
        if (dataset->y[train->items[i]] != first)
            return ERR_OK;
    if (dataset->task == METRIC_REGRESSION)
        err_set(err, ERR_DATA, "target \"%s\" is %g in all %zu training rows", target, first,
                train->n);
    else
        err_set(err, ERR_DATA, "target \"%s\" is \"%s\" in all %zu training rows", target,
                dataset->labels.items[(int)first].text, train->n);
    if (dataset->split_by == SPLIT_TIME)
        return err_hint(err, "there is nothing to learn: what differs is newer; \"test\": {\"by\": "
                             "\"random\"} would mix old and new");
    return err_hint(err, "there is nothing to learn from an answer that is always the same");
}

static enum err_code check_parts(const struct dataset *dataset, struct err *err)
{
    const struct split *split = dataset->split;

    TRY(check_part_weight(dataset, &split->train, "training", err));
    TRY(check_part_weight(dataset, &split->valid, "validation", err));
    TRY(check_part_weight(dataset, &split->test, "test", err));
    return check_training(dataset, err);
}

static enum err_code weigh_and_split(const struct project *project, struct dataset *dataset,
                                     struct err *err)
{
    CLEANUP(rows_release) struct rows rows = {0};

    TRY(usable_rows(dataset, &rows, err));
    if (rows.n == 0) {
        err_set(err, ERR_DATA, "target \"%s\" is NULL in all %zu rows",
                dataset->frame->columns[0].name, dataset->frame->n_rows);
        return err_hint(err, "training needs rows whose target is known");
    }
    TRY(read_weights(dataset, &rows, err));
    TRY(split_rows(project, dataset, &rows, err));
    TRY(frame_check(dataset->frame, err));
    return check_parts(dataset, err);
}

static enum err_code fill(struct dataset *dataset, const struct project *project, struct err *err)
{
    if (dataset->frame->n_rows == 0) {
        err_set(err, ERR_DATA, "relation \"%s\" has no rows", project->relation);
        return err_hint(err, "is the view's WHERE too strict, or its tables not loaded yet?");
    }
    dataset->y = calloc(dataset->frame->n_rows, sizeof(double));
    if (dataset->y == NULL)
        return err_nomem(err);
    if (dataset->frame->columns[0].n_nulls == dataset->frame->n_rows) {
        err_set(err, ERR_DATA, "target \"%s\" is NULL in all %zu rows",
                dataset->frame->columns[0].name, dataset->frame->n_rows);
        return err_hint(err, "training needs rows whose target is known");
    }
    if (dataset->task == METRIC_REGRESSION)
        TRY(read_numbers(dataset, err));
    else
        TRY(read_classes(dataset, err));
    TRY(name_outputs(dataset, err));
    return weigh_and_split(project, dataset, err);
}

enum err_code dataset_new(const struct project *project, const struct schema *schema,
                          struct frame *frame, struct dataset **ret_dataset, struct err *err)
{
    struct dataset *dataset = calloc(1, sizeof(*dataset));
    enum err_code code;

    if (dataset == NULL)
        return err_nomem(err);
    dataset->schema = schema;
    dataset->frame = frame;
    dataset->task = schema->task == TASK_REGRESSION ? METRIC_REGRESSION : METRIC_BINARY;
    code = fill(dataset, project, err);
    if (frame_check(frame, NULL) != ERR_OK) /* says more than what came of it */
        code = frame_check(frame, err);
    if (code != ERR_OK) {
        dataset->frame = NULL; /* stays the caller's */
        dataset_free(dataset);
        return code;
    }
    *ret_dataset = dataset;
    return ERR_OK;
}

/* The model's class of each label, those it never saw behind its own; ret_n: of both. */
static enum err_code number_labels(const struct model *model, const struct labels *labels,
                                   uint32_t *numbers, uint32_t *ret_n, struct err *err)
{
    CLEANUP(strmap_release) struct strmap known = {0};
    uint32_t n = (uint32_t)model->n_labels;

    for (int i = 0; i < model->n_labels; i++) {
        const char *text = model->labels[i].text;

        if (strmap_add(&known, text, strlen(text)) == STRMAP_NONE)
            return err_nomem(err);
    }
    for (uint32_t k = 0; k < labels->n; k++) {
        const char *text = labels->items[k].text;
        uint32_t code = strmap_find(&known, text, strlen(text));

        numbers[k] = code != STRMAP_NONE ? code : n++;
    }
    *ret_n = n;
    return ERR_OK;
}

/* Classification by a model that is there: its classes come first. */
static enum err_code read_known_classes(struct dataset *dataset, const struct model *model,
                                        struct err *err)
{
    struct labels *labels = &dataset->labels;
    CLEANUP(free_ptr) uint32_t *numbers = NULL;
    struct label *items;
    uint32_t n = 0;

    TRY(labels_new(dataset->frame, 0, labels, err));
    numbers = calloc((size_t)labels->n + 1, sizeof(*numbers));
    if (numbers == NULL)
        return err_nomem(err);
    TRY(number_labels(model, labels, numbers, &n, err));
    items = arena_alloc_array(&labels->arena, n, sizeof(*items));
    if (items == NULL)
        return err_nomem(err);
    memcpy(items, model->labels, (size_t)model->n_labels * sizeof(*items));
    for (uint32_t k = 0; k < labels->n; k++)
        items[numbers[k]] = labels->items[k];
    for (size_t row = 0; row < dataset->frame->n_rows; row++) {
        if (labels->classes[row] != UINT32_MAX)
            labels->classes[row] = numbers[labels->classes[row]];
        dataset->y[row] = labels->classes[row] != UINT32_MAX ? labels->classes[row] : NAN;
    }
    labels->items = items;
    labels->n = n;
    dataset->task = n == 2 ? METRIC_BINARY : METRIC_MULTICLASS;
    return ERR_OK;
}

static enum err_code fill_labelled(struct dataset *dataset, const struct model *model,
                                   struct rows *ret_rows, struct err *err)
{
    size_t n_rows = dataset->frame->n_rows;

    dataset->y = calloc(n_rows + 1, sizeof(double));
    if (dataset->y == NULL)
        return err_nomem(err);
    if (dataset->task == METRIC_REGRESSION)
        TRY(read_numbers(dataset, err));
    else
        TRY(read_known_classes(dataset, model, err));
    TRY(usable_rows(dataset, ret_rows, err));
    if (ret_rows->n > 0)
        return ERR_OK;
    rows_release(ret_rows);
    if (n_rows == 0)
        err_set(err, ERR_DATA, "there are no rows");
    else
        err_set(err, ERR_DATA, "target \"%s\" is NULL in all %zu rows",
                dataset->frame->columns[0].name, n_rows);
    return err_hint(err, "a model is measured on rows whose target is known");
}

enum err_code dataset_labelled(const struct model *model, struct frame *frame,
                               struct dataset **ret_dataset, struct rows *ret_rows, struct err *err)
{
    struct dataset *dataset = calloc(1, sizeof(*dataset));
    enum err_code code;

    if (dataset == NULL)
        return err_nomem(err);
    dataset->frame = frame;
    dataset->task = model->n_labels == 0 ? METRIC_REGRESSION : METRIC_BINARY;
    code = fill_labelled(dataset, model, ret_rows, err);
    if (code != ERR_OK) {
        dataset->frame = NULL; /* stays the caller's */
        dataset_free(dataset);
        return code;
    }
    *ret_dataset = dataset;
    return ERR_OK;
}

enum err_code dataset_training_rows(const struct dataset *dataset, struct rows *ret_rows,
                                    struct err *err)
{
    const struct rows *train = &dataset->split->train, *valid = &dataset->split->valid;
    uint32_t *items = calloc(train->n + valid->n + 1, sizeof(*items));

    if (items == NULL)
        return err_nomem(err);
    memcpy(items, train->items, train->n * sizeof(*items));
    memcpy(items + train->n, valid->items, valid->n * sizeof(*items));
    *ret_rows = (struct rows){.items = items, .n = train->n + valid->n};
    return ERR_OK;
}

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
        return;
    }
    buf_printf(json, ",\"seed\":%lld", (long long)project->seed);
    if (dataset->split_by == SPLIT_GROUP) {
        buf_puts(json, ",\"group\":");
        json_put_text(json, schema->columns[schema->group].name);
        if (dataset->frame->columns[find_in_frame(dataset, schema->group)].n_nulls == 0)
            return;
    }
    buf_puts(json, ",\"key\":");
    if (schema->n_keys > 0)
        put_names(schema, schema->keys, schema->n_keys, json);
    else /* the whole row that was read */
        put_names(schema, schema->read, schema->n_read, json);
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
        int index = frame_find(dataset->frame, schema->columns[schema->time].name);
        const struct column *time = &dataset->frame->columns[index];

        put_time(time, "test_from", dataset->split->test_from, json);
        put_time(time, "valid_from", dataset->split->valid_from, json);
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
    const struct rows *parts[] = {&dataset->split->train, &dataset->split->valid};
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
    const struct rows *train = &dataset->split->train;
    double mean;

    if (dataset->weights == NULL)
        return;
    mean = sum_of_weights(dataset, train) / (double)train->n;
    if (mean < WEIGHT_MEAN_LOW || mean > WEIGHT_MEAN_HIGH)
        warn(list,
             "the mean of weight \"%s\" is %.3g: min_child_weight and lambda, which XGBoost "
             "compares with sums of weights, mean something else then; scale it to 1 in the view",
             dataset->schema->columns[dataset->schema->weight].name, mean);
}

static enum err_code put_warnings(const struct dataset *dataset, const struct buf *warnings,
                                  struct buf *json, struct err *err)
{
    CLEANUP(buf_release) struct buf list = {0};

    buf_append(&list, buf_text(warnings), warnings->length);
    if (looks_binary(dataset))
        warn(&list, "the target has only two whole values: \"task\": \"classification\" would give "
                    "probabilities");
    warn_of_twins(dataset, &list);
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
                            const struct buf *warnings, struct buf *json, struct err *err)
{
    char fingerprint[FINGERPRINT_SIZE];

    TRY(frame_fingerprint(dataset->frame, fingerprint, err));
    buf_printf(json,
               "{\"rows\":%zu,\"without_target\":%zu,\"train\":%zu,\"valid\":%zu,\"test\":%zu,"
               "\"fingerprint\":\"%s\",",
               dataset->frame->n_rows, dataset->n_without_target, dataset->split->train.n,
               dataset->split->valid.n, dataset->split->test.n, fingerprint);
    put_split(dataset, project, json);
    buf_puts(json, ",\"left_out\":[");
    put_left_out(dataset->schema, json);
    buf_puts(json, "],\"warnings\":[");
    TRY(put_warnings(dataset, warnings, json, err));
    buf_puts(json, "]}");
    return buf_check(json, err);
}
