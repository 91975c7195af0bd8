#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "train/trials.h"

#define N 6

/* Rows 0 … N - 1 that completed with their numbers as scores; `running` (a bit each) have not. */
struct fixture {
    struct trial_row rows[N];
    struct trial_record records[N];
    struct trials trials;
};

static void set_up(struct fixture *fixture, unsigned running)
{
    *fixture = (struct fixture){0};
    for (int i = 0; i < N; i++) {
        enum trial_state state = running >> i & 1 ? TRIAL_RUNNING : TRIAL_COMPLETED;

        fixture->rows[i] = (struct trial_row){.number = i};
        fixture->records[i] = (struct trial_record){.number = i, .state = state, .score = i};
    }
    fixture->trials.rows = (struct trial_rows){.n = N, .items = fixture->rows};
    fixture->trials.records = fixture->records;
}

static void test_what_has_ended(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture, 1u << 3);
    assert_true(trials_ended(&fixture.trials, 3));
    assert_false(trials_ended(&fixture.trials, 4));
    set_up(&fixture, 0);
    assert_true(trials_ended(&fixture.trials, N + 1));
}

/* The trials at the same time as it are there without their results, whatever these are by now. */
static void test_what_a_trial_learns_from(void **state)
{
    struct fixture fixture;
    struct history history;

    (void)state;
    set_up(&fixture, 0);
    history = trials_history(&fixture.trials, 5, 3, false);
    assert_int_equal(history.n, 5);
    for (int i = 0; i < history.n; i++) {
        assert_int_equal(history.trials[i].state, i <= 2 ? TRIAL_COMPLETED : TRIAL_RUNNING);
        assert_true(i <= 2 ? history.trials[i].score == i : isnan(history.trials[i].score));
    }
}

static void test_the_commonest_error(void **state)
{
    static const struct {
        const char *errors[N]; /* NULL: it did not fail */
        const char *commonest;
        int n;
    } cases[] = {
        {{NULL}, NULL, 0},
        {{NULL, "out of memory", NULL, "it diverged", "it diverged"}, "it diverged", 2},
        /* in whichever round */
        {{"out of memory", "out of memory", "the trial diverged in round 7",
          "the trial diverged in round 12", "the trial diverged in round 130"},
         "the trial diverged in round 7",
         3},
        {{"4 of x", "4 of y", "of x", "of", "of", "of x 4"}, "of", 2},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct fixture fixture;
        const char *commonest;
        int n;

        set_up(&fixture, 0);
        for (int k = 0; k < N; k++)
            fixture.rows[k].error = cases[i].errors[k];
        commonest = trials_commonest_error(&fixture.trials, &n);
        assert_int_equal(n, cases[i].n);
        if (cases[i].commonest == NULL)
            assert_null(commonest);
        else
            assert_string_equal(commonest, cases[i].commonest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_has_ended),
        cmocka_unit_test(test_what_a_trial_learns_from),
        cmocka_unit_test(test_the_commonest_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
