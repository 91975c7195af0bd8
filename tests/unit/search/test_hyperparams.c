#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "search/hyperparams.h"

static enum err_code overlay(struct hyperparams *params, const char *text, struct err *err)
{
    cJSON *object = cJSON_Parse(text);
    enum err_code code;

    assert_non_null(object);
    code = hyperparams_overlay(params, object, err);
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
    assert_int_equal(hyperparams_overlay(&params, NULL, NULL), ERR_OK);
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
        const char *choice = row->type == HYPERPARAM_CHOICE ? "depthwise" : NULL;

        assert_int_equal(hyperparams_set(&params, row->name, row->alias_of != NULL ? 1 : row->high,
                                         choice, NULL),
                         ERR_OK);
    }
    assert_int_equal(params.n, n_hyperparams - 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overlay_in_order), cmocka_unit_test(test_every_row_takes_its_bounds),
        cmocka_unit_test(test_refusals),         cmocka_unit_test(test_overlay_is_all_or_nothing),
        cmocka_unit_test(test_to_booster),       cmocka_unit_test(test_every_parameter_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
