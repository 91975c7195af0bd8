/* Every metric against scikit-learn's own answer (make_cases.py), and the table's rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "metric/metric.h"

#define TOLERANCE 1e-9

struct case_data {
    char name[64];
    size_t n_rows;
    int n_classes; /* 0: regression */
    double *numbers;
    uint32_t *classes; /* truth, then chosen */
    struct metric_input input;
};

static void case_release(struct case_data *data)
{
    free(data->numbers);
    free(data->classes);
}

static double read_number(FILE *in)
{
    char word[64];

    assert_int_equal(fscanf(in, "%63s", word), 1);
    return strtod(word, NULL);
}

/* The next case, up to its "metric" line; false at the end. */
static bool read_case(FILE *in, struct case_data *data)
{
    size_t n, width;

    *data = (struct case_data){0};
    if (fscanf(in, " case %63s %zu %d values", data->name, &data->n_rows, &data->n_classes) != 3)
        return false;
    width = data->n_classes == 0 ? 2 : (size_t)data->n_classes;
    n = data->n_rows * width;
    data->numbers = calloc(n + 1, sizeof(*data->numbers));
    data->classes = calloc(data->n_rows * 2 + 1, sizeof(*data->classes));
    for (size_t i = 0; data->n_classes > 0 && i < data->n_rows * 2; i++)
        data->classes[i] = (uint32_t)read_number(in);
    for (size_t i = 0; i < n; i++)
        data->numbers[i] = read_number(in);
    data->input = (struct metric_input){
        .n_rows = data->n_rows,
        .y = data->numbers,
        .predictions = data->numbers + data->n_rows,
        .n_classes = data->n_classes,
        .classes = data->classes,
        .chosen = data->classes + data->n_rows,
        .probabilities = data->numbers,
    };
    return true;
}

static double compute(const char *name, const struct metric_input *input)
{
    const struct metric *metric = metric_find(name);
    struct err err = {0};
    double value = 12345;

    assert_non_null(metric);
    assert_int_equal(metric->compute(input, &value, &err), ERR_OK);
    return value;
}

static bool close_enough(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    return fabs(a - b) <= TOLERANCE * fmax(1, fabs(b));
}

static int check_metrics(FILE *in, const struct case_data *data)
{
    int n = 0;
    char line[4096], *word, *rest;

    assert_int_equal(fscanf(in, " metric "), 0);
    assert_non_null(fgets(line, sizeof(line), in));
    for (word = strtok_r(line, " \n", &rest); word != NULL; word = strtok_r(NULL, " \n", &rest)) {
        double theirs = strtod(strtok_r(NULL, " \n", &rest), NULL);
        double ours = compute(word, &data->input);

        if (!close_enough(ours, theirs))
            fail_msg("%s of \"%s\": %.17g, scikit-learn says %.17g", word, data->name, ours,
                     theirs);
        n++;
    }
    return n;
}

static void test_same_as_scikit_learn(void **state)
{
    const char *python = getenv("PYTHON");
    char command[512];
    struct case_data data;
    int n_cases = 0, n_values = 0;
    FILE *in;

    (void)state;
    snprintf(command, sizeof(command), "%s tests/unit/metric/make_cases.py",
             python != NULL ? python : "/usr/bin/python3");
    in = popen(command, "r");
    assert_non_null(in);
    for (; read_case(in, &data); n_cases++) {
        n_values += check_metrics(in, &data);
        case_release(&data);
    }
    if (pclose(in) != 0)
        fail_msg("make_cases.py failed: run in the project's folder, with python3-sklearn "
                 "installed (scripts/install-deps --test)");
    assert_int_equal(n_cases, 22);
    assert_true(n_values >= 9 * 3 + 13 * 8);
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
    assert_null(metric_find("rmsle"));
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
        cmocka_unit_test(test_same_as_scikit_learn),
        cmocka_unit_test(test_roc_auc_by_hand),
        cmocka_unit_test(test_not_defined_is_nan),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_better),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
