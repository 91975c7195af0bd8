/* The calendar against a second one that only counts: day after day by the Gregorian rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/zone.h"

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_of_month(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && is_leap(year));
}

/* From 24 November 4714 BC (year -4713), Postgres's first day and a Monday. */
static void every_day_from_postgres_first(void **state)
{
    int64_t year = -4713;
    int month = 11, day = 24, weekday = 1, yearday = 328;

    (void)state;
    for (int64_t days = -2451545; days < 500000; days++) {
        struct civil civil;

        civil_from_us(days * USECS_PER_DAY, &civil);
        if (civil.year != year || civil.month != month || civil.day != day ||
            civil.weekday != weekday || civil.yearday != yearday ||
            days_from_civil(year, month, day) != days)
            fail_msg("day %lld", (long long)days);
        weekday = weekday % 7 + 1;
        yearday++;
        if (++day > days_of_month(year, month)) {
            day = 1;
            if (++month > 12) {
                month = 1;
                year++;
                yearday = 1;
            }
        }
    }
}

/* Worked out by Python's datetime (1 to 9999) and by Postgres (the rest). */
static void days_by_others(void **state)
{
    static const struct {
        int64_t year;
        int month, day;
        int64_t days;
    } cases[] = {
        {2000, 1, 1, 0},         {1999, 12, 31, -1},
        {1970, 1, 1, -10957},    {1, 1, 1, -730119},
        {9999, 12, 31, 2921939}, {1900, 2, 28, -36466},
        {1900, 3, 1, -36465},    {2000, 2, 29, 59},
        {2100, 3, 1, 36584},     {0, 1, 1, -730485},
        {0, 12, 31, -730120},    {0, 2, 29, -730426},
        {-4, 3, 1, -731886},     {5874897, 12, 31, 2145031948},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (days_from_civil(cases[i].year, cases[i].month, cases[i].day) != cases[i].days)
            fail_msg("%lld-%d-%d", (long long)cases[i].year, cases[i].month, cases[i].day);
}

static void time_of_day(void **state)
{
    static const struct {
        int64_t us;
        struct civil civil;
    } cases[] = {
        {0, {2000, 1, 1, 0, 0, 0, 0, 6, 1}},
        {-1, {1999, 12, 31, 23, 59, 59, 999999, 5, 365}},
        {INT64_C(783313199999999), {2024, 10, 27, 2, 59, 59, 999999, 7, 301}},
        {INT64_C(-63082281600000001), {0, 12, 31, 23, 59, 59, 999999, 7, 366}},
        {INT64_MAX, {294277, 1, 9, 4, 0, 54, 775807, 2, 9}},
        {INT64_MIN, {-290278, 12, 22, 19, 59, 5, 224192, 2, 356}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct civil got;

        civil_from_us(cases[i].us, &got);
        assert_int_equal(got.year, cases[i].civil.year);
        assert_int_equal(got.month, cases[i].civil.month);
        assert_int_equal(got.day, cases[i].civil.day);
        assert_int_equal(got.hour, cases[i].civil.hour);
        assert_int_equal(got.minute, cases[i].civil.minute);
        assert_int_equal(got.second, cases[i].civil.second);
        assert_int_equal(got.microsecond, cases[i].civil.microsecond);
        assert_int_equal(got.weekday, cases[i].civil.weekday);
        assert_int_equal(got.yearday, cases[i].civil.yearday);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_day_from_postgres_first),
        cmocka_unit_test(days_by_others),
        cmocka_unit_test(time_of_day),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
