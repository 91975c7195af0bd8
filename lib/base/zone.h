/*
 * Time zones and the calendar, by the machine's tz database. The C library's knows one zone a
 * process; GLib's knows many but searches them linearly and prints on its own. Both differ from
 * Postgres where a time of the wall clock is skipped or comes twice. So the files are read here.
 *
 * A zone never changes once made and may be used by many threads.
 * Timestamps are Postgres's: microseconds since 2000-01-01 00:00:00, proleptic Gregorian.
 */
#ifndef PGBOOST_BASE_ZONE_H
#define PGBOOST_BASE_ZONE_H

#include <stdint.h>

#include "base/err.h"

#define USECS_PER_DAY INT64_C(86400000000)

struct zone;

/* By IANA name ("UTC", "Europe/Zurich"; case matters) or fixed offset ("+02:00": east of UTC).
 * Unknown: ERR_INVALID. */
MUST_CHECK enum err_code zone_new(const char *name, struct zone **ret_zone, struct err *err);
void zone_free(struct zone *zone);
DEFINE_FREEP(struct zone *, zone_free)

/* Wall-clock time in the zone of an instant, and back. A wall-clock time that is skipped is read
 * with the offset before the jump, one that comes twice with the offset after it: as Postgres reads
 * them. Postgres's ±infinity (INT64_MAX, INT64_MIN) stays what it is. */
int64_t zone_to_local(const struct zone *zone, int64_t utc_us);
int64_t zone_from_local(const struct zone *zone, int64_t local_us);

/* The first instant at which the zone's clock shows a time or, where it skips that, a later one. */
int64_t zone_first_instant(const struct zone *zone, int64_t local_us);

/* When the clock changes next after an instant; INT64_MAX: never. */
int64_t zone_next_change(const struct zone *zone, int64_t after_us);

/* Calendar parts of a wall-clock time (days before 2000 too). */
struct civil {
    int64_t year; /* astronomical: 0 is 1 BC */
    int month, day, hour, minute, second, microsecond;
    int weekday; /* ISO: Monday 1 … Sunday 7 */
    int yearday; /* 1 … 366 */
};
void civil_from_us(int64_t local_us, struct civil *ret_civil);

/* Days since 2000-01-01 of a proleptic Gregorian date. The date must be valid. */
int64_t days_from_civil(int64_t year, int month, int day);

#endif
