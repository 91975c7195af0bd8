/*
 * Booleans as 0 or 1, numbers as they are or, where the definition says so, imputed and scaled.
 *
 * Statistics are of the training values that are not null and within ±FLT_MAX (one infinite value
 * would make all others alike), in double: sums in the order of the rows; median and quartiles
 * between the two nearest values (numpy's linear); the mode is the most frequent, the smallest of
 * equals; random is one training value, drawn once from the project's seed. A missing value is
 * imputed first, then every value becomes (value - center) / scale, and 0 in a column that was
 * constant. Without a training value nothing is learnt: values stay as they are, and missing unless
 * a number was given.
 */
#include <string.h>

#include "base/json.h"
#include "base/random.h"
#include "base/sort.h"
#include "feature/encoder_internal.h"

/* The training values, and the same sorted. */
struct sample {
    double *values, *sorted;
    size_t n;
};

static void sample_release(struct sample *sample)
{
    free(sample->values);
    free(sample->sorted);
}

static enum err_code sample_column(struct sample *sample, const struct fit *fit,
                                   const struct column *from, struct err *err)
{
    sample->values = calloc(fit->n_rows + 1, sizeof(double));
    sample->sorted = calloc(fit->n_rows + 1, sizeof(double));
    if (sample->values == NULL || sample->sorted == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < fit->n_rows; i++) {
        struct cell cell;

        fit_cell(fit, from, i, &cell);
        if (!cell.is_null && fabs(cell_as_number(&cell)) <= (double)FLT_MAX) /* false for NaN */
            sample->values[sample->n++] = cell_as_number(&cell);
    }
    memcpy(sample->sorted, sample->values, sample->n * sizeof(double));
    sort_doubles(sample->sorted, sample->n);
    return ERR_OK;
}

static double mean_of(const struct sample *sample)
{
    double sum = 0;

    for (size_t i = 0; i < sample->n; i++)
        sum += sample->values[i];
    return sum / (double)sample->n;
}

static double deviation_of(const struct sample *sample, double mean)
{
    double sum = 0;

    for (size_t i = 0; i < sample->n; i++)
        sum += (sample->values[i] - mean) * (sample->values[i] - mean);
    return sqrt(sum / (double)sample->n);
}

static double quantile_of(const struct sample *sample, double share)
{
    double at = share * (double)(sample->n - 1);
    size_t below = (size_t)at, above = below + 1 < sample->n ? below + 1 : below;

    return sample->sorted[below] +
           (sample->sorted[above] - sample->sorted[below]) * (at - (double)below);
}

static double mode_of(const struct sample *sample)
{
    double mode = sample->sorted[0];
    size_t n_mode = 0;

    for (size_t first = 0, end; first < sample->n; first = end) {
        for (end = first; end < sample->n && sample->sorted[end] == sample->sorted[first];)
            end++;
        if (end - first > n_mode) {
            n_mode = end - first;
            mode = sample->sorted[first];
        }
    }
    return mode;
}

static double random_of(const struct sample *sample, int64_t seed)
{
    struct rng rng;

    rng_init(&rng, (uint64_t)seed);
    return sample->values[rng_below(&rng, sample->n)];
}

/* sample has a value. */
static double imputed_value(const struct sample *sample, const struct column_override *how,
                            int64_t seed)
{
    switch (how->impute) {
    case IMPUTE_MEAN:
        return mean_of(sample);
    case IMPUTE_MEDIAN:
        return quantile_of(sample, 0.5);
    case IMPUTE_MODE:
        return mode_of(sample);
    case IMPUTE_MIN:
        return sample->sorted[0];
    case IMPUTE_MAX:
        return sample->sorted[sample->n - 1];
    default:
        return random_of(sample, seed);
    }
}

static void choose_imputed(const struct sample *sample, const struct column_override *how,
                           int64_t seed, struct encoder_column *column)
{
    double value = 0;

    if (how->impute == IMPUTE_NUMBER)
        value = clamped(how->impute_number);
    else if (how->impute != IMPUTE_ZERO && sample->n == 0)
        return;
    else if (how->impute != IMPUTE_ZERO)
        value = imputed_value(sample, how, seed);
    column->imputed = (struct cell){.kind = CELL_DOUBLE, .double_value = without_tiny(value)};
}

/* sample has a value. */
static void choose_scale(const struct sample *sample, enum column_scale how,
                         struct encoder_column *column)
{
    double min = sample->sorted[0], max = sample->sorted[sample->n - 1];
    double center = 0, scale;

    switch (how) {
    case SCALE_STANDARD:
        center = mean_of(sample);
        scale = min == max ? 0 : deviation_of(sample, center);
        break;
    case SCALE_MIN_MAX:
        center = min;
        scale = max - min;
        break;
    case SCALE_ROBUST:
        center = quantile_of(sample, 0.5);
        scale = quantile_of(sample, 0.75) - quantile_of(sample, 0.25);
        break;
    default:
        scale = fabs(min) > fabs(max) ? fabs(min) : fabs(max);
    }
    column->is_scaled = true;
    column->center = without_tiny(center);
    column->scale = without_tiny(scale);
}

static enum err_code fit_number(const struct fit *fit, const struct column *from,
                                const struct column_override *how, struct encoder_column *column,
                                struct err *err)
{
    CLEANUP(sample_release) struct sample sample = {0};

    if (how->impute == IMPUTE_NONE && how->scale == SCALE_NONE)
        return ERR_OK;
    TRY(sample_column(&sample, fit, from, err));
    if (how->impute != IMPUTE_NONE)
        choose_imputed(&sample, how, fit->project->seed, column);
    if (how->scale != SCALE_NONE && sample.n > 0)
        choose_scale(&sample, how->scale, column);
    return ERR_OK;
}

static void encode_number(const struct encoder *encoder, const struct encoder_column *column,
                          const struct cell *cell, float *features)
{
    double value = cell_as_number(cell);

    (void)encoder;
    if (column->is_scaled && !isnan(value))
        value = column->scale == 0 ? 0 : (clamped(value) - column->center) / column->scale;
    features[0] = to_feature(value);
}

static void encode_bool(const struct encoder *encoder, const struct encoder_column *column,
                        const struct cell *cell, float *features)
{
    (void)encoder;
    (void)column;
    features[0] = cell->bool_value ? 1.0F : 0.0F;
}

static const char *bool_type(const struct encoder_column *column, int index)
{
    (void)column;
    (void)index;
    return "i";
}

static void number_to_json(const struct encoder_column *column, struct buf *json)
{
    if (!column->imputed.is_null) {
        buf_puts(json, ",\"impute\":");
        json_put_double(json, column->imputed.double_value);
    }
    if (!column->is_scaled)
        return;
    buf_puts(json, ",\"center\":");
    json_put_double(json, column->center);
    buf_puts(json, ",\"scale\":");
    json_put_double(json, column->scale);
}

enum { IMPUTE, CENTER, SCALE, N_MEMBERS };
static const struct stored_member members[] = {
    [IMPUTE] = {"impute", STORED_NUMBER, true},
    [CENTER] = {"center", STORED_NUMBER, true},
    [SCALE] = {"scale", STORED_NUMBER, true},
};

static enum err_code number_from_json(struct stored_object *from, struct encoder *encoder,
                                      struct encoder_column *column, struct err *err)
{
    const cJSON *items[N_MEMBERS];

    (void)encoder;
    TRY(stored_read(from, members, N_MEMBERS, items, err));
    if ((items[CENTER] == NULL) != (items[SCALE] == NULL))
        return err_set(err, ERR_CORRUPT, "\"center\" and \"scale\" come together");
    if (items[IMPUTE] != NULL)
        column->imputed =
            (struct cell){.kind = CELL_DOUBLE, .double_value = items[IMPUTE]->valuedouble};
    column->is_scaled = items[SCALE] != NULL;
    if (column->is_scaled) {
        column->center = items[CENTER]->valuedouble;
        column->scale = items[SCALE]->valuedouble;
    }
    return ERR_OK;
}

const struct encoding_ops bool_ops = {
    .name = "bool",
    .feature_type = bool_type,
    .encode = encode_bool,
};

const struct encoding_ops number_ops = {
    .name = "number",
    .fit = fit_number,
    .encode = encode_number,
    .to_json = number_to_json,
    .from_json = number_from_json,
};
