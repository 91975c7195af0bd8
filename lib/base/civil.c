/*
 * The proleptic Gregorian calendar by Howard Hinnant's "chrono-Compatible Low-Level Date
 * Algorithms" (days_from_civil, civil_from_days): a year starts on 1 March, so that the leap day is
 * its last, and an era is the 400 years after which the calendar repeats.
 */
#include "base/zone.h"

#define DAYS_PER_ERA     146097
#define DAYS_TO_2000     730425 /* from 1 March 0000 to 1 January 2000 */
#define USECS_PER_SECOND 1000000

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t floor_mod(int64_t a, int64_t b)
{
    return a % b + (a % b < 0 ? b : 0);
}

int64_t days_from_civil(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = floor_div(y, 400);
    int64_t year_of_era = floor_mod(y, 400);
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_2000;
}

static void date_from_days(int64_t days, struct civil *civil)
{
    int64_t z = days + DAYS_TO_2000;
    int64_t era = floor_div(z, DAYS_PER_ERA);
    int day_of_era = (int)floor_mod(z, DAYS_PER_ERA);
    int year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month = (5 * day_of_year + 2) / 153; /* 0 is March */

    civil->day = day_of_year - (153 * month + 2) / 5 + 1;
    civil->month = month < 10 ? month + 3 : month - 9;
    civil->year = year_of_era + era * 400 + (civil->month <= 2);
}

void civil_from_us(int64_t local_us, struct civil *ret_civil)
{
    int64_t days = floor_div(local_us, USECS_PER_DAY);
    int64_t rest = floor_mod(local_us, USECS_PER_DAY);
    int second_of_day = (int)(rest / USECS_PER_SECOND);

    date_from_days(days, ret_civil);
    ret_civil->hour = second_of_day / 3600;
    ret_civil->minute = second_of_day / 60 % 60;
    ret_civil->second = second_of_day % 60;
    ret_civil->microsecond = (int)(rest % USECS_PER_SECOND);
    ret_civil->weekday = (int)floor_mod(days + 5, 7) + 1; /* 2000-01-01 was a Saturday */
    ret_civil->yearday = (int)(days - days_from_civil(ret_civil->year, 1, 1)) + 1;
}
