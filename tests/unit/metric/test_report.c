/* Reports against scikit-learn's exact curves and numpy's quantiles (make_cases.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/random.h"
#include "cases.h"
#include "metric/curve.h"
#include "metric/report.h"

static cJSON *parse(const struct buf *json)
{
    struct err err = {0};
    cJSON *root = NULL;

    if (json_parse(json->data, json->length, "report", &root, &err) != ERR_OK)
        fail_msg("%s in %s", err.message, json->data);
    return root;
}

/* null as NaN. */
static double number(const cJSON *value)
{
    assert_non_null(value);
    return cJSON_IsNumber(value) ? value->valuedouble : NAN;
}

static double member(const cJSON *object, const char *name)
{
    return number(cJSON_GetObjectItemCaseSensitive(object, name));
}

typedef enum err_code curve_report(const struct metric_input *input, uint32_t positive,
                                   struct buf *json, struct err *err);

static cJSON *curve(curve_report *report, const struct metric_input *input, uint32_t positive)
{
    CLEANUP(buf_release) struct buf json = {0};
    struct err err = {0};

    assert_int_equal(report(input, positive, &json, &err), ERR_OK);
    return parse(&json);
}

static cJSON *whole(enum err_code (*report)(const struct metric_input *, struct buf *,
                                            struct err *),
                    const struct metric_input *input)
{
    CLEANUP(buf_release) struct buf json = {0};
    struct err err = {0};

    assert_int_equal(report(input, &json, &err), ERR_OK);
    return parse(&json);
}

/* ---- curves ---- */

/* How far a point of the exact curve is from the line between two kept ones. */
static double distance(const double *a, const double *b, double x, double y)
{
    double along = b[0] - a[0], up = b[1] - a[1], length = hypot(along, up);

    if (length == 0)
        return hypot(x - a[0], y - a[1]);
    return fabs(along * (y - a[1]) - up * (x - a[0])) / length;
}

/* Every point is one of the exact curve, in its order, from end to end; what was left out is near
 * the line that passes it by. */
static void check_curve(const struct case_data *data, curve_report *report, const char *x_name,
                        const char *y_name, const char *threshold_name, double farthest)
{
    CLEANUP(cjson_delete_ptr) cJSON *root = curve(report, &data->input, 1);
    const struct array *x = array_find(data, x_name);
    const double *y = values_of(data, y_name), *thresholds = values_of(data, threshold_name);
    const cJSON *points = cJSON_GetObjectItemCaseSensitive(root, "points"), *point;
    double last[2] = {0}, here[2];
    size_t at = 0, before = 0, n = 0;

    assert_true(member(root, "n_thresholds") == (double)(x->n - 1));
    cJSON_ArrayForEach (point, points) {
        double threshold = number(cJSON_GetArrayItem(point, 2));

        here[0] = number(cJSON_GetArrayItem(point, 0));
        here[1] = number(cJSON_GetArrayItem(point, 1));
        while (n > 0 && at + 1 < x->n && !close_enough(thresholds[at], threshold))
            at++;
        if (!close_enough(x->values[at], here[0]) || !close_enough(y[at], here[1]) ||
            !close_enough(thresholds[at], threshold))
            fail_msg("%s, %s: (%g, %g) at %g is not on the curve", data->name, y_name, here[0],
                     here[1], threshold);
        for (size_t i = before + 1; n > 0 && i < at; i++)
            if (distance(last, here, x->values[i], y[i]) > farthest)
                fail_msg("%s, %s: (%g, %g) is far from the line", data->name, y_name, x->values[i],
                         y[i]);
        memcpy(last, here, sizeof(last));
        before = at;
        n++;
    }
    assert_int_equal(before, x->n - 1);
    assert_true(n >= 2 && n <= REPORT_POINTS_MAX);
}

/* ---- the others ---- */

static void check_confusion(const struct case_data *data)
{
    CLEANUP(cjson_delete_ptr) cJSON *root = whole(report_confusion, &data->input);
    const cJSON *counts = cJSON_GetObjectItemCaseSensitive(root, "counts");
    const double *exact = values_of(data, "confusion");

    for (int i = 0; i < 4; i++)
        assert_true(close_enough(
            number(cJSON_GetArrayItem(cJSON_GetArrayItem(counts, i / 2), i % 2)), exact[i]));
}

static void check_residuals(const struct case_data *data)
{
    CLEANUP(cjson_delete_ptr) cJSON *root = whole(report_residuals, &data->input);
    const cJSON *quantiles = cJSON_GetObjectItemCaseSensitive(root, "quantiles");
    const struct array *exact = array_find(data, "quantiles");

    assert_int_equal(cJSON_GetArraySize(quantiles), 11);
    assert_true(fabs(member(root, "mean") + compute("bias", &data->input)) < 1e-12);
    for (int i = 0; exact != NULL && i < 11; i++) {
        double ours = number(cJSON_GetArrayItem(cJSON_GetArrayItem(quantiles, i), 1));

        if (fabs(ours - exact->values[i]) > TOLERANCE)
            fail_msg("%s: quantile %d is %g, numpy says %g", data->name, i, ours, exact->values[i]);
    }
}

static void check_lift(const struct case_data *data)
{
    CLEANUP(cjson_delete_ptr) cJSON *root = curve(report_lift, &data->input, 1);
    const double *captured = values_of(data, "captured");
    const cJSON *decile;
    int i = 0;

    assert_int_equal(cJSON_GetArraySize(root), 10);
    cJSON_ArrayForEach (decile, root) {
        double gained = captured[i] - (i == 0 ? 0 : captured[i - 1]);

        assert_true(fabs(member(decile, "captured") - captured[i]) < TOLERANCE);
        assert_true(fabs(member(decile, "lift") - 10 * gained) < 1e-7);
        assert_true(fabs(member(decile, "cumulative_lift") - captured[i] * 10 / (i + 1)) < 1e-7);
        if (i == 0)
            assert_true(close_enough(member(decile, "lift"), compute("lift", &data->input)));
        i++;
    }
}

/* The tenths hold all rows, by rising probability; their means give back the whole's. */
static void check_calibration(const struct case_data *data)
{
    CLEANUP(cjson_delete_ptr) cJSON *root = curve(report_calibration, &data->input, 1);
    double weight = 0, predicted = 0, positive = 0, count = 0, last = -1;
    double exact_weight = 0, exact_predicted = 0, exact_positive = 0, exact_count = 0;
    const cJSON *tenth;

    for (size_t i = 0; i < data->input.n_rows; i++) {
        double w = data->input.weights == NULL ? 1 : data->input.weights[i];

        exact_weight += w;
        exact_count += w > 0;
        exact_positive += w * data->input.classes[i];
        exact_predicted += w * data->input.probabilities[i * 2 + 1];
    }
    cJSON_ArrayForEach (tenth, root) {
        assert_true(member(tenth, "mean_predicted") > last);
        last = member(tenth, "mean_predicted");
        weight += member(tenth, "weight");
        count += member(tenth, "count");
        predicted += member(tenth, "weight") * last;
        positive += member(tenth, "weight") * member(tenth, "observed");
        if (data->input.n_rows > 1000) /* few ties */
            assert_true(fabs(member(tenth, "weight") / exact_weight - .1) < .005);
    }
    assert_true(close_enough(weight, exact_weight) && count == exact_count);
    assert_true(close_enough(predicted, exact_predicted));
    assert_true(close_enough(positive, exact_positive));
    assert_true(cJSON_GetArraySize(root) <= 10);
}

static void test_same_as_oracle(void **state)
{
    FILE *in = open_cases("reports");
    struct case_data data;
    int n_cases = 0;

    (void)state;
    for (; read_case(in, &data); n_cases++) {
        check_curve(&data, report_roc, "roc_x", "roc_y", "roc_threshold", .002);
        check_curve(&data, report_pr, "pr_x", "pr_y", "pr_threshold", .01);
        check_confusion(&data);
        check_residuals(&data);
        check_lift(&data);
        check_calibration(&data);
        case_release(&data);
    }
    close_cases(in);
    assert_int_equal(n_cases, 15);
}

/* Five rows of .2 and five of .6: the first five are tenths 1 to 5, their middle is in the third.
 */
static void test_calibration_by_hand(void **state)
{
    double p[20];
    uint32_t classes[10];
    const struct metric_input input = {
        .n_rows = 10, .n_classes = 2, .classes = classes, .probabilities = p};

    (void)state;
    for (size_t i = 0; i < 10; i++) {
        p[i * 2 + 1] = i % 2 == 0 ? .2 : .6;
        p[i * 2] = 1 - p[i * 2 + 1];
        classes[i] = i == 0 || i == 1 || i == 3;
    }
    {
        CLEANUP(cjson_delete_ptr) cJSON *root = curve(report_calibration, &input, 1);
        const cJSON *low = cJSON_GetArrayItem(root, 0), *high = cJSON_GetArrayItem(root, 1);

        assert_int_equal(cJSON_GetArraySize(root), 2);
        assert_true(member(low, "count") == 5 && close_enough(member(low, "observed"), .2));
        assert_true(member(high, "count") == 5 && close_enough(member(high, "observed"), .4));
        assert_true(close_enough(member(high, "mean_predicted"), .6));
    }
}

static void expect_null(cJSON *root)
{
    assert_true(cJSON_IsNull(root));
    cJSON_Delete(root);
}

static void test_not_defined_is_null(void **state)
{
    static const double p[] = {.5, .5, .2, .8}, missing[] = {NAN, NAN, .2, .8}, y[] = {1, NAN};
    static const uint32_t one_class[] = {1, 1}, none[] = {0, 0};
    struct metric_input input = {.n_rows = 2,
                                 .y = y,
                                 .predictions = y,
                                 .n_classes = 2,
                                 .classes = one_class,
                                 .chosen = one_class,
                                 .probabilities = p};

    (void)state;
    expect_null(curve(report_roc, &input, 1));
    expect_null(whole(report_residuals, &input));
    input.classes = none;
    expect_null(curve(report_roc, &input, 1));
    expect_null(curve(report_pr, &input, 1));
    {
        CLEANUP(cjson_delete_ptr) cJSON *lift = curve(report_lift, &input, 1);

        assert_true(isnan(member(cJSON_GetArrayItem(lift, 0), "lift")));
    }
    input.probabilities = missing;
    expect_null(curve(report_calibration, &input, 1));
    input.n_rows = 0;
    input.probabilities = p;
    expect_null(curve(report_calibration, &input, 1));
    expect_null(curve(report_lift, &input, 1));
    expect_null(whole(report_residuals, &input));
    input.n_classes = REPORT_CLASSES_MAX + 1;
    expect_null(whole(report_confusion, &input));
}

/* The class counts, not the column: class 2 of three. */
static void test_one_class_against_the_rest(void **state)
{
    static const double p[] = {.1, .2, .7, .3, .3, .4, .2, .7, .1};
    static const uint32_t classes[] = {2, 0, 1};
    const struct metric_input input = {
        .n_rows = 3, .n_classes = 3, .classes = classes, .chosen = classes, .probabilities = p};
    CLEANUP(cjson_delete_ptr) cJSON *root = curve(report_roc, &input, 2);
    const cJSON *corner = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(root, "points"), 1);

    (void)state;
    assert_true(number(cJSON_GetArrayItem(corner, 0)) == 0);
    assert_true(number(cJSON_GetArrayItem(corner, 1)) == 1);
    assert_true(number(cJSON_GetArrayItem(corner, 2)) == .7);
}

/* ---- thinning ---- */

static void test_thinning_keeps_corners(void **state)
{
    struct point points[3001];
    double farthest;
    size_t n;

    (void)state;
    for (size_t i = 0; i <= 3000; i++) { /* up, along, up: two corners */
        double t = (double)i / 1000;

        points[i].x = t < 1 ? 0 : t < 2 ? t - 1 : 1;
        points[i].y = t < 1 ? t / 2 : t < 2 ? .5 : (t - 1) / 2;
        points[i].threshold = (double)i;
    }
    n = curve_thin(points, 3001, 200, &farthest);
    assert_int_equal(n, 4);
    assert_true(points[1].threshold == 1000 && points[2].threshold == 2000);
    assert_true(farthest < 1e-12);
}

static void test_thinning_is_bounded(void **state)
{
    static struct point points[20000];
    struct rng rng;
    double farthest, last = -1;
    size_t n;

    (void)state;
    rng_init(&rng, 3);
    for (size_t i = 0; i < N_ELEMENTS(points); i++)
        points[i] = (struct point){(double)i / 20000, rng_uniform(&rng), (double)i};
    n = curve_thin(points, N_ELEMENTS(points), 200, &farthest);
    assert_int_equal(n, 200);
    assert_true(farthest > 0);
    for (size_t i = 0; i < n; i++) {
        assert_true(points[i].threshold > last);
        last = points[i].threshold;
    }
    assert_true(points[0].threshold == 0 && last == 19999);
    for (n = 0; n < 3; n++)
        assert_int_equal(curve_thin(points, n, 200, &farthest), n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_oracle),
        cmocka_unit_test(test_calibration_by_hand),
        cmocka_unit_test(test_not_defined_is_null),
        cmocka_unit_test(test_one_class_against_the_rest),
        cmocka_unit_test(test_thinning_keeps_corners),
        cmocka_unit_test(test_thinning_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
