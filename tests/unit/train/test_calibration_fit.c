/* Maps against those of scikit-learn and scipy, and where there is nothing to fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "train/calibration_fit.h"

#define N_AT 201 /* values of an isotonic answer */

/* Rows as a fit takes them, and room behind the pointers. */
struct sample {
    struct calibration_rows rows;
    float *margins, *positive;
    uint32_t *classes, *rising;
};

static void sample_init(struct sample *sample, size_t n, int n_outputs)
{
    *sample = (struct sample){
        .margins = calloc(n * (size_t)n_outputs + 1, sizeof(float)),
        .positive = calloc(n + 1, sizeof(float)),
        .classes = calloc(n + 1, sizeof(uint32_t)),
        .rising = calloc(n + 1, sizeof(uint32_t)),
    };
    sample->rows = (struct calibration_rows){
        .n = n,
        .n_outputs = n_outputs,
        .margins = sample->margins,
        .positive = sample->positive,
        .rising = sample->rising,
        .classes = sample->classes,
        .left_out = -1,
    };
}

static void sample_release(struct sample *sample)
{
    free(sample->margins);
    free(sample->positive);
    free(sample->classes);
    free(sample->rising);
}

static const float *sorted_by;

static int by_probability(const void *a, const void *b)
{
    float x = sorted_by[*(const uint32_t *)a], y = sorted_by[*(const uint32_t *)b];

    return (x > y) - (x < y);
}

/* Any map that rises would do for a probability: this one is exact, in Python as well. */
static void sample_sort(struct sample *sample)
{
    for (size_t i = 0; i < sample->rows.n; i++) {
        sample->positive[i] = (float)(((double)sample->margins[i] + 16) / 32);
        sample->rising[i] = (uint32_t)i;
    }
    sorted_by = sample->positive;
    qsort(sample->rising, sample->rows.n, sizeof(uint32_t), by_probability);
}

static double read_number(FILE *in)
{
    char word[64];

    assert_int_equal(fscanf(in, "%63s", word), 1);
    return strtod(word, NULL);
}

/* Is a map what the oracle says? Reads the answer's line. */
static void check_platt(FILE *in, const struct calibration *calibration)
{
    double slope = read_number(in), intercept = read_number(in);

    assert_int_equal(calibration->method, CALIBRATION_PLATT);
    if (!(fabs(calibration->slope - slope) <= 1e-7 * fabs(slope)) ||
        !(fabs(calibration->intercept - intercept) <= 1e-7 * (1 + fabs(intercept))))
        fail_msg("platt: %.17g %.17g in place of %.17g %.17g", calibration->slope,
                 calibration->intercept, slope, intercept);
}

static void check_isotonic(FILE *in, const struct calibration *calibration)
{
    assert_int_equal(calibration->method, CALIBRATION_ISOTONIC);
    for (int k = 0; k < N_AT; k++) {
        double expected = read_number(in), x = k / 200.0;
        /* the oracle was asked at the double, which lies beside its float32 */
        double below = calibration_positive(calibration, 0, nextafterf((float)x, -1));
        double above = calibration_positive(calibration, 0, nextafterf((float)x, 2));

        if (!(expected >= below - 1e-12 && expected <= above + 1e-12))
            fail_msg("isotonic at %.17g: %.17g to %.17g in place of %.17g", x, below, above,
                     expected);
    }
}

static void check_temperature(FILE *in, const struct calibration *calibration)
{
    double temperature = read_number(in);

    assert_int_equal(calibration->method, CALIBRATION_TEMPERATURE);
    if (!(fabs(calibration->temperature - temperature) <= 1e-9 * temperature))
        fail_msg("temperature: %.17g in place of %.17g", calibration->temperature, temperature);
}

static const struct {
    const char *name;
    calibration_fit *fit;
    void (*check)(FILE *in, const struct calibration *calibration);
} methods[] = {
    {"platt", platt_fit, check_platt},
    {"isotonic", isotonic_fit, check_isotonic},
    {"temperature", temperature_fit, check_temperature},
};

static void check_case(FILE *in, const char *method, size_t n, int n_outputs, int left_out)
{
    CLEANUP(sample_release) struct sample sample;
    CLEANUP(arena_release) struct arena arena = {0};

    sample_init(&sample, n, n_outputs);
    for (size_t i = 0; i < n * (size_t)n_outputs; i++)
        sample.margins[i] = (float)read_number(in);
    for (size_t i = 0; i < n; i++)
        sample.classes[i] = (uint32_t)read_number(in);
    sample_sort(&sample);
    sample.rows.left_out = left_out;
    for (size_t i = 0; i < N_ELEMENTS(methods); i++) {
        struct calibration calibration = {0};

        if (strcmp(methods[i].name, method) != 0)
            continue;
        assert_int_equal(methods[i].fit(&sample.rows, &arena, &calibration, NULL), ERR_OK);
        methods[i].check(in, &calibration);
        return;
    }
    fail_msg("method %s", method);
}

static void test_against_the_oracle(void **state)
{
    const char *python = getenv("PYTHON");
    char command[512], method[32];
    int n_cases = 0, n_outputs, left_out;
    size_t n;
    FILE *in;

    (void)state;
    snprintf(command, sizeof(command), "%s tests/unit/train/make_calibrations.py",
             python != NULL ? python : "/usr/bin/python3");
    in = popen(command, "r");
    assert_non_null(in);
    while (fscanf(in, " %31s %zu %d %d", method, &n, &n_outputs, &left_out) == 4) {
        check_case(in, method, n, n_outputs, left_out);
        n_cases++;
    }
    if (pclose(in) != 0)
        fail_msg("make_calibrations.py failed: run in the project's folder, with python3-sklearn "
                 "installed (scripts/install-deps --test)");
    assert_int_equal(n_cases, 12);
}

/* Margins that say the opposite of what is true: no map may turn them round. */
static void test_what_does_not_rise_is_no_map(void **state)
{
    CLEANUP(sample_release) struct sample sample;
    CLEANUP(arena_release) struct arena arena = {0};
    struct calibration calibration = {.method = CALIBRATION_TEMPERATURE};

    (void)state;
    sample_init(&sample, 300, 1);
    for (size_t i = 0; i < 300; i++) {
        sample.margins[i] = (float)i / 100 - 1;
        sample.classes[i] = i < 150;
    }
    sample_sort(&sample);
    assert_int_equal(platt_fit(&sample.rows, &arena, &calibration, NULL), ERR_OK);
    assert_int_equal(calibration.method, CALIBRATION_NONE);
    calibration.method = CALIBRATION_TEMPERATURE;
    assert_int_equal(isotonic_fit(&sample.rows, &arena, &calibration, NULL), ERR_OK);
    assert_int_equal(calibration.method, CALIBRATION_NONE);
}

/* Every probability another level: more pools than are stored. They are pooled by pairs: levels
 * stay in order, and each is the share of its rows. */
static void test_too_many_pools(void **state)
{
    enum { LEVELS = 2000, EACH = 2000 };
    CLEANUP(sample_release) struct sample sample;
    CLEANUP(arena_release) struct arena arena = {0};
    struct calibration calibration = {0};

    (void)state;
    sample_init(&sample, (size_t)LEVELS * EACH, 1);
    for (size_t i = 0; i < sample.rows.n; i++) {
        size_t level = i / EACH;

        sample.margins[i] = (float)level / LEVELS;
        sample.classes[i] = i % EACH < level; /* the share is level / EACH exactly */
    }
    sample_sort(&sample);
    assert_int_equal(isotonic_fit(&sample.rows, &arena, &calibration, NULL), ERR_OK);
    assert_int_equal(calibration.method, CALIBRATION_ISOTONIC);
    assert_true(calibration.n_points > 500 && calibration.n_points <= CALIBRATION_POINTS_MAX);
    for (int i = 0; i < calibration.n_points; i++) {
        double level = (calibration.from[i] * 32 - 16) * LEVELS; /* as sample_sort has it */

        assert_true(fabs(calibration.to[i] * EACH - level) < 4);
        assert_true(i == 0 || calibration.from[i] > calibration.from[i - 1]);
        assert_true(i == 0 || calibration.to[i] >= calibration.to[i - 1]);
    }
}

/* Every row right: the loss falls for as long as the temperature does. */
static void test_temperature_has_an_end(void **state)
{
    CLEANUP(sample_release) struct sample sample;
    CLEANUP(arena_release) struct arena arena = {0};
    struct calibration calibration = {0};

    (void)state;
    sample_init(&sample, 300, 3);
    for (size_t i = 0; i < 300; i++) {
        sample.margins[3 * i + i % 3] = 2;
        sample.classes[i] = (uint32_t)(i % 3);
    }
    assert_int_equal(temperature_fit(&sample.rows, &arena, &calibration, NULL), ERR_OK);
    assert_true(calibration.temperature >= 0.05 && calibration.temperature < 0.051);
}

/* Row i of the plain sample stands once, twice or not at all in the other, as often as it weighs.
 */
static void fill_repeated(struct sample *plain, struct sample *repeated, double *weights)
{
    int n_outputs = plain->rows.n_outputs;
    struct rng rng;
    size_t n = 0;

    rng_init(&rng, 7);
    for (size_t i = 0; i < plain->rows.n; i++) {
        float *margins = plain->margins + i * (size_t)n_outputs;

        for (int k = 0; k < n_outputs; k++)
            margins[k] = (float)(rng_uniform(&rng) * 6 - 3);
        plain->classes[i] = rng_uniform(&rng) * 6 - 3 < (double)margins[0];
        weights[i] = (double)(i % 3);
        for (size_t copy = 0; copy < i % 3; copy++, n++) {
            memcpy(repeated->margins + n * (size_t)n_outputs, margins,
                   (size_t)n_outputs * sizeof(float));
            repeated->classes[n] = plain->classes[i];
        }
    }
    repeated->rows.n = n;
    sample_sort(plain);
    sample_sort(repeated);
}

static void test_a_weight_is_so_many_rows(void **state)
{
    enum { N = 600 };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(methods); i++) {
        int n_outputs = methods[i].fit == temperature_fit ? 3 : 1;
        CLEANUP(sample_release) struct sample plain, repeated;
        CLEANUP(arena_release) struct arena arena = {0};
        struct calibration a = {0}, b = {0};
        double weights[N];

        sample_init(&plain, N, n_outputs);
        sample_init(&repeated, N, n_outputs);
        fill_repeated(&plain, &repeated, weights);
        plain.rows.weights = weights;
        assert_int_equal(methods[i].fit(&plain.rows, &arena, &a, NULL), ERR_OK);
        assert_int_equal(methods[i].fit(&repeated.rows, &arena, &b, NULL), ERR_OK);
        assert_true(a.method == b.method && a.method != CALIBRATION_NONE);
        assert_true(fabs(a.slope - b.slope) < 1e-9 && fabs(a.intercept - b.intercept) < 1e-9);
        assert_true(fabs(a.temperature - b.temperature) < 1e-9);
        assert_int_equal(a.n_points, b.n_points);
        for (int k = 0; k < a.n_points; k++)
            assert_true(a.from[k] == b.from[k] && fabs(a.to[k] - b.to[k]) < 1e-12);
    }
}

/* Folds that are given: what is left out is as if it weighed nothing. */
static void test_folds_that_are_given(void **state)
{
    enum { N = 600 };
    CLEANUP(sample_release) struct sample sample, other;
    CLEANUP(arena_release) struct arena arena = {0};
    struct calibration a = {0}, b = {0}, c = {0};
    double weights[N];
    uint32_t folds[N];

    (void)state;
    sample_init(&sample, N, 1);
    sample_init(&other, N, 1);
    fill_repeated(&sample, &other, weights);
    for (uint32_t i = 0; i < N; i++) {
        folds[i] = i / 7 % CALIBRATION_FOLDS;
        weights[i] = folds[i] != 2;
    }
    sample.rows.weights = weights;
    assert_int_equal(platt_fit(&sample.rows, &arena, &a, NULL), ERR_OK);
    sample.rows.weights = NULL;
    sample.rows.left_out = 2;
    assert_int_equal(platt_fit(&sample.rows, &arena, &c, NULL), ERR_OK);
    sample.rows.folds = folds;
    assert_int_equal(platt_fit(&sample.rows, &arena, &b, NULL), ERR_OK);
    assert_true(a.slope == b.slope && a.intercept == b.intercept);
    assert_true(a.slope != c.slope);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_weight_is_so_many_rows),
        cmocka_unit_test(test_folds_that_are_given),
        cmocka_unit_test(test_against_the_oracle),
        cmocka_unit_test(test_what_does_not_rise_is_no_map),
        cmocka_unit_test(test_too_many_pools),
        cmocka_unit_test(test_temperature_has_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
