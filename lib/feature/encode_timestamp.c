/*
 * Dates and timestamps: days since the earliest training value, fractional, and calendar parts of
 * the wall clock (timestamptz: in the project's time zone).
 */
#include <inttypes.h>

#include "feature/encoder_internal.h"

#define USECS_PER_HOUR 3600e6

/* In encode_timestamp's order; a date has all but the last. */
static const char *const suffixes[] = {".days", ".month", ".day", ".weekday", ".hour"};

static enum err_code fit_timestamp(const struct fit *fit, const struct column *from,
                                   const struct column_override *how, struct encoder_column *column,
                                   struct err *err)
{
    bool is_first = true;

    (void)how;
    (void)err;
    for (size_t i = 0; i < fit->n_rows; i++) {
        struct cell cell;

        fit_cell(fit, from, i, &cell);
        if (cell.is_null)
            continue;
        if (is_first || cell.int_value < column->start_us)
            column->start_us = cell.int_value;
        is_first = false;
    }
    return ERR_OK;
}

static int count_features(const struct encoder_column *column)
{
    return (int)N_ELEMENTS(suffixes) - (column->type == PG_DATE);
}

static void put_suffix(const struct encoder_column *column, int index, const char *const *labels,
                       struct buf *name)
{
    (void)column;
    (void)labels;
    buf_puts(name, suffixes[index]);
}

/* In 128 bits: Postgres's first and last timestamp are further apart than an int64 holds. */
static double days_between(int64_t from_us, int64_t to_us)
{
    return (double)((__int128)to_us - from_us) / (double)USECS_PER_DAY;
}

static void encode_timestamp(const struct encoder *encoder, const struct encoder_column *column,
                             const struct cell *cell, float *features)
{
    int64_t value_us = cell->int_value;
    int64_t local_us =
        column->type == PG_TIMESTAMPTZ ? zone_to_local(encoder->zone, value_us) : value_us;
    int64_t of_day_us = local_us % USECS_PER_DAY;
    struct civil civil;

    civil_from_us(local_us, &civil);
    features[0] = to_feature(days_between(column->start_us, value_us));
    features[1] = (float)civil.month;
    features[2] = (float)civil.day;
    features[3] = (float)civil.weekday;
    if (column->type == PG_DATE)
        return;
    if (of_day_us < 0)
        of_day_us += USECS_PER_DAY;
    features[4] = to_feature((double)of_day_us / USECS_PER_HOUR);
}

static void timestamp_to_json(const struct encoder_column *column, struct buf *json)
{
    buf_printf(json, ",\"start_us\":\"%" PRId64 "\"", column->start_us);
}

static enum err_code timestamp_from_json(struct stored_object *from, struct encoder *encoder,
                                         struct encoder_column *column, struct err *err)
{
    static const struct stored_member members[] = {{"start_us", STORED_STRING, false}};
    const cJSON *start;

    (void)encoder;
    TRY(stored_read(from, members, 1, &start, err));
    return stored_int64(start, &column->start_us, err);
}

const struct encoding_ops timestamp_ops = {
    .name = "timestamp",
    .n_features = count_features,
    .put_suffix = put_suffix,
    .fit = fit_timestamp,
    .encode = encode_timestamp,
    .to_json = timestamp_to_json,
    .from_json = timestamp_from_json,
};
