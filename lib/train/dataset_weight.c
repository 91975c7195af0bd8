#include "train/dataset_internal.h"

#include <math.h>

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
enum err_code dataset_read_weights(struct dataset *dataset, const struct rows *rows,
                                   struct err *err)
{
    int index = dataset_column(dataset, dataset->schema->weight);
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
        *weight = cell.is_null ? 0 : cell_as_number(&cell) + 0.0;
        fault = fault_of(&cell, *weight);
        if (fault >= 0)
            n_faults[fault]++;
    }
    return refuse_weights(column, n_faults, rows->n, err);
}

/* As XGBoost has them. */
double dataset_sum_of_weights(const struct dataset *dataset, const struct rows *rows)
{
    double sum = 0;

    for (size_t i = 0; i < rows->n; i++)
        sum += (float)dataset_weight(dataset, rows->items[i]);
    return sum;
}

/* Rows of weight 0 alone teach and measure nothing. */
enum err_code dataset_check_weight(const struct dataset *dataset, const struct rows *rows,
                                   const char *name, struct err *err)
{
    if (dataset->weights == NULL || dataset_sum_of_weights(dataset, rows) > 0)
        return ERR_OK;
    err_set(err, ERR_DATA, "weight \"%s\" is 0 in all %zu %s rows",
            dataset->schema->columns[dataset->schema->weight].name, rows->n, name);
    err_field(err, "/weight");
    return err_hint(err, "a row of weight 0 is as if it were not there: some in each of training, "
                         "validation and test need another");
}
