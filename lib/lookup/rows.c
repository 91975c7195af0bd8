/* What stands in a row that was looked up: cells, its key, its age. */
#include <string.h>

#include "base/clock.h"
#include "lookup/batch.h"
#include "lookup/cache.h"

/* Two calls of libpq rather than three: what has a length is not NULL. */
static struct pg_field field_at(const struct lookup_row *row, int column)
{
    int length = PQgetlength(row->result, row->row, column);

    if (length == 0 && PQgetisnull(row->result, row->row, column))
        return (struct pg_field){0};
    return (struct pg_field){
        .data = (const uint8_t *)PQgetvalue(row->result, row->row, column),
        .n_bytes = (uint32_t)length,
    };
}

bool lookup_field(const struct lookup_row *row, int column, struct pg_field *ret_field)
{
    if (row->kept == NULL)
        *ret_field = field_at(row, 1 + column);
    else
        *ret_field =
            column < row->kept->n_columns ? row->kept->fields[column] : (struct pg_field){0};
    return ret_field->data != NULL;
}

/* Keys ---------------------------------------------------------------------------------------- */

static struct pg_field key_field(const struct lookup_plan *plan, const struct lookup_row *row,
                                 int key)
{
    return field_at(row, 1 + plan->n_columns + key);
}

/* Of a whole number, in network byte order. */
static int64_t int_of(struct pg_field field)
{
    uint64_t value = field.n_bytes > 0 && field.data[0] >= 0x80 ? UINT64_MAX : 0;

    for (uint32_t i = 0; i < field.n_bytes; i++)
        value = value << 8 | field.data[i];
    return (int64_t)value;
}

void lookup_put_key(const struct lookup_rows *rows, const struct lookup_row *row, int key,
                    struct buf *json)
{
    struct pg_field field = key_field(rows->plan, row, key);

    if (field.data == NULL)
        buf_puts(json, "null");
    else if (rows->plan->key_is_int[key])
        buf_put_int(json, int_of(field));
    else
        buf_append(json, field.data, field.n_bytes);
}

/* As ORDER BY has them: NULLs come last. */
static int compare_keys(const void *a, const void *b, void *context)
{
    const struct lookup_plan *plan = context;

    for (int i = 0; i < plan->n_keys; i++) {
        struct pg_field x = key_field(plan, a, i), y = key_field(plan, b, i);
        int64_t left, right;

        if (x.data == NULL || y.data == NULL) {
            if ((x.data == NULL) != (y.data == NULL))
                return x.data == NULL ? 1 : -1;
            continue;
        }
        left = int_of(x);
        right = int_of(y);
        if (left != right)
            return left < right ? -1 : 1;
    }
    return 0;
}

/* Rows come as an index has them, mostly: then there is nothing to do. */
static bool are_sorted(const struct batch *batch, struct lookup_plan *plan)
{
    for (size_t i = 1; i < batch->n; i++)
        if (compare_keys(&batch->rows[i - 1], &batch->rows[i], plan) > 0)
            return false;
    return true;
}

void batch_sort(struct batch *batch, const struct lookup_plan *plan)
{
    struct lookup_plan *context = (struct lookup_plan *)plan; /* which qsort_r wants writable */

    if (!are_sorted(batch, context))
        qsort_r(batch->rows, batch->n, sizeof(*batch->rows), compare_keys, context);
}

/* Age ----------------------------------------------------------------------------------------- */

static bool kept_age(const struct kept_row *row, double *ret_seconds)
{
    if (row->has_age)
        *ret_seconds = row->age_seconds + (double)(clock_us() - row->read_us) / 1e6;
    return row->has_age;
}

bool lookup_age(const struct lookup_rows *rows, const struct lookup_row *row, double *ret_seconds)
{
    const struct lookup_plan *plan = rows->plan;
    struct pg_field then, now;
    struct cell from, to;
    int64_t us;
    int column;

    if (row->kept != NULL)
        return kept_age(row->kept, ret_seconds);
    if (!plan->has_age)
        return false;
    column = 1 + plan->n_columns + plan->n_keys;
    then = field_at(row, column);
    now = field_at(row, column + 1);
    if (then.data == NULL || now.data == NULL ||
        cell_from_binary(plan->time_type, then.data, then.n_bytes, NULL, &from, NULL) != ERR_OK ||
        cell_from_binary(PG_TIMESTAMPTZ, now.data, now.n_bytes, NULL, &to, NULL) != ERR_OK ||
        from.is_null)
        return false;
    us = plan->time_type == PG_TIMESTAMPTZ ? from.int_value
                                           : zone_from_local(plan->zone, from.int_value);
    *ret_seconds = (double)(to.int_value - us) / 1e6;
    return true;
}
