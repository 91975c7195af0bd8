#include "metric/report.h"

#include <math.h>

#include "base/json.h"
#include "metric/curve.h"
#include "metric/metric_internal.h"

#define N_TENTHS 10

/* Writes "name":value after what separates it. */
static void put_member(struct buf *json, const char *separator, const char *name, double value)
{
    buf_printf(json, "%s\"%s\":", separator, name);
    json_put_double(json, value);
}

static enum err_code put_null(struct buf *json, struct err *err)
{
    buf_puts(json, "null");
    return buf_check(json, err);
}

/* ---- confusion matrix ---- */

static void put_matrix(struct buf *json, const struct sum *cells, size_t n)
{
    buf_printf(json, "{\"n_classes\":%zu,\"counts\":[", n);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            buf_puts(json, j == 0 ? (i == 0 ? "[" : ",[") : ",");
            json_put_double(json, sum_value(&cells[i * n + j]));
        }
        buf_puts(json, "]");
    }
    buf_puts(json, "]}");
}

enum err_code report_confusion(const struct metric_input *input, struct buf *json, struct err *err)
{
    CLEANUP(free_ptr) struct sum *cells = NULL;
    size_t n = (size_t)input->n_classes;

    if (n > REPORT_CLASSES_MAX)
        return put_null(json, err);
    cells = calloc(n * n + 1, sizeof(*cells));
    if (cells == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < input->n_rows; i++) {
        double weight = metric_weight(input, i);

        if (weight > 0)
            sum_add(&cells[input->classes[i] * n + input->chosen[i]], weight);
    }
    put_matrix(json, cells, n);
    return buf_check(json, err);
}

/* ---- curves ---- */

/* A point of a curve, from the weights that a threshold passes. */
typedef struct point placing(const struct steps *steps, double positive, double negative);

static struct point place_roc(const struct steps *steps, double positive, double negative)
{
    return (struct point){.x = negative / steps->negative, .y = positive / steps->positive};
}

static struct point place_pr(const struct steps *steps, double positive, double negative)
{
    double passed = positive + negative;

    return (struct point){.x = positive / steps->positive,
                          .y = passed == 0 ? 1 : positive / passed};
}

static void fill_curve(const struct steps *steps, placing *place, struct point *points)
{
    struct sum positive = {0}, negative = {0};

    points[0] = place(steps, 0, 0);
    points[0].threshold = NAN;
    for (size_t i = 0; i < steps->n; i++) {
        sum_add(&positive, steps->items[i].positive);
        sum_add(&negative, steps->items[i].negative);
        points[i + 1] = place(steps, sum_value(&positive), sum_value(&negative));
        points[i + 1].threshold = steps->items[i].score;
    }
}

static enum err_code put_curve(const struct steps *steps, placing *place, struct buf *json,
                               struct err *err)
{
    CLEANUP(free_ptr) struct point *points = calloc(steps->n + 1, sizeof(*points));
    double distance;
    size_t n;

    if (points == NULL)
        return err_nomem(err);
    fill_curve(steps, place, points);
    n = curve_thin(points, steps->n + 1, REPORT_POINTS_MAX, &distance);
    buf_printf(json, "{\"n_thresholds\":%zu,\"points\":[", steps->n);
    for (size_t i = 0; i < n; i++) {
        buf_puts(json, i == 0 ? "[" : ",[");
        json_put_double(json, points[i].x);
        buf_putc(json, ',');
        json_put_double(json, points[i].y);
        buf_putc(json, ',');
        json_put_double(json, points[i].threshold);
        buf_putc(json, ']');
    }
    buf_puts(json, "]}");
    return buf_check(json, err);
}

enum err_code report_roc(const struct metric_input *input, uint32_t positive, struct buf *json,
                         struct err *err)
{
    CLEANUP(steps_release) struct steps steps = {0};

    TRY(steps_of(input, positive, &steps, err));
    if (!(steps.positive > 0 && steps.negative > 0))
        return put_null(json, err);
    return put_curve(&steps, place_roc, json, err);
}

enum err_code report_pr(const struct metric_input *input, uint32_t positive, struct buf *json,
                        struct err *err)
{
    CLEANUP(steps_release) struct steps steps = {0};

    TRY(steps_of(input, positive, &steps, err));
    if (!(steps.positive > 0))
        return put_null(json, err);
    return put_curve(&steps, place_pr, json, err);
}

/* ---- calibration ---- */

struct tenth {
    struct mean predicted;
    struct sum positive;
    double n_rows;
};

/* By rising score. */
static void fill_tenths(const struct steps *steps, struct tenth *tenths)
{
    double total = steps->positive + steps->negative;
    struct sum before = {0};

    for (size_t i = steps->n; i-- > 0;) {
        const struct step *step = &steps->items[i];
        double weight = step->positive + step->negative;
        double place = floor(N_TENTHS * ((sum_value(&before) + weight / 2) / total));
        struct tenth *tenth = &tenths[place < N_TENTHS ? (int)place : N_TENTHS - 1];

        mean_add(&tenth->predicted, step->score, weight);
        sum_add(&tenth->positive, step->positive);
        tenth->n_rows += step->n_rows;
        sum_add(&before, weight);
    }
}

enum err_code report_calibration(const struct metric_input *input, uint32_t positive,
                                 struct buf *json, struct err *err)
{
    CLEANUP(steps_release) struct steps steps = {0};
    struct tenth tenths[N_TENTHS] = {0};
    const char *separator = "[";

    TRY(steps_of(input, positive, &steps, err));
    if (steps.n == 0)
        return put_null(json, err);
    fill_tenths(&steps, tenths);
    for (int i = 0; i < N_TENTHS; i++) {
        double weight = sum_value(&tenths[i].predicted.weights);

        if (tenths[i].n_rows == 0)
            continue;
        buf_puts(json, separator);
        put_member(json, "{", "count", tenths[i].n_rows);
        put_member(json, ",", "weight", weight);
        put_member(json, ",", "mean_predicted", mean_value(&tenths[i].predicted));
        put_member(json, ",", "observed", sum_value(&tenths[i].positive) / weight);
        buf_putc(json, '}');
        separator = ",";
    }
    buf_putc(json, ']');
    return buf_check(json, err);
}

/* ---- lift ---- */

enum err_code report_lift(const struct metric_input *input, uint32_t positive, struct buf *json,
                          struct err *err)
{
    CLEANUP(steps_release) struct steps steps = {0};
    struct passed before = {0}, passed;
    double overall;

    TRY(steps_of(input, positive, &steps, err));
    if (steps.n == 0)
        return put_null(json, err);
    overall = steps.positive / (steps.positive + steps.negative);
    for (int i = 1; i <= N_TENTHS; i++, before = passed) {
        double captured, share, positives;

        passed = steps_first(&steps, i / (double)N_TENTHS);
        positives = passed.positive - before.positive;
        captured = passed.positive / steps.positive;
        share = positives / (passed.weight - before.weight);
        put_member(json, i == 1 ? "[{" : ",{", "decile", i);
        put_member(json, ",", "positives", positives);
        put_member(json, ",", "share", share);
        put_member(json, ",", "lift", share / overall);
        put_member(json, ",", "captured", captured);
        put_member(json, ",", "cumulative_lift", captured * N_TENTHS / i);
        buf_putc(json, '}');
    }
    buf_putc(json, ']');
    return buf_check(json, err);
}

/* ---- residuals ---- */

static const double percents[] = {0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 100};

static void put_residuals(struct buf *json, const struct weighted *residuals, size_t n, double mean)
{
    put_member(json, "{", "count", (double)n);
    put_member(json, ",", "mean", mean);
    buf_puts(json, ",\"quantiles\":[");
    for (size_t i = 0; i < N_ELEMENTS(percents); i++) {
        buf_puts(json, i == 0 ? "[" : ",[");
        json_put_double(json, percents[i]);
        buf_putc(json, ',');
        json_put_double(json, weighted_quantile(residuals, n, percents[i]));
        buf_putc(json, ']');
    }
    buf_puts(json, "]}");
}

enum err_code report_residuals(const struct metric_input *input, struct buf *json, struct err *err)
{
    CLEANUP(free_ptr) struct weighted *residuals = calloc(input->n_rows + 1, sizeof(*residuals));
    struct mean mean = {0};
    size_t n = 0;

    if (residuals == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < input->n_rows; i++) {
        residuals[i].value = input->y[i] - input->predictions[i];
        residuals[i].weight = metric_weight(input, i);
        mean_add(&mean, residuals[i].value, residuals[i].weight);
    }
    n = weighted_sort(residuals, input->n_rows);
    if (n == 0 || isnan(mean_value(&mean)))
        return put_null(json, err);
    put_residuals(json, residuals, n, mean_value(&mean));
    return buf_check(json, err);
}
