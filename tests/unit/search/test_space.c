#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "search/space.h"

#define XGBOOST ALGORITHM_BIT(ALGORITHM_XGBOOST)

static void cjson_delete(cJSON **object)
{
    cJSON_Delete(*object);
}

static enum err_code check(enum search_strategy strategy, unsigned algorithms, const char *params,
                           const char *hyperparams, struct err *err)
{
    CLEANUP(cjson_delete) cJSON *searched = cJSON_Parse(params);
    CLEANUP(cjson_delete) cJSON *set = cJSON_Parse(hyperparams);
    struct space_options options = {.strategy = strategy, .params = searched, .hyperparams = set};

    assert_non_null(searched);
    assert_non_null(set);
    return space_check(&options, algorithms, err);
}

static void init(struct space *space, enum algorithm_id id, enum search_strategy strategy,
                 int n_trials, const char *params, const char *hyperparams)
{
    CLEANUP(cjson_delete) cJSON *searched = cJSON_Parse(params);
    CLEANUP(cjson_delete) cJSON *set = cJSON_Parse(hyperparams);
    struct space_options options = {
        .strategy = strategy, .n_trials = n_trials, .params = searched, .hyperparams = set};

    assert_int_equal(space_init(space, id, &options, NULL), ERR_OK);
}

static void assert_names(const struct space *space, const char *expected)
{
    CLEANUP(buf_release) struct buf names = {0};

    for (int i = 0; i < space->n; i++)
        buf_printf(&names, "%s%s", i > 0 ? " " : "", space->dimensions[i].param->name);
    assert_string_equal(buf_text(&names), expected);
}

static void assert_setting(const struct setting *setting, const char *expected)
{
    CLEANUP(buf_release) struct buf json = {0};

    hyperparams_to_json(&setting->params, &json);
    assert_string_equal(buf_text(&json), expected);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *params, *field, *message, *hint;
    } rows[] = {
        {"{\"max_depth\":{\"low\":9,\"high\":3}}", "/search/params/max_depth",
         "hyperparameter \"max_depth\": the range is upside down, 9 is above 3", ""},
        {"{\"max_dpth\":[1]}", "/search/params/max_dpth",
         "hyperparameter \"max_dpth\" does not exist", "did you mean \"max_depth\"?"},
        {"{\"a/b\":[1]}", "/search/params/a~1b", "hyperparameter \"a/b\" does not exist",
         "models/README.md lists the hyperparameters"},
        {"{\"max_depth\":[3,\"6\"]}", "/search/params/max_depth/1",
         "hyperparameter \"max_depth\": the list mixes types of values", ""},
        {"{\"grow_policy\":[\"depthwise\",1]}", "/search/params/grow_policy/1",
         "hyperparameter \"grow_policy\": the list mixes types of values", ""},
        {"{\"max_depth\":[]}", "/search/params/max_depth",
         "hyperparameter \"max_depth\": the list is empty", ""},
        {"{\"max_depth\":[3,6,3]}", "/search/params/max_depth/2",
         "hyperparameter \"max_depth\": a value that is listed twice", ""},
        {"{\"max_depth\":[3,100]}", "/search/params/max_depth/1",
         "hyperparameter \"max_depth\" must be a whole number from 0 to 64", ""},
        {"{\"max_depth\":[2.5]}", "/search/params/max_depth/0",
         "hyperparameter \"max_depth\" must be a whole number from 0 to 64", ""},
        {"{\"max_depth\":[null]}", "/search/params/max_depth/0",
         "hyperparameter \"max_depth\" must be a whole number from 0 to 64", ""},
        {"{\"learning_rate\":{\"low\":0.1,\"high\":2}}", "/search/params/learning_rate/high",
         "hyperparameter \"learning_rate\" must be a number from 1e-06 to 1", ""},
        {"{\"grow_policy\":[\"sideways\"]}", "/search/params/grow_policy/0",
         "hyperparameter \"grow_policy\" must be one of depthwise,lossguide", ""},
        {"{\"grow_policy\":{\"low\":1,\"high\":2}}", "/search/params/grow_policy",
         "hyperparameter \"grow_policy\": it takes a list, its values are depthwise,lossguide", ""},
        {"{\"lambda\":{\"low\":0,\"high\":2,\"log\":true}}", "/search/params/lambda/low",
         "hyperparameter \"lambda\": a logarithmic range must begin above 0",
         "choose a small number, or leave \"log\" out"},
        {"{\"lambda\":{\"low\":1,\"high\":2,\"log\":1}}", "/search/params/lambda/log",
         "hyperparameter \"lambda\": \"log\" must be true or false", ""},
        {"{\"lambda\":{\"low\":1,\"high\":2,\"log\":true,\"step\":1}}",
         "/search/params/lambda/step", "hyperparameter \"lambda\": a logarithmic range has no step",
         ""},
        {"{\"lambda\":{\"low\":1,\"high\":2,\"step\":0}}", "/search/params/lambda/step",
         "hyperparameter \"lambda\": \"step\" must be a number above 0", ""},
        {"{\"max_depth\":{\"low\":1,\"high\":2,\"step\":0.5}}", "/search/params/max_depth/step",
         "hyperparameter \"max_depth\": \"step\" must be a whole number above 0", ""},
        {"{\"lambda\":{\"low\":1,\"high\":2,\"step\":1e-9}}", "/search/params/lambda/step",
         "hyperparameter \"lambda\": a range has at most 1e+06 steps", ""},
        {"{\"max_depth\":{\"low\":1}}", "/search/params/max_depth",
         "hyperparameter \"max_depth\": a range needs \"high\"", ""},
        {"{\"max_depth\":{\"low\":1,\"hihg\":2}}", "/search/params/max_depth/hihg",
         "hyperparameter \"max_depth\": a range has no \"hihg\"", "did you mean \"high\"?"},
        {"{\"max_depth\":{\"values\":[1]}}", "/search/params/max_depth/values",
         "hyperparameter \"max_depth\": a range has no \"values\"",
         "it has \"low\", \"high\", \"log\" and \"step\""},
        {"{\"max_depth\":6}", "/search/params/max_depth",
         "hyperparameter \"max_depth\": expected a list of values or a range such as {\"low\": 1, "
         "\"high\": 10}",
         "a value that is not searched belongs into \"hyperparams\""},
        {"{\"max_bin\":[64,256]}", "/search/params/max_bin",
         "hyperparameter \"max_bin\": all trials of a run share their bins",
         "set it in \"hyperparams\""},
        {"{\"rate_drop\":[0.1,0.2]}", "/search/params/rate_drop",
         "none of the \"algorithms\" has a hyperparameter \"rate_drop\"", ""},
        {"{\"eta\":[0.1,0.2],\"learning_rate\":[0.3]}", "/search/params/learning_rate",
         "hyperparameter \"eta\" is searched twice, as \"eta\" and \"learning_rate\"", ""},
        {"{\"reg_alpha\":[0.1,0.2]}", "/search/params/reg_alpha",
         "hyperparameter \"reg_alpha\" is both searched and set",
         "take it out of \"search.params\" or out of \"hyperparams\""},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct err err = {0};

        assert_int_equal(check(SEARCH_TPE, XGBOOST, rows[i].params, "{\"alpha\":1}", &err),
                         ERR_CONFIG);
        assert_string_equal(err.message, rows[i].message);
        assert_string_equal(err.field, rows[i].field);
        assert_string_equal(err.hint, rows[i].hint);
    }
}

static void test_strategies_and_params(void **state)
{
    struct err err = {0};

    (void)state;
    assert_int_equal(check(SEARCH_TPE, XGBOOST, "{}", "{}", NULL), ERR_OK);
    assert_int_equal(check(SEARCH_AUTO, XGBOOST, "{\"max_depth\":[3,6]}", "{}", NULL), ERR_OK);
    assert_int_equal(check(SEARCH_TPE, XGBOOST, /* the README's */
                           "{\"max_depth\":[4,6,8],\"grow_policy\":[\"depthwise\",\"lossguide\"],"
                           "\"learning_rate\":{\"low\":0.01,\"high\":0.3,\"log\":true},"
                           "\"subsample\":{\"low\":0.5,\"high\":1,\"step\":0.1}}",
                           "{}", NULL),
                     ERR_OK);
    assert_int_equal(check(SEARCH_NONE, XGBOOST, "{}", "{}", NULL), ERR_OK);
    assert_int_equal(check(SEARCH_GRID, XGBOOST, "{}", "{}", &err), ERR_CONFIG);
    assert_string_equal(err.message, "a grid needs \"search.params\"");
    assert_int_equal(check(SEARCH_NONE, XGBOOST, "{\"max_depth\":[3,6]}", "{}", &err), ERR_CONFIG);
    assert_string_equal(err.message, "the strategy \"none\" searches nothing");
    assert_string_equal(err.field, "/search/params");
    assert_int_equal(check(SEARCH_TPE, XGBOOST, "{}", "{\"max_dpth\":1}", &err), ERR_CONFIG);
    assert_string_equal(err.field, "/hyperparams/max_dpth");
}

static void test_lists_are_bounded(void **state)
{
    CLEANUP(buf_release) struct buf list = {0};
    struct err err = {0};

    (void)state;
    buf_puts(&list, "{\"max_leaves\":[0");
    for (int i = 1; i < 1000; i++)
        buf_printf(&list, ",%d", i);
    buf_puts(&list, "]}");
    assert_int_equal(check(SEARCH_GRID, XGBOOST, buf_text(&list), "{}", NULL), ERR_OK);
    list.length -= 2;
    buf_puts(&list, ",1000]}");
    assert_int_equal(check(SEARCH_GRID, XGBOOST, buf_text(&list), "{}", &err), ERR_CONFIG);
    assert_string_equal(err.message, "hyperparameter \"max_leaves\": the list has 1001 values, at "
                                     "most 1000 are searched");
}

static void test_default_spaces(void **state)
{
    static const struct {
        enum algorithm_id id;
        int n_trials;
        const char *names;
    } rows[] = {
        {ALGORITHM_XGBOOST, 29, "max_depth min_child_weight subsample colsample_bytree"},
        {ALGORITHM_XGBOOST, 30,
         "max_depth min_child_weight subsample colsample_bytree colsample_bynode lambda alpha "
         "gamma "
         "grow_policy max_leaves"},
        {ALGORITHM_DART, 1, "eta max_depth min_child_weight rate_drop"},
        {ALGORITHM_RANDOM_FOREST, 10, "max_depth min_child_weight subsample colsample_bynode"},
        {ALGORITHM_LINEAR, 0, "lambda alpha"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        CLEANUP(space_release) struct space space = {0};

        init(&space, rows[i].id, SEARCH_TPE, rows[i].n_trials, "{}", "{}");
        assert_names(&space, rows[i].names);
    }
}

/* Categories, and what a definition sets. */
static void test_dimensions_come_and_go(void **state)
{
    CLEANUP(space_release) struct space categories = {0}, depthwise = {0}, lossguide = {0};
    struct space_options options = {.strategy = SEARCH_TPE, .has_categories = true};

    (void)state;
    assert_int_equal(space_init(&categories, ALGORITHM_XGBOOST, &options, NULL), ERR_OK);
    assert_int_equal(categories.n, 11);
    assert_string_equal(categories.dimensions[10].param->name, "max_cat_to_onehot");
    init(&depthwise, ALGORITHM_XGBOOST, SEARCH_TPE, 0, "{}",
         "{\"grow_policy\":\"depthwise\",\"reg_lambda\":2}");
    assert_names(&depthwise, "max_depth min_child_weight subsample colsample_bytree "
                             "colsample_bynode alpha gamma");
    init(&lossguide, ALGORITHM_XGBOOST, SEARCH_TPE, 0,
         "{\"grow_policy\":[\"lossguide\"],\"eta\":{\"low\":0.1,\"high\":0.3}}", "{}");
    assert_names(&lossguide, "max_depth min_child_weight subsample colsample_bytree "
                             "colsample_bynode lambda alpha gamma max_leaves eta");
}

static void test_given_alone(void **state)
{
    static const char *params = "{\"learning_rate\":[0.05,0.2],\"subsample\":[0.5],"
                                "\"max_depth\":{\"low\":2,\"high\":9,\"step\":3}}";
    CLEANUP(space_release) struct space grid = {0}, drawn = {0}, laid = {0}, linear = {0};
    double point[HYPERPARAMS_MAX];
    struct setting setting;
    int n;

    (void)state;
    init(&grid, ALGORITHM_XGBOOST, SEARCH_GRID, 0, params, "{\"lambda\":2}");
    assert_names(&grid, "eta max_depth");
    assert_int_equal(space_grid_size(&grid, &n, NULL), ERR_OK);
    assert_int_equal(n, 6); /* depths 2, 5 and 8 */
    space_grid_point(&grid, 0, point);
    space_setting(&grid, point, &setting);
    assert_setting(&setting, "{\"eta\":0.05,\"lambda\":2,\"subsample\":0.5,\"max_depth\":2}");
    space_grid_point(&grid, 4, point); /* the last dimension changes fastest */
    space_setting(&grid, point, &setting);
    assert_setting(&setting, "{\"eta\":0.2,\"lambda\":2,\"subsample\":0.5,\"max_depth\":5}");
    init(&drawn, ALGORITHM_XGBOOST, SEARCH_RANDOM, 0, params, "{}");
    assert_names(&drawn, "eta max_depth");
    init(&laid, ALGORITHM_XGBOOST, SEARCH_TPE, 10, params, "{}");
    assert_names(&laid, "max_depth min_child_weight colsample_bytree eta");
    init(&linear, ALGORITHM_LINEAR, SEARCH_GRID, 0, params, "{}");
    assert_names(&linear, "eta"); /* it has nothing else of it */
}

static void test_grids_that_cannot_be(void **state)
{
    CLEANUP(space_release) struct space open = {0}, large = {0}, whole = {0};
    struct err err = {0};
    int n = 7;

    (void)state;
    init(&open, ALGORITHM_XGBOOST, SEARCH_GRID, 0, "{\"eta\":{\"low\":0.1,\"high\":0.3}}", "{}");
    assert_int_equal(space_grid_size(&open, &n, &err), ERR_CONFIG);
    assert_string_equal(err.message, "hyperparameter \"eta\": a grid needs a list, or a range with "
                                     "a step and without \"log\"");
    assert_string_equal(err.field, "/search/params/eta");
    init(&large, ALGORITHM_XGBOOST, SEARCH_GRID, 0,
         "{\"max_leaves\":{\"low\":1,\"high\":60000},\"max_depth\":[1,2,3]}", "{}");
    assert_int_equal(space_grid_size(&large, &n, &err), ERR_CONFIG);
    assert_string_equal(err.message, "the grid has 180000 settings, at most 100000 are tried");
    assert_string_equal(err.field, "/search/params");
    assert_int_equal(n, 7);
    init(&whole, ALGORITHM_XGBOOST, SEARCH_GRID, 0, "{\"max_depth\":{\"low\":1,\"high\":6}}", "{}");
    assert_int_equal(space_grid_size(&whole, &n, NULL), ERR_OK);
    assert_int_equal(n, 6);
}

static bool is_on(const struct dimension *d, double value)
{
    if (d->n_choices > 0)
        return value == floor(value) && value >= 0 && value < d->n_choices;
    if (d->or_zero && value == 0)
        return true;
    return value >= d->low && value <= d->high &&
           (d->param->type != HYPERPARAM_INT || value == floor(value));
}

/* What is drawn is in the space, its setting comes back as the point (to four digits), and its
 * place in the unit cube is uniform: the mean of each coordinate is a half. */
static void test_draws(void **state)
{
    CLEANUP(space_release) struct space space = {0};
    double sums[HYPERPARAMS_MAX] = {0};
    int n_zero = 0, n_lossguide = 0, alpha, leaves;
    const int n = 4000;
    struct rng rng;

    (void)state;
    init(&space, ALGORITHM_XGBOOST, SEARCH_TPE, 0,
         "{\"eta\":{\"low\":0.1,\"high\":0.4,\"step\":0.1}}", "{}");
    alpha = space_dimension_of(&space, hyperparam_find("alpha"));
    leaves = space_dimension_of(&space, hyperparam_find("max_leaves"));
    rng_init(&rng, 3);
    for (int i = 0; i < n; i++) {
        double point[HYPERPARAMS_MAX], back[HYPERPARAMS_MAX], unit[HYPERPARAMS_MAX];
        struct setting setting;

        space_draw(&space, &rng, point);
        space_setting(&space, point, &setting);
        space_point(&space, &setting.params, back);
        space_unit(&space, point, unit);
        for (int k = 0; k < space.n; k++) {
            sums[k] += unit[k];
            assert_true(unit[k] >= 0 && unit[k] <= 1);
            assert_int_equal(isnan(point[k]), k == leaves && point[leaves - 1] == 0);
            assert_true(isnan(point[k]) ? isnan(back[k])
                                        : fabs(back[k] - point[k]) <= 6e-4 * fabs(point[k]));
            assert_true(isnan(point[k]) || is_on(&space.dimensions[k], point[k]));
        }
        n_zero += point[alpha] == 0;
        n_lossguide += !isnan(point[leaves]);
    }
    for (int k = 0; k < space.n; k++)
        assert_true(fabs(sums[k] / n - 0.5) < 0.025); /* five standard deviations: .0228 */
    assert_true(abs(n_zero - n / 2) < 160 && abs(n_lossguide - n / 2) < 160);
}

/* The portfolio's settings go where the definition lets them. */
static void test_bring(void **state)
{
    CLEANUP(space_release) struct space space = {0}, plain = {0};
    struct setting setting;

    (void)state;
    init(&space, ALGORITHM_XGBOOST, SEARCH_AUTO, 0,
         "{\"max_depth\":[3,5,7],\"min_child_weight\":{\"low\":0.7,\"high\":2},"
         "\"grow_policy\":[\"lossguide\"],\"lambda\":{\"low\":2,\"high\":3}}",
         "{\"subsample\":0.9}");
    portfolio_get(ALGORITHM_XGBOOST, false, 5, &setting);
    space_bring(&space, &setting);
    assert_setting(&setting, "{\"eta\":0.1,\"max_depth\":5,\"min_child_weight\":0.7,"
                             "\"colsample_bytree\":0.66,\"subsample\":0.9,"
                             "\"grow_policy\":\"lossguide\",\"lambda\":2}");
    init(&plain, ALGORITHM_XGBOOST, SEARCH_AUTO, 0, "{}", "{}");
    portfolio_get(ALGORITHM_XGBOOST, true, 2, &setting);
    space_bring(&plain, &setting); /* lambda 0 and min_child_weight 5e-6 are beyond the space */
    assert_setting(&setting, "{\"eta\":0.1,\"max_depth\":6,\"min_child_weight\":5e-06,"
                             "\"lambda\":0,\"colsample_bylevel\":0.9,\"subsample\":0.65}");
}

/* Where a setting stands that the space did not make. */
static void test_points_of_others(void **state)
{
    CLEANUP(space_release) struct space space = {0};
    struct setting setting;
    double point[HYPERPARAMS_MAX];
    /* depth, child weight, subsample, bytree, bynode, lambda, alpha, gamma, policy, leaves */
    static const double first[] = {6, 1e-3, 0.65, 1, 1, 1e-3, 0, 0, 0, NAN};
    static const double last[] = {10, 0.14, 0.69, 1, 0.92, 1.3, 3.5, 0, 1, 35};

    (void)state;
    init(&space, ALGORITHM_XGBOOST, SEARCH_AUTO, 0, "{}", "{}");
    portfolio_get(ALGORITHM_XGBOOST, true, 2, &setting);
    space_point(&space, &setting.params, point);
    for (int i = 0; i < space.n; i++)
        assert_true(point[i] == first[i] || (isnan(point[i]) && isnan(first[i])));
    portfolio_get(ALGORITHM_XGBOOST, true, 6, &setting);
    space_point(&space, &setting.params, point);
    for (int i = 0; i < space.n; i++)
        assert_true(point[i] == last[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_strategies_and_params),
        cmocka_unit_test(test_lists_are_bounded),
        cmocka_unit_test(test_default_spaces),
        cmocka_unit_test(test_dimensions_come_and_go),
        cmocka_unit_test(test_given_alone),
        cmocka_unit_test(test_grids_that_cannot_be),
        cmocka_unit_test(test_draws),
        cmocka_unit_test(test_bring),
        cmocka_unit_test(test_points_of_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
