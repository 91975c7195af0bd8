/* Cron expressions: next times against those that Python works out (make_cron_cases.py), and the
 * texts that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "schedule/cron.h"

#define USECS_PER_SECOND INT64_C(1000000)
#define N_TIMES          8

struct cron_case {
    const char *text, *zone;
    int64_t after;
    int64_t times[N_TIMES]; /* up to the first 0 */
};

#include "cron_cases.h"

static void test_next_times(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cron_cases); i++) {
        const struct cron_case *c = &cron_cases[i];
        CLEANUP(zone_freep) struct zone *zone = NULL;
        int64_t at_us = c->after * USECS_PER_SECOND;
        struct cron cron;
        struct err err;

        if (cron_parse(c->text, &cron, &err) != ERR_OK)
            fail_msg("%s: %s", c->text, err.message);
        assert_int_equal(zone_new(c->zone, &zone, &err), ERR_OK);
        for (int k = 0; k < N_TIMES && c->times[k] != 0; k++) {
            at_us = cron_next(&cron, zone, at_us);
            if (at_us != c->times[k] * USECS_PER_SECOND)
                fail_msg("%s in %s: time %d is %lld and not %lld", c->text, c->zone, k + 1,
                         (long long)(at_us / USECS_PER_SECOND), (long long)c->times[k]);
        }
    }
    assert_true(N_ELEMENTS(cron_cases) > 100);
}

/* Seconds and less belong to the minute they are in: the next time is a later one. */
static void test_between_minutes(void **state)
{
    CLEANUP(zone_freep) struct zone *zone = NULL;
    struct cron cron;

    (void)state;
    assert_int_equal(zone_new("UTC", &zone, NULL), ERR_OK);
    assert_int_equal(cron_parse("*/10 0 * * *", &cron, NULL), ERR_OK);
    assert_int_equal(cron_next(&cron, zone, -1), 0);
    assert_int_equal(cron_next(&cron, zone, 0), 600 * USECS_PER_SECOND);
    assert_int_equal(cron_next(&cron, zone, 600 * USECS_PER_SECOND - 1), 600 * USECS_PER_SECOND);
    assert_int_equal(cron_next(&cron, zone, 600 * USECS_PER_SECOND + 1), 1200 * USECS_PER_SECOND);
}

/* The last years there are, and what lies beyond. */
static void test_far_away(void **state)
{
    CLEANUP(zone_freep) struct zone *zone = NULL;
    const int64_t last_us = days_from_civil(9999, 12, 31) * USECS_PER_DAY;
    struct cron daily, leap;

    (void)state;
    assert_int_equal(zone_new("Europe/Zurich", &zone, NULL), ERR_OK);
    assert_int_equal(cron_parse("0 12 * * *", &daily, NULL), ERR_OK);
    assert_int_equal(cron_parse("0 * 29 2 */7", &leap, NULL), ERR_OK); /* a Sunday */
    assert_int_equal(cron_next(&daily, zone, last_us), last_us + USECS_PER_DAY / 24 * 11);
    assert_int_equal(cron_next(&daily, zone, INT64_MAX), CRON_NEVER);
    assert_int_equal(cron_next(&daily, zone, INT64_MIN), CRON_NEVER);
    assert_int_equal(cron_next(&leap, zone, last_us), CRON_NEVER);
    /* 2100 has no leap day, and the first one on a Sunday comes in 2128 */
    assert_int_equal(cron_next(&leap, zone, days_from_civil(2100, 1, 1) * USECS_PER_DAY),
                     days_from_civil(2128, 2, 29) * USECS_PER_DAY - USECS_PER_DAY / 24);
}

static const struct {
    const char *text, *message, *hint;
} refused[] = {
    {"", "five fields, this one 0", "0 3 * * *"},
    {"* * * *", "five fields, this one 4", "day of week"},
    {"0 0 3 * * *", "five fields, this one 6", ""},
    {"60 * * * *", "the minute \"60\" is none", "from 0 to 59"},
    {"* 24 * * *", "the hour \"24\" is none", "from 0 to 23"},
    {"* * 0 * *", "the day of month \"0\" is none", "from 1 to 31"},
    {"* * 32 * *", "the day of month \"32\" is none", ""},
    {"* * * 13 *", "the month \"13\" is none", "feb"},
    {"* * * janu *", "the month \"janu\" is none", "feb"},
    {"* * * * 8", "the day of week \"8\" is none", "mon"},
    {"* * * mon *", "the month \"mon\" is none", ""},
    {"jan * * * *", "the minute \"jan\" is none", ""},
    {"5-1 * * * *", "the minute \"5-1\" is none", ""},
    {"* 22-2 * * *", "the hour \"22-2\" is none", ""},
    {"*/0 * * * *", "the minute \"*/0\" is none", ""},
    {"*/90 * * * *", "the minute \"*/90\" is none", ""},
    {"5/15 * * * *", "the minute \"5/15\" is none", ""},
    {"1,,2 * * * *", "the minute \"\" is none", ""},
    {"1, * * * *", "the minute \"\" is none", ""},
    {"1-2-3 * * * *", "the minute \"1-2-3\" is none", ""},
    {"1- * * * *", "the minute \"1-\" is none", ""},
    {"-1 * * * *", "the minute \"-1\" is none", ""},
    {"*/ * * * *", "the minute \"*/\" is none", ""},
    {"** * * * *", "the minute \"**\" is none", ""},
    {"1.5 * * * *", "the minute \"1.5\" is none", ""},
    {"0000000001 * * * *", "the minute \"0000000001\" is none", ""},
    {"* * L * *", "the day of month \"L\" is none", ""},
    {"* * 15W * *", "the day of month \"15W\" is none", ""},
    {"* * * * 5#3", "the day of week \"5#3\" is none", ""},
    {"* * ? * *", "the day of month \"?\" is none", ""},
    {"0 0 31 2 *", "never comes", "no month"},
    {"0 0 30 feb *", "never comes", ""},
    {"0 0 31 4,6,9,11 *", "never comes", ""},
    {"0 0 30,31 2 */2", "never comes", ""},
    {"@reboot", "\"@reboot\" is no schedule", ""},
    {"@dayly", "\"@dayly\" is no schedule", "did you mean \"@daily\""},
    {"@", "is no schedule", "@hourly"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(refused); i++) {
        struct cron cron;
        struct err err;

        if (cron_parse(refused[i].text, &cron, &err) != ERR_INVALID)
            fail_msg("\"%s\" was taken", refused[i].text);
        if (strstr(err.message, refused[i].message) == NULL)
            fail_msg("\"%s\": %s", refused[i].text, err.message);
        if (strstr(err.hint, refused[i].hint) == NULL)
            fail_msg("\"%s\": %s", refused[i].text, err.hint);
    }
}

static void test_too_long(void **state)
{
    char text[400];

    (void)state;
    memset(text, '1', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(cron_parse(text, &(struct cron){0}, NULL), ERR_INVALID);
}

/* 31 February or a Monday: either will do. */
static void test_either_day(void **state)
{
    CLEANUP(zone_freep) struct zone *zone = NULL;
    struct cron cron;

    (void)state;
    assert_int_equal(zone_new("UTC", &zone, NULL), ERR_OK);
    assert_int_equal(cron_parse("0 0 31 2 mon", &cron, NULL), ERR_OK);
    assert_int_equal(cron_next(&cron, zone, 0), days_from_civil(2000, 2, 7) * USECS_PER_DAY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next_times), cmocka_unit_test(test_between_minutes),
        cmocka_unit_test(test_far_away),   cmocka_unit_test(test_refused),
        cmocka_unit_test(test_too_long),   cmocka_unit_test(test_either_day),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
