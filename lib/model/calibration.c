#include "model/calibration.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/json.h"
#include "model/value.h"

static const char *const method_names[CALIBRATION_METHODS] = {
    [CALIBRATION_NONE] = "none",
    [CALIBRATION_PLATT] = "platt",
    [CALIBRATION_ISOTONIC] = "isotonic",
    [CALIBRATION_TEMPERATURE] = "temperature",
};

const char *calibration_method_name(enum calibration_method method)
{
    return method_names[method];
}

/* Writing -------------------------------------------------------------------------------------- */

static void put_number(struct buf *json, const char *name, double value)
{
    buf_printf(json, ",\"%s\":", name);
    json_put_double(json, value);
}

static void put_numbers(struct buf *json, const char *name, const double *values, int n)
{
    buf_printf(json, ",\"%s\":[", name);
    for (int i = 0; i < n; i++) {
        if (i > 0)
            buf_putc(json, ',');
        json_put_double(json, values[i]);
    }
    buf_putc(json, ']');
}

static void put_method(const struct calibration *calibration, struct buf *json)
{
    buf_printf(json, ",\"method\":\"%s\"", calibration_method_name(calibration->method));
    if (calibration->method == CALIBRATION_PLATT) {
        put_number(json, "slope", calibration->slope);
        put_number(json, "intercept", calibration->intercept);
    } else if (calibration->method == CALIBRATION_ISOTONIC) {
        put_numbers(json, "from", calibration->from, calibration->n_points);
        put_numbers(json, "to", calibration->to, calibration->n_points);
    } else {
        put_number(json, "temperature", calibration->temperature);
    }
}

static void put_residuals(const struct calibration *calibration, struct buf *json)
{
    buf_printf(json, ",\"residuals\":{\"rows\":%.0f", calibration->n_rows);
    put_numbers(json, "ranks", calibration->ranks, calibration->n_residuals);
    put_numbers(json, "values", calibration->residuals, calibration->n_residuals);
    buf_putc(json, '}');
}

enum err_code calibration_to_json(const struct calibration *calibration, struct buf *json,
                                  struct err *err)
{
    size_t start = json->length;

    if (calibration->method != CALIBRATION_NONE)
        put_method(calibration, json);
    if (calibration->has_threshold)
        put_number(json, "threshold", calibration->threshold);
    if (calibration->n_rows > 0)
        put_residuals(calibration, json);
    TRY(buf_check(json, err));
    if (json->length == start)
        return ERR_OK;
    json->data[start] = '{'; /* in place of the first comma */
    buf_putc(json, '}');
    return buf_check(json, err);
}

/* Reading -------------------------------------------------------------------------------------- */

static enum err_code read_number(const cJSON *value, double low, double high, double *ret_number,
                                 struct err *err)
{
    if (!cJSON_IsNumber(value) || !(value->valuedouble >= low && value->valuedouble <= high))
        return err_set(err, ERR_CORRUPT, "\"%s\" is not a number from %g to %g", value->string, low,
                       high);
    *ret_number = value->valuedouble;
    return ERR_OK;
}

/* Numbers from low to high that do not fall, or (strictly) rise. */
static enum err_code read_numbers(const cJSON *value, double low, double high, bool strictly,
                                  struct arena *arena, double **ret_numbers, int *ret_n,
                                  struct err *err)
{
    int n = cJSON_GetArraySize(value), i = 0;
    const cJSON *item;
    double *numbers;

    if (!cJSON_IsArray(value) || n > CALIBRATION_POINTS_MAX)
        return err_set(err, ERR_CORRUPT, "\"%s\" is not an array of at most %d numbers",
                       value->string, CALIBRATION_POINTS_MAX);
    numbers = arena_alloc_array(arena, (size_t)n + 1, sizeof(*numbers));
    if (numbers == NULL)
        return err_nomem(err);
    cJSON_ArrayForEach (item, value) {
        double number = cJSON_IsNumber(item) ? item->valuedouble : NAN;

        if (!(number >= low && number <= high))
            return err_set(err, ERR_CORRUPT, "item %d of \"%s\" is not a number from %g to %g", i,
                           value->string, low, high);
        if (i > 0 && (number < numbers[i - 1] || (strictly && number == numbers[i - 1])))
            return err_set(err, ERR_CORRUPT, "item %d of \"%s\" does not rise", i, value->string);
        numbers[i++] = number;
    }
    *ret_numbers = numbers;
    *ret_n = n;
    return ERR_OK;
}

/* What a document has; each member is read once (json_parse refuses names that come twice). */
struct document {
    const cJSON *method, *slope, *intercept, *from, *to, *temperature, *threshold, *residuals;
};

static const struct {
    const char *name;
    size_t offset;
} document_members[] = {
    {"method", offsetof(struct document, method)},
    {"slope", offsetof(struct document, slope)},
    {"intercept", offsetof(struct document, intercept)},
    {"from", offsetof(struct document, from)},
    {"to", offsetof(struct document, to)},
    {"temperature", offsetof(struct document, temperature)},
    {"threshold", offsetof(struct document, threshold)},
    {"residuals", offsetof(struct document, residuals)},
};

static enum err_code read_document(const cJSON *root, struct document *document, struct err *err)
{
    const cJSON *member;

    if (!cJSON_IsObject(root))
        return err_set(err, ERR_CORRUPT, "not an object");
    cJSON_ArrayForEach (member, root) {
        const cJSON **at = NULL;

        for (size_t i = 0; i < N_ELEMENTS(document_members); i++)
            if (strcmp(member->string, document_members[i].name) == 0)
                at = (const cJSON **)((char *)document + document_members[i].offset);
        if (at == NULL) /* ignoring it would answer something else than what was meant */
            return err_set(err, ERR_CORRUPT, "unknown member \"%.64s\"", member->string);
        *at = member;
    }
    return ERR_OK;
}

static enum err_code find_method(const cJSON *value, enum calibration_method *ret_method,
                                 struct err *err)
{
    for (int i = CALIBRATION_NONE + 1; i < CALIBRATION_METHODS; i++) {
        if (!cJSON_IsString(value) || strcmp(value->valuestring, method_names[i]) != 0)
            continue;
        *ret_method = (enum calibration_method)i;
        return ERR_OK;
    }
    return err_set(err, ERR_CORRUPT, "unknown \"method\"");
}

static enum err_code missing(const char *name, struct err *err)
{
    return err_set(err, ERR_CORRUPT, "\"%s\" is missing", name);
}

static enum err_code read_line(const struct document *document, struct arena *arena,
                               struct calibration *calibration, struct err *err)
{
    int n_to;

    if (document->from == NULL || document->to == NULL)
        return missing(document->from == NULL ? "from" : "to", err);
    TRY(read_numbers(document->from, 0, 1, true, arena, &calibration->from, &calibration->n_points,
                     err));
    TRY(read_numbers(document->to, 0, 1, false, arena, &calibration->to, &n_to, err));
    if (n_to != calibration->n_points || n_to == 0)
        return err_set(err, ERR_CORRUPT, "\"from\" has %d points, \"to\" has %d",
                       calibration->n_points, n_to);
    return ERR_OK;
}

#define LARGEST 1e9 /* of a coefficient: none that was fitted comes near */

static enum err_code read_method(const struct document *document, int n_labels, struct arena *arena,
                                 struct calibration *calibration, struct err *err)
{
    bool fits;

    if (document->method == NULL)
        return document->slope || document->intercept || document->from || document->to ||
                       document->temperature
                   ? missing("method", err)
                   : ERR_OK;
    TRY(find_method(document->method, &calibration->method, err));
    fits = calibration->method == CALIBRATION_TEMPERATURE ? n_labels > 2 : n_labels == 2;
    if (!fits)
        return err_set(err, ERR_CORRUPT, "\"%s\" does not fit %d labels",
                       calibration_method_name(calibration->method), n_labels);
    if (calibration->method == CALIBRATION_ISOTONIC)
        return read_line(document, arena, calibration, err);
    if (calibration->method == CALIBRATION_TEMPERATURE)
        return document->temperature == NULL ? missing("temperature", err)
                                             : read_number(document->temperature, 1 / LARGEST,
                                                           LARGEST, &calibration->temperature, err);
    if (document->slope == NULL || document->intercept == NULL)
        return missing(document->slope == NULL ? "slope" : "intercept", err);
    TRY(read_number(document->slope, 1 / LARGEST, LARGEST, &calibration->slope, err));
    return read_number(document->intercept, -LARGEST, LARGEST, &calibration->intercept, err);
}

static enum err_code read_threshold(const cJSON *value, int n_labels,
                                    struct calibration *calibration, struct err *err)
{
    if (n_labels != 2)
        return err_set(err, ERR_CORRUPT, "a threshold does not fit %d labels", n_labels);
    calibration->has_threshold = true;
    return read_number(value, 0, 1, &calibration->threshold, err);
}

static enum err_code read_residuals(const cJSON *value, int n_labels, struct arena *arena,
                                    struct calibration *calibration, struct err *err)
{
    const cJSON *rows = cJSON_GetObjectItemCaseSensitive(value, "rows");
    const cJSON *ranks = cJSON_GetObjectItemCaseSensitive(value, "ranks");
    const cJSON *values = cJSON_GetObjectItemCaseSensitive(value, "values");
    int n_values;

    if (n_labels != 0)
        return err_set(err, ERR_CORRUPT, "residuals do not fit %d labels", n_labels);
    if (rows == NULL || ranks == NULL || values == NULL || cJSON_GetArraySize(value) != 3)
        return err_set(err, ERR_CORRUPT,
                       "\"residuals\" is not an object of \"rows\", \"ranks\" and \"values\"");
    TRY(read_number(rows, 1, 4294967296.0, &calibration->n_rows, err));
    TRY(read_numbers(ranks, 1, calibration->n_rows, true, arena, &calibration->ranks,
                     &calibration->n_residuals, err));
    TRY(read_numbers(values, 0, HUGE_VAL, false, arena, &calibration->residuals, &n_values, err));
    if (n_values != calibration->n_residuals)
        return err_set(err, ERR_CORRUPT, "there are %d ranks and %d values",
                       calibration->n_residuals, n_values);
    return ERR_OK;
}

static enum err_code read_all(const char *json, size_t length, int n_labels, struct arena *arena,
                              struct calibration *calibration, struct err *err)
{
    CLEANUP(cjson_delete_ptr) cJSON *root = NULL;
    struct document document = {0};

    TRY(json_parse(json, length, NULL, &root, err));
    TRY(read_document(root, &document, err));
    TRY(read_method(&document, n_labels, arena, calibration, err));
    if (document.threshold != NULL)
        TRY(read_threshold(document.threshold, n_labels, calibration, err));
    if (document.residuals != NULL)
        TRY(read_residuals(document.residuals, n_labels, arena, calibration, err));
    return ERR_OK;
}

enum err_code calibration_from_json(const char *json, size_t length, int n_labels,
                                    struct arena *arena, struct calibration *ret_calibration,
                                    struct err *err)
{
    struct calibration calibration = {0};
    enum err_code code = read_all(json, length, n_labels, arena, &calibration, err);

    if (code != ERR_OK)
        return value_corrupt(code, err);
    *ret_calibration = calibration;
    return ERR_OK;
}

/* Applying ------------------------------------------------------------------------------------- */

static double logistic(double z)
{
    double e = exp(-fabs(z));

    return z >= 0 ? 1 / (1 + e) : e / (1 + e);
}

static double interpolate(const struct calibration *calibration, double x)
{
    const double *from = calibration->from, *to = calibration->to;
    int low = 0, high = calibration->n_points - 1;

    if (x <= from[low])
        return to[low];
    if (x >= from[high])
        return to[high];
    while (high - low > 1) {
        int middle = low + (high - low) / 2;

        if (from[middle] <= x)
            low = middle;
        else
            high = middle;
    }
    return to[low] + (x - from[low]) * ((to[high] - to[low]) / (from[high] - from[low]));
}

double calibration_positive(const struct calibration *calibration, float margin, float probability)
{
    if (calibration->method == CALIBRATION_PLATT)
        return logistic(calibration->slope * (double)margin + calibration->intercept);
    if (calibration->method == CALIBRATION_ISOTONIC)
        return interpolate(calibration, (double)probability);
    return (double)probability;
}

void calibration_soften(const struct calibration *calibration, const float *margins, int n,
                        double *ret_probabilities)
{
    float largest = margins[0];
    double sum = 0;

    for (int k = 1; k < n; k++)
        if (margins[k] > largest)
            largest = margins[k];
    for (int k = 0; k < n; k++) {
        double distance = (double)margins[k] - (double)largest;

        ret_probabilities[k] = exp(distance / calibration->temperature);
        sum += ret_probabilities[k];
    }
    for (int k = 0; k < n; k++)
        ret_probabilities[k] /= sum;
}

/* What the product of a decimal like .9 loses must not cost a rank. */
static double rank_of(double n_rows, double level)
{
    return ceil((n_rows + 1) * level * (1 - 1e-15));
}

double calibration_half_width(const struct calibration *calibration, double level)
{
    double rank = rank_of(calibration->n_rows, level);
    int low = 0, high = calibration->n_residuals; /* the first that is stored from rank on */

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (calibration->ranks[middle] < rank)
            low = middle + 1;
        else
            high = middle;
    }
    return low < calibration->n_residuals ? calibration->residuals[low] : INFINITY;
}

double calibration_level_max(const struct calibration *calibration)
{
    if (calibration->n_residuals == 0)
        return 0;
    return calibration->ranks[calibration->n_residuals - 1] / (calibration->n_rows + 1);
}

/* ⌈(n + 1) · level⌉ ≤ n  ⇔  n ≥ level ÷ (1 − level), whose rounding may be one too many. */
double calibration_rows_for(double level)
{
    double n = ceil(level / (1 - level));

    return n > 1 && rank_of(n - 1, level) <= n - 1 ? n - 1 : n;
}
