/* What holds for every row of the table: weights as repetitions, no order of rows, degenerate
 * input; and mistakes of others that are not made again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "cases.h"

#define N_ROWS  60
#define N_LISTS 12
#define COPIES  3 /* a row's weight is below */

/* Columns of rows, of which struct metric_input is a view. */
struct table {
    size_t n_rows;
    double y[N_ROWS * COPIES], predictions[N_ROWS * COPIES], weights[N_ROWS * COPIES];
    double lower[N_ROWS * COPIES], upper[N_ROWS * COPIES];
    double probabilities[N_ROWS * COPIES * 3];
    uint32_t classes[N_ROWS * COPIES], chosen[N_ROWS * COPIES], groups[N_ROWS * COPIES];
};

static struct metric_input view(const struct table *table, unsigned task)
{
    struct metric_input input = {
        .n_rows = table->n_rows,
        .y = table->y,
        .predictions = table->predictions,
        .n_classes = task == METRIC_BINARY ? 2 : 3,
        .classes = table->classes,
        .chosen = table->chosen,
        .probabilities = table->probabilities,
    };

    if (task == METRIC_RANKING)
        input.groups = table->groups;
    if (task == METRIC_SURVIVAL) {
        input.lower = table->lower;
        input.upper = table->upper;
    }
    return input;
}

/* Few different numbers, so that there are ties; all positive, so that deviances are defined. */
static void fill_row(struct table *table, size_t i, size_t list, int n_classes, struct rng *rng)
{
    double sum = 0;

    table->y[i] = (double)(1 + rng_below(rng, 4));
    table->predictions[i] = (double)(1 + rng_below(rng, 6)) / 2;
    table->lower[i] = table->y[i];
    table->upper[i] = rng_below(rng, 3) == 0 ? INFINITY : table->y[i];
    table->groups[i] = (uint32_t)list;
    table->classes[i] = (uint32_t)(i < 3 ? (int)i % n_classes : (int)rng_below(rng, n_classes));
    table->chosen[i] = (uint32_t)rng_below(rng, (uint64_t)n_classes);
    for (int k = 0; k < n_classes; k++)
        sum += table->probabilities[i * (size_t)n_classes + (size_t)k] =
            (double)(1 + rng_below(rng, 5));
    for (int k = 0; k < n_classes; k++)
        table->probabilities[i * (size_t)n_classes + (size_t)k] /= sum;
}

static void fill_table(struct table *table, unsigned task, struct rng *rng)
{
    table->n_rows = N_ROWS;
    for (size_t i = 0; i < N_ROWS; i++) {
        fill_row(table, i, i * N_LISTS / N_ROWS, task == METRIC_BINARY ? 2 : 3, rng);
        if (task == METRIC_RANKING) /* relevance 0 to 3 */
            table->y[i]--;
    }
}

static void copy_row(struct table *to, const struct table *from, size_t row, size_t n_classes)
{
    size_t i = to->n_rows++;

    to->y[i] = from->y[row];
    to->predictions[i] = from->predictions[row];
    to->lower[i] = from->lower[row];
    to->upper[i] = from->upper[row];
    to->groups[i] = from->groups[row];
    to->classes[i] = from->classes[row];
    to->chosen[i] = from->chosen[row];
    memcpy(to->probabilities + i * n_classes, from->probabilities + row * n_classes,
           n_classes * sizeof(double));
}

static const unsigned tasks[] = {METRIC_REGRESSION, METRIC_BINARY, METRIC_MULTICLASS,
                                 METRIC_RANKING, METRIC_SURVIVAL};

static void expect_same(unsigned task, const struct metric_input *a, const struct metric_input *b)
{
    for (int i = 0; i < n_metrics; i++) {
        double left, right;

        if (!(metrics[i].tasks & task))
            continue;
        left = compute(metrics[i].name, a);
        right = compute(metrics[i].name, b);
        if (!close_enough(left, right))
            fail_msg("%s: %.17g and %.17g", metrics[i].name, left, right);
        if (isnan(left))
            fail_msg("%s is not defined", metrics[i].name);
    }
}

/* Rows, or whole lists, of weight 0, 1 and 2, the first few not 0; NaN where the weight is 0. */
static void give_weights(struct table *table, unsigned task, struct rng *rng)
{
    for (size_t i = 0; i < table->n_rows; i++) {
        bool same_list = i > 0 && table->groups[i] == table->groups[i - 1];

        if (task == METRIC_RANKING && same_list)
            table->weights[i] = table->weights[i - 1];
        else
            table->weights[i] = i < 6 ? 1 : (double)rng_below(rng, COPIES);
        if (table->weights[i] == 0)
            table->predictions[i] = table->y[i] = table->lower[i] = NAN;
    }
}

/* Each row as often as it weighs; a list's copies are lists of their own. */
static void repeat_rows(struct table *to, const struct table *from, unsigned task)
{
    size_t n_classes = task == METRIC_BINARY ? 2 : 3;

    to->n_rows = 0;
    for (size_t begin = 0, end; begin < from->n_rows; begin = end) {
        end = begin + 1;
        while (task == METRIC_RANKING && end < from->n_rows &&
               from->groups[end] == from->groups[begin])
            end++;
        for (double copy = 0; copy < from->weights[begin]; copy++) {
            for (size_t row = begin; row < end; row++) {
                copy_row(to, from, row, n_classes);
                to->groups[to->n_rows - 1] = from->groups[row] * COPIES + (uint32_t)copy;
            }
        }
    }
}

static void test_weights_are_repetitions(void **state)
{
    static struct table weighted, repeated;
    struct rng rng;

    (void)state;
    rng_init(&rng, 5);
    for (int round = 0; round < 50; round++) {
        for (size_t t = 0; t < N_ELEMENTS(tasks); t++) {
            struct metric_input a, b;

            fill_table(&weighted, tasks[t], &rng);
            give_weights(&weighted, tasks[t], &rng);
            repeat_rows(&repeated, &weighted, tasks[t]);
            a = view(&weighted, tasks[t]);
            a.weights = weighted.weights;
            b = view(&repeated, tasks[t]);
            a.hazards = b.hazards = round % 2 == 0;
            if (tasks[t] != METRIC_SURVIVAL) {
                expect_same(tasks[t], &a, &b);
                continue;
            }
            assert_true(close_enough(compute("concordance", &a), compute("concordance", &b)));
            for (int i = 0; i < 2; i++) {
                const char *name = i == 0 ? "cox_nloglik" : "aft_nloglik";

                assert_true(close_enough(compute(name, &a), compute(name, &b)));
                assert_int_equal(isnan(compute(name, &a)), a.hazards == (i == 1));
            }
        }
    }
}

/* Rows in another order, lists kept together: turned around. */
static void test_order_of_rows_does_not_matter(void **state)
{
    static struct table table, turned;
    struct rng rng;

    (void)state;
    rng_init(&rng, 6);
    for (size_t t = 0; t < N_ELEMENTS(tasks); t++) {
        struct metric_input a, b;

        if (tasks[t] == METRIC_SURVIVAL)
            continue; /* below */
        fill_table(&table, tasks[t], &rng);
        turned.n_rows = 0;
        for (size_t i = N_ROWS; i-- > 0;)
            copy_row(&turned, &table, i, tasks[t] == METRIC_BINARY ? 2 : 3);
        a = view(&table, tasks[t]);
        b = view(&turned, tasks[t]);
        expect_same(tasks[t], &a, &b);
    }
    {
        struct metric_input a = view(&table, METRIC_SURVIVAL), b = view(&turned, METRIC_SURVIVAL);

        assert_true(close_enough(compute("concordance", &a), compute("concordance", &b)));
        assert_true(close_enough(compute("aft_nloglik", &a), compute("aft_nloglik", &b)));
    }
}

static void test_all_weights_zero_is_nan(void **state)
{
    static struct table table;
    struct rng rng;

    (void)state;
    rng_init(&rng, 7);
    for (size_t t = 0; t < N_ELEMENTS(tasks); t++) {
        struct metric_input input;

        fill_table(&table, tasks[t], &rng);
        memset(table.weights, 0, sizeof(table.weights));
        input = view(&table, tasks[t]);
        input.weights = table.weights;
        for (int i = 0; i < n_metrics; i++)
            if (metrics[i].tasks & tasks[t])
                assert_true(isnan(compute(metrics[i].name, &input)));
    }
}

/* The order that the caller has sorted already gives the same as ours. */
static void test_sorted_already(void **state)
{
    static struct table table;
    static uint32_t falling[N_ROWS];
    struct metric_input input, sorted;
    struct rng rng;

    (void)state;
    rng_init(&rng, 8);
    fill_table(&table, METRIC_BINARY, &rng);
    input = sorted = view(&table, METRIC_BINARY);
    for (uint32_t i = 0; i < N_ROWS; i++) {
        uint32_t at = i;

        for (; at > 0 &&
               table.probabilities[falling[at - 1] * 2 + 1] < table.probabilities[i * 2 + 1];
             at--)
            falling[at] = falling[at - 1];
        falling[at] = i;
    }
    sorted.falling = falling;
    expect_same(METRIC_BINARY, &input, &sorted);
}

static void test_infinite_values(void **state)
{
    static const double y[] = {1, 2, 3}, far[] = {1, INFINITY, 3}, missing[] = {1, NAN, 3};
    struct metric_input input = {.n_rows = 3, .y = y, .predictions = far};

    (void)state;
    assert_true(compute("rmse", &input) == INFINITY);
    assert_true(compute("mae", &input) == INFINITY);
    assert_true(compute("bias", &input) == INFINITY);
    assert_true(compute("pinball", &input) == INFINITY);
    assert_true(compute("r2", &input) == -INFINITY);
    assert_true(compute("medae", &input) == 0);
    input.predictions = missing;
    for (int i = 0; i < n_metrics; i++)
        if (metrics[i].tasks & METRIC_REGRESSION && !isnan(compute(metrics[i].name, &input)))
            fail_msg("%s of a prediction that is NaN", metrics[i].name);
}

/* 0.1 three times has a mean that is not 0.1. */
static void test_r2_of_a_constant_that_rounds(void **state)
{
    static const double y[] = {.1, .1, .1}, missed[] = {.1, .1, .2};
    struct metric_input input = {.n_rows = 3, .y = y, .predictions = missed};

    (void)state;
    assert_true(compute("r2", &input) == 0);
    input.predictions = y;
    assert_true(compute("r2", &input) == 1);
}

static void test_parameters(void **state)
{
    static const double y[] = {0, 0}, p[] = {-2, 2}, p_above[] = {1, 3};
    struct metric_input input = {.n_rows = 2, .y = y, .predictions = p, .quantile = .9};

    (void)state;
    assert_true(close_enough(compute("pinball", &input), (.9 * 2 + .1 * 2) / 2));
    input.quantile = 1;
    assert_true(isnan(compute("pinball", &input)));
    input.predictions = p_above;
    input.variance_power = .5;
    assert_true(isnan(compute("tweedie_deviance", &input)));
    input.variance_power = 1;
    assert_true(compute("tweedie_deviance", &input) == compute("poisson_deviance", &input));
}

/* A million rows of .1 and one large number: nothing is lost. */
static void test_sums_keep_their_digits(void **state)
{
    size_t n = 1000001;
    CLEANUP(free_ptr) double *y = calloc(n, sizeof(double)), *p = calloc(n, sizeof(double));
    struct metric_input input = {.n_rows = n, .y = y, .predictions = p};

    (void)state;
    assert_true(y != NULL && p != NULL);
    p[0] = 1e15;
    for (size_t i = 1; i < n; i++)
        p[i] = .1;
    assert_true(fabs(compute("mae", &input) * (double)n - (1e15 + 1e5)) < .5);
}

/* ---- ranking by hand ---- */

/* First list: relevant at positions 2 and 3 of 4. Second: nothing relevant. */
static void test_lists_by_hand(void **state)
{
    static const double y[] = {0, 1, 1, 0, 0, 0}, scores[] = {4, 3, 2, 1, 2, 1};
    static const uint32_t groups[] = {7, 7, 7, 7, 3, 3};
    const struct metric_input input = {
        .n_rows = 6, .y = y, .predictions = scores, .groups = groups};
    double ideal = 1 + 1 / log2(3), gain = 1 / log2(3) + 1 / log2(4);

    (void)state;
    assert_true(close_enough(compute("ndcg", &input), gain / ideal));
    assert_true(close_enough(compute("map", &input), (1. / 2 + 2. / 3) / 2));
    assert_true(close_enough(compute("mrr", &input), 1. / 2));
    assert_true(close_enough(compute("precision_at_k", &input), (2. / 4 + 0) / 2));
}

static void test_relevance_that_is_none(void **state)
{
    static const double y[] = {0, -1, 1}, scores[] = {3, 2, 1};
    const struct metric_input input = {.n_rows = 3, .y = y, .predictions = scores};

    (void)state;
    assert_true(isnan(compute("ndcg", &input)) && isnan(compute("map", &input)));
}

/* ---- survival by hand ---- */

/* Events at 1 and 3, one censored at 2. Pairs: 1 before 2, 1 before 3; 2 and 3 cannot be told. */
static void test_concordance_by_hand(void **state)
{
    static const double signed_times[] = {1, -2, 3}, times[] = {2, 2, 5}, hazards[] = {9, 1, 10};
    struct metric_input input = {.n_rows = 3, .y = signed_times, .predictions = times};

    (void)state;
    assert_true(compute("concordance", &input) == 1.5 / 2); /* a tie, and one in order */
    input.predictions = hazards;
    input.hazards = true;
    assert_true(compute("concordance", &input) == 1. / 2);
    assert_true(close_enough(compute("cox_nloglik", &input),
                             ((log(20) - log(9)) + (log(10) - log(10))) / 2));
}

static void test_survival_that_is_none(void **state)
{
    static const double lower[] = {1, 5}, upper[] = {1, 4}, times[] = {1, 1}, seen[] = {1, 5};
    static const double no_times[] = {1, -1};
    struct metric_input input = {.n_rows = 2, .lower = lower, .upper = upper, .predictions = times};

    (void)state;
    assert_true(isnan(compute("concordance", &input)));
    assert_true(isnan(compute("aft_nloglik", &input)));
    assert_true(isnan(compute("cox_nloglik", &input))); /* not hazards */
    input.upper = seen;
    assert_true(compute("concordance", &input) == .5);
    input.predictions = no_times;
    assert_true(isnan(compute("aft_nloglik", &input)));
    input.predictions = times;
    input.aft_scale = -1;
    assert_true(isnan(compute("aft_nloglik", &input)));
}

/* ---- mistakes of others ---- */

/* All rows are chosen as class 0, but the probabilities are in perfect order: a PostgresML mistake
 * was to measure the labels, which gives .5 and an enormous loss. */
static void test_roc_auc_and_log_loss_are_of_probabilities_not_labels(void **state)
{
    static const double p[] = {.9, .1, .8, .2, .6, .4, .55, .45};
    static const uint32_t classes[] = {0, 0, 1, 1}, chosen[] = {0, 0, 0, 0};
    const struct metric_input input = {
        .n_rows = 4, .n_classes = 2, .classes = classes, .chosen = chosen, .probabilities = p};

    (void)state;
    assert_true(compute("roc_auc", &input) == 1);
    assert_true(compute("pr_auc", &input) == 1);
    assert_true(
        close_enough(compute("log_loss", &input), -(log(.9) + log(.8) + log(.4) + log(.45)) / 4));
}

/* Class 0: 4 rows, 2 found, nothing else called so. Class 1: 1 row, found, called 3 times. Class 2:
 * 1 row, not found, never called. */
static void test_multiclass_precision_and_recall_are_not_swapped(void **state)
{
    static const double p[18] = {0};
    static const uint32_t classes[] = {0, 0, 0, 0, 1, 2}, chosen[] = {0, 0, 1, 1, 1, 0};
    const struct metric_input input = {
        .n_rows = 6, .n_classes = 3, .classes = classes, .chosen = chosen, .probabilities = p};

    (void)state;
    assert_true(close_enough(compute("precision_macro", &input), (2. / 3 + 1. / 3 + 0) / 3));
    assert_true(close_enough(compute("recall_macro", &input), (2. / 4 + 1. / 1 + 0) / 3));
}

/* The same rows: F1 of the class that is never predicted is 0, not NaN. */
static void test_class_never_predicted_has_f1_of_zero(void **state)
{
    static const double p[18] = {0};
    static const uint32_t classes[] = {0, 0, 0, 0, 1, 2}, chosen[] = {0, 0, 1, 1, 1, 0};
    const struct metric_input input = {
        .n_rows = 6, .n_classes = 3, .classes = classes, .chosen = chosen, .probabilities = p};
    double f1_of_0 = 2 * 2. / (4 + 3), f1_of_1 = 2 * 1. / (1 + 3);

    (void)state;
    assert_true(close_enough(compute("f1_macro", &input), (f1_of_0 + f1_of_1 + 0) / 3));
    assert_true(close_enough(compute("f1_weighted", &input), (4 * f1_of_0 + f1_of_1) / 6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights_are_repetitions),
        cmocka_unit_test(test_order_of_rows_does_not_matter),
        cmocka_unit_test(test_all_weights_zero_is_nan),
        cmocka_unit_test(test_sorted_already),
        cmocka_unit_test(test_infinite_values),
        cmocka_unit_test(test_r2_of_a_constant_that_rounds),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_sums_keep_their_digits),
        cmocka_unit_test(test_lists_by_hand),
        cmocka_unit_test(test_relevance_that_is_none),
        cmocka_unit_test(test_concordance_by_hand),
        cmocka_unit_test(test_survival_that_is_none),
        cmocka_unit_test(test_roc_auc_and_log_loss_are_of_probabilities_not_labels),
        cmocka_unit_test(test_multiclass_precision_and_recall_are_not_swapped),
        cmocka_unit_test(test_class_never_predicted_has_f1_of_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
