#include "train/suspicion.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/json.h"

#define SAMPLE_MAX        50000
#define SAMPLE_MIN        2000
#define VALUES_MAX        4000000 /* of one column that are looked at */
#define ROWS_MIN          100
#define BINS_MAX          32
#define ROWS_PER_BIN      30
#define CLASSES_MAX       16
#define ID_SHARE          0.95       /* of the rows have a value of their own */
#define FLOAT_INTEGER_MAX 16777216.0 /* 2^24: from here on float32 skips whole numbers */

struct point {
    float value; /* NaN last */
    bool judges; /* every other row: what the first half learnt is judged by the second */
    double y;
};

static int compare_points(const void *left, const void *right)
{
    const struct point *a = left, *b = right;

    if (isnan(a->value) || isnan(b->value))
        return isnan(a->value) - isnan(b->value);
    return (a->value > b->value) - (a->value < b->value);
}

/* Rows with similar values: targets (or how many are of the class) of the half that learns, and of
 * the half that judges. */
struct bin {
    double n, sum;
    double judge_n, judge_sum, judge_squares;
    double answer; /* the learning half's mean */
};

static int compare_bins(const void *left, const void *right)
{
    const struct bin *a = left, *b = right;

    return (a->answer > b->answer) - (a->answer < b->answer);
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

static void add_point(struct bin *bin, const struct point *point, int klass)
{
    double y = klass < 0 ? point->y : point->y == klass;

    if (point->judges) {
        bin->judge_n++;
        bin->judge_sum += y;
        bin->judge_squares += y * y;
    } else {
        bin->n++;
        bin->sum += y;
    }
}

/* klass -1: the target itself, else whether it is the class. Returns the number of bins. */
static size_t fill_bins(const struct point *points, size_t n, size_t size, int klass,
                        struct bin *bins)
{
    size_t n_bins = 0;
    double sum = 0, n_learning = 0;

    for (size_t from = 0; from < n; n_bins++) {
        size_t end = bin_end(points, n, from, size);

        bins[n_bins] = (struct bin){0};
        for (; from < end; from++)
            add_point(&bins[n_bins], &points[from], klass);
        sum += bins[n_bins].sum;
        n_learning += bins[n_bins].n;
    }
    /* a value that only judges were given knows no more than the mean */
    for (size_t i = 0; i < n_bins; i++)
        bins[i].answer = bins[i].n > 0 ? bins[i].sum / bins[i].n : sum / n_learning;
    return n_bins;
}

/* 1 - squared error of the answers / squared distance from the mean, on the judging half. */
static double bins_r2(const struct bin *bins, size_t n_bins)
{
    double n = 0, sum = 0, squares = 0, error = 0, total;

    for (size_t i = 0; i < n_bins; i++) {
        n += bins[i].judge_n;
        sum += bins[i].judge_sum;
        squares += bins[i].judge_squares;
        error += bins[i].judge_squares - 2 * bins[i].answer * bins[i].judge_sum +
                 bins[i].judge_n * bins[i].answer * bins[i].answer;
    }
    total = squares - sum * sum / n;
    return total > 0 ? 1 - error / total : 0;
}

/* Area under the curve of the judging half, ranked by the answers. Sorts the bins; equal answers
 * are one rank. */
static double bins_auc(struct bin *bins, size_t n_bins)
{
    double positives = 0, negatives = 0, pairs = 0;

    qsort(bins, n_bins, sizeof(*bins), compare_bins);
    for (size_t from = 0; from < n_bins;) {
        double positive = 0, negative = 0, answer = bins[from].answer;

        for (; from < n_bins && bins[from].answer == answer; from++) {
            positive += bins[from].judge_sum;
            negative += bins[from].judge_n - bins[from].judge_sum;
        }
        pairs += positive * (negatives + negative / 2);
        positives += positive;
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
        return bins_r2(bins, fill_bins(points, n, size, -1, bins));
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
        points[i] = (struct point){.value = values[i], .judges = i % 2 == 1, .y = y[i]};
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

/* Training rows spread over all of them: fewer where a column has many features, so that the whole
 * costs about the same. */
static size_t sample_size(const struct rows *train, size_t n_features)
{
    size_t n = VALUES_MAX / n_features;

    n = n > SAMPLE_MAX ? SAMPLE_MAX : n < SAMPLE_MIN ? SAMPLE_MIN : n;
    return train->n < n ? train->n : n;
}

static const struct encoder_column *find_encoded(const struct encoder *encoder, const char *name)
{
    uint32_t index = strmap_find(&encoder->column_names, name, strlen(name));

    return index == STRMAP_NONE ? NULL : &encoder->columns[index];
}

/* Target means have seen the targets of the very rows they would be judged on. */
static bool is_mean(const struct encoder_column *column, int feature)
{
    int first = column->first_feature + column->has_code;

    return feature >= first && feature < first + column->n_means;
}

/* The sample's features of one column, encoded once: features[n × column->n_features]. */
static enum err_code encode_sample(const struct dataset *dataset, const struct encoder *encoder,
                                   const struct encoder_column *column, const struct column *from,
                                   size_t n, float **ret_features, double **ret_y, struct err *err)
{
    const struct rows *train = &split_last(dataset->split)->train;
    size_t width = (size_t)column->n_features;
    CLEANUP(free_ptr) float *vector = calloc((size_t)encoder->n_features + 1, sizeof(*vector));
    CLEANUP(free_ptr) float *features = calloc(n * width + 1, sizeof(*features));
    CLEANUP(free_ptr) double *y = calloc(n + 1, sizeof(*y));

    if (vector == NULL || features == NULL || y == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < n; i++) {
        uint32_t row = train->items[i * train->n / n];
        struct cell cell;

        column_cell(from, row, &cell);
        encode_cell(encoder, column, &cell, vector);
        memcpy(features + i * width, vector + column->first_feature, width * sizeof(*features));
        y[i] = dataset->y[row];
    }
    *ret_features = TAKE_PTR(features);
    *ret_y = TAKE_PTR(y);
    return ERR_OK;
}

/* The feature of the column that tells most of the target, alone. */
static enum err_code strongest_feature(const struct dataset *dataset, const struct encoder *encoder,
                                       const struct encoder_column *column,
                                       const struct column *from, double *ret_power,
                                       const char **ret_feature, struct err *err)
{
    size_t width = (size_t)column->n_features;
    size_t n = sample_size(&split_last(dataset->split)->train, width + 1);
    CLEANUP(free_ptr) float *features = NULL;
    CLEANUP(free_ptr) double *y = NULL;
    CLEANUP(free_ptr) float *values = calloc(n + 1, sizeof(*values));

    if (values == NULL)
        return err_nomem(err);
    TRY(encode_sample(dataset, encoder, column, from, n, &features, &y, err));
    *ret_power = 0;
    for (int f = column->first_feature; f < column->first_feature + column->n_features; f++) {
        double power = 0;

        if (is_mean(column, f))
            continue;
        for (size_t i = 0; i < n; i++)
            values[i] = features[i * width + (size_t)(f - column->first_feature)];
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

    if (n < ROWS_MIN)
        return false;
    if (from->kind == CELL_INT)
        return profile->n_distinct == n;
    return from->kind == CELL_TEXT && (double)profile->n_distinct >= ID_SHARE * (double)n;
}

static void warn_of_values(const struct dataset *dataset, const struct column *from,
                           const struct column_profile *profile, struct buf *json, int *n)
{
    int klass = dataset_n_classes(dataset) == 0 ? -1 : only_class(dataset, from);

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
             from->name, dataset_n_classes(dataset) == 0 ? "r2" : "AUC", power, feature);
    return ERR_OK;
}

/* The profile -----------------------------------------------------------------------------------
 */

static const char *role_name(unsigned roles)
{
    static const struct {
        unsigned role;
        const char *name;
    } names[] = {{COLUMN_TARGET, "target"},   {COLUMN_KEY, "key"},
                 {COLUMN_GROUP, "group"},     {COLUMN_WEIGHT, "weight"},
                 {COLUMN_EVENT, "event"},     {COLUMN_UPPER, "target_upper"},
                 {COLUMN_FEATURE, "feature"}, {COLUMN_TIME, "time"}};

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
                              struct control *control, struct buf *columns, struct buf *warnings,
                              struct err *err)
{
    const struct schema *schema = dataset->schema;
    int n_warnings = 0;

    buf_putc(columns, '[');
    for (int i = 0; i < schema->n_read; i++) {
        if (i > 0)
            buf_putc(columns, ',');
        TRY(control_check(control, err));
        control_progress(control, "profile", i, schema->n_read, NAN, 0);
        TRY(put_column(dataset, encoder, &schema->columns[schema->read[i]], columns, warnings,
                       &n_warnings, err));
    }
    buf_putc(columns, ']');
    TRY(frame_check(dataset->frame, err));
    TRY(buf_check(warnings, err));
    return buf_check(columns, err);
}
