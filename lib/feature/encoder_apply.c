/* Applying: encode_cell, and the ways that lead a frame's rows to it. */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "feature/encoder.h"
#include "feature/encoder_internal.h"
#include "feature/target_means.h"

#define USECS_PER_HOUR 3600e6

/* The one cast to float32: clamped, and -0 as +0, also where a small double became one. */
static float to_feature(double value)
{
    float feature;

    if (value > (double)FLT_MAX)
        return FLT_MAX;
    if (value < -(double)FLT_MAX)
        return -FLT_MAX;
    feature = (float)value;
    return feature == 0 ? 0.0F : feature;
}

static void encode_number(const struct cell *cell, float *features)
{
    switch (cell->kind) {
    case CELL_INT:
        features[0] = to_feature((double)cell->int_value);
        break;
    case CELL_FLOAT4:
        features[0] = to_feature((double)cell->float_value);
        break;
    default:
        features[0] = to_feature(cell->double_value);
    }
}

void category_text(const struct cell *cell, struct category_text *ret_text)
{
    ret_text->text = ret_text->scratch;
    switch (cell->kind) {
    case CELL_TEXT:
        ret_text->text = cell->text;
        ret_text->length = cell->n_bytes;
        break;
    case CELL_BOOL:
        ret_text->text = cell->bool_value ? "true" : "false";
        ret_text->length = strlen(ret_text->text);
        break;
    default:
        ret_text->length = (size_t)snprintf(ret_text->scratch, sizeof(ret_text->scratch),
                                            "%" PRId64, cell->int_value);
    }
}

static uint32_t category_index(const struct encoder_column *column, const struct cell *cell)
{
    struct category_text text;

    category_text(cell, &text);
    return strmap_find(&column->categories, text.text, text.length);
}

/* The mean features of the category at index, by these statistics. */
static void encode_means(const struct encoder_column *column, uint32_t index, const double *means,
                         const double *prior, float *features)
{
    const double *values =
        index == STRMAP_NONE ? prior : means + (size_t)index * (size_t)column->n_means;

    for (int k = 0; k < column->n_means; k++)
        features[k] = to_feature(values[k]);
}

static void encode_category(const struct encoder_column *column, const struct cell *cell,
                            float *features)
{
    uint32_t index = category_index(column, cell);

    if (column->has_code)
        *features++ = index == STRMAP_NONE ? 0.0F : (float)(index + 1);
    encode_means(column, index, column->means, column->prior, features);
    if (column->has_frequency)
        features[column->n_means] =
            index == STRMAP_NONE ? 0.0F : to_feature(column->frequencies[index]);
}

/* In 128 bits: Postgres's first and last timestamp are further apart than an int64 holds. */
static double days_between(int64_t from_us, int64_t to_us)
{
    return (double)((__int128)to_us - from_us) / (double)USECS_PER_DAY;
}

static void encode_timestamp(const struct encoder *encoder, const struct encoder_column *column,
                             int64_t value_us, float *features)
{
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

static void fill_missing(float *features, int n)
{
    for (int i = 0; i < n; i++)
        features[i] = NAN;
}

void encode_cell(const struct encoder *encoder, const struct encoder_column *column,
                 const struct cell *cell, float *features)
{
    features += column->first_feature;
    if (cell->is_null) {
        fill_missing(features, column->n_features);
        return;
    }
    switch (column->encoding) {
    case ENCODE_BOOL:
        features[0] = cell->bool_value ? 1.0F : 0.0F;
        break;
    case ENCODE_NUMBER:
        encode_number(cell, features);
        break;
    case ENCODE_CATEGORY:
        encode_category(column, cell, features);
        break;
    case ENCODE_TIMESTAMP:
        encode_timestamp(encoder, column, cell->int_value, features);
        break;
    }
}

void encode_missing(const struct encoder *encoder, float *features)
{
    fill_missing(features, encoder->n_features);
}

enum err_code encoder_apply(const struct encoder *encoder, const struct frame *frame,
                            const uint32_t *rows, size_t n_rows, float *matrix, struct err *err)
{
    for (int i = 0; i < encoder->n_columns; i++) {
        const struct encoder_column *column = &encoder->columns[i];
        const struct column *from;

        TRY(encoder_find_column(frame, column->name, column->type, &from, err));
        for (size_t row = 0; row < n_rows; row++) {
            struct cell cell;

            column_cell(from, rows[row], &cell);
            encode_cell(encoder, column, &cell, matrix + row * (size_t)encoder->n_features);
        }
    }
    return ERR_OK;
}

enum err_code category_indices(const struct encoder_column *column, const struct column *from,
                               const uint32_t *rows, size_t n_rows, uint32_t **ret_indices,
                               struct err *err)
{
    uint32_t *indices = calloc(n_rows + 1, sizeof(*indices));

    if (indices == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < n_rows; i++) {
        struct cell cell;

        column_cell(from, rows[i], &cell);
        indices[i] = cell.is_null ? STRMAP_NONE : category_index(column, &cell);
    }
    *ret_indices = indices;
    return ERR_OK;
}

/* Writes the means of one column over those that encoder_apply wrote: fold by fold, by the other
 * folds' rows. matrix begins at the column's first mean, a row every n_features. */
static enum err_code apply_out_of_fold(const struct encoder_column *column,
                                       const struct column *from, const struct mean_rows *in,
                                       int n_features, float *matrix, struct err *err)
{
    size_t n_means = (size_t)column->n_means;
    CLEANUP(free_ptr) double *means = calloc(in->n_categories * n_means, sizeof(*means));
    double prior[MEANS_MAX];

    if (means == NULL)
        return err_nomem(err);
    for (int fold = 0; fold < MEAN_FOLDS; fold++) {
        TRY(target_means(in, fold, means, prior, err));
        for (size_t i = (size_t)fold; i < in->n_rows; i += MEAN_FOLDS)
            if (!column_is_null(from, in->rows[i]))
                encode_means(column, in->categories[i], means, prior,
                             matrix + i * (size_t)n_features);
    }
    return ERR_OK;
}

enum err_code encoder_apply_training(const struct encoder *encoder, const struct frame *frame,
                                     const uint32_t *rows, size_t n_rows,
                                     const struct encoder_target *target, float *matrix,
                                     struct err *err)
{
    TRY(encoder_apply(encoder, frame, rows, n_rows, matrix, err));
    for (int i = 0; i < encoder->n_columns; i++) {
        const struct encoder_column *column = &encoder->columns[i];
        CLEANUP(free_ptr) uint32_t *categories = NULL;
        struct mean_rows in = {.rows = rows,
                               .n_rows = n_rows,
                               .n_categories = column->categories.n_keys,
                               .target = target};
        const struct column *from;

        if (column->n_means == 0)
            continue;
        if (column->n_means != target_n_means(target))
            return err_set(err, ERR_CONFLICT, "the encoder was fitted on another target");
        TRY(encoder_find_column(frame, column->name, column->type, &from, err));
        TRY(category_indices(column, from, rows, n_rows, &categories, err));
        in.categories = categories;
        TRY(apply_out_of_fold(column, from, &in, encoder->n_features,
                              matrix + column->first_feature + column->has_code, err));
    }
    return ERR_OK;
}
