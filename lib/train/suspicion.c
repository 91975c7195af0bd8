#include "train/suspicion.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/json.h"

#define SAMPLE_MAX        50000
#define ROWS_MIN          100
#define BINS_MAX          32
#define ROWS_PER_BIN      30
#define CLASSES_MAX       16
#define ID_SHARE          0.95       /* of the rows have a value of their own */
#define FLOAT_INTEGER_MAX 16777216.0 /* 2^24: from here on float32 skips whole numbers */

struct point {
    float value; /* NaN last */
    double y;
};

static int compare_points(const void *left, const void *right)
{
    const struct point *a = left, *b = right;

    if (isnan(a->value) || isnan(b->value))
        return isnan(a->value) - isnan(b->value);
    return (a->value > b->value) - (a->value < b->value);
}

struct bin {
    double n, sum; /* rows, and their targets or how many are of the class */
};

static int compare_bins(const void *left, const void *right)
{
    const struct bin *a = left, *b = right;
    double x = a->sum / a->n, y = b->sum / b->n;

    return (x > y) - (x < y);
}

/* Where the bin that starts at `from` ends: equal values stay together. */
static size_t bin_end(const struct point *points, size_t n, size_t from, size_t size)
{
    size_t end = from + size < n ? from + size : n;

    while (end < n && compare_points(&points[end - 1], &points[end]) == 0)
        end++;
    if (!isnan(points[from].value)) /* missing values have a bin of their own */
        while (end > from + 1 && isnan(points[end - 1].value))
            end--;
    return end;
}

/* klass -1: sums of y, else counts of the class. Returns the number of bins. */
static size_t fill_bins(const struct point *points, size_t n, size_t size, int klass,
                        struct bin *bins)
{
    size_t n_bins = 0;

    for (size_t from = 0; from < n; n_bins++) {
        size_t end = bin_end(points, n, from, size);

        bins[n_bins] = (struct bin){.n = (double)(end - from)};
        for (size_t i = from; i < end; i++)
            bins[n_bins].sum += klass < 0 ? points[i].y : points[i].y == klass;
        from = end;
    }
    return n_bins;
}

/* Share of the variance of y that lies between the bins. */
static double bins_r2(const struct point *points, size_t n, const struct bin *bins, size_t n_bins)
{
    double mean = 0, total = 0, between = 0;

    for (size_t i = 0; i < n; i++)
        mean += (points[i].y - mean) / (double)(i + 1);
    for (size_t i = 0; i < n; i++)
        total += (points[i].y - mean) * (points[i].y - mean);
    for (size_t i = 0; i < n_bins; i++) {
        double difference = bins[i].sum / bins[i].n - mean;

        between += bins[i].n * difference * difference;
    }
    return total > 0 ? between / total : 0;
}

/* Area under the curve when bins are ranked by their share of the class. Sorts them. */
static double bins_auc(struct bin *bins, size_t n_bins)
{
    double positives = 0, negatives = 0, pairs = 0;

    qsort(bins, n_bins, sizeof(*bins), compare_bins);
    for (size_t i = 0; i < n_bins; i++) {
        double negative = bins[i].n - bins[i].sum;

        pairs += bins[i].sum * (negatives + negative / 2);
        positives += bins[i].sum;
        negatives += negative;
    }
    return positives > 0 && negatives > 0 ? pairs / (positives * negatives) : 0;
}

static double points_power(const struct point *points, size_t n, bool is_category, int n_classes,
                           struct bin *bins)
{
    size_t size = n / BINS_MAX > ROWS_PER_BIN ? n / BINS_MAX : ROWS_PER_BIN;
    double best = 0;

    if (is_category)
        size = 1;
    if (n_classes == 0)
        return bins_r2(points, n, bins, fill_bins(points, n, size, -1, bins));
    for (int k = n_classes == 2; k < n_classes && k < CLASSES_MAX; k++)
        best = fmax(best, bins_auc(bins, fill_bins(points, n, size, k, bins)));
    return best;
}

enum err_code feature_power(const float *values, const double *y, size_t n, bool is_category,
                            int n_classes, double *ret_power, struct err *err)
{
    CLEANUP(free_ptr) struct point *points = calloc(n + 1, sizeof(*points));
    CLEANUP(free_ptr) struct bin *bins = calloc(n + 1, sizeof(*bins));

    if (points == NULL || bins == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < n; i++)
        points[i] = (struct point){values[i], y[i]};
    qsort(points, n, sizeof(*points), compare_points);
    *ret_power = n < ROWS_MIN ? 0 : points_power(points, n, is_category, n_classes, bins);
    return ERR_OK;
}

/* Warnings --------------------------------------------------------------------------------------
 */

PRINTF_LIKE(3, 4)
static void warn(struct buf *json, int *n, const char *format, ...)
{
    CLEANUP(buf_release) struct buf text = {0};
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    if ((*n)++ > 0)
        buf_putc(json, ',');
    json_put_string(json, buf_text(&text), text.length);
    json->failed = json->failed || text.failed;
}

/* Every k-th of the training rows, at most SAMPLE_MAX. */
static size_t sample_rows(const struct rows *train, uint32_t *rows)
{
    size_t n = train->n < SAMPLE_MAX ? train->n : SAMPLE_MAX;

    for (size_t i = 0; i < n; i++)
        rows[i] = train->items[i * train->n / n];
    return n;
}

static const struct encoder_column *find_encoded(const struct encoder *encoder, const char *name)
{
    uint32_t index = strmap_find(&encoder->column_names, name, strlen(name));

    return index == STRMAP_NONE ? NULL : &encoder->columns[index];
}

/* The feature of the column that tells most of the target, alone. */
static enum err_code strongest_feature(const struct dataset *dataset, const struct encoder *encoder,
                                       const struct encoder_column *column,
                                       const struct column *from, double *ret_power,
                                       const char **ret_feature, struct err *err)
{
    size_t n_features = (size_t)encoder->n_features;
    CLEANUP(free_ptr) uint32_t *rows = calloc(SAMPLE_MAX, sizeof(*rows));
    CLEANUP(free_ptr) float *vector = calloc(n_features + 1, sizeof(*vector));
    CLEANUP(free_ptr) float *values = calloc(SAMPLE_MAX, sizeof(*values));
    CLEANUP(free_ptr) double *y = calloc(SAMPLE_MAX, sizeof(*y));
    size_t n;

    if (rows == NULL || vector == NULL || values == NULL || y == NULL)
        return err_nomem(err);
    n = sample_rows(&dataset->split->train, rows);
    *ret_power = 0;
    for (int f = column->first_feature; f < column->first_feature + column->n_features; f++) {
        double power = 0;

        for (size_t i = 0; i < n; i++) {
            struct cell cell;

            column_cell(from, rows[i], &cell);
            encode_cell(encoder, column, &cell, vector);
            values[i] = vector[f];
            y[i] = dataset->y[rows[i]];
        }
        TRY(feature_power(values, y, n, encoder->feature_types[f][0] == 'c',
                          dataset_n_classes(dataset), &power, err));
        if (power > *ret_power) {
            *ret_power = power;
            *ret_feature = encoder->feature_names[f];
        }
    }
    return ERR_OK;
}

/* The only class whose rows have a value in the column, or -1. */
static int only_class(const struct dataset *dataset, const struct column *from)
{
    int found = -1;

    for (size_t row = 0; row < dataset->frame->n_rows; row++) {
        if (column_is_null(from, row) || isnan(dataset->y[row]))
            continue;
        if (found >= 0 && (int)dataset->y[row] != found)
            return -1;
        found = (int)dataset->y[row];
    }
    return found;
}

static bool looks_like_id(const struct dataset *dataset, const struct column *from,
                          const struct column_profile *profile)
{
    size_t n = dataset->frame->n_rows - profile->n_missing;

    return (from->kind == CELL_TEXT || from->kind == CELL_INT) && n >= ROWS_MIN &&
           (double)profile->n_distinct >= ID_SHARE * (double)n;
}

static void warn_of_values(const struct dataset *dataset, const struct column *from,
                           const struct column_profile *profile, struct buf *json, int *n)
{
    int klass = dataset->task == METRIC_REGRESSION ? -1 : only_class(dataset, from);

    if (profile->n_missing == dataset->frame->n_rows)
        warn(json, n, "column \"%s\" is NULL in every row", from->name);
    else if (profile->n_distinct == 1 && profile->n_missing == 0)
        warn(json, n, "column \"%s\" has one value in all rows", from->name);
    if (klass >= 0 && profile->n_missing > 0)
        warn(json, n,
             "column \"%s\" has values only where the target is \"%s\": is it known before?",
             from->name, dataset->labels.items[klass].text);
    if (looks_like_id(dataset, from, profile))
        warn(json, n, "column \"%s\" looks like an id: %zu values in %zu rows", from->name,
             profile->n_distinct, dataset->frame->n_rows - profile->n_missing);
    if (from->kind == CELL_INT && fmax(fabs(profile->min), fabs(profile->max)) > FLOAT_INTEGER_MAX)
        warn(json, n, "column \"%s\" has whole numbers beyond 2^24, which float32 rounds",
             from->name);
}

enum err_code column_warnings(const struct dataset *dataset, const struct encoder *encoder,
                              const struct schema_column *schema_column,
                              const struct column_profile *profile, struct buf *json, int *n,
                              struct err *err)
{
    const struct encoder_column *column = find_encoded(encoder, schema_column->name);
    int index = frame_find(dataset->frame, schema_column->name);
    const struct column *from = &dataset->frame->columns[index];
    const char *feature = NULL;
    double power = 0;

    if (column == NULL)
        return ERR_OK;
    warn_of_values(dataset, from, profile, json, n);
    TRY(strongest_feature(dataset, encoder, column, from, &power, &feature, err));
    if (power >= SUSPICIOUS_POWER)
        warn(json, n,
             "column \"%s\" alone predicts the target (%s %.4f of feature \"%s\"): is it known "
             "before the answer is?",
             from->name, dataset->task == METRIC_REGRESSION ? "R²" : "AUC", power, feature);
    return ERR_OK;
}

/* The profile -----------------------------------------------------------------------------------
 */

static const char *role_name(unsigned roles)
{
    static const struct {
        unsigned role;
        const char *name;
    } names[] = {{COLUMN_TARGET, "target"},
                 {COLUMN_KEY, "key"},
                 {COLUMN_FEATURE, "feature"},
                 {COLUMN_TIME, "time"}};

    for (size_t i = 0; i < N_ELEMENTS(names); i++)
        if (roles & names[i].role)
            return names[i].name;
    return "left out";
}

static enum err_code put_column(const struct dataset *dataset, const struct encoder *encoder,
                                const struct schema_column *schema_column, struct buf *json,
                                struct buf *warnings, int *n_warnings, struct err *err)
{
    int index = frame_find(dataset->frame, schema_column->name);
    const struct column *from = &dataset->frame->columns[index];
    struct column_profile profile;

    TRY(profile_column(dataset->frame, from, &profile, err));
    buf_putc(json, '{');
    profile_to_json(dataset->frame, from, &profile, json);
    buf_printf(json, ",\"role\":\"%s\"}", role_name(schema_column->roles));
    return column_warnings(dataset, encoder, schema_column, &profile, warnings, n_warnings, err);
}

enum err_code dataset_profile(const struct dataset *dataset, const struct encoder *encoder,
                              struct buf *columns, struct buf *warnings, struct err *err)
{
    const struct schema *schema = dataset->schema;
    int n_warnings = 0;

    buf_putc(columns, '[');
    for (int i = 0; i < schema->n_read; i++) {
        if (i > 0)
            buf_putc(columns, ',');
        TRY(put_column(dataset, encoder, &schema->columns[schema->read[i]], columns, warnings,
                       &n_warnings, err));
    }
    buf_putc(columns, ']');
    TRY(buf_check(warnings, err));
    return buf_check(columns, err);
}
