#include "train/dataset_internal.h"

#include <math.h>
#include <string.h>

/* Regression: y from the column. An infinite target has no squared error. */
enum err_code dataset_read_numbers(struct dataset *dataset, struct err *err)
{
    const struct column *target = &dataset->frame->columns[0];

    for (size_t row = 0; row < dataset->frame->n_rows; row++) {
        struct cell cell;

        column_cell(target, row, &cell);
        dataset->y[row] = cell_as_number(&cell);
        if (isinf((float)dataset->y[row])) {
            err_set(err, ERR_DATA, "target \"%s\" has a value that is infinite as a float32",
                    target->name);
            return err_hint(err, "leave such rows out in the view, or scale the target");
        }
    }
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

/* Classification: classes, and y as the class's number. */
enum err_code dataset_read_classes(struct dataset *dataset, struct err *err)
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
    return name_outputs(dataset, err);
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
enum err_code dataset_read_known_classes(struct dataset *dataset, const struct model *model,
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
