#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "search/algorithm.h"
#include "search/hyperparams.h"

static enum err_code overlay_of(enum algorithm_id id, struct hyperparams *params, const char *text,
                                struct err *err)
{
    cJSON *object = cJSON_Parse(text);
    enum err_code code;

    assert_non_null(object);
    code = hyperparams_overlay(params, id, object, err);
    cJSON_Delete(object);
    return code;
}

static enum err_code overlay(struct hyperparams *params, const char *text, struct err *err)
{
    return overlay_of(ALGORITHM_XGBOOST, params, text, err);
}

static enum err_code check(unsigned algorithms, const char *text, struct err *err)
{
    cJSON *object = cJSON_Parse(text);
    enum err_code code;

    assert_non_null(object);
    code = hyperparams_check(object, algorithms, err);
    cJSON_Delete(object);
    return code;
}

static void assert_json(const struct hyperparams *params, const char *expected)
{
    CLEANUP(buf_release) struct buf json = {0};

    hyperparams_to_json(params, &json);
    assert_string_equal(buf_text(&json), expected);
}

static void test_overlay_in_order(void **state)
{
    struct hyperparams params = {0};

    (void)state;
    assert_json(&params, "{}");
    assert_int_equal(hyperparams_overlay(&params, ALGORITHM_XGBOOST, NULL, NULL), ERR_OK);
    assert_int_equal(overlay(&params, "{}", NULL), ERR_OK);
    assert_json(&params, "{}");
    assert_int_equal(
        overlay(&params, "{\"max_depth\":6,\"eta\":0.1,\"grow_policy\":\"lossguide\"}", NULL),
        ERR_OK);
    assert_json(&params, "{\"max_depth\":6,\"eta\":0.1,\"grow_policy\":\"lossguide\"}");
    assert_int_equal(overlay(&params, "{\"learning_rate\":0.05,\"reg_alpha\":1e-3}", NULL), ERR_OK);
    assert_json(&params,
                "{\"max_depth\":6,\"eta\":0.05,\"grow_policy\":\"lossguide\",\"alpha\":0.001}");
    assert_true(hyperparams_get(&params, "eta", 9) == 0.05);
    assert_true(hyperparams_get(&params, "lambda", 9) == 9);
}

static void test_every_row_takes_its_bounds(void **state)
{
    (void)state;
    for (int i = 0; i < n_hyperparams; i++) {
        const struct hyperparam *row = &hyperparam_table[i];
        struct hyperparams params = {0};

        if (row->alias_of != NULL) {
            assert_int_equal(hyperparams_set(&params, row->name, 0.5, NULL, NULL), ERR_OK);
            assert_string_equal(params.values[0].param->name, row->alias_of);
            assert_null(params.values[0].param->alias_of);
            continue;
        }
        if (row->type == HYPERPARAM_CHOICE)
            continue;
        assert_int_equal(hyperparams_set(&params, row->name, row->low, NULL, NULL), ERR_OK);
        assert_int_equal(hyperparams_set(&params, row->name, row->high, NULL, NULL), ERR_OK);
        assert_int_equal(params.n, 1);
        assert_true(params.values[0].number == row->high);
        assert_int_equal(hyperparams_set(&params, row->name, row->high * 2, NULL, NULL),
                         ERR_CONFIG);
        assert_int_equal(hyperparams_set(&params, row->name, row->low - 1, NULL, NULL), ERR_CONFIG);
        assert_int_equal(hyperparams_set(&params, row->name, NAN, NULL, NULL), ERR_CONFIG);
        assert_int_equal(hyperparams_set(&params, row->name, row->low, "low", NULL), ERR_CONFIG);
        assert_true(params.values[0].number == row->high);
    }
}

static void test_refusals(void **state)
{
    static const struct {
        const char *json, *field, *message, *hint;
    } rows[] = {
        {"{\"max_dpth\":6}", "/hyperparams/max_dpth", "hyperparameter \"max_dpth\" does not exist",
         "did you mean \"max_depth\"?"},
        {"{\"tree_method\":\"exact\"}", "/hyperparams/tree_method",
         "hyperparameter \"tree_method\" does not exist",
         "models/README.md lists the hyperparameters"},
        {"{\"a/b~c\":1}", "/hyperparams/a~1b~0c", "hyperparameter \"a/b~c\" does not exist",
         "models/README.md lists the hyperparameters"},
        {"{\"max_depth\":6.5}", "/hyperparams/max_depth",
         "hyperparameter \"max_depth\" must be a whole number from 0 to 64", ""},
        {"{\"max_depth\":-1}", "/hyperparams/max_depth",
         "hyperparameter \"max_depth\" must be a whole number from 0 to 64", ""},
        {"{\"max_depth\":\"6\"}", "/hyperparams/max_depth",
         "hyperparameter \"max_depth\" must be a whole number from 0 to 64", ""},
        {"{\"subsample\":null}", "/hyperparams/subsample",
         "hyperparameter \"subsample\" must be a number from 0.01 to 1", ""},
        {"{\"learning_rate\":2}", "/hyperparams/learning_rate",
         "hyperparameter \"learning_rate\" must be a number from 1e-06 to 1", ""},
        {"{\"eta\":[0.1]}", "/hyperparams/eta",
         "hyperparameter \"eta\" must be a number from 1e-06 to 1", ""},
        {"{\"grow_policy\":\"depth\"}", "/hyperparams/grow_policy",
         "hyperparameter \"grow_policy\" must be one of depthwise,lossguide", ""},
        {"{\"grow_policy\":\"\"}", "/hyperparams/grow_policy",
         "hyperparameter \"grow_policy\" must be one of depthwise,lossguide", ""},
        {"{\"grow_policy\":1}", "/hyperparams/grow_policy",
         "hyperparameter \"grow_policy\" must be one of depthwise,lossguide", ""},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct hyperparams params = {0};
        struct err err = {0};

        assert_int_equal(overlay(&params, rows[i].json, &err), ERR_CONFIG);
        assert_string_equal(err.message, rows[i].message);
        assert_string_equal(err.field, rows[i].field);
        assert_string_equal(err.hint, rows[i].hint);
    }
}

static void test_overlay_is_all_or_nothing(void **state)
{
    struct hyperparams params = {0};

    (void)state;
    assert_int_equal(overlay(&params, "{\"eta\":0.2}", NULL), ERR_OK);
    assert_int_equal(overlay(&params, "{\"eta\":0.3,\"lambda\":-1}", NULL), ERR_CONFIG);
    assert_json(&params, "{\"eta\":0.2}");
}

/* What an algorithm does not have is checked and left out. */
static void test_overlay_by_algorithm(void **state)
{
    static const char all[] = "{\"max_depth\":6,\"rate_drop\":0.2,\"learning_rate\":0.2,"
                              "\"lambda\":3,\"n_estimators\":7}";
    static const char *const expected[N_ALGORITHMS] = {
        [ALGORITHM_XGBOOST] = "{\"max_depth\":6,\"eta\":0.2,\"lambda\":3,\"n_estimators\":7}",
        [ALGORITHM_DART] = "{\"max_depth\":6,\"rate_drop\":0.2,\"eta\":0.2,\"lambda\":3,"
                           "\"n_estimators\":7}",
        [ALGORITHM_RANDOM_FOREST] = "{\"max_depth\":6,\"lambda\":3}",
        [ALGORITHM_LINEAR] = "{\"eta\":0.2,\"lambda\":3,\"n_estimators\":7}",
    };

    (void)state;
    for (int id = 0; id < N_ALGORITHMS; id++) {
        struct hyperparams params = {0};

        assert_int_equal(overlay_of((enum algorithm_id)id, &params, all, NULL), ERR_OK);
        assert_json(&params, expected[id]);
        assert_int_equal(overlay_of((enum algorithm_id)id, &params, "{\"rate_drop\":2}", NULL),
                         ERR_CONFIG);
        assert_int_equal(overlay_of((enum algorithm_id)id, &params, "{\"rate\":2}", NULL),
                         ERR_CONFIG);
    }
}

static void test_check_wants_one_that_has_it(void **state)
{
    static const unsigned xgboost = ALGORITHM_BIT(ALGORITHM_XGBOOST),
                          dart = ALGORITHM_BIT(ALGORITHM_DART),
                          linear = ALGORITHM_BIT(ALGORITHM_LINEAR);
    struct err err = {0};

    (void)state;
    assert_int_equal(hyperparams_check(NULL, xgboost, NULL), ERR_OK);
    assert_int_equal(check(dart, "{\"rate_drop\":0.1,\"max_depth\":3}", NULL), ERR_OK);
    assert_int_equal(check(dart | linear, "{\"rate_drop\":0.1,\"reg_alpha\":3}", NULL), ERR_OK);
    assert_int_equal(check(xgboost | linear, "{\"eta\":0.1,\"rate_drop\":0.1}", &err), ERR_CONFIG);
    assert_string_equal(err.message,
                        "none of the \"algorithms\" has a hyperparameter \"rate_drop\"");
    assert_string_equal(err.hint, "it is one of dart");
    assert_string_equal(err.field, "/hyperparams/rate_drop");
    assert_int_equal(check(linear, "{\"min_split_loss\":1}", &err), ERR_CONFIG);
    assert_string_equal(err.hint, "it is one of xgboost, dart, random_forest");
    assert_int_equal(check(linear, "{\"eta\":5}", &err), ERR_CONFIG);
    assert_string_equal(err.field, "/hyperparams/eta");
    assert_int_equal(check(linear, "{\"etta\":5}", &err), ERR_CONFIG);
    assert_string_equal(err.hint, "did you mean \"eta\"?");
}

/* The table holds what the algorithms of that name are to XGBoost. */
static void test_algorithms(void **state)
{
    (void)state;
    for (int id = 0; id < N_ALGORITHMS; id++) {
        const struct algorithm *algorithm = algorithm_of((enum algorithm_id)id);

        assert_int_equal(algorithm->id, id);
        assert_true(algorithm->rounds_max >= 1);
        assert_string_equal(algorithm->params[0].name, "booster");
    }
    assert_int_equal(algorithm_of(ALGORITHM_RANDOM_FOREST)->rounds_max, 1);
    assert_int_equal(algorithm_of_booster("gbtree", false)->id, ALGORITHM_XGBOOST);
    assert_int_equal(algorithm_of_booster("gbtree", true)->id, ALGORITHM_RANDOM_FOREST);
    assert_int_equal(algorithm_of_booster("dart", true)->id, ALGORITHM_DART);
    assert_int_equal(algorithm_of_booster("gblinear", false)->id, ALGORITHM_LINEAR);
    assert_null(algorithm_of_booster("gbforest", false));
}

static void test_to_booster(void **state)
{
    static const struct booster_param expected[] = {
        {"eta", "0.1"}, {"max_depth", "6"}, {"grow_policy", "lossguide"}, {"lambda", "5e-06"}};
    struct booster_param params[8];
    struct hyperparams settings = {0};
    struct err err = {0};
    int n = -1;

    (void)state;
    assert_int_equal(overlay(&settings,
                             "{\"n_estimators\":500,\"eta\":0.1,\"max_depth\":6,"
                             "\"early_stopping_rounds\":20,\"grow_policy\":\"lossguide\","
                             "\"lambda\":5e-6}",
                             NULL),
                     ERR_OK);
    assert_int_equal(hyperparams_to_booster(&settings, params, 8, &n, &err), ERR_OK);
    assert_int_equal(n, 4);
    for (int i = 0; i < n; i++) {
        assert_string_equal(params[i].name, expected[i].name);
        assert_string_equal(params[i].value, expected[i].value);
    }
    assert_int_equal(hyperparams_to_booster(&settings, params, 4, &n, &err), ERR_OK);
    n = -1;
    assert_int_equal(hyperparams_to_booster(&settings, params, 3, &n, &err), ERR_LIMIT);
    assert_int_equal(n, -1);
}

static void test_every_parameter_at_once(void **state)
{
    struct hyperparams params = {0};

    (void)state;
    for (int i = 0; i < n_hyperparams; i++) {
        const struct hyperparam *row = &hyperparam_table[i];
        char choice[24] = "";

        if (row->type == HYPERPARAM_CHOICE)
            snprintf(choice, sizeof(choice), "%.*s", (int)strcspn(row->choices, ","), row->choices);
        assert_int_equal(hyperparams_set(&params, row->name, row->alias_of != NULL ? 1 : row->high,
                                         *choice != '\0' ? choice : NULL, NULL),
                         ERR_OK);
    }
    assert_int_equal(params.n, n_hyperparams - 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overlay_in_order),
        cmocka_unit_test(test_every_row_takes_its_bounds),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_overlay_is_all_or_nothing),
        cmocka_unit_test(test_overlay_by_algorithm),
        cmocka_unit_test(test_check_wants_one_that_has_it),
        cmocka_unit_test(test_algorithms),
        cmocka_unit_test(test_to_booster),
        cmocka_unit_test(test_every_parameter_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
