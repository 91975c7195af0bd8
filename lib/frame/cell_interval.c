/*
 * Intervals, as seconds: months, days and microseconds on the wire; in text what IntervalStyle
 * postgres prints, "1 year 2 mons -3 days +04:05:06.789", and hours, minutes and seconds by name.
 */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "frame/decimal.h"
#include "frame/internal.h"

#define USECS_PER_HOUR   (3600 * USECS_PER_SECOND)
#define USECS_PER_MONTH  (30 * USECS_PER_DAY)
#define USECS_PER_YEAR   (INT64_C(31557600) * USECS_PER_SECOND) /* 365.25 days */
#define MONTHS_PER_YEAR  12
#define FIELD_DIGITS_MAX 13 /* the hours of SPAN_MAX */

/* Microseconds of 190 million years: more than all fields of an interval together hold. */
#define SPAN_MAX ((__int128)190000000 * USECS_PER_YEAR)

/* The sums of fields: text may have more of them than fit the fields of an interval. */
struct span {
    __int128 months, us;
};

static const struct {
    const char *name;
    int64_t months, us;
} units[] = {
    {"year", 12, 0},
    {"mon", 1, 0},
    {"month", 1, 0},
    {"day", 0, USECS_PER_DAY},
    {"hour", 0, USECS_PER_HOUR},
    {"minute", 0, 60 * USECS_PER_SECOND},
    {"second", 0, USECS_PER_SECOND},
};

/* Microseconds, exact, to the nearest number of seconds. */
static double seconds_of(__int128 us)
{
    unsigned __int128 rest = us < 0 ? -(unsigned __int128)us : (unsigned __int128)us;
    struct decimal decimal;
    char digits[40];
    int n = 0;

    if (rest <= (UINT64_C(1) << 53))
        return (double)(int64_t)us / (double)USECS_PER_SECOND;
    for (; rest > 0; rest /= 10)
        digits[n++] = (char)(rest % 10);
    decimal_init(&decimal, us < 0);
    while (n > 0)
        decimal_push(&decimal, digits[--n]);
    decimal.exponent -= 6;
    return decimal_to_double(&decimal);
}

/* The months that do not make a year count 30 days each, as in Postgres's interval_part_common.
 * False: longer than an interval can be. */
static bool set_span(struct cell *cell, const struct span *span)
{
    __int128 us = span->us + span->months / MONTHS_PER_YEAR * USECS_PER_YEAR +
                  span->months % MONTHS_PER_YEAR * USECS_PER_MONTH;

    cell->double_value = seconds_of(us);
    return us >= -SPAN_MAX && us <= SPAN_MAX;
}

enum err_code cell_interval_from_binary(struct wire *wire, struct cell *ret_cell, struct err *err)
{
    int64_t us, days, months;
    struct span span;

    if (!wire_int(wire, 8, &us) || !wire_int(wire, 4, &days) || !wire_int(wire, 4, &months))
        return cell_corrupt(PG_INTERVAL, err);
    if (us == INT64_MAX && days == INT32_MAX && months == INT32_MAX) {
        ret_cell->double_value = HUGE_VAL;
    } else if (us == INT64_MIN && days == INT32_MIN && months == INT32_MIN) {
        ret_cell->double_value = -HUGE_VAL;
    } else {
        span = (struct span){months, (__int128)days * USECS_PER_DAY + us};
        if (!set_span(ret_cell, &span))
            return cell_corrupt(PG_INTERVAL, err);
    }
    return ERR_OK;
}

static bool scan_unit(struct scanner *scanner, int64_t value, struct span *span)
{
    const char *word = scanner->at;
    size_t n;

    while (scanner->at < scanner->end && *scanner->at != ' ')
        scanner->at++;
    n = (size_t)(scanner->at - word);
    if (n > 0 && (word[n - 1] == 's' || word[n - 1] == 'S'))
        n--;
    for (size_t i = 0; i < N_ELEMENTS(units); i++) {
        if (strlen(units[i].name) != n || strncasecmp(units[i].name, word, n) != 0)
            continue;
        span->months += (__int128)value * units[i].months;
        span->us += (__int128)value * units[i].us;
        return true;
    }
    return false;
}

/* "-3 days" or "+04:05:06.789"; the sign counts for all of the time. */
static bool scan_field(struct scanner *scanner, struct span *span)
{
    bool negative = scan_char(scanner, '-');
    int64_t value, us;

    if (!negative)
        scan_char(scanner, '+');
    if (!scan_digits(scanner, 1, FIELD_DIGITS_MAX, &value))
        return false;
    if (scan_char(scanner, ':')) {
        __int128 time;

        if (!scan_minutes(scanner, &us))
            return false;
        time = (__int128)value * USECS_PER_HOUR + us;
        span->us += negative ? -time : time;
        return scanner->at == scanner->end || *scanner->at == ' ';
    }
    scan_spaces(scanner);
    return scan_unit(scanner, negative ? -value : value, span);
}

bool cell_parse_interval(const char *text, size_t n_bytes, struct cell *ret_cell)
{
    struct scanner scanner = {text, text + n_bytes};
    struct span span = {0, 0};

    if (n_bytes == 8 && strncasecmp(text, "infinity", 8) == 0) {
        ret_cell->double_value = HUGE_VAL;
        return true;
    }
    if (n_bytes == 9 && strncasecmp(text, "-infinity", 9) == 0) {
        ret_cell->double_value = -HUGE_VAL;
        return true;
    }
    do {
        scan_spaces(&scanner);
        if (!scan_field(&scanner, &span))
            return false;
        scan_spaces(&scanner);
    } while (scanner.at < scanner.end);
    return set_span(ret_cell, &span);
}
