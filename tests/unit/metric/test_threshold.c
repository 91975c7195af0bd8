/* The best threshold against trying every one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "cases.h"
#include "metric/threshold.h"

#define N_ROWS 40

static const char *const names[] = {"f1",  "f1_macro", "f1_weighted", "balanced_accuracy",
                                    "mcc", "kappa",    "accuracy"};

static double value_at(const struct metric_input *input, const char *name, double threshold)
{
    uint32_t chosen[N_ROWS];
    struct metric_input at = *input;

    for (size_t i = 0; i < input->n_rows; i++)
        chosen[i] = input->probabilities[i * 2 + 1] >= threshold;
    at.chosen = chosen;
    return compute(name, &at);
}

static double best_threshold(const struct metric_input *input, const char *name, double *ret_value)
{
    struct err err = {0};
    double threshold = 7;

    assert_int_equal(threshold_best(input, metric_find(name), &threshold, ret_value, &err), ERR_OK);
    return threshold;
}

/* What stands for the gap between probabilities that a threshold is in. */
static double gap_of(const struct metric_input *input, double threshold)
{
    double low = 0, high = 1;

    for (size_t i = 0; i < input->n_rows; i++) {
        double p = input->probabilities[i * 2 + 1];

        if (input->weights != NULL && input->weights[i] == 0)
            continue;
        if (p < threshold)
            low = fmax(low, p);
        else
            high = fmin(high, p);
    }
    return low < .5 && .5 <= high ? .5 : (low + high) / 2;
}

/* No threshold of a fine grid is better, and none as good is in a gap nearer to .5. */
static void check(const struct metric_input *input, const char *name)
{
    double value = 7, threshold = best_threshold(input, name, &value);

    if (isnan(threshold)) {
        assert_true(isnan(value));
        return;
    }
    assert_true(threshold >= 0 && threshold <= 1);
    assert_true(close_enough(value, value_at(input, name, threshold)));
    for (int step = 0; step <= 200; step++) {
        double other = step / 200., at = value_at(input, name, other);

        if (at > value + TOLERANCE)
            fail_msg("%s is %g at %g, %g at %g", name, value, threshold, at, other);
        if (fabs(at - value) < TOLERANCE &&
            fabs(gap_of(input, other) - .5) < fabs(threshold - .5) - TOLERANCE)
            fail_msg("%s is as good at %g as at %g", name, other, threshold);
    }
}

static void test_no_other_is_better(void **state)
{
    double p[N_ROWS * 2], weights[N_ROWS];
    uint32_t classes[N_ROWS];
    struct rng rng;

    (void)state;
    rng_init(&rng, 1);
    for (int round = 0; round < 300; round++) {
        struct metric_input input = {.n_rows = 1 + rng_below(&rng, N_ROWS),
                                     .n_classes = 2,
                                     .classes = classes,
                                     .probabilities = p,
                                     .weights = round % 3 == 0 ? NULL : weights};

        for (size_t i = 0; i < input.n_rows; i++) {
            p[i * 2 + 1] = (double)rng_below(&rng, 21) / 20; /* 0 and 1 too */
            p[i * 2] = 1 - p[i * 2 + 1];
            classes[i] = rng_uniform(&rng) < p[i * 2 + 1];
            weights[i] = round % 3 == 1 ? rng_uniform(&rng) : (double)rng_below(&rng, 3);
        }
        for (size_t k = 0; k < N_ELEMENTS(names); k++)
            check(&input, names[k]);
    }
}

static double threshold_of(size_t n, const uint32_t *classes, const double *positive)
{
    double p[16], value;
    const struct metric_input input = {
        .n_rows = n, .n_classes = 2, .classes = classes, .probabilities = p};

    for (size_t i = 0; i < n; i++) {
        p[i * 2] = 1 - positive[i];
        p[i * 2 + 1] = positive[i];
    }
    return best_threshold(&input, "f1", &value);
}

static void test_by_hand(void **state)
{
    static const uint32_t classes[] = {0, 0, 1, 1}, ones[] = {1, 1, 1, 1}, none[] = {0, 0, 0, 0};

    (void)state;
    /* .5 where the gap holds it, else the middle */
    assert_true(threshold_of(4, classes, (double[]){.1, .2, .8, .9}) == .5);
    assert_true(threshold_of(4, classes, (double[]){.1, .2, .3, .4}) == .2 + (.3 - .2) / 2);
    assert_true(threshold_of(4, classes, (double[]){.6, .7, .8, .9}) == .7 + (.8 - .7) / 2);
    /* rows that do not tell */
    assert_true(threshold_of(4, none, (double[]){.1, .2, .8, .9}) == .5);
    assert_true(threshold_of(4, ones, (double[]){.6, .7, .8, .9}) == .5);
    assert_true(threshold_of(4, ones, (double[]){.1, .2, .3, .4}) == .05);
    /* ends of the scale */
    assert_true(threshold_of(2, classes + 1, (double[]){0, 1}) == .5);
    assert_true(threshold_of(2, ones, (double[]){0, 0}) == 0);
}

static void test_not_defined(void **state)
{
    static const uint32_t classes[] = {0, 1};
    static const double p[] = {.5, .5, NAN, NAN};
    struct metric_input input = {
        .n_rows = 2, .n_classes = 2, .classes = classes, .probabilities = p};
    struct err err = {0};
    double threshold, value;

    (void)state;
    assert_true(isnan(best_threshold(&input, "f1", &value)) && isnan(value));
    input.n_rows = 0;
    assert_true(isnan(best_threshold(&input, "mcc", &value)) && isnan(value));
    assert_int_equal(threshold_best(&input, metric_find("roc_auc"), &threshold, &value, &err),
                     ERR_INVALID);
    assert_non_null(strstr(err.message, "roc_auc"));
    assert_non_null(strstr(err.hint, "balanced_accuracy"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_other_is_better),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_not_defined),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
