#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <string.h>

#include "search/portfolio.h"

static void check_setting(enum algorithm_id id, bool classification, int i)
{
    struct setting setting, again;

    memset(&setting, 0x55, sizeof(setting));
    portfolio_get(id, classification, i, &setting);
    assert_ptr_equal(setting.algorithm, algorithm_of(id));
    assert_true(setting.params.n >= 1 && setting.params.n <= 10);
    for (int k = 0; k < setting.params.n; k++) /* all of them the algorithm's own */
        assert_true(setting.params.values[k].param->algorithms & ALGORITHM_BIT(id));
    for (int k = 0; k < i; k++) { /* no setting twice */
        portfolio_get(id, classification, k, &again);
        assert_true(memcmp(&setting.params, &again.params, sizeof(again.params)) != 0);
    }
}

static void test_every_setting(void **state)
{
    (void)state;
    for (int k = 0; k < N_ALGORITHMS * 2; k++) {
        enum algorithm_id id = (enum algorithm_id)(k / 2);
        bool classification = k % 2;

        assert_true(portfolio_size(id, classification) >= 2);
        for (int i = 0; i < portfolio_size(id, classification); i++)
            check_setting(id, classification, i);
    }
    assert_int_equal(portfolio_size(ALGORITHM_XGBOOST, false), 7);
    assert_int_equal(portfolio_size(ALGORITHM_XGBOOST, true), 7);
}

/* 7 settings of xgboost and 2 of dart. */
static void test_algorithms_take_turns(void **state)
{
    static const unsigned both = ALGORITHM_BIT(ALGORITHM_XGBOOST) | ALGORITHM_BIT(ALGORITHM_DART);
    static const enum algorithm_id turns[] = {0, 1, 0, 1, 0, 0, 0, 0, 0};
    struct setting setting, expected;
    int n_of[2] = {0};

    (void)state;
    assert_int_equal(portfolio_size_of(both, true, INT_MAX), 9);
    assert_int_equal(portfolio_size_of(both, true, 1), 2);
    assert_int_equal(portfolio_size_of(both, true, 4), 6);
    assert_int_equal(portfolio_size_of(ALGORITHM_BIT(ALGORITHM_DART), true, INT_MAX), 2);
    for (int i = 0; i < 9; i++) {
        portfolio_get_of(both, true, i, &setting);
        assert_int_equal(setting.algorithm->id, turns[i]);
        portfolio_get(turns[i], true, n_of[turns[i]]++, &expected);
        assert_memory_equal(&setting, &expected, sizeof(setting));
    }
}

static void assert_setting(bool classification, int i, const char *expected)
{
    CLEANUP(buf_release) struct buf json = {0};
    struct setting setting;

    portfolio_get(ALGORITHM_XGBOOST, classification, i, &setting);
    hyperparams_to_json(&setting.params, &json);
    assert_string_equal(buf_text(&json), expected);
}

static void test_known_settings(void **state)
{
    (void)state;
    assert_setting(false, 0, "{\"eta\":0.1}");
    assert_setting(true, 0, "{\"eta\":0.1}");
    assert_setting(false, 1,
                   "{\"eta\":0.1,\"min_child_weight\":5,\"subsample\":0.7,"
                   "\"colsample_bytree\":0.7,\"max_cat_to_onehot\":2000}");
    assert_setting(true, 2,
                   "{\"eta\":0.1,\"max_depth\":6,\"min_child_weight\":5e-06,\"lambda\":0,"
                   "\"colsample_bylevel\":0.9,\"subsample\":0.65}");
    assert_setting(false, 4,
                   "{\"eta\":0.1,\"max_depth\":9,\"min_child_weight\":2,\"lambda\":0,"
                   "\"subsample\":0.7}");
    assert_setting(false, 6,
                   "{\"eta\":0.1,\"grow_policy\":\"lossguide\",\"max_leaves\":35,\"max_depth\":10,"
                   "\"min_child_weight\":0.14,\"alpha\":3.5,\"lambda\":1.3,"
                   "\"subsample\":0.69,\"colsample_bylevel\":0.64,\"colsample_bynode\":0.92}");
}

/* All settings of boosted trees are compared at one eta. */
static void test_one_eta(void **state)
{
    const struct hyperparam *eta = hyperparam_find("eta");
    struct setting setting;

    (void)state;
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < portfolio_size(ALGORITHM_XGBOOST, k); i++) {
            portfolio_get(ALGORITHM_XGBOOST, k, i, &setting);
            assert_true(hyperparams_value(&setting.params, eta)->number == 0.1);
        }
    }
}

/* max(clamp(1,000,000 ÷ n, 20, 50) × clamp(0.1 ÷ eta, 1/3, 3), 0.3 × best + 20), by hand. */
static void test_patience(void **state)
{
    static const struct {
        size_t n_rows;
        double eta;
        int best_round, patience;
    } rows[] = {
        {0, 0.1, 0, 50},         {1, 0.1, 0, 50},
        {10000, 0.1, 0, 50},     {10000, 0.05, 0, 100},
        {10000, 0.001, 0, 150},  {10000, 0.5, 0, 20},
        {25000, 0.1, 0, 40},     {1000000, 0.1, 0, 20},
        {1000000, 0.05, 0, 40},  {1000000, 0.1, 100, 50},
        {1000, 0.1, 1000, 320},  {1000, 0.05, 200, 100},
        {1000, 0.05, 1000, 320}, {1000000, 0.1, 9999, 3019},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        assert_int_equal(early_stopping_patience(rows[i].n_rows, rows[i].eta, rows[i].best_round),
                         rows[i].patience);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_setting),  cmocka_unit_test(test_algorithms_take_turns),
        cmocka_unit_test(test_known_settings), cmocka_unit_test(test_one_eta),
        cmocka_unit_test(test_patience),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
