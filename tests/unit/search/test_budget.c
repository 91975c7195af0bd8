#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "search/budget.h"

static struct budget budget_for(const char *search, const char *algorithms)
{
    CLEANUP(sampler_release) struct sampler sampler = {0};
    CLEANUP(project_freep) struct project *project = NULL;
    CLEANUP(buf_release) struct buf text = {0};
    struct err err = {0};

    buf_printf(&text,
               "{\"project\":\"p\",\"relation\":\"r\",\"target\":\"t\",\"search\":%s,"
               "\"algorithms\":%s}",
               search, algorithms);
    if (project_parse(text.data, text.length, "p", &project, &err) != ERR_OK ||
        sampler_init(&sampler, project, false, false, &err) != ERR_OK)
        fail_msg("%s", err.message);
    return budget_of(&sampler, project);
}

/* The table of the header; xgboost's portfolio has seven settings, linear's three. */
static void test_budgets(void **state)
{
    static const struct {
        const char *search, *algorithms;
        int n_trials;
        double seconds;
        int n_polishes;
    } rows[] = {
        {"{\"strategy\":\"none\"}", "[\"xgboost\",\"linear\"]", 2, 0, 0},
        {"{\"strategy\":\"none\",\"minutes\":1,\"trials\":1}", "[\"xgboost\",\"linear\"]", 1, 60,
         0},
        {"{\"strategy\":\"grid\",\"params\":{\"lambda\":[1,2,3]}}", "\"xgboost\"", 3, 0, 0},
        {"{\"strategy\":\"grid\",\"params\":{\"lambda\":[1,2,3]},\"trials\":2}", "\"xgboost\"", 2,
         0, 0},
        {"{\"strategy\":\"grid\",\"params\":{\"lambda\":[1,2,3]},\"trials\":9,\"minutes\":0.5}",
         "[\"xgboost\",\"linear\"]", 6, 30, 0},
        {"{\"strategy\":\"random\"}", "\"xgboost\"", 50, 0, 0},
        {"{\"strategy\":\"tpe\"}", "\"xgboost\"", 50, 0, 0},
        {"{\"strategy\":\"tpe\",\"minutes\":2}", "\"xgboost\"", 0, 120, 0},
        {"{\"strategy\":\"tpe\",\"minutes\":2,\"trials\":7}", "\"xgboost\"", 7, 120, 0},
        {"{}", "\"xgboost\"", 8, 0, 1},
        {"{\"trials\":7}", "\"xgboost\"", 7, 0, 0},
        {"{\"trials\":8}", "\"xgboost\"", 8, 0, 1},
        {"{\"trials\":29}", "\"xgboost\"", 29, 0, 1},
        {"{\"trials\":30}", "\"xgboost\"", 30, 0, 2},
        {"{\"trials\":40}", "[\"xgboost\",\"linear\"]", 40, 0, 2},
        {"{\"minutes\":10}", "\"xgboost\"", 0, 600, 2},
        /* nothing that is polished */
        {"{}", "\"linear\"", 4, 0, 0},
        {"{\"trials\":30}", "\"linear\"", 30, 0, 0},
        {"{\"trials\":30,\"params\":{\"eta\":[0.1,0.2]}}", "\"xgboost\"", 30, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct budget budget = budget_for(rows[i].search, rows[i].algorithms);

        assert_int_equal(budget.n_trials, rows[i].n_trials);
        assert_true(budget.seconds == rows[i].seconds);
        assert_int_equal(budget.n_polishes, rows[i].n_polishes);
    }
}

static void test_what_is_next(void **state)
{
    static const struct budget trials = {.n_trials = 3, .n_polishes = 1};
    static const struct budget plain = {.n_trials = 3};
    static const struct budget minutes = {.seconds = 100, .n_polishes = 1};
    static const struct budget thrice = {.seconds = 100, .n_polishes = 3};
    static const struct budget several = {.n_trials = 30, .n_polishes = 3};
    static const struct budget both = {.n_trials = 3, .seconds = 100};
    static const struct {
        const struct budget *budget;
        int n_begun;
        double seconds, usual;
        int n_polished;
        enum budget_next next;
    } rows[] = {
        {&trials, 0, 0, 0, 0, BUDGET_TRIAL},
        {&trials, 1, 1e9, 0, 0, BUDGET_TRIAL},
        {&trials, 2, 0, 0, 0, BUDGET_POLISH},
        {&trials, 2, 0, 0, 1, BUDGET_TRIAL}, /* there was nothing to polish */
        {&trials, 3, 0, 0, 0, BUDGET_SPENT},
        {&plain, 2, 0, 0, 0, BUDGET_TRIAL},
        {&plain, 4, 0, 0, 0, BUDGET_SPENT},
        {&minutes, 0, 200, 500, 0, BUDGET_TRIAL}, /* the first always runs */
        {&minutes, 5, 79, 20, 0, BUDGET_TRIAL},
        {&minutes, 5, 79, 22, 0, BUDGET_POLISH}, /* no time for a usual one */
        {&minutes, 5, 80, 1, 0, BUDGET_POLISH},
        {&minutes, 5, 80, 1, 1, BUDGET_TRIAL},
        {&minutes, 5, 99.5, 1, 1, BUDGET_SPENT},
        {&minutes, 5, 100, 0, 0, BUDGET_SPENT},
        {&thrice, 5, 79, 20, 0, BUDGET_TRIAL},
        {&thrice, 6, 80, 1, 1, BUDGET_POLISH},
        {&thrice, 7, 90, 11, 2, BUDGET_SPENT}, /* another one is no longer worth it */
        {&thrice, 8, 90, 1, 3, BUDGET_TRIAL},
        {&several, 26, 0, 0, 0, BUDGET_TRIAL},
        {&several, 27, 0, 0, 0, BUDGET_POLISH},
        {&several, 28, 0, 0, 1, BUDGET_POLISH},
        {&several, 29, 0, 0, 2, BUDGET_POLISH},
        {&several, 29, 0, 0, 3, BUDGET_TRIAL},
        {&both, 2, 99, 0, 0, BUDGET_TRIAL},
        {&both, 3, 1, 0, 0, BUDGET_SPENT},
        {&both, 2, 100, 0, 0, BUDGET_SPENT},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        assert_int_equal(budget_next(rows[i].budget, rows[i].n_begun, rows[i].seconds,
                                     rows[i].usual, rows[i].n_polished),
                         rows[i].next);
}

static void test_polishes_wait_while_there_is_time(void **state)
{
    static const struct budget trials = {.n_trials = 30, .n_polishes = 2};
    static const struct budget minutes = {.seconds = 100, .n_polishes = 2};

    (void)state;
    assert_true(budget_waits(&trials, 1e9, 1e9));
    assert_true(budget_waits(&minutes, 80, 6));
    assert_false(budget_waits(&minutes, 80, 7)); /* 21 seconds, and 20 are left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budgets),
        cmocka_unit_test(test_what_is_next),
        cmocka_unit_test(test_polishes_wait_while_there_is_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
