#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lookup/counts.h"

/* A bound belongs to its bucket, and what is beyond the last to the one behind. */
static void test_buckets(void **state)
{
    struct lookup_counts counts = {0};

    (void)state;
    counts_note(&counts, LOOKUP_FOUND, 0);
    counts_note(&counts, LOOKUP_FOUND, 100);
    counts_note(&counts, LOOKUP_NO_ROW, 101);
    counts_note(&counts, LOOKUP_TIMED_OUT, 2500000);
    counts_note(&counts, LOOKUP_OVERDUE, 2500001);
    assert_int_equal(counts.n_by_bucket[0], 2);
    assert_int_equal(counts.n_by_bucket[1], 1);
    assert_int_equal(counts.n_by_bucket[LOOKUP_BUCKETS - 1], 1);
    assert_int_equal(counts.n_by_bucket[LOOKUP_BUCKETS], 1);
    assert_int_equal(counts.sum_us, 100 + 101 + 2500000 + 2500001);
    assert_int_equal(counts.n_by_result[LOOKUP_FOUND], 2);
    assert_int_equal(counts.n_by_result[LOOKUP_NO_ROW], 1);
    assert_int_equal(counts.n_by_result[LOOKUP_TIMED_OUT], 1);
    assert_int_equal(counts.n_by_result[LOOKUP_OVERDUE], 1);
    counts_note(&counts, LOOKUP_QUEUE_FULL, LOOKUP_UNTIMED);
    assert_int_equal(counts.n_by_result[LOOKUP_QUEUE_FULL], 1);
    assert_int_equal(counts.n_by_bucket[0], 2);
    for (int i = 1; i < LOOKUP_BUCKETS; i++)
        assert_true(lookup_bounds_us[i - 1] < lookup_bounds_us[i]);
}

/* Only what went well counts as found, and only who asked wrongly as bad. */
static void test_results(void **state)
{
    (void)state;
    assert_int_equal(counts_result(ERR_OK), LOOKUP_FOUND);
    for (int code = ERR_OK + 1; code < ERR_CODES; code++)
        assert_int_not_equal(counts_result((enum err_code)code), LOOKUP_FOUND);
    assert_int_equal(counts_result(ERR_NOT_FOUND), LOOKUP_NO_ROW);
    assert_int_equal(counts_result(ERR_INVALID), LOOKUP_BAD);
    assert_int_equal(counts_result(ERR_TIMEOUT), LOOKUP_TIMED_OUT);
    assert_int_equal(counts_result(ERR_UNREACHABLE), LOOKUP_UNREACHABLE);
    assert_int_equal(counts_result(ERR_SQL), LOOKUP_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_results),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
