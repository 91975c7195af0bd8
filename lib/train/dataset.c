#include "train/dataset_internal.h"

#include <math.h>
#include <string.h>

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
    free(dataset->lists);
    free(dataset->upper);
    free(dataset->seen);
    twins_release(&dataset->twins);
    free(dataset->output_labels);
    frame_free(dataset->frame);
    free(dataset);
}

int dataset_n_classes(const struct dataset *dataset)
{
    return dataset->task & (METRIC_BINARY | METRIC_MULTICLASS) ? (int)dataset->labels.n : 0;
}

/* Of classes it is not known yet how many there are. */
static const enum metric_task kinds[] = {
    [TASK_REGRESSION] = METRIC_REGRESSION,
    [TASK_CLASSIFICATION] = METRIC_BINARY,
    [TASK_RANKING] = METRIC_RANKING,
    [TASK_SURVIVAL] = METRIC_SURVIVAL,
};

enum task dataset_task(const struct dataset *dataset)
{
    for (enum task task = TASK_REGRESSION; task <= TASK_LAST; task++)
        if (kinds[task] == dataset->task)
            return task;
    return TASK_CLASSIFICATION; /* of more than two */
}

int dataset_column(const struct dataset *dataset, int column)
{
    return column < 0 ? -1 : frame_find(dataset->frame, dataset->schema->columns[column].name);
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
    TRY(dataset_read_weights(dataset, dataset_column(dataset, dataset->schema->weight), &rows,
                             err));
    TRY(dataset_read_lists(dataset, project, &rows, err));
    TRY(dataset_read_times(dataset, project, &rows, err));
    TRY(dataset_split_rows(project, dataset, &rows, err));
    return frame_check(dataset->frame, err);
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
    if (dataset->task == METRIC_BINARY)
        TRY(dataset_read_classes(dataset, err));
    else
        TRY(dataset_read_numbers(dataset, err));
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
    dataset->task = kinds[schema->task];
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

/* Of rows with a target: how much they count, and what an answer is made of beside it. */
static enum err_code read_answers(struct dataset *dataset, const struct project *project,
                                  struct rows *rows, struct err *err)
{
    const char *weight = project->weight;

    TRY(dataset_read_weights(dataset, weight != NULL ? frame_find(dataset->frame, weight) : -1,
                             rows, err));
    TRY(dataset_check_weight(dataset, rows, "labelled", err));
    TRY(dataset_read_lists(dataset, project, rows, err));
    TRY(dataset_gather_lists(dataset, rows, err));
    TRY(dataset_check_list_weights(dataset, rows, err));
    return dataset_read_times(dataset, project, rows, err);
}

static enum err_code fill_labelled(struct dataset *dataset, const struct model *model,
                                   const struct project *project, struct rows *ret_rows,
                                   struct err *err)
{
    size_t n_rows = dataset->frame->n_rows;

    dataset->y = calloc(n_rows + 1, sizeof(double));
    if (dataset->y == NULL)
        return err_nomem(err);
    if (dataset->task == METRIC_BINARY)
        TRY(dataset_read_known_classes(dataset, model, err));
    else
        TRY(dataset_read_numbers(dataset, err));
    TRY(usable_rows(dataset, ret_rows, err));
    if (ret_rows->n > 0)
        return read_answers(dataset, project, ret_rows, err);
    if (n_rows == 0)
        err_set(err, ERR_DATA, "there are no rows");
    else
        err_set(err, ERR_DATA, "target \"%s\" is NULL in all %zu rows",
                dataset->frame->columns[0].name, n_rows);
    return err_hint(err, "a model is measured on rows whose target is known");
}

enum err_code dataset_labelled(const struct model *model, const struct project *project,
                               struct frame *frame, struct dataset **ret_dataset,
                               struct rows *ret_rows, struct err *err)
{
    struct dataset *dataset = calloc(1, sizeof(*dataset));
    CLEANUP(rows_release) struct rows rows = {0};
    enum err_code code;

    if (dataset == NULL)
        return err_nomem(err);
    dataset->frame = frame;
    dataset->task = kinds[model->task];
    code = fill_labelled(dataset, model, project, &rows, err);
    if (code != ERR_OK) {
        dataset->frame = NULL; /* stays the caller's */
        dataset_free(dataset);
        return code;
    }
    *ret_dataset = dataset;
    *ret_rows = rows;
    rows = (struct rows){0};
    return ERR_OK;
}

/* Behind those that are there already. */
static enum err_code append_rows(struct rows *rows, const struct rows *more, struct err *err)
{
    uint32_t *items = reallocarray(rows->items, rows->n + more->n + 1, sizeof(*items));

    if (items == NULL)
        return err_nomem(err);
    memcpy(items + rows->n, more->items, more->n * sizeof(*items));
    rows->items = items;
    rows->n += more->n;
    return ERR_OK;
}

enum err_code dataset_training_rows(const struct dataset *dataset, bool with_test,
                                    struct rows *ret_rows, struct err *err)
{
    const struct fold *last = split_last(dataset->split);
    CLEANUP(rows_release) struct rows rows = {0};

    TRY(append_rows(&rows, &last->train, err));
    TRY(append_rows(&rows, &last->valid, err));
    if (with_test)
        TRY(append_rows(&rows, &dataset->split->test, err));
    *ret_rows = rows;
    rows = (struct rows){0};
    return ERR_OK;
}

enum err_code dataset_validation_rows(const struct dataset *dataset, struct rows *ret_rows,
                                      struct err *err)
{
    CLEANUP(rows_release) struct rows rows = {0};

    for (int k = 0; k < dataset->split->n_folds; k++)
        TRY(append_rows(&rows, &dataset->split->folds[k].valid, err));
    *ret_rows = rows;
    rows = (struct rows){0};
    return ERR_OK;
}

enum err_code dataset_group_numbers(const struct dataset *dataset, const struct rows *rows,
                                    uint32_t **ret_numbers, struct err *err)
{
    const struct column *group =
        &dataset->frame->columns[dataset_column(dataset, dataset->schema->group)];
    CLEANUP(free_ptr) uint32_t *numbers = calloc(rows->n + 1, sizeof(*numbers));
    CLEANUP(strmap_release) struct strmap groups = {0};
    CLEANUP(buf_release) struct buf text = {0};

    if (numbers == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < rows->n; i++) {
        struct cell cell;

        column_cell(group, rows->items[i], &cell);
        buf_clear(&text);
        if (cell.is_null) { /* no text has a byte of 0 */
            buf_putc(&text, '\0');
            buf_put_int(&text, rows->items[i]);
        } else {
            cell_to_text(group->type, &cell, &text);
        }
        TRY(buf_check(&text, err));
        numbers[i] = strmap_add(&groups, buf_text(&text), text.length);
        if (numbers[i] == STRMAP_NONE)
            return err_nomem(err);
    }
    *ret_numbers = TAKE_PTR(numbers);
    return ERR_OK;
}
