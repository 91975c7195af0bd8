/*
 * Lists of numbers: arrays, vectors, bits, points, ranges.
 *
 * Where every training list has the same length n, 1 ≤ n ≤ 2000, each element is a feature; a list
 * of another length fills what it has, and the rest is missing. Points and ranges have two elements
 * always. Where lengths vary: length, mean, smallest, largest, first and last element. Elements are
 * within ±FLT_MAX; a NULL or NaN is missing and does not count in mean, min and max; sums go in
 * double from the first to the last. Bounds of dates and timestamps are days since the earliest
 * bound of the training rows; an unbounded or infinite one is missing.
 */
#include <inttypes.h>

#include "feature/encoder_internal.h"

#define SUMMARIES 6
#define VARIES    (-1)

static const char *const summary_suffixes[SUMMARIES] = {".len", ".mean",  ".min",
                                                        ".max", ".first", ".last"};

static bool is_time_range(enum pg_type type)
{
    return type == PG_DATE_RANGE || type == PG_TS_RANGE || type == PG_TSTZ_RANGE;
}

static bool is_pair(enum pg_type type)
{
    return type == PG_POINT || type == PG_INT_RANGE || type == PG_NUM_RANGE || is_time_range(type);
}

/* Not NaN, not infinite: within an int64 of microseconds, as all of Postgres's are. */
static bool is_bound(double value_us)
{
    return value_us >= (double)INT64_MIN && value_us < (double)INT64_MAX;
}

static void find_start(const struct cell *cell, bool *is_first, struct encoder_column *column)
{
    for (size_t i = 0; i < cell->n_items; i++) {
        if (!is_bound(cell->items[i]) || (!*is_first && cell->items[i] >= (double)column->start_us))
            continue;
        column->start_us = (int64_t)cell->items[i];
        *is_first = false;
    }
}

static enum err_code fit_list(const struct fit *fit, const struct column *from,
                              const struct column_override *how, struct encoder_column *column,
                              struct err *err)
{
    size_t length = 0;
    bool is_first = true, no_start = true, varies = false;

    (void)how;
    (void)err;
    for (size_t i = 0; i < fit->n_rows; i++) {
        struct cell cell;

        fit_cell(fit, from, i, &cell);
        if (cell.is_null)
            continue;
        varies = varies || (!is_first && cell.n_items != length);
        length = cell.n_items;
        is_first = false;
        if (is_time_range(column->type))
            find_start(&cell, &no_start, column);
    }
    column->length = varies || length == 0 || length > LIST_MAX ? VARIES : (int)length;
    if (is_pair(column->type))
        column->length = 2;
    return ERR_OK;
}

static int count_features(const struct encoder_column *column)
{
    return column->length == VARIES ? SUMMARIES : column->length;
}

static void put_suffix(const struct encoder_column *column, int index, const char *const *labels,
                       struct buf *name)
{
    (void)labels;
    if (column->length == VARIES)
        buf_puts(name, summary_suffixes[index]);
    else if (column->type == PG_POINT)
        buf_puts(name, index == 0 ? ".x" : ".y");
    else if (is_pair(column->type))
        buf_puts(name, index == 0 ? ".lower" : ".upper");
    else
        buf_printf(name, ".%d", index + 1);
}

static float encode_item(const struct encoder_column *column, double value)
{
    if (!is_time_range(column->type))
        return to_feature(value);
    if (!is_bound(value))
        return NAN;
    return to_feature((value - (double)column->start_us) / (double)USECS_PER_DAY);
}

static void encode_items(const struct encoder_column *column, const struct cell *cell,
                         float *features)
{
    for (int i = 0; i < column->length; i++)
        features[i] = (size_t)i < cell->n_items ? encode_item(column, cell->items[i]) : (float)NAN;
}

static void summarise(const struct cell *cell, float *features)
{
    double sum = 0, min = INFINITY, max = -INFINITY;
    size_t n = 0;

    for (size_t i = 0; i < cell->n_items; i++) {
        double value = clamped(cell->items[i]);

        if (isnan(value))
            continue;
        sum += value;
        min = value < min ? value : min;
        max = value > max ? value : max;
        n++;
    }
    fill_missing(features, SUMMARIES);
    features[0] = (float)cell->n_items;
    if (n > 0) {
        features[1] = to_feature(sum / (double)n);
        features[2] = to_feature(min);
        features[3] = to_feature(max);
    }
    if (cell->n_items > 0) {
        features[4] = to_feature(cell->items[0]);
        features[5] = to_feature(cell->items[cell->n_items - 1]);
    }
}

static void encode_list(const struct encoder *encoder, const struct encoder_column *column,
                        const struct cell *cell, float *features)
{
    (void)encoder;
    if (column->length == VARIES)
        summarise(cell, features);
    else
        encode_items(column, cell, features);
}

static void list_to_json(const struct encoder_column *column, struct buf *json)
{
    buf_printf(json, ",\"length\":%d", column->length);
    if (is_time_range(column->type))
        buf_printf(json, ",\"start_us\":\"%" PRId64 "\"", column->start_us);
}

static enum err_code list_from_json(struct stored_object *from, struct encoder *encoder,
                                    struct encoder_column *column, struct err *err)
{
    static const struct stored_member length_member[] = {{"length", STORED_NUMBER, false}};
    static const struct stored_member start_member[] = {{"start_us", STORED_STRING, false}};
    const cJSON *length, *start;

    (void)encoder;
    TRY(stored_read(from, length_member, 1, &length, err));
    TRY(stored_int(length, VARIES, LIST_MAX, &column->length, err));
    if (is_pair(column->type) ? column->length != 2 : column->length == 0)
        return err_set(err, ERR_CORRUPT, "\"length\" is not one that its type can have");
    if (!is_time_range(column->type))
        return ERR_OK;
    TRY(stored_read(from, start_member, 1, &start, err));
    return stored_int64(start, &column->start_us, err);
}

const struct encoding_ops list_ops = {
    .name = "list",
    .n_features = count_features,
    .put_suffix = put_suffix,
    .fit = fit_list,
    .encode = encode_list,
    .to_json = list_to_json,
    .from_json = list_from_json,
};
