#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schedule/backoff.h"

/* Every delay lies in the upper half of a step that doubles up to the most. */
static void test_doubles_to_the_most(void **state)
{
    const int64_t steps[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000};
    struct backoff backoff = {.first_ms = 1000, .most_ms = 60000};
    struct rng rng;

    (void)state;
    rng_init(&rng, 7);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        int64_t delay_ms = backoff_fail(&backoff, &rng);

        assert_in_range(delay_ms, steps[i] / 2, steps[i]);
    }
}

static void test_success_starts_over(void **state)
{
    struct backoff backoff = {.first_ms = 100, .most_ms = 5000};
    struct rng rng;

    (void)state;
    rng_init(&rng, 7);
    for (int i = 0; i < 5; i++)
        backoff_fail(&backoff, &rng);
    backoff_succeed(&backoff);
    assert_in_range(backoff_fail(&backoff, &rng), 50, 100);
}

/* Chance spreads the delays over the whole half, both ends included. */
static void test_jitter_uses_its_range(void **state)
{
    int64_t least = INT64_MAX, most = 0;
    struct rng rng;

    (void)state;
    rng_init(&rng, 1);
    for (int i = 0; i < 1000; i++) {
        struct backoff backoff = {.first_ms = 10, .most_ms = 10};
        int64_t delay_ms = backoff_fail(&backoff, &rng);

        least = delay_ms < least ? delay_ms : least;
        most = delay_ms > most ? delay_ms : most;
    }
    assert_int_equal(least, 5);
    assert_int_equal(most, 10);
}

static void test_many_failures_do_not_overflow(void **state)
{
    struct backoff backoff = {.first_ms = 1, .most_ms = 60000, .n_failures = INT32_MAX - 1};
    struct rng rng;

    (void)state;
    rng_init(&rng, 1);
    for (int i = 0; i < 3; i++)
        assert_in_range(backoff_fail(&backoff, &rng), 30000, 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles_to_the_most),
        cmocka_unit_test(test_success_starts_over),
        cmocka_unit_test(test_jitter_uses_its_range),
        cmocka_unit_test(test_many_failures_do_not_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
