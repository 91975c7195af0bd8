/*
 * The rule at the end of a time zone file that holds for all times after its last entry: POSIX's TZ
 * string with the extensions of RFC 8536 ("CET-1CEST,M3.5.0,M10.5.0/3", "<-02>2<-01>,M3.5.0/-1,…").
 */
#ifndef PGBOOST_BASE_TZRULE_H
#define PGBOOST_BASE_TZRULE_H

#include <stdbool.h>
#include <stdint.h>

enum tz_day_kind {
    TZ_DAY_OF_MONTH, /* Mm.w.d: weekday d of week w (5: the last) of month m */
    TZ_DAY_JULIAN,   /* Jn: 1 to 365, 29 February is never counted */
    TZ_DAY_OF_YEAR,  /* n: 0 to 365, 29 February is counted */
};

struct tz_change {
    enum tz_day_kind kind;
    int month, week, day;
    int32_t
        second; /* of the day, by the clock before the change; may be negative or beyond a day */
};

/* Offsets are seconds east of UTC. */
struct tz_rule {
    int32_t standard_offset, summer_offset;
    bool has_summer;
    struct tz_change to_summer, to_standard;
};

bool tz_rule_parse(const char *text, struct tz_rule *ret_rule);

/* The two changes of a year in unix seconds. False when it is summer time all year. */
bool tz_rule_changes(const struct tz_rule *rule, int64_t year, int64_t *ret_to_summer,
                     int64_t *ret_to_standard);

#endif
