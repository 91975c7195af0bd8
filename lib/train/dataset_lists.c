#include "train/dataset_internal.h"

#include <math.h>

#include "base/strmap.h"

/* The lists' numbers by the text of their group, in the order of the frame. */
static enum err_code number_lists(const struct column *group, const struct rows *rows,
                                  uint32_t *lists, size_t *ret_n_missing, struct err *err)
{
    CLEANUP(strmap_release) struct strmap known = {0};
    CLEANUP(buf_release) struct buf text = {0};

    for (size_t i = 0; i < rows->n; i++) {
        struct cell cell;

        column_cell(group, rows->items[i], &cell);
        if (cell.is_null) {
            ++*ret_n_missing;
            continue;
        }
        buf_clear(&text);
        cell_to_text(group->type, &cell, &text);
        TRY(buf_check(&text, err));
        lists[rows->items[i]] = strmap_add(&known, buf_text(&text), text.length);
        if (lists[rows->items[i]] == STRMAP_NONE)
            return err_nomem(err);
    }
    return ERR_OK;
}

enum err_code dataset_read_lists(struct dataset *dataset, const struct project *project,
                                 const struct rows *rows, struct err *err)
{
    const struct column *group;
    size_t n_missing = 0;

    if (dataset->task != METRIC_RANKING)
        return ERR_OK;
    group = &dataset->frame->columns[frame_find(dataset->frame, project->group)];
    dataset->group = group->name;
    dataset->lists = calloc(dataset->frame->n_rows + 1, sizeof(*dataset->lists));
    if (dataset->lists == NULL)
        return err_nomem(err);
    TRY(number_lists(group, rows, dataset->lists, &n_missing, err));
    if (n_missing == 0)
        return ERR_OK;
    err_set(err, ERR_DATA, "group \"%s\" is NULL in %zu of %zu rows with a target", group->name,
            n_missing, rows->n);
    err_field(err, "/group");
    return err_hint(err, "no one knows which list such a row stands in: leave it out in the view");
}

/* ---- rows of a list stand together ---- */

struct listed {
    uint32_t list, row;
};

static int compare_listed(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;
    int by_list = (x->list > y->list) - (x->list < y->list);

    return by_list != 0 ? by_list : (x->row > y->row) - (x->row < y->row);
}

enum err_code dataset_gather_lists(const struct dataset *dataset, struct rows *rows,
                                   struct err *err)
{
    CLEANUP(free_ptr) struct listed *items = NULL;

    if (dataset->lists == NULL)
        return ERR_OK;
    items = calloc(rows->n + 1, sizeof(*items));
    if (items == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < rows->n; i++)
        items[i] = (struct listed){dataset->lists[rows->items[i]], rows->items[i]};
    qsort(items, rows->n, sizeof(*items), compare_listed);
    for (size_t i = 0; i < rows->n; i++)
        rows->items[i] = items[i].row;
    return ERR_OK;
}

size_t dataset_list_end(const struct dataset *dataset, const struct rows *rows, size_t begin)
{
    uint32_t list = dataset->lists[rows->items[begin]];
    size_t end = begin + 1;

    while (end < rows->n && dataset->lists[rows->items[end]] == list)
        end++;
    return end;
}

/* ---- the time of a list ---- */

enum err_code dataset_list_times(const struct dataset *dataset, const struct rows *rows,
                                 int64_t **ret_times, struct err *err)
{
    size_t n_rows = dataset->frame->n_rows;
    const struct column *time =
        &dataset->frame->columns[dataset_column(dataset, dataset->schema->time)];
    CLEANUP(free_ptr) int64_t *newest = calloc(n_rows + 1, sizeof(*newest)); /* by list */
    CLEANUP(free_ptr) int64_t *times = calloc(n_rows + 1, sizeof(*times));

    if (newest == NULL || times == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < rows->n; i++)
        newest[dataset->lists[rows->items[i]]] = INT64_MIN;
    for (size_t i = 0; i < rows->n; i++) {
        int64_t *of_list = &newest[dataset->lists[rows->items[i]]];
        struct cell cell;

        column_cell(time, rows->items[i], &cell);
        if (!cell.is_null && cell.int_value > *of_list)
            *of_list = cell.int_value;
    }
    for (size_t i = 0; i < rows->n; i++)
        times[rows->items[i]] = newest[dataset->lists[rows->items[i]]];
    *ret_times = TAKE_PTR(times);
    return ERR_OK;
}

/* ---- what lists must be like ---- */

/* XGBoost has a weight for a list, not for its rows. rows stand by list. */
enum err_code dataset_check_list_weights(const struct dataset *dataset, const struct rows *rows,
                                         struct err *err)
{
    size_t n_lists = 0, n_mixed = 0;

    if (dataset->lists == NULL || dataset->weights == NULL)
        return ERR_OK;
    for (size_t begin = 0, end; begin < rows->n; begin = end) {
        bool mixed = false;

        end = dataset_list_end(dataset, rows, begin);
        for (size_t i = begin + 1; i < end; i++)
            mixed |= dataset_weight(dataset, rows->items[i]) !=
                     dataset_weight(dataset, rows->items[begin]);
        n_lists++;
        n_mixed += mixed;
    }
    if (n_mixed == 0)
        return ERR_OK;
    err_set(err, ERR_DATA, "weight \"%s\" differs within %zu of %zu lists of \"%s\"",
            dataset->weight, n_mixed, n_lists, dataset->group);
    err_field(err, "/weight");
    return err_hint(err, "a ranking weighs whole lists: one weight for all rows of a list, for "
                         "example max(…) OVER (PARTITION BY …) in the view");
}

/* Does any list have rows of different relevance? In others no order is better than another. */
static bool some_list_tells(const struct dataset *dataset, const struct rows *rows)
{
    for (size_t i = 1; i < rows->n; i++)
        if (dataset->lists[rows->items[i]] == dataset->lists[rows->items[i - 1]] &&
            dataset->y[rows->items[i]] != dataset->y[rows->items[i - 1]] &&
            dataset_weight(dataset, rows->items[i]) > 0)
            return true;
    return false;
}

enum err_code dataset_check_lists(const struct dataset *dataset, const struct rows *rows,
                                  const char *name, struct err *err)
{
    if (dataset->lists == NULL)
        return ERR_OK;
    TRY(dataset_check_list_weights(dataset, rows, err));
    if (some_list_tells(dataset, rows))
        return ERR_OK;
    err_set(err, ERR_DATA,
            "none of the lists of \"%s\" in the %zu %s rows has rows of different \"%s\"",
            dataset->group, rows->n, name, dataset->frame->columns[0].name);
    err_field(err, "/group");
    return err_hint(err, "an order is learnt from lists of several rows, some more relevant than "
                         "others: is \"group\" the right column?");
}
