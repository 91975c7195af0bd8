/*
 * Dates and times in the ISO form: YYYY-MM-DD[( |T)HH:MM[:SS[.F]][[ ]ZONE]][ BC], and "infinity".
 *
 * The rules are those of Postgres's datetime.c: years have four digits or more and there is no year
 * 0; second 60 and 24:00:00 are allowed; a fraction of a second is read as a double and rounded to
 * microseconds; a zone is ignored where the type has none; a date ignores the time of day.
 */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "frame/decimal.h"
#include "frame/internal.h"

#define ZONE_HOURS_MAX 15
#define YEAR_MAX       5874897

struct moment {
    int64_t days;    /* since 2000-01-01 */
    int64_t time_us; /* of the day */
    int64_t zone_us; /* east of UTC */
    bool has_zone;
};

static int days_of_month(int64_t year, int64_t month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month - 1] + (month == 2 && leap);
}

/* " BC" at the very end turns year y into 1 - y. */
static bool cut_bc(struct scanner *scanner)
{
    if (scanner->end - scanner->at < 3 || strncasecmp(scanner->end - 3, " BC", 3) != 0)
        return false;
    scanner->end -= 3;
    return true;
}

static bool scan_date(struct scanner *scanner, bool bc, struct moment *moment)
{
    int64_t year, month, day;

    if (!scan_digits(scanner, 4, 7, &year) || !scan_char(scanner, '-') ||
        !scan_digits(scanner, 2, 2, &month) || !scan_char(scanner, '-') ||
        !scan_digits(scanner, 2, 2, &day))
        return false;
    if (year < 1 || year > YEAR_MAX || month < 1 || month > 12 || day < 1)
        return false;
    year = bc ? 1 - year : year;
    if (day > days_of_month(year, month))
        return false;
    moment->days = days_from_civil(year, (int)month, (int)day);
    return true;
}

/* The digits after the point (there may be none), as datetime.c reads them: strtod, times a
 * million, rint. */
static int64_t scan_fraction(struct scanner *scanner)
{
    struct decimal fraction;

    decimal_init(&fraction, false);
    for (; scanner->at < scanner->end && *scanner->at >= '0' && *scanner->at <= '9';
         scanner->at++) {
        decimal_push(&fraction, *scanner->at - '0');
        fraction.exponent--;
    }
    return (int64_t)rint(decimal_to_double(&fraction) * (double)USECS_PER_SECOND);
}

bool scan_minutes(struct scanner *scanner, int64_t *ret_us)
{
    int64_t minute, second = 0, fraction_us = 0;

    if (!scan_digits(scanner, 2, 2, &minute))
        return false;
    if (scan_char(scanner, ':')) {
        if (!scan_digits(scanner, 2, 2, &second))
            return false;
        if (scan_char(scanner, '.'))
            fraction_us = scan_fraction(scanner);
    }
    *ret_us = (minute * 60 + second) * USECS_PER_SECOND + fraction_us;
    return minute <= 59 && second <= 60;
}

/* HH:MM[:SS[.F]], at most a day. */
static bool scan_time(struct scanner *scanner, int64_t *ret_us)
{
    int64_t hour, us;

    if (!scan_digits(scanner, 2, 2, &hour) || !scan_char(scanner, ':') ||
        !scan_minutes(scanner, &us))
        return false;
    *ret_us = hour * 3600 * USECS_PER_SECOND + us;
    return *ret_us <= USECS_PER_DAY;
}

bool cell_set_time_of_day(struct cell *cell, int64_t us)
{
    cell->double_value = (double)us / (double)USECS_PER_SECOND;
    return us >= 0 && us <= USECS_PER_DAY;
}

bool cell_parse_time_of_day(const char *text, size_t n_bytes, struct cell *ret_cell)
{
    struct scanner scanner = {text, text + n_bytes};
    int64_t us;

    return scan_time(&scanner, &us) && scanner.at == scanner.end &&
           cell_set_time_of_day(ret_cell, us);
}

/* Z, ±HH, ±HHMM, ±HH:MM, ±HH:MM:SS */
static bool scan_zone(struct scanner *scanner, struct moment *moment)
{
    int64_t hours, minutes = 0, seconds = 0;
    bool west;

    scan_char(scanner, ' ');
    moment->has_zone = true;
    if (scan_char(scanner, 'Z') || scan_char(scanner, 'z'))
        return true;
    west = scan_char(scanner, '-');
    if ((!west && !scan_char(scanner, '+')) || !scan_digits(scanner, 2, 2, &hours))
        return false;
    if (scan_char(scanner, ':')) {
        if (!scan_digits(scanner, 2, 2, &minutes) ||
            (scan_char(scanner, ':') && !scan_digits(scanner, 2, 2, &seconds)))
            return false;
    } else if (scanner->at < scanner->end && !scan_digits(scanner, 2, 2, &minutes)) {
        return false;
    }
    if (hours > ZONE_HOURS_MAX || minutes > 59 || seconds > 59)
        return false;
    moment->zone_us = ((hours * 60 + minutes) * 60 + seconds) * USECS_PER_SECOND;
    moment->zone_us = west ? -moment->zone_us : moment->zone_us;
    return true;
}

static bool scan_moment(struct scanner *scanner, struct moment *moment)
{
    bool bc = cut_bc(scanner);

    *moment = (struct moment){0};
    if (!scan_date(scanner, bc, moment))
        return false;
    if (scanner->at == scanner->end)
        return true;
    if ((!scan_char(scanner, ' ') && !scan_char(scanner, 'T')) ||
        !scan_time(scanner, &moment->time_us))
        return false;
    return scanner->at == scanner->end ||
           (scan_zone(scanner, moment) && scanner->at == scanner->end);
}

static bool is_infinity(const char *text, size_t n_bytes)
{
    if (n_bytes > 0 && text[0] == '-') {
        text++;
        n_bytes--;
    }
    return n_bytes == 8 && strncasecmp(text, "infinity", 8) == 0;
}

/* A day before the first is in reach of a zone; a day that an int64 cannot hold is not. */
static bool in_reach(int64_t days)
{
    return days >= DATE_MIN_DAYS - 1 && days <= TIMESTAMP_END / USECS_PER_DAY;
}

bool cell_parse_time(enum pg_type type, const struct zone *zone, const char *text, size_t n_bytes,
                     struct cell *ret_cell)
{
    struct scanner scanner = {text, text + n_bytes};
    struct moment moment;
    int64_t us;

    if (is_infinity(text, n_bytes)) {
        ret_cell->is_null = true;
        return true;
    }
    if (!scan_moment(&scanner, &moment))
        return false;
    if (type == PG_DATE) {
        cell_set_days(ret_cell, moment.days);
        return moment.days >= DATE_MIN_DAYS;
    }
    if (!in_reach(moment.days) ||
        __builtin_add_overflow(moment.days * USECS_PER_DAY, moment.time_us, &us))
        return false;
    if (type == PG_TIMESTAMPTZ && moment.has_zone)
        us -= moment.zone_us;
    else if (type == PG_TIMESTAMPTZ && zone != NULL)
        us = zone_from_local(zone, us);
    ret_cell->int_value = us;
    return us >= TIMESTAMP_MIN && us < TIMESTAMP_END;
}
