#include "schedule/cron.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/nearest.h"

#define TEXT_BYTES_MAX   256
#define N_FIELDS         5
#define USECS_PER_MINUTE INT64_C(60000000)
#define MINUTES_PER_DAY  1440
#define DAYS_PER_ERA     146097           /* of 400 years, after which dates and weekdays repeat */
#define DAYS_MAX         INT64_C(2921940) /* to the end of the year 9999 */

/* Fields --------------------------------------------------------------------------------------- */

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                          "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

static const struct field {
    const char *name;
    int low, high;
    int n_names; /* of low and what follows */
    const char *const *names;
} fields[N_FIELDS] = {
    {"minute", 0, 59, 0, NULL},
    {"hour", 0, 23, 0, NULL},
    {"day of month", 1, 31, 0, NULL},
    {"month", 1, 12, 12, month_names},
    {"day of week", 0, 7, 7, weekday_names},
};
enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY };

static const struct nickname {
    const char *name, *text;
} nicknames[] = {
    {"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
    {"@weekly", "0 0 * * 0"},   {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
};

static enum err_code refuse(const struct field *field, const char *part, struct err *err)
{
    err_set(err, ERR_INVALID, "the %s \"%s\" is none", field->name, part);
    if (field->names != NULL)
        return err_hint(err,
                        "expected *, a number from %d to %d, a name such as %s, or a range, "
                        "list or step of them",
                        field->low, field->high, field->names[1]);
    return err_hint(err, "expected *, a number from %d to %d, or a range, list or step of them",
                    field->low, field->high);
}

/* Reads a number of at most three digits, or a name, at *at; -1: neither is there. */
static int read_value(const struct field *field, const char **at)
{
    size_t length = 0;
    int value = 0;

    while (isalnum((unsigned char)(*at)[length]))
        length++;
    for (int i = 0; i < field->n_names; i++)
        if (length == strlen(field->names[i]) && strncasecmp(*at, field->names[i], length) == 0) {
            *at += length;
            return field->low + i;
        }
    if (length == 0 || length > 3)
        return -1;
    for (size_t i = 0; i < length; i++) {
        if (!isdigit((unsigned char)(*at)[i]))
            return -1;
        value = value * 10 + ((*at)[i] - '0');
    }
    *at += length;
    return value;
}

struct range {
    int low, high, step;
};

/* "*", "5", "1-5", each but the second with "/2". */
static bool read_range(const struct field *field, const char *at, struct range *range)
{
    bool single = false;

    *range = (struct range){field->low, field->high, 1};
    if (*at == '*') {
        at++;
    } else {
        range->low = range->high = read_value(field, &at);
        single = *at != '-';
        if (!single) {
            at++;
            range->high = read_value(field, &at);
            if (field == &fields[WEEKDAY] && range->high == 0 && range->low > 0)
                range->high = 7; /* Sunday ends a week as well */
        }
    }
    if (*at == '/' && !single) {
        at++;
        range->step = read_value(&fields[MINUTE], &at);
    }
    return *at == '\0' && range->low >= field->low && range->high <= field->high &&
           range->low <= range->high && range->step >= 1 &&
           range->step <= field->high - field->low + 1;
}

/* A list of ranges, as bits. */
static enum err_code read_field(const struct field *field, char *text, uint64_t *ret_bits,
                                struct err *err)
{
    uint64_t bits = 0;

    for (char *part = text, *end; part != NULL; part = end) {
        struct range range;

        end = strchr(part, ',');
        if (end != NULL)
            *end++ = '\0';
        if (!read_range(field, part, &range))
            return refuse(field, part, err);
        for (int i = range.low; i <= range.high; i += range.step)
            bits |= UINT64_C(1) << i;
    }
    *ret_bits = bits;
    return ERR_OK;
}

/* Expressions ---------------------------------------------------------------------------------- */

static enum err_code expand(const char *text, char *out, struct err *err)
{
    const char *names[N_ELEMENTS(nicknames)];
    const char *nearest;

    if (strlen(text) >= TEXT_BYTES_MAX)
        return err_set(err, ERR_INVALID, "a cron expression has less than %d bytes",
                       TEXT_BYTES_MAX);
    snprintf(out, TEXT_BYTES_MAX, "%s", text);
    if (text[0] != '@')
        return ERR_OK;
    for (size_t i = 0; i < N_ELEMENTS(nicknames); i++) {
        names[i] = nicknames[i].name;
        if (strcasecmp(text, nicknames[i].name) == 0) {
            snprintf(out, TEXT_BYTES_MAX, "%s", nicknames[i].text);
            return ERR_OK;
        }
    }
    nearest = nearest_name(text, names, N_ELEMENTS(nicknames));
    err_set(err, ERR_INVALID, "\"%s\" is no schedule", text);
    if (nearest != NULL)
        return err_hint(err, "did you mean \"%s\"?", nearest);
    return err_hint(err, "one of @hourly, @daily, @weekly, @monthly, @yearly, or five fields");
}

static enum err_code split(char *text, char *parts[N_FIELDS], struct err *err)
{
    char *rest = NULL;
    int n = 0;

    for (char *part = strtok_r(text, " \t", &rest); part != NULL;
         part = strtok_r(NULL, " \t", &rest))
        if (n++ < N_FIELDS)
            parts[n - 1] = part;
    if (n == N_FIELDS)
        return ERR_OK;
    err_set(err, ERR_INVALID, "a cron expression has five fields, this one %d", n);
    return err_hint(err, "minute, hour, day of month, month, day of week: \"0 3 * * *\" is every "
                         "night at three");
}

static bool next_local(const struct cron *cron, int64_t local_us, int64_t *ret_local_us);

enum err_code cron_parse(const char *text, struct cron *ret_cron, struct err *err)
{
    char copy[TEXT_BYTES_MAX];
    char *parts[N_FIELDS];
    uint64_t bits[N_FIELDS];
    struct cron cron = {0};
    int64_t first;

    TRY(expand(text, copy, err));
    TRY(split(copy, parts, err));
    cron.any_day = parts[DAY][0] == '*';
    cron.any_weekday = parts[WEEKDAY][0] == '*';
    cron.by_the_clock = parts[HOUR][0] == '*';
    for (int i = 0; i < N_FIELDS; i++)
        TRY(read_field(&fields[i], parts[i], &bits[i], err));
    cron.minutes = bits[MINUTE];
    cron.hours = (uint32_t)bits[HOUR];
    cron.days = (uint32_t)bits[DAY];
    cron.months = (uint16_t)bits[MONTH];
    cron.weekdays = (uint8_t)((bits[WEEKDAY] | bits[WEEKDAY] >> 7) & 0x7f);
    if (!next_local(&cron, 0, &first)) {
        err_set(err, ERR_INVALID, "\"%s\" never comes", text);
        return err_hint(err, "no month that it names has such a day");
    }
    *ret_cron = cron;
    return ERR_OK;
}

/* The wall clock ------------------------------------------------------------------------------- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool has(uint64_t bits, int value)
{
    return bits >> value & 1;
}

static bool suits_date(const struct cron *cron, const struct civil *civil)
{
    bool day = has(cron->days, civil->day);
    bool weekday = has(cron->weekdays, civil->weekday % 7);

    if (!has(cron->months, civil->month))
        return false;
    return cron->any_day || cron->any_weekday ? day && weekday : day || weekday;
}

/* The first minute of a day, from one on; MINUTES_PER_DAY: none is left. */
static int next_minute(const struct cron *cron, int minute)
{
    for (; minute < MINUTES_PER_DAY; minute++) {
        if (!has(cron->hours, minute / 60))
            minute += 59 - minute % 60;
        else if (has(cron->minutes, minute % 60))
            return minute;
    }
    return MINUTES_PER_DAY;
}

/* The first time of the wall clock after one. False: it never comes. */
static bool next_local(const struct cron *cron, int64_t local_us, int64_t *ret_local_us)
{
    int64_t day = floor_div(local_us, USECS_PER_DAY);
    int minute = (int)((local_us - day * USECS_PER_DAY) / USECS_PER_MINUTE) + 1;

    for (int64_t last = day + DAYS_PER_ERA; day <= last; day++, minute = 0) {
        struct civil civil;

        civil_from_us(day * USECS_PER_DAY, &civil);
        if (!suits_date(cron, &civil))
            continue;
        minute = next_minute(cron, minute);
        if (minute == MINUTES_PER_DAY)
            continue;
        *ret_local_us = day * USECS_PER_DAY + minute * USECS_PER_MINUTE;
        return true;
    }
    return false;
}

/* Instants ------------------------------------------------------------------------------------- */

/* Every time it names once. Two of them that the clock skips come at the same moment, and one that
 * it shows again has been: so on to the first that is later. */
static int64_t next_once(const struct cron *cron, const struct zone *zone, int64_t after_us)
{
    int64_t local_us = zone_to_local(zone, after_us), at_us;

    do {
        if (!next_local(cron, local_us, &local_us))
            return CRON_NEVER;
        at_us = zone_first_instant(zone, local_us);
    } while (at_us <= after_us);
    return at_us;
}

/* Whenever the clock shows it: from one change of the clock to the next, whose moment may be such a
 * time itself. */
static int64_t next_shown(const struct cron *cron, const struct zone *zone, int64_t after_us)
{
    int64_t local_us = zone_to_local(zone, after_us);

    while (after_us <= DAYS_MAX * USECS_PER_DAY) {
        int64_t offset_us = zone_to_local(zone, after_us) - after_us;
        int64_t change_us = zone_next_change(zone, after_us);

        if (!next_local(cron, local_us, &local_us))
            return CRON_NEVER;
        if (local_us - offset_us < change_us)
            return local_us - offset_us;
        after_us = change_us;
        local_us = zone_to_local(zone, change_us) - 1;
    }
    return CRON_NEVER;
}

int64_t cron_next(const struct cron *cron, const struct zone *zone, int64_t after_us)
{
    int64_t at_us;

    if (after_us < -DAYS_MAX * USECS_PER_DAY || after_us > DAYS_MAX * USECS_PER_DAY)
        return CRON_NEVER;
    at_us = cron->by_the_clock ? next_shown(cron, zone, after_us) : next_once(cron, zone, after_us);
    return at_us > DAYS_MAX * USECS_PER_DAY ? CRON_NEVER : at_us;
}
