#include "frame/profile.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/sort.h"

static bool is_numeric(enum cell_kind kind)
{
    return kind == CELL_INT || kind == CELL_FLOAT4 || kind == CELL_DOUBLE || kind == CELL_TIMESTAMP;
}

/* In halves: the range of two large numbers is beyond a double. */
static void count_bins(const double *sorted, size_t n, struct column_profile *profile)
{
    double width = profile->high / 2 - profile->low / 2;

    for (size_t i = 0; i < n; i++) {
        double share;

        if (!isfinite(sorted[i]))
            continue;
        share = width > 0 ? (sorted[i] / 2 - profile->low / 2) / width : 0;
        profile->bins[share < 1 ? (int)(share * PROFILE_BINS) : PROFILE_BINS - 1]++;
    }
}

/* From the sorted values. The mean is a running one: a sum of large values may overflow. */
static void describe_numbers(const double *sorted, size_t n, struct column_profile *profile)
{
    size_t n_finite = 0;

    for (size_t i = 0; i < n; i++) {
        profile->n_distinct += i == 0 || sorted[i] != sorted[i - 1];
        if (!isfinite(sorted[i]))
            continue;
        if (n_finite++ == 0) {
            profile->low = sorted[i];
            profile->mean = 0;
        }
        profile->high = sorted[i];
        profile->mean += (sorted[i] - profile->mean) / (double)n_finite;
    }
    if (n == 0)
        return;
    profile->min = sorted[0];
    profile->max = sorted[n - 1];
    profile->median = n % 2 == 1 ? sorted[n / 2] : sorted[n / 2 - 1] / 2 + sorted[n / 2] / 2;
    if (n_finite > 0)
        count_bins(sorted, n, profile);
}

static enum err_code profile_numbers(const struct frame *frame, const struct column *column,
                                     struct column_profile *profile, struct err *err)
{
    CLEANUP(free_ptr) double *values = malloc((frame->n_rows + 1) * sizeof(*values));
    size_t n = 0;

    if (values == NULL)
        return err_nomem(err);
    for (size_t row = 0; row < frame->n_rows; row++) {
        struct cell cell;

        column_cell(column, row, &cell);
        if (!cell.is_null)
            values[n++] = cell_as_number(&cell);
    }
    sort_doubles(values, n);
    describe_numbers(values, n, profile);
    return ERR_OK;
}

/* Keeps the most frequent at the front; equals in the order of their codes. */
static void add_top(struct column_profile *profile, uint32_t code, size_t count)
{
    int at = profile->n_top < PROFILE_TOP ? profile->n_top++ : PROFILE_TOP - 1;

    if (at == PROFILE_TOP - 1 && profile->top[at].count >= count)
        return;
    for (; at > 0 && profile->top[at - 1].count < count; at--)
        profile->top[at] = profile->top[at - 1];
    profile->top[at].code = code;
    profile->top[at].count = count;
}

static enum err_code profile_codes(const struct frame *frame, const struct column *column,
                                   uint32_t n_codes, struct column_profile *profile,
                                   struct err *err)
{
    CLEANUP(free_ptr) size_t *counts = calloc((size_t)n_codes + 1, sizeof(*counts));

    if (counts == NULL)
        return err_nomem(err);
    for (size_t row = 0; row < frame->n_rows; row++) {
        size_t at = column_at(column, row);

        if (!column_is_null(column, row))
            counts[column->kind == CELL_BOOL ? column->bools[at] : column->codes[at]]++;
    }
    for (uint32_t code = 0; code < n_codes; code++) {
        if (counts[code] == 0)
            continue;
        profile->n_distinct++;
        add_top(profile, code, counts[code]);
    }
    return ERR_OK;
}

static uint64_t hash_cell(const struct cell *cell, int column)
{
    return cell->is_null ? (uint64_t)column * 2 + 1 : cell_hash(cell);
}

static int compare_hashes(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

/* Lists and documents: how many different ones there are, by their hashes. */
static enum err_code profile_hashes(const struct frame *frame, const struct column *column,
                                    struct column_profile *profile, struct err *err)
{
    CLEANUP(free_ptr) uint64_t *hashes = malloc((frame->n_rows + 1) * sizeof(*hashes));
    size_t n = 0;

    if (hashes == NULL)
        return err_nomem(err);
    for (size_t row = 0; row < frame->n_rows; row++) {
        struct cell cell;

        column_cell(column, row, &cell);
        if (!cell.is_null)
            hashes[n++] = hash_cell(&cell, 0);
    }
    qsort(hashes, n, sizeof(*hashes), compare_hashes);
    for (size_t i = 0; i < n; i++)
        profile->n_distinct += i == 0 || hashes[i] != hashes[i - 1];
    return ERR_OK;
}

enum err_code profile_column(const struct frame *frame, const struct column *column,
                             struct column_profile *ret_profile, struct err *err)
{
    struct column_profile profile = {
        .n_missing = column->n_nulls, .min = NAN, .max = NAN, .mean = NAN, .median = NAN};

    if (is_numeric(column->kind))
        TRY(profile_numbers(frame, column, &profile, err));
    else if (column->kind == CELL_BOOL)
        TRY(profile_codes(frame, column, 2, &profile, err));
    else if (column->kind == CELL_TEXT)
        TRY(profile_codes(frame, column, column->dictionary.n_keys, &profile, err));
    else
        TRY(profile_hashes(frame, column, &profile, err));
    *ret_profile = profile;
    return ERR_OK;
}

static void put_number(const struct column *column, const char *name, double value,
                       struct buf *json)
{
    struct cell cell = {.kind = CELL_TIMESTAMP, .int_value = (int64_t)value};

    buf_printf(json, ",\"%s\":", name);
    if (column->kind == CELL_TIMESTAMP && !isnan(value))
        cell_to_json(column->type, &cell, json);
    else
        json_put_double(json, value);
}

static void put_histogram(const struct column *column, const struct column_profile *profile,
                          struct buf *json)
{
    buf_puts(json, ",\"histogram\":{\"counts\":[");
    for (int i = 0; i < PROFILE_BINS; i++)
        buf_printf(json, "%s%zu", i > 0 ? "," : "", profile->bins[i]);
    buf_puts(json, "]");
    put_number(column, "low", profile->low, json);
    put_number(column, "high", profile->high, json);
    buf_putc(json, '}');
}

static void put_top(const struct column *column, const struct column_profile *profile,
                    struct buf *json)
{
    buf_puts(json, ",\"top\":[");
    for (int i = 0; i < profile->n_top; i++) {
        uint32_t code = profile->top[i].code;

        buf_printf(json, "%s{\"value\":", i > 0 ? "," : "");
        if (column->kind == CELL_BOOL) {
            json_put_bool(json, code != 0);
        } else {
            const struct strmap_key *key = &column->dictionary.keys[code];

            json_put_string(json, key->text,
                            key->length < PROFILE_TEXT_MAX ? key->length : PROFILE_TEXT_MAX);
        }
        buf_printf(json, ",\"count\":%zu}", profile->top[i].count);
    }
    buf_putc(json, ']');
}

void profile_to_json(const struct frame *frame, const struct column *column,
                     const struct column_profile *profile, struct buf *json)
{
    buf_puts(json, "\"column\":");
    json_put_text(json, column->name);
    buf_printf(json, ",\"type\":\"%s\",\"rows\":%zu,\"missing\":%zu,\"distinct\":%zu",
               pg_type_name(column->type), frame->n_rows, profile->n_missing, profile->n_distinct);
    if (!is_numeric(column->kind)) {
        put_top(column, profile, json);
        return;
    }
    put_number(column, "min", profile->min, json);
    put_number(column, "max", profile->max, json);
    if (column->kind != CELL_TIMESTAMP)
        put_number(column, "mean", profile->mean, json);
    put_number(column, "median", profile->median, json);
    if (profile->n_distinct > 0)
        put_histogram(column, profile, json);
}

enum err_code frame_fingerprint(const struct frame *frame, char ret_hex[FINGERPRINT_SIZE],
                                struct err *err)
{
    size_t size = ((size_t)frame->n_columns + 1) * sizeof(uint64_t);
    CLEANUP(free_ptr) uint64_t *hashes = malloc(size);
    uint64_t sums[2] = {0};

    if (hashes == NULL)
        return err_nomem(err);
    for (size_t row = 0; row < frame->n_rows; row++) {
        for (int i = 0; i < frame->n_columns; i++) {
            struct cell cell;

            column_cell(&frame->columns[i], row, &cell);
            hashes[i] = hash_cell(&cell, i);
        }
        for (int k = 0; k < 2; k++) {
            hashes[frame->n_columns] = (uint64_t)k;
            sums[k] += hash64(hashes, size); /* a sum does not know an order */
        }
    }
    snprintf(ret_hex, FINGERPRINT_SIZE, "%016" PRIx64 "%016" PRIx64, sums[0], sums[1]);
    return frame_check(frame, err);
}
