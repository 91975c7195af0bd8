#include "calendar.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "schedule/cron.h"

#define N_MISSED_MAX 1000000 /* two years of minutes; the rest at the next look */
/* "catch_up": "none" leaves out what was due longer ago than this. */
#define LATE_US (INT64_C(300) * 1000000)

struct entry {
    int64_t project_id;
    char *schedule, *timezone;
    struct cron cron;
    struct zone *zone; /* NULL: the schedule cannot be used */
    bool present;      /* in the look under way */
};

struct calendar {
    int n, capacity;
    struct entry *items;
};

static void entry_release(struct entry *entry)
{
    free(entry->schedule);
    free(entry->timezone);
    zone_free(entry->zone);
    *entry = (struct entry){0};
}

enum err_code calendar_new(struct calendar **ret_calendar, struct err *err)
{
    struct calendar *calendar = calloc(1, sizeof(*calendar));

    if (calendar == NULL)
        return err_nomem(err);
    *ret_calendar = calendar;
    return ERR_OK;
}

void calendar_free(struct calendar *calendar)
{
    if (calendar == NULL)
        return;
    for (int i = 0; i < calendar->n; i++)
        entry_release(&calendar->items[i]);
    free(calendar->items);
    free(calendar);
}

/* Entries ------------------------------------------------------------------------------------- */

static enum err_code add_entry(struct calendar *calendar, struct entry **ret_entry, struct err *err)
{
    if (calendar->n == calendar->capacity) {
        int capacity = calendar->capacity == 0 ? 8 : 2 * calendar->capacity;
        struct entry *items = realloc(calendar->items, (size_t)capacity * sizeof(*items));

        if (items == NULL)
            return err_nomem(err);
        calendar->items = items;
        calendar->capacity = capacity;
    }
    *ret_entry = &calendar->items[calendar->n++];
    **ret_entry = (struct entry){0};
    return ERR_OK;
}

static bool is_of(const struct entry *entry, const struct schedule_row *row)
{
    return entry->project_id == row->project_id && strcmp(entry->schedule, row->schedule) == 0 &&
           strcmp(entry->timezone, row->timezone) == 0;
}

static enum err_code read_schedule(struct entry *entry, struct err *err)
{
    TRY(cron_parse(entry->schedule, &entry->cron, err));
    return zone_new(entry->timezone, &entry->zone, err);
}

/* apply has checked it: this machine's tz database may be older, or the definition was written to
 * the table by hand. */
static void say_unusable(const struct schedule_row *row, const struct err *err)
{
    char project[160], reason[800];

    log_warning("a schedule cannot be used", "project=%s why=%s",
                log_text(row->project, project, sizeof(project)),
                log_text(err->message, reason, sizeof(reason)));
}

static enum err_code find_entry(struct calendar *calendar, const struct schedule_row *row,
                                struct entry **ret_entry, struct err *err)
{
    struct err failure;
    struct entry *entry = NULL;

    for (int i = 0; i < calendar->n; i++)
        if (is_of(&calendar->items[i], row)) {
            *ret_entry = &calendar->items[i];
            return ERR_OK;
        }
    TRY(add_entry(calendar, &entry, err));
    entry->project_id = row->project_id;
    entry->schedule = strdup(row->schedule);
    entry->timezone = strdup(row->timezone);
    if (entry->schedule == NULL || entry->timezone == NULL) {
        entry_release(entry);
        calendar->n--;
        return err_nomem(err);
    }
    if (read_schedule(entry, &failure) != ERR_OK)
        say_unusable(row, &failure);
    *ret_entry = entry;
    return ERR_OK;
}

/* Those whose project is gone, or has another schedule now. */
static void drop_absent(struct calendar *calendar)
{
    int n = 0;

    for (int i = 0; i < calendar->n; i++) {
        if (calendar->items[i].present)
            calendar->items[n++] = calendar->items[i];
        else
            entry_release(&calendar->items[i]);
    }
    calendar->n = n;
}

/* Due times ----------------------------------------------------------------------------------- */

/* The last due time up to now, and how many came before it; false: none is due. */
static bool find_due(const struct entry *entry, const struct schedule_row *row,
                     struct due_time *ret_due, int64_t *ret_next_us)
{
    int64_t next_us = cron_next(&entry->cron, entry->zone, row->since_us);
    int64_t n = 0;

    for (; next_us <= row->now_us && n < N_MISSED_MAX; n++) {
        *ret_due = (struct due_time){.at_us = next_us, .n_missed = n};
        next_us = cron_next(&entry->cron, entry->zone, next_us);
    }
    ret_due->queues = n > 0 && !(row->leaves_out_missed && row->now_us - ret_due->at_us > LATE_US);
    *ret_next_us = next_us;
    return n > 0;
}

static enum err_code see_to(struct pg *pg, const struct schedule_row *row,
                            const struct due_time *due, struct err *err)
{
    char project[160];
    int64_t run_id;
    bool first;
    enum err_code code = catalog_see_to(pg, row, due, &first, &run_id, err);

    if (code == ERR_NOT_FOUND) /* the project has just been deleted */
        return ERR_OK;
    TRY(code);
    if (first)
        log_info(due->queues ? "a run is due" : "a missed due time is left out",
                 "project=%s kind=%s run=%" PRId64 " missed_before=%" PRId64,
                 log_text(row->project, project, sizeof(project)), row->kind, run_id,
                 due->n_missed);
    return ERR_OK;
}

static enum err_code look_at(struct calendar *calendar, struct pg *pg,
                             const struct schedule_row *row, int64_t *wait_us, struct err *err)
{
    struct entry *entry;
    struct due_time due = {0};
    int64_t next_us;

    TRY(find_entry(calendar, row, &entry, err));
    entry->present = true;
    if (entry->zone == NULL)
        return ERR_OK;
    if (find_due(entry, row, &due, &next_us))
        TRY(see_to(pg, row, &due, err));
    if (next_us != CRON_NEVER && next_us - row->now_us < *wait_us)
        *wait_us = next_us > row->now_us ? next_us - row->now_us : 0;
    return ERR_OK;
}

enum err_code calendar_look(struct calendar *calendar, struct pg *pg, int64_t *ret_wait_ms,
                            struct err *err)
{
    CLEANUP(schedule_rows_release) struct schedule_rows rows = {0};
    int64_t wait_us = INT64_MAX;

    TRY(catalog_schedules(pg, NULL, &rows, err));
    for (int i = 0; i < calendar->n; i++)
        calendar->items[i].present = false;
    for (int i = 0; i < rows.n; i++)
        TRY(look_at(calendar, pg, &rows.items[i], &wait_us, err));
    drop_absent(calendar);
    *ret_wait_ms = wait_us == INT64_MAX ? INT64_MAX : wait_us / 1000 + 1;
    return ERR_OK;
}
