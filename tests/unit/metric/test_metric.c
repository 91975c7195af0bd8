/* Every metric against its oracle (make_cases.py), and the table's rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cases.h"

/* Notes in `seen`, [n_metrics], which of them were defined. */
static int check_metrics(FILE *in, const struct case_data *data, bool *seen)
{
    int n = 0;
    char line[4096], *word, *rest;

    assert_non_null(fgets(line, sizeof(line), in));
    for (word = strtok_r(line, " \n", &rest); word != NULL; word = strtok_r(NULL, " \n", &rest)) {
        double theirs = strtod(strtok_r(NULL, " \n", &rest), NULL);
        double ours = compute(word, &data->input);

        if (!close_enough(ours, theirs))
            fail_msg("%s of \"%s\": %.17g, the oracle says %.17g", word, data->name, ours, theirs);
        seen[metric_find(word) - metrics] |= !isnan(theirs);
        n++;
    }
    return n;
}

static void test_same_as_oracle(void **state)
{
    FILE *in = open_cases("metrics");
    bool seen[64] = {false};
    struct case_data data;
    int n_cases = 0, n_values = 0;

    (void)state;
    for (; read_case(in, &data); n_cases++) {
        n_values += check_metrics(in, &data, seen);
        case_release(&data);
    }
    close_cases(in);
    assert_int_equal(n_cases, 163);
    assert_true(n_values > 1000);
    for (int i = 0; i < n_metrics; i++)
        if (!seen[i])
            fail_msg("no case for %s", metrics[i].name);
}

/* Positives .4 and .8, negatives .1 and .4: three pairs in order and one tie → (3 + 0.5) / 4. */
static void test_roc_auc_by_hand(void **state)
{
    static const double p[] = {.9, .1, .6, .4, .6, .4, .2, .8};
    static const uint32_t classes[] = {0, 1, 0, 1};
    const struct metric_input input = {
        .n_rows = 4, .n_classes = 2, .classes = classes, .chosen = classes, .probabilities = p};

    (void)state;
    assert_true(compute("roc_auc", &input) == 3.5 / 4);
}

static void test_not_defined_is_nan(void **state)
{
    static const double nothing[] = {0}, missing[] = {NAN, NAN, .5, .5};
    static const uint32_t classes[] = {0, 1};
    const struct metric_input none = {.n_rows = 0,
                                      .y = nothing,
                                      .predictions = nothing,
                                      .n_classes = 2,
                                      .classes = classes,
                                      .chosen = classes,
                                      .probabilities = nothing};
    const struct metric_input not_numbers = {.n_rows = 2,
                                             .n_classes = 2,
                                             .classes = classes,
                                             .chosen = classes,
                                             .probabilities = missing};

    (void)state;
    for (int i = 0; i < n_metrics; i++)
        assert_true(isnan(compute(metrics[i].name, &none)));
    assert_true(isnan(compute("log_loss", &not_numbers)));
    assert_true(isnan(compute("roc_auc", &not_numbers)));
    assert_true(isnan(compute("brier", &not_numbers)));
}

static void test_table(void **state)
{
    (void)state;
    for (int i = 0; i < n_metrics; i++) {
        assert_ptr_equal(metric_find(metrics[i].name), &metrics[i]);
        assert_true(strlen(metrics[i].title) > 0 && strlen(metrics[i].source) > 0);
        assert_true(metrics[i].tasks != 0 && metrics[i].compute != NULL);
    }
    assert_null(metric_find("rmsel"));
    assert_null(metric_find(""));
    assert_string_equal(metric_default(METRIC_REGRESSION)->name, "rmse");
    assert_string_equal(metric_default(METRIC_BINARY)->name, "log_loss");
    assert_string_equal(metric_default(METRIC_MULTICLASS)->name, "log_loss");
}

static void test_better(void **state)
{
    const struct metric *low = metric_find("rmse"), *high = metric_find("r2");

    (void)state;
    assert_true(metric_better(low, 1, 2) && !metric_better(low, 2, 1) && !metric_better(low, 1, 1));
    assert_true(metric_better(high, 2, 1) && !metric_better(high, 1, 2));
    assert_true(metric_better(low, 1, NAN) && metric_better(high, -INFINITY, NAN));
    assert_false(metric_better(low, NAN, 1));
    assert_false(metric_better(high, NAN, NAN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_oracle),
        cmocka_unit_test(test_roc_auc_by_hand),
        cmocka_unit_test(test_not_defined_is_nan),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_better),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
