#include "base/zone.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/tzfile.h"

#define ZONE_FOLDER          "/usr/share/zoneinfo"
#define FILE_BYTES_MAX       65536
#define NAME_LENGTH_MAX      64
#define UNIX_SECONDS_TO_2000 INT64_C(946684800)
#define SECONDS_PER_DAY      INT64_C(86400)
#define USECS_PER_SECOND     INT64_C(1000000)

struct zone {
    bool is_utc;
    struct tz_table table;
};

void zone_free(struct zone *zone)
{
    if (zone == NULL)
        return;
    free(zone->table.entries);
    free(zone);
}

static enum err_code unknown_zone(const char *name, struct err *err)
{
    err_set(err, ERR_INVALID, "unknown time zone \"%s\"", name);
    return err_hint(err,
                    "use an IANA name as it is spelled there, such as \"Europe/Zurich\", or an "
                    "offset such as \"+02:00\"");
}

/* "+02:00", "-0530", "+05": hours east of UTC, as ISO 8601 (and not POSIX) counts. */
static bool parse_offset(const char *name, int32_t *ret_seconds)
{
    int digits[4] = {0}, n = 0, minutes;

    for (const char *c = name + 1; *c != '\0'; c++) {
        if (*c == ':' && n == 2)
            continue;
        if (*c < '0' || *c > '9' || n == 4)
            return false;
        digits[n++] = *c - '0';
    }
    minutes = digits[2] * 10 + digits[3];
    if ((n != 2 && n != 4) || name[strlen(name) - 1] == ':' || minutes > 59)
        return false;
    minutes += (digits[0] * 10 + digits[1]) * 60;
    if (minutes > 15 * 60 + 59) /* Postgres's bound */
        return false;
    *ret_seconds = (name[0] == '-' ? -minutes : minutes) * 60;
    return true;
}

/* A name that stays inside of the folder. "localtime" would be another zone on another machine. */
static bool is_safe_name(const char *name)
{
    size_t length = strlen(name);

    if (length == 0 || length > NAME_LENGTH_MAX || name[0] == '/' || strstr(name, "..") != NULL ||
        strcmp(name, "localtime") == 0)
        return false;
    return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") ==
           length;
}

static enum err_code load(const char *name, struct tz_table *ret_table, struct err *err)
{
    CLEANUP(buf_release) struct buf file = {0};
    char path[sizeof(ZONE_FOLDER) + NAME_LENGTH_MAX + 1];
    enum err_code code;

    if (!is_safe_name(name))
        return unknown_zone(name, err);
    snprintf(path, sizeof(path), "%s/%s", ZONE_FOLDER, name);
    code = buf_read_file(&file, path, FILE_BYTES_MAX, err);
    if (code == ERR_NOMEM)
        return code;
    if (code != ERR_OK)
        return unknown_zone(name, err);
    code = tz_table_parse(file.data, file.length, ret_table, err);
    return code == ERR_OK || code == ERR_NOMEM ? code : err_prefix(err, "time zone \"%s\"", name);
}

static enum err_code fill(struct zone *zone, const char *name, struct err *err)
{
    static const char *const names_of_utc[] = {"UTC", "Etc/UTC", "GMT", "Z"};

    for (size_t i = 0; i < N_ELEMENTS(names_of_utc); i++)
        zone->is_utc |= strcmp(name, names_of_utc[i]) == 0;
    if (zone->is_utc)
        return ERR_OK;
    if (name[0] == '+' || name[0] == '-')
        return parse_offset(name, &zone->table.first_offset) ? ERR_OK : unknown_zone(name, err);
    return load(name, &zone->table, err);
}

enum err_code zone_new(const char *name, struct zone **ret_zone, struct err *err)
{
    CLEANUP(zone_freep) struct zone *zone = calloc(1, sizeof(*zone));

    if (zone == NULL)
        return err_nomem(err);
    TRY(fill(zone, name, err));
    *ret_zone = TAKE_PTR(zone);
    return ERR_OK;
}

/* What holds at an instant, and the next change after it. */
struct span {
    int32_t offset, next_offset;
    bool has_next;
    int64_t next_at;
};

static struct span find_span(const struct tz_table *table, int64_t unix_seconds)
{
    const struct tz_entry *entries = table->entries;
    size_t low = 0, high = table->n; /* entries before low are at or before the instant */
    int64_t shift = 0;

    if (table->repeats && unix_seconds >= entries[table->n - 1].at)
        shift =
            ((unix_seconds - entries[table->n - 1].at) / TZ_REPEAT_SECONDS + 1) * TZ_REPEAT_SECONDS;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (entries[middle].at <= unix_seconds - shift)
            low = middle + 1;
        else
            high = middle;
    }
    return (struct span){
        .offset = low == 0 ? table->first_offset : entries[low - 1].offset,
        .has_next = low < table->n,
        .next_offset = low < table->n ? entries[low].offset : 0,
        .next_at = low < table->n ? entries[low].at + shift : 0,
    };
}

/* Whole unix seconds of a timestamp, rounded down. */
static int64_t unix_seconds_of(int64_t us)
{
    return us / USECS_PER_SECOND - (us % USECS_PER_SECOND < 0) + UNIX_SECONDS_TO_2000;
}

/* Postgres's ±infinity, the ends of the range, has no wall clock and stays what it is. */
static int64_t shifted(int64_t us, int64_t seconds)
{
    int64_t result;

    return __builtin_add_overflow(us, seconds * USECS_PER_SECOND, &result) ? us : result;
}

/* Of the change that ends a span; INT64_MAX: nothing ends it. */
static int64_t timestamp_of(const struct span *span)
{
    int64_t us;

    if (!span->has_next ||
        __builtin_mul_overflow(span->next_at - UNIX_SECONDS_TO_2000, USECS_PER_SECOND, &us))
        return INT64_MAX;
    return us;
}

static bool is_infinite(int64_t us)
{
    return us == INT64_MAX || us == INT64_MIN;
}

int64_t zone_to_local(const struct zone *zone, int64_t utc_us)
{
    if (zone->is_utc || is_infinite(utc_us))
        return utc_us;
    return shifted(utc_us, find_span(&zone->table, unix_seconds_of(utc_us)).offset);
}

/* DetermineTimeZoneOffsetInternal of Postgres's datetime.c. Offsets are below a day and changes
 * more than two days apart, so the change that matters is the first after the day before. */
int64_t zone_from_local(const struct zone *zone, int64_t local_us)
{
    int64_t local = unix_seconds_of(local_us), before, after;
    struct span span;

    if (zone->is_utc || is_infinite(local_us))
        return local_us;
    span = find_span(&zone->table, local - SECONDS_PER_DAY);
    if (!span.has_next)
        return shifted(local_us, -(int64_t)span.offset);
    before = local - span.offset;
    after = local - span.next_offset;
    if (before < span.next_at && after < span.next_at)
        return shifted(local_us, -(int64_t)span.offset);
    if (before > span.next_at && after >= span.next_at)
        return shifted(local_us, -(int64_t)span.next_offset);
    /* skipped or twice: the offset before a jump forward, that after a jump back */
    return shifted(local_us, -(int64_t)(before > after ? span.offset : span.next_offset));
}

/* As above: the change that matters is the first after the day before. */
int64_t zone_first_instant(const struct zone *zone, int64_t local_us)
{
    int64_t before_us, change_us, after_us;
    struct span span;

    if (zone->is_utc || is_infinite(local_us))
        return local_us;
    span = find_span(&zone->table, unix_seconds_of(local_us) - SECONDS_PER_DAY);
    before_us = shifted(local_us, -(int64_t)span.offset);
    change_us = timestamp_of(&span);
    if (before_us < change_us)
        return before_us;
    after_us = shifted(local_us, -(int64_t)span.next_offset);
    return after_us > change_us ? after_us : change_us;
}

int64_t zone_next_change(const struct zone *zone, int64_t after_us)
{
    struct span span;

    if (zone->is_utc || is_infinite(after_us))
        return INT64_MAX;
    span = find_span(&zone->table, unix_seconds_of(after_us));
    return timestamp_of(&span);
}
