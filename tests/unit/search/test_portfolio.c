#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "search/portfolio.h"

static void test_every_setting(void **state)
{
    (void)state;
    for (int task = 0; task < 2; task++) {
        assert_int_equal(portfolio_size(task), 6);
        for (int i = 0; i < portfolio_size(task); i++) {
            struct hyperparams params, again;

            memset(&params, 0x55, sizeof(params));
            portfolio_get(task, i, &params);
            assert_true(params.n >= 1 && params.n <= 10);
            assert_true(hyperparams_get(&params, "eta", 0) > 0);
            for (int k = 0; k < i; k++) { /* no setting twice */
                portfolio_get(task, k, &again);
                assert_true(memcmp(&params, &again, sizeof(params)) != 0);
            }
        }
    }
}

static void assert_setting(bool classification, int i, const char *expected)
{
    CLEANUP(buf_release) struct buf json = {0};
    struct hyperparams params;

    portfolio_get(classification, i, &params);
    hyperparams_to_json(&params, &json);
    assert_string_equal(buf_text(&json), expected);
}

static void test_known_settings(void **state)
{
    (void)state;
    assert_setting(false, 0, "{\"eta\":0.1}");
    assert_setting(true, 0, "{\"eta\":0.1}");
    assert_setting(true, 1,
                   "{\"eta\":0.08,\"max_depth\":6,\"min_child_weight\":5e-06,\"lambda\":0,"
                   "\"colsample_bylevel\":0.9,\"subsample\":0.65}");
    assert_setting(false, 1,
                   "{\"eta\":0.05,\"max_depth\":9,\"min_child_weight\":2,\"lambda\":0,"
                   "\"subsample\":0.7}");
    assert_setting(false, 2,
                   "{\"eta\":0.018,\"max_depth\":10,\"min_child_weight\":0.6,"
                   "\"colsample_bytree\":0.69}");
    assert_setting(false, 5,
                   "{\"grow_policy\":\"lossguide\",\"max_leaves\":35,\"max_depth\":10,"
                   "\"eta\":0.011,\"min_child_weight\":0.14,\"alpha\":3.5,\"lambda\":1.3,"
                   "\"subsample\":0.69,\"colsample_bylevel\":0.64,\"colsample_bynode\":0.92}");
}

/* max(clamp(3,000,000 / n, 20, 300), 0.3 × best + 20), by hand. */
static void test_patience(void **state)
{
    static const struct {
        size_t n_rows;
        int best_round, patience;
    } rows[] = {
        {0, 0, 300},       {1, 0, 300},      {10000, 0, 300},    {20000, 0, 150},
        {30000, 100, 100}, {150000, 0, 20},  {1000000, 0, 20},   {1000000, 100, 50},
        {1000, 1000, 320}, {1000, 900, 300}, {20000, 1000, 320}, {1000000, 9999, 3019},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        assert_int_equal(early_stopping_patience(rows[i].n_rows, rows[i].best_round),
                         rows[i].patience);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_setting),
        cmocka_unit_test(test_known_settings),
        cmocka_unit_test(test_patience),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
