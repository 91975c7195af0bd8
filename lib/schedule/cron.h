/*
 * Cron expressions: which minutes of the wall clock they name, and when the next one comes.
 *
 *     minute  hour  day of month  month  day of week
 *
 * Each field is "*", a number, a range "1-5", the two with a step ("8-18/2"), or a list of
 * them. Months and weekdays may be named (jan, mon; case does not matter); 0 and 7 are Sunday,
 * which may also end a range ("fri-sun"). @yearly, @annually, @monthly, @weekly, @daily, @midnight
 * and
 * @hourly stand for a whole expression. As in Vixie cron, a date must suit both day fields, or one
 * of the two where neither begins with "*".
 *
 * Where the clock changes: an expression whose hour field begins with "*" goes by what the clock
 * shows, and nothing else: a time that is shown twice comes twice, one that is skipped does not
 * come. Every other expression comes once for each time it names: at the first of two, and where
 * the time is skipped, at the moment of the change.
 *
 * Refuses: seconds and years, "L", "W", "#", "?", @reboot. Pure functions of the calendar and a
 * zone (base/zone.h). Timestamps are microseconds since 2000-01-01 00:00:00 UTC.
 */
#ifndef PGBOOST_SCHEDULE_CRON_H
#define PGBOOST_SCHEDULE_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/zone.h"

/* Bit n stands for the value n; bit 0 of weekdays is Sunday. */
struct cron {
    uint64_t minutes;
    uint32_t hours, days;
    uint16_t months;
    uint8_t weekdays;
    bool any_day, any_weekday; /* the field begins with "*" */
    bool by_the_clock;         /* the hour's does */
};

/* ERR_INVALID names the field and what was expected; also for an expression that never comes, such
 * as 31 February. */
MUST_CHECK enum err_code cron_parse(const char *text, struct cron *ret_cron, struct err *err);

#define CRON_NEVER INT64_MAX

/* The first time after an instant; CRON_NEVER beyond the year 9999. */
int64_t cron_next(const struct cron *cron, const struct zone *zone, int64_t after_us);

#endif
