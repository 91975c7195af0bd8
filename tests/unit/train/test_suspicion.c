#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/random.h"
#include "train/suspicion.h"

#define N 3000

static double power(const float *values, const double *y, size_t n, bool is_category, int n_classes)
{
    double value = -1;

    assert_int_equal(feature_power(values, y, n, is_category, n_classes, &value, NULL), ERR_OK);
    return value;
}

/* Whatever the shape of the relation, a feature that is the target is found. */
static void test_regression(void **state)
{
    static float x[N], noise[N], parabola[N];
    static double y[N];
    struct rng rng;

    (void)state;
    rng_init(&rng, 7);
    for (int i = 0; i < N; i++) {
        y[i] = rng_uniform(&rng) * 10 - 5;
        x[i] = (float)(3 - y[i]);
        noise[i] = (float)rng_uniform(&rng);
        parabola[i] = (float)(y[i] * y[i] * y[i]);
    }
    assert_true(power(x, y, N, false, 0) > 0.99);
    assert_true(power(parabola, y, N, false, 0) > 0.99);
    assert_true(power(noise, y, N, false, 0) < 0.05);
}

/* By hand, in each half: values 0 and 1 in 30 rows each, y 0 in the first, 0 or 2 by turns in the
 * second: mean 0.5, total 30·0.25 + 15·0.25 + 15·2.25 = 45, error 30·1. */
static void test_r2_by_hand(void **state)
{
    float x[120];
    double y[120];

    (void)state;
    for (int i = 0; i < 120; i++) {
        x[i] = (float)(i / 60);
        y[i] = i < 60 ? 0 : 2 * (i / 2 % 2);
    }
    assert_true(fabs(power(x, y, 120, true, 0) - 1.0 / 3.0) < 1e-12);
}

/* By hand, in each half: two categories with 1/4 and 3/4 of 32 rows positive: AUC 3/4 by pairs. */
static void test_auc_by_hand(void **state)
{
    float x[128];
    double y[128];

    (void)state;
    for (int i = 0; i < 128; i++) {
        x[i] = (float)(1 - i / 64); /* ranked by share, not by value */
        y[i] = i < 64 ? i / 2 % 4 == 0 : i / 2 % 4 != 0;
    }
    assert_true(fabs(power(x, y, 128, true, 2) - 0.75) < 1e-12);
}

/* A category of its own for every row says nothing of the next row. */
static void test_ids_tell_nothing(void **state)
{
    static float x[N];
    static double y[N], klass[N];
    struct rng rng;

    (void)state;
    rng_init(&rng, 11);
    for (int i = 0; i < N; i++) {
        x[i] = (float)i;
        y[i] = rng_uniform(&rng);
        klass[i] = (double)rng_below(&rng, 3);
    }
    assert_true(power(x, y, N, true, 0) < 0.05);
    assert_true(power(x, klass, N, true, 3) < 0.6);
}

static void test_missing_values_may_tell(void **state)
{
    static float x[N];
    static double y[N];

    (void)state;
    for (int i = 0; i < N; i++) {
        y[i] = i % 3 == 0;
        x[i] = i % 3 == 0 ? NAN : (float)(i % 7);
    }
    assert_true(power(x, y, N, false, 2) > 0.999);
}

static void test_third_class_alone(void **state)
{
    static float x[N];
    static double y[N];

    (void)state;
    for (int i = 0; i < N; i++) {
        y[i] = i % 3;
        x[i] = i % 3 == 2 ? 5 : (float)(i % 5) / 10;
    }
    assert_true(power(x, y, N, false, 3) > 0.999);
}

static void test_few_rows_prove_nothing(void **state)
{
    float x[50];
    double y[50];

    (void)state;
    for (int i = 0; i < 50; i++)
        x[i] = (float)(y[i] = i);
    assert_true(power(x, y, 50, false, 0) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_regression),
        cmocka_unit_test(test_r2_by_hand),
        cmocka_unit_test(test_auc_by_hand),
        cmocka_unit_test(test_ids_tell_nothing),
        cmocka_unit_test(test_missing_values_may_tell),
        cmocka_unit_test(test_third_class_alone),
        cmocka_unit_test(test_few_rows_prove_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
