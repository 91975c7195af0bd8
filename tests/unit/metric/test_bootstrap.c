/* The paired bootstrap: against exact values, theory where it is known, and itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "cases.h"
#include "metric/bootstrap.h"

#define N_ROWS 400

static struct bootstrap_result compare(const char *metric, const struct metric_input *a,
                                       const struct metric_input *b, uint64_t seed)
{
    struct bootstrap_plan plan = {.seed = seed};
    struct bootstrap_result result;
    struct err err = {0};

    assert_int_equal(bootstrap_compare(metric_find(metric), a, b, &plan, &result, &err), ERR_OK);
    return result;
}

static struct bootstrap_result compare_losses(const double *a, const double *b, size_t n,
                                              const double *weights, const uint32_t *groups,
                                              size_t n_replicates)
{
    struct bootstrap_plan plan = {.seed = 9, .n_replicates = n_replicates};
    struct bootstrap_result result;
    struct err err = {0};

    assert_int_equal(bootstrap_losses(a, b, n, weights, groups, &plan, &result, &err), ERR_OK);
    return result;
}

/* A standard normal number: Box and Muller 1958. */
static double normal(struct rng *rng)
{
    return sqrt(-2 * log(1 - rng_uniform(rng))) * cos(2 * M_PI * rng_uniform(rng));
}

/* The mean of n differences has the standard deviation s / √n: the interval is 1.96 of it to either
 * side, within what 4,000 replicates leave open. */
static void test_interval_of_a_mean(void **state)
{
    double a[N_ROWS], b[N_ROWS], mean = 0, square = 0, deviation;
    struct bootstrap_result result;
    struct rng rng;

    (void)state;
    rng_init(&rng, 2);
    for (size_t i = 0; i < N_ROWS; i++) {
        double hard = 5 * fabs(normal(&rng)); /* common to both: it cancels */

        a[i] = 1 + hard + .3 * normal(&rng);
        b[i] = 1.02 + hard + .3 * normal(&rng);
        mean += (a[i] - b[i]) / N_ROWS;
        square += (a[i] - b[i]) * (a[i] - b[i]) / N_ROWS;
    }
    deviation = sqrt((square - mean * mean) / N_ROWS);
    result = compare_losses(a, b, N_ROWS, NULL, NULL, 4000);
    assert_true(fabs(result.difference.value - mean) < 1e-12);
    assert_true(fabs(result.difference.low - (mean - 1.96 * deviation)) < .15 * deviation);
    assert_true(fabs(result.difference.high - (mean + 1.96 * deviation)) < .15 * deviation);
    assert_true(fabs(result.p_better - erfc(mean / deviation * M_SQRT1_2) / 2) < .03);
    assert_true(fabs(result.skill.value - (1 - result.a / result.b)) < 1e-12);
    assert_true(result.skill.low < result.skill.value && result.skill.value < result.skill.high);
    assert_int_equal(result.n_defined, 4000);
}

/* Of 300 samples of which we know the truth, about 95 % of the intervals hold it. */
static void test_interval_holds_the_truth(void **state)
{
    double a[60], b[60];
    int n_held = 0;
    struct rng rng;

    (void)state;
    rng_init(&rng, 4);
    for (int round = 0; round < 300; round++) {
        struct bootstrap_result result;

        for (size_t i = 0; i < 60; i++) {
            a[i] = .5 + normal(&rng);
            b[i] = normal(&rng);
        }
        result = compare_losses(a, b, 60, NULL, NULL, 300);
        n_held += result.difference.low <= .5 && .5 <= result.difference.high;
    }
    assert_in_range(n_held, 300 * .90, 300 * .99);
}

/* Two models of two classes: one knows something, the other guesses. */
struct classified {
    double good[N_ROWS * 2], guess[N_ROWS * 2];
    uint32_t classes[N_ROWS], chosen[N_ROWS];
    struct metric_input a, b;
};

static void classify(struct classified *data)
{
    struct rng rng;

    rng_init(&rng, 12);
    for (size_t i = 0; i < N_ROWS; i++) {
        double p = rng_uniform(&rng);

        data->classes[i] = rng_uniform(&rng) < p;
        data->good[i * 2 + 1] = p;
        data->good[i * 2] = 1 - p;
        data->guess[i * 2] = data->guess[i * 2 + 1] = .5;
        data->chosen[i] = p > .5;
    }
    data->a = (struct metric_input){.n_rows = N_ROWS,
                                    .n_classes = 2,
                                    .classes = data->classes,
                                    .chosen = data->chosen,
                                    .probabilities = data->good};
    data->b = data->a;
    data->b.probabilities = data->guess;
}

/* Of rankings and survival more is better and 1 is the best there is. */
static void test_skill_of_metrics_with_a_best(void **state)
{
    double times[200], guess[200], ends[200], blind[200];
    struct metric_input a = {.n_rows = 200, .y = times, .lower = times, .upper = ends}, b = a;
    struct bootstrap_result result;

    (void)state;
    for (int i = 0; i < 200; i++) {
        times[i] = 1 + i;
        ends[i] = i % 4 == 0 ? INFINITY : times[i];
        guess[i] = i + 40 * sin(i * 2.7);
        blind[i] = 1;
    }
    a.predictions = guess;
    b.predictions = blind;
    result = compare("concordance", &a, &b, 1);
    assert_true(result.b == .5 && result.a > .7 && result.a < 1);
    assert_true(fabs(result.skill.value - (2 * result.a - 1)) < 1e-12);
    assert_true(0 < result.skill.low && result.skill.low < result.skill.value &&
                result.skill.value < result.skill.high && result.skill.high < 1);
}

static void test_metrics_that_are_no_means(void **state)
{
    static struct classified data;
    struct bootstrap_result result;

    (void)state;
    classify(&data);
    result = compare("roc_auc", &data.a, &data.b, 1);
    assert_true(result.a == compute("roc_auc", &data.a) && result.b == .5);
    assert_true(result.difference.low > 0 && result.p_better == 1);
    assert_true(result.difference.low < result.difference.value &&
                result.difference.value < result.difference.high);
    assert_true(isnan(result.skill.value) && isnan(result.skill.low)); /* more is better */
    result = compare("log_loss", &data.a, &data.b, 1);
    assert_true(result.difference.high < 0 && result.p_better == 1);
    assert_true(result.skill.low > 0 && result.skill.high < 1);
    assert_int_equal(result.n_replicates, 1000);
}

/* A replicate is what the metric says of the rows that were drawn. The same draws by hand, one
 * replicate: both ends of the interval are its difference. */
static void test_replicate_is_the_metric_of_the_drawn_rows(void **state)
{
    static struct classified data;
    static double good[N_ROWS * 2], guess[N_ROWS * 2];
    static uint32_t classes[N_ROWS], chosen[N_ROWS];
    static const char *const names[] = {"roc_auc", "pr_auc", "f1", "log_loss", "lift"};
    struct bootstrap_plan plan = {.seed = 77, .n_replicates = 1};
    struct metric_input a, b;
    struct rng rng;

    (void)state;
    classify(&data);
    rng_init(&rng, plan.seed);
    for (size_t i = 0; i < N_ROWS; i++) {
        size_t row = rng_below(&rng, N_ROWS);

        memcpy(good + i * 2, data.good + row * 2, 2 * sizeof(double));
        memcpy(guess + i * 2, data.guess + row * 2, 2 * sizeof(double));
        classes[i] = data.classes[row];
        chosen[i] = data.chosen[row];
    }
    a = data.a;
    a.classes = classes;
    a.chosen = chosen;
    a.probabilities = good;
    b = a;
    b.probabilities = guess;
    for (size_t k = 0; k < N_ELEMENTS(names); k++) {
        struct bootstrap_result result;
        struct err err = {0};
        double difference = compute(names[k], &a) - compute(names[k], &b);

        assert_int_equal(
            bootstrap_compare(metric_find(names[k]), &data.a, &data.b, &plan, &result, &err),
            ERR_OK);
        assert_true(fabs(result.difference.low - difference) < 1e-12);
        assert_true(fabs(result.difference.high - difference) < 1e-12);
    }
}

static void test_same_seed_same_answer(void **state)
{
    static struct classified data;
    struct bootstrap_result first, again, other;

    (void)state;
    classify(&data);
    first = compare("mcc", &data.a, &data.b, 5);
    again = compare("mcc", &data.a, &data.b, 5);
    assert_true(first.difference.low == again.difference.low &&
                first.difference.high == again.difference.high);
    first = compare("log_loss", &data.a, &data.b, 5);
    again = compare("log_loss", &data.a, &data.b, 5);
    other = compare("log_loss", &data.a, &data.b, 6);
    assert_memory_equal(&first, &again, sizeof(first));
    assert_true(first.difference.low != other.difference.low);
}

static void test_equal_ones(void **state)
{
    static struct classified data;
    struct bootstrap_result result;

    (void)state;
    classify(&data);
    result = compare("brier", &data.a, &data.a, 1);
    assert_true(result.p_better == .5 && result.difference.value == 0);
    assert_true(result.difference.low == 0 && result.difference.high == 0);
    assert_true(result.skill.value == 0);
}

/* Ten groups of forty equal rows: drawn as groups the interval is √40 times as wide. */
static void test_groups_are_drawn_whole(void **state)
{
    double a[N_ROWS], b[N_ROWS] = {0};
    uint32_t groups[N_ROWS];
    struct bootstrap_result rows, whole;
    struct rng rng;
    double ratio, level = 0;

    (void)state;
    rng_init(&rng, 3);
    for (size_t i = 0; i < N_ROWS; i++) {
        if (i % 40 == 0)
            level = normal(&rng);
        groups[i] = (uint32_t)(i / 40);
        a[i] = level;
    }
    rows = compare_losses(a, b, N_ROWS, NULL, NULL, 2000);
    whole = compare_losses(a, b, N_ROWS, NULL, groups, 2000);
    ratio = (whole.difference.high - whole.difference.low) /
            (rows.difference.high - rows.difference.low);
    assert_true(ratio > .8 * sqrt(40) && ratio < 1.2 * sqrt(40));
}

/* Rows of weight 0 are as if they were not there, also to be drawn. */
static void test_rows_of_no_weight_are_not_drawn(void **state)
{
    double a[40], b[40], weights[40], a_left[20], b_left[20];
    struct bootstrap_result all, left;

    (void)state;
    for (size_t i = 0; i < 40; i++) {
        a[i] = i % 2 == 0 ? (double)(i % 7) : NAN;
        b[i] = i % 2 == 0 ? (double)(i % 5) + 1 : NAN;
        weights[i] = i % 2 == 0;
        if (i % 2 == 0) {
            a_left[i / 2] = a[i];
            b_left[i / 2] = b[i];
        }
    }
    all = compare_losses(a, b, 40, weights, NULL, 500);
    left = compare_losses(a_left, b_left, 20, NULL, NULL, 500);
    assert_true(close_enough(all.difference.low, left.difference.low));
    assert_true(close_enough(all.difference.high, left.difference.high));
    assert_true(close_enough(all.skill.low, left.skill.low));
}

/* Who is promoted: 100 pairs of predictors whose errors have a known spread, on 400 rows that are
 * hard or easy for both. Returns how often the first one was surely better. */
static int n_promoted(const char *metric, double spread_a, double spread_b)
{
    int n = 0;

    for (uint64_t seed = 0; seed < 100; seed++) {
        double y[N_ROWS], a[N_ROWS], b[N_ROWS];
        struct metric_input input_a = {.n_rows = N_ROWS, .y = y, .predictions = a};
        struct metric_input input_b = {.n_rows = N_ROWS, .y = y, .predictions = b};
        struct bootstrap_result result;
        struct rng rng;

        rng_init(&rng, seed);
        for (size_t i = 0; i < N_ROWS; i++) {
            double shared = normal(&rng);

            y[i] = 10 * normal(&rng) + shared;
            a[i] = y[i] - shared + spread_a * normal(&rng);
            b[i] = y[i] - shared + spread_b * normal(&rng);
        }
        result = compare(metric, &input_a, &input_b, seed);
        n += bootstrap_surely_better(metric_find(metric), &result);
    }
    return n;
}

static void test_the_worse_is_refused_and_the_better_accepted(void **state)
{
    static const char *const names[] = {"rmse", "mae", "r2"};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        assert_int_equal(n_promoted(names[i], 1, .5), 0); /* worse by construction */
        assert_true(n_promoted(names[i], .5, 1) >= 95);   /* better by construction */
        assert_true(n_promoted(names[i], 1, 1) <= 12);    /* as good: 5 of 100 by chance */
    }
}

static void test_not_defined(void **state)
{
    static struct classified data;
    static const double one[] = {1, 2}, zero[] = {0, 0};
    struct bootstrap_plan plan = {.seed = 1};
    struct bootstrap_result result;
    struct err err = {0};

    (void)state;
    result = compare_losses(one, zero, 0, NULL, NULL, 0);
    assert_true(isnan(result.a) && isnan(result.difference.low) && isnan(result.p_better));
    result = compare_losses(one, zero, 1, NULL, NULL, 0); /* one row says nothing of others */
    assert_true(result.a == 1 && isnan(result.difference.low) && isnan(result.p_better));
    result = compare_losses(one, zero, 2, NULL, NULL, 0);
    assert_true(result.difference.low == 1 && result.difference.high == 2);
    assert_true(isnan(result.skill.value) && isnan(result.skill.low)); /* baseline of no loss */

    classify(&data); /* three rows, one positive: missing in (2/3)³ of the replicates */
    data.a.n_rows = data.b.n_rows = 3;
    data.classes[0] = 1;
    data.classes[1] = data.classes[2] = 0;
    result = compare("roc_auc", &data.a, &data.b, 1);
    assert_in_range(result.n_defined, 1000 * .60, 1000 * .75); /* all positive in 1/27, too */
    assert_false(isnan(result.difference.low));
    data.b.n_rows = 2;
    assert_int_equal(
        bootstrap_compare(metric_find("roc_auc"), &data.a, &data.b, &plan, &result, &err),
        ERR_INVALID);
}

static void test_cost_is_bounded(void **state)
{
    size_t n = 100000;
    CLEANUP(free_ptr) double *a = calloc(n, sizeof(double)), *b = calloc(n, sizeof(double));
    struct bootstrap_result result;

    (void)state;
    assert_true(a != NULL && b != NULL);
    for (size_t i = 0; i < n; i++)
        b[i] = (double)(i % 3);
    result = compare_losses(a, b, n, NULL, NULL, 0);
    assert_int_equal(result.n_replicates, 500); /* 5·10⁷ / n */
    assert_true(result.p_better == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interval_of_a_mean),
        cmocka_unit_test(test_interval_holds_the_truth),
        cmocka_unit_test(test_skill_of_metrics_with_a_best),
        cmocka_unit_test(test_metrics_that_are_no_means),
        cmocka_unit_test(test_replicate_is_the_metric_of_the_drawn_rows),
        cmocka_unit_test(test_same_seed_same_answer),
        cmocka_unit_test(test_equal_ones),
        cmocka_unit_test(test_groups_are_drawn_whole),
        cmocka_unit_test(test_rows_of_no_weight_are_not_drawn),
        cmocka_unit_test(test_the_worse_is_refused_and_the_better_accepted),
        cmocka_unit_test(test_not_defined),
        cmocka_unit_test(test_cost_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
