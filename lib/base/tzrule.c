#include "base/tzrule.h"

#include <string.h>

#include "base/zone.h"

#define SECONDS_PER_DAY   86400
#define DAYS_1970_TO_2000 10957

/* A number of one to three digits between low and high. */
static bool read_number(const char **at, int low, int high, int *ret_number)
{
    int number = 0, n_digits = 0;

    for (; **at >= '0' && **at <= '9' && n_digits < 3; (*at)++, n_digits++)
        number = number * 10 + (**at - '0');
    if (n_digits == 0 || number < low || number > high)
        return false;
    *ret_number = number;
    return true;
}

static bool skip_char(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

/* "CET" or "<+0330>"; what it says is of no interest. */
static bool skip_name(const char **at)
{
    const char *start = *at;

    if (skip_char(at, '<')) {
        const char *close = strchr(*at, '>');

        if (close == NULL)
            return false;
        *at = close + 1;
        return true;
    }
    while ((**at >= 'A' && **at <= 'Z') || (**at >= 'a' && **at <= 'z'))
        (*at)++;
    return *at - start >= 3;
}

/* [+-]hh[:mm[:ss]] in seconds; RFC 8536 allows 167 hours. */
static bool read_time(const char **at, int32_t *ret_seconds)
{
    bool negative = skip_char(at, '-');
    int hours, minutes = 0, seconds = 0;

    if (!negative)
        skip_char(at, '+');
    if (!read_number(at, 0, 167, &hours))
        return false;
    if (skip_char(at, ':')) {
        if (!read_number(at, 0, 59, &minutes))
            return false;
        if (skip_char(at, ':') && !read_number(at, 0, 59, &seconds))
            return false;
    }
    seconds += hours * 3600 + minutes * 60;
    *ret_seconds = negative ? -seconds : seconds;
    return true;
}

static bool read_change(const char **at, struct tz_change *ret_change)
{
    struct tz_change change = {.kind = TZ_DAY_OF_YEAR, .second = 2 * 3600};

    if (skip_char(at, 'M')) {
        change.kind = TZ_DAY_OF_MONTH;
        if (!read_number(at, 1, 12, &change.month) || !skip_char(at, '.') ||
            !read_number(at, 1, 5, &change.week) || !skip_char(at, '.') ||
            !read_number(at, 0, 6, &change.day))
            return false;
    } else if (skip_char(at, 'J')) {
        change.kind = TZ_DAY_JULIAN;
        if (!read_number(at, 1, 365, &change.day))
            return false;
    } else if (!read_number(at, 0, 365, &change.day)) {
        return false;
    }
    if (skip_char(at, '/') && !read_time(at, &change.second))
        return false;
    *ret_change = change;
    return true;
}

bool tz_rule_parse(const char *text, struct tz_rule *ret_rule)
{
    struct tz_rule rule = {0};
    int32_t west;

    if (!skip_name(&text) || !read_time(&text, &west))
        return false;
    rule.standard_offset = -west; /* POSIX counts to the west */
    if (*text != '\0') {
        rule.has_summer = true;
        rule.summer_offset = rule.standard_offset + 3600;
        if (!skip_name(&text))
            return false;
        if (*text != ',') {
            if (!read_time(&text, &west))
                return false;
            rule.summer_offset = -west;
        }
        if (!skip_char(&text, ',') || !read_change(&text, &rule.to_summer) ||
            !skip_char(&text, ',') || !read_change(&text, &rule.to_standard) || *text != '\0')
            return false;
    }
    *ret_rule = rule;
    return true;
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days since 1970 of a change. */
static int64_t day_of(const struct tz_change *change, int64_t year)
{
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t first = days_from_civil(year, 1, 1) + DAYS_1970_TO_2000;
    int weekday, day, n_days;

    if (change->kind == TZ_DAY_OF_YEAR)
        return first + change->day;
    if (change->kind == TZ_DAY_JULIAN)
        return first + change->day - 1 + (is_leap(year) && change->day >= 60);
    first = days_from_civil(year, change->month, 1) + DAYS_1970_TO_2000;
    weekday = (int)(((first + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday; Sunday is 0 */
    day = (change->day - weekday + 7) % 7 + 7 * (change->week - 1);
    n_days = month_days[change->month - 1] + (change->month == 2 && is_leap(year));
    return first + (day < n_days ? day : day - 7);
}

bool tz_rule_changes(const struct tz_rule *rule, int64_t year, int64_t *ret_to_summer,
                     int64_t *ret_to_standard)
{
    int64_t to_summer = day_of(&rule->to_summer, year) * SECONDS_PER_DAY + rule->to_summer.second -
                        rule->standard_offset;
    int64_t to_standard = day_of(&rule->to_standard, year) * SECONDS_PER_DAY +
                          rule->to_standard.second - rule->summer_offset;
    int64_t year_seconds = (is_leap(year) ? 366 : 365) * SECONDS_PER_DAY;

    /* "XXX3EDT4,0/0,J365/23" ends its summer when the next one has begun */
    if (to_standard - to_summer >= year_seconds + rule->summer_offset - rule->standard_offset)
        return false;
    *ret_to_summer = to_summer;
    *ret_to_standard = to_standard;
    return true;
}
