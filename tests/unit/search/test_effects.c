#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "recorded.h" /* Optuna's */
#include "search/anova.h"
#include "search/effects.h"
#include "search/sampler.h"

#define N 600

static double points[N * 3], values[N];

static void fill(double (*function)(const double *point))
{
    struct rng rng;

    rng_init(&rng, 5);
    for (int i = 0; i < N * 3; i++)
        points[i] = rng_uniform(&rng);
    for (int i = 0; i < N; i++)
        values[i] = function(points + 3 * i);
}

static void assert_effects(double a, double b, double c, double tolerance)
{
    double effects[3], again[3];

    assert_int_equal(anova_effects(points, values, N, 3, 1, effects, NULL), ERR_OK);
    assert_int_equal(anova_effects(points, values, N, 3, 1, again, NULL), ERR_OK);
    assert_memory_equal(effects, again, sizeof(effects));
    print_message("effects %.3f %.3f %.3f\n", effects[0], effects[1], effects[2]);
    assert_true(fabs(effects[0] - a) < tolerance);
    assert_true(fabs(effects[1] - b) < tolerance);
    assert_true(fabs(effects[2] - c) < tolerance);
    assert_true(effects[0] + effects[1] + effects[2] <= 1 + 1e-9);
}

/* Variances 9/12 and 1/12. */
static double sum(const double *x)
{
    return 3 * x[0] + x[1];
}

static double product(const double *x)
{
    return (x[0] - 0.5) * (x[1] - 0.5);
}

/* One split, wherever the rows fall: exactly one effect of 1. */
static double side(const double *x)
{
    return x[2] < 0.3 ? 1e6 : 1e6 + 1;
}

static double constant(const double *x)
{
    (void)x;
    return 0.1;
}

static void test_known_functions(void **state)
{
    (void)state;
    fill(sum);
    assert_effects(0.9, 0.1, 0, 0.03);
    fill(product); /* nothing but a combination; a forest of few points takes some of it for more */
    assert_effects(0, 0, 0, 0.1);
    fill(side);
    assert_effects(0, 0, 1, 1e-9);
    fill(constant);
    assert_effects(0, 0, 0, 1e-300);
}

/* The same points; Optuna's forest draws otherwise, so that shares agree and not digits. It brings
 * effects to a sum of 1. */
static void test_near_optunas(void **state)
{
    double effects[3], all;

    (void)state;
    assert_int_equal(
        anova_effects(recorded_points, recorded_values, RECORDED_POINTS, 3, 1, effects, NULL),
        ERR_OK);
    all = effects[0] + effects[1] + effects[2];
    assert_true(all > 0.8 && all < 1);
    for (int i = 0; i < 3; i++) {
        print_message("effect %d: %.4f, Optuna %.4f\n", i, effects[i] / all, recorded_effects[i]);
        assert_true(fabs(effects[i] / all - recorded_effects[i]) < 0.03);
    }
}

/* A grid of cells, each so often that every tree has them all and is exact: its effects are those
 * of a plain analysis of variance. */
static void test_plain_analysis_of_variance(void **state)
{
    enum { SIDE = 4, CELLS = SIDE * SIDE, ROWS = CELLS * 40 };
    static double grid[ROWS * 2], of[ROWS];
    double mean = 0, variance = 0, along[2] = {0}, effects[2];

    (void)state;
    for (int i = 0; i < ROWS; i++) {
        int row = i % CELLS / SIDE, column = i % SIDE;

        grid[2 * i] = (row + 0.5) / SIDE;
        grid[2 * i + 1] = (column + 0.5) / SIDE;
        of[i] = row * row + 2.5 * column + (row == 1 && column == 1 ? 6 : 0);
        mean += of[i] / ROWS;
    }
    for (int i = 0; i < CELLS; i++)
        variance += (of[i] - mean) * (of[i] - mean) / CELLS;
    for (int line = 0; line < SIDE; line++) {
        double sums[2] = {0};

        for (int i = 0; i < SIDE; i++) {
            sums[0] += of[line * SIDE + i] / SIDE;
            sums[1] += of[i * SIDE + line] / SIDE;
        }
        for (int d = 0; d < 2; d++)
            along[d] += (sums[d] - mean) * (sums[d] - mean) / SIDE;
    }
    assert_int_equal(anova_effects(grid, of, ROWS, 2, 1, effects, NULL), ERR_OK);
    for (int d = 0; d < 2; d++)
        assert_true(fabs(effects[d] - along[d] / variance) < 1e-9);
}

static struct trial_record trials[60];

/* Best at a depth of 8 and a gamma of 0, whatever the rest. */
static double score_of(const struct setting *setting)
{
    double depth = hyperparams_get(&setting->params, "max_depth", 6);
    double gamma = hyperparams_get(&setting->params, "gamma", 0);

    return fabs(depth - 8) + (gamma > 0 ? 0.5 : 0);
}

static void test_of_trials(void **state)
{
    CLEANUP(project_freep) struct project *project = NULL;
    CLEANUP(sampler_release) struct sampler sampler = {0};
    static const char text[] = "{\"project\":\"p\",\"relation\":\"r\",\"target\":\"t\","
                               "\"search\":{\"strategy\":\"tpe\"}}";
    struct history history = {.trials = trials};
    double effects[HYPERPARAMS_MAX];
    struct outlook outlooks[HYPERPARAMS_MAX];
    struct err err = {0};
    const struct space *space = &sampler.spaces[ALGORITHM_XGBOOST];
    int depth, gamma;

    (void)state;
    assert_int_equal(project_parse(text, strlen(text), "p", &project, NULL), ERR_OK);
    assert_int_equal(sampler_init(&sampler, project, false, false, NULL), ERR_OK);
    depth = space_dimension_of(space, hyperparam_find("max_depth"));
    gamma = space_dimension_of(space, hyperparam_find("gamma"));
    for (int i = 0; i < 60; i++) {
        struct suggestion suggestion;

        if (i == 9) {
            assert_int_equal(effects_of(space, &history, 1, effects, &err), ERR_DATA);
            assert_string_equal(err.message,
                                "9 completed trials of xgboost are too few, 10 are needed");
        }
        assert_int_equal(sampler_suggest(&sampler, i, &history, &suggestion, NULL), ERR_OK);
        trials[i] = (struct trial_record){.number = i, .state = TRIAL_COMPLETED};
        trials[i].setting = suggestion.setting;
        trials[i].score = score_of(&suggestion.setting);
        history.n = i + 1;
    }
    assert_int_equal(effects_of(space, &history, 1, effects, NULL), ERR_OK);
    for (int i = 0; i < space->n; i++)
        assert_true(i == depth || effects[i] < effects[depth] / 4);
    assert_int_equal(outlook_of(space, &history, outlooks, NULL), ERR_OK);
    assert_true(outlooks[depth].low >= 7 && outlooks[depth].high <= 9);
    assert_true(outlooks[depth].share == 0.5 && outlooks[depth].zero_share == 0);
    assert_true(outlooks[gamma].zero_share > 0.7 && outlooks[gamma].zero_share < 1);
    assert_true(outlooks[gamma].low < outlooks[gamma].high);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_functions),
        cmocka_unit_test(test_near_optunas),
        cmocka_unit_test(test_plain_analysis_of_variance),
        cmocka_unit_test(test_of_trials),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
