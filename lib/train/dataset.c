#include "train/dataset.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "frame/profile.h"

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
    switch (project->test_by) {
    case TEST_BY_RANDOM:
        return SPLIT_RANDOM;
    case TEST_BY_STRATIFIED:
        return dataset->task == METRIC_REGRESSION ? SPLIT_RANDOM : SPLIT_STRATIFIED;
    case TEST_BY_TIME:
        return SPLIT_TIME;
    default:
        if (dataset->schema->time >= 0)
            return SPLIT_TIME;
        return dataset->task == METRIC_REGRESSION ? SPLIT_RANDOM : SPLIT_STRATIFIED;
    }
}

static enum err_code split_rows(const struct project *project, struct dataset *dataset,
                                struct err *err)
{
    const struct schema *schema = dataset->schema;
    CLEANUP(rows_release) struct rows rows = {0};
    struct split_options options = {.test_size = project->test_size,
                                    .hashes = dataset->frame->keys};

    TRY(usable_rows(dataset, &rows, err));
    if (rows.n == 0) {
        err_set(err, ERR_DATA, "target \"%s\" is NULL in all %zu rows",
                dataset->frame->columns[0].name, dataset->frame->n_rows);
        return err_hint(err, "training needs rows whose target is known");
    }
    options.by = dataset->split_by = choose_split(project, dataset);
    options.searching = project->search_strategy != SEARCH_NONE;
    options.time =
        schema->time < 0 ? -1 : frame_find(dataset->frame, schema->columns[schema->time].name);
    options.classes = dataset->labels.classes;
    options.n_classes = dataset->labels.n;
    return split_new(dataset->frame, rows.items, rows.n, &options, &dataset->split, err);
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
    return split_rows(project, dataset, err);
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

/* The members of the rule: by a time the seed and the key have no say. */
static void put_rule(const struct dataset *dataset, const struct project *project, struct buf *json)
{
    static const char *const names[] = {
        [SPLIT_RANDOM] = "random", [SPLIT_STRATIFIED] = "stratified", [SPLIT_TIME] = "time"};
    const struct schema *schema = dataset->schema;

    buf_printf(json, "\"by\":\"%s\",\"size\":", names[dataset->split_by]);
    json_put_double(json, project->test_size);
    if (dataset->split_by == SPLIT_TIME) {
        buf_puts(json, ",\"time\":");
        json_put_text(json, schema->columns[schema->time].name);
        return;
    }
    buf_printf(json, ",\"seed\":%lld,\"key\":", (long long)project->seed);
    if (schema->n_keys > 0)
        put_names(schema, schema->keys, schema->n_keys, json);
    else /* the whole row that was read */
        put_names(schema, schema->read, schema->n_read, json);
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
    buf_putc(json, '}');
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
    buf_append(json, buf_text(warnings), warnings->length);
    if (looks_binary(dataset)) {
        if (warnings->length > 0)
            buf_putc(json, ',');
        json_put_text(json, "the target has only two whole values: \"task\": \"classification\" "
                            "would give probabilities");
    }
    buf_puts(json, "]}");
    return buf_check(json, err);
}
