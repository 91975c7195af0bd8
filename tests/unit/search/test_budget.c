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
        bool polishes;
    } rows[] = {
        {"{\"strategy\":\"none\"}", "[\"xgboost\",\"linear\"]", 2, 0, false},
        {"{\"strategy\":\"none\",\"minutes\":1,\"trials\":1}", "[\"xgboost\",\"linear\"]", 1, 60,
         false},
        {"{\"strategy\":\"grid\",\"params\":{\"lambda\":[1,2,3]}}", "\"xgboost\"", 3, 0, false},
        {"{\"strategy\":\"grid\",\"params\":{\"lambda\":[1,2,3]},\"trials\":2}", "\"xgboost\"", 2,
         0, false},
        {"{\"strategy\":\"grid\",\"params\":{\"lambda\":[1,2,3]},\"trials\":9,\"minutes\":0.5}",
         "[\"xgboost\",\"linear\"]", 6, 30, false},
        {"{\"strategy\":\"random\"}", "\"xgboost\"", 50, 0, false},
        {"{\"strategy\":\"tpe\"}", "\"xgboost\"", 50, 0, false},
        {"{\"strategy\":\"tpe\",\"minutes\":2}", "\"xgboost\"", 0, 120, false},
        {"{\"strategy\":\"tpe\",\"minutes\":2,\"trials\":7}", "\"xgboost\"", 7, 120, false},
        {"{}", "\"xgboost\"", 8, 0, true},
        {"{\"trials\":7}", "\"xgboost\"", 7, 0, false},
        {"{\"trials\":8}", "\"xgboost\"", 8, 0, true},
        {"{\"trials\":40}", "[\"xgboost\",\"linear\"]", 40, 0, true},
        {"{\"minutes\":10}", "\"xgboost\"", 0, 600, true},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct budget budget = budget_for(rows[i].search, rows[i].algorithms);

        assert_int_equal(budget.n_trials, rows[i].n_trials);
        assert_true(budget.seconds == rows[i].seconds);
        assert_int_equal(budget.polishes, rows[i].polishes);
    }
}

static void test_what_is_next(void **state)
{
    static const struct budget trials = {.n_trials = 3, .polishes = true};
    static const struct budget plain = {.n_trials = 3};
    static const struct budget minutes = {.seconds = 100, .polishes = true};
    static const struct budget both = {.n_trials = 3, .seconds = 100};
    static const struct {
        const struct budget *budget;
        int n_begun;
        double seconds, usual;
        bool was_polished;
        enum budget_next next;
    } rows[] = {
        {&trials, 0, 0, 0, false, BUDGET_TRIAL},
        {&trials, 1, 1e9, 0, false, BUDGET_TRIAL},
        {&trials, 2, 0, 0, false, BUDGET_POLISH},
        {&trials, 2, 0, 0, true, BUDGET_TRIAL}, /* there was nothing to polish */
        {&trials, 3, 0, 0, false, BUDGET_SPENT},
        {&plain, 2, 0, 0, false, BUDGET_TRIAL},
        {&plain, 4, 0, 0, false, BUDGET_SPENT},
        {&minutes, 0, 200, 500, false, BUDGET_TRIAL}, /* the first always runs */
        {&minutes, 5, 79, 20, false, BUDGET_TRIAL},
        {&minutes, 5, 79, 22, false, BUDGET_POLISH}, /* no time for a usual one */
        {&minutes, 5, 80, 1, false, BUDGET_POLISH},
        {&minutes, 5, 80, 1, true, BUDGET_TRIAL},
        {&minutes, 5, 99.5, 1, true, BUDGET_SPENT},
        {&minutes, 5, 100, 0, false, BUDGET_SPENT},
        {&both, 2, 99, 0, false, BUDGET_TRIAL},
        {&both, 3, 1, 0, false, BUDGET_SPENT},
        {&both, 2, 100, 0, false, BUDGET_SPENT},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        assert_int_equal(budget_next(rows[i].budget, rows[i].n_begun, rows[i].seconds,
                                     rows[i].usual, rows[i].was_polished),
                         rows[i].next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budgets),
        cmocka_unit_test(test_what_is_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
