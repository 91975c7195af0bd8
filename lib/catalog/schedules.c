/*
 * Schedules: which projects have one, and due times, each of which is seen to once.
 *
 * What is due is not known here (schedule/cron.h). A due time is a row; whoever inserts it queues
 * the run in the same transaction, under the project's lock, so that any number of daemons queue
 * one, and none of them one that a later due time has overtaken.
 */
#include <stddef.h>
#include <string.h>

#include "catalog/catalog.h"
#include "catalog/select.h"
#include "catalog/within.h"

/* Microseconds since 2000, the epoch of base/zone.h, and back. */
#define MICROSECONDS(moment)                                                                       \
    "round(extract(epoch FROM " moment " - timestamptz '2000-01-01 00:00:00+00') * 1e6)::bigint"
#define MOMENT(microseconds)                                                                       \
    "(timestamptz '2000-01-01 00:00:00+00' + " microseconds "::bigint * interval '1 microsecond')"

static const struct field schedule_fields[] = {
    {"p.id", FIELD_INT64, offsetof(struct schedule_row, project_id)},
    {"p.name", FIELD_TEXT, offsetof(struct schedule_row, project)},
    {"s.kind", FIELD_TEXT, offsetof(struct schedule_row, kind)},
    {"s.cron", FIELD_TEXT, offsetof(struct schedule_row, schedule)},
    {"coalesce(p.definition ->> 'timezone', 'UTC')", FIELD_TEXT,
     offsetof(struct schedule_row, timezone)},
    {"p.definition ->> 'catch_up' IS NOT DISTINCT FROM 'none'", FIELD_BOOL,
     offsetof(struct schedule_row, leaves_out_missed)},
    {MICROSECONDS("greatest(s.since, (SELECT max(due_at) FROM pgboost.due_times"
                  " WHERE project_id = p.id AND kind = s.kind))"),
     FIELD_INT64, offsetof(struct schedule_row, since_us)},
    {MICROSECONDS("now.moment"), FIELD_INT64, offsetof(struct schedule_row, now_us)},
};
/* The schedules of the project p: of each kind of run its expression, and since when. */
#define SCHEDULES                                                                                  \
    "(VALUES ('training', p.definition ->> 'schedule', p.scheduled_since),"                        \
    " ('score', nullif(p.definition #>> '{score,after}', 'train'), p.scores_since))"               \
    " s (kind, cron, since)"

static const struct row_spec schedule_spec = ROW_SPEC(struct schedule_row, schedule_fields);

void schedule_rows_release(struct schedule_rows *rows)
{
    arena_release(&rows->arena);
    *rows = (struct schedule_rows){0};
}

enum err_code catalog_schedules(struct pg *pg, const char *project, struct schedule_rows *ret_rows,
                                struct err *err)
{
    struct selected selected;

    TRY(catalog_select(pg, &schedule_spec,
                       "FROM pgboost.projects p CROSS JOIN LATERAL " SCHEDULES
                       ", (SELECT pgboost.schedule_clock() AS moment OFFSET 0) now"
                       " WHERE s.cron IS NOT NULL"
                       "  AND ($1::text IS NULL OR p.name = $1) ORDER BY p.id, s.kind DESC",
                       1, (struct pg_param[]){PG_TEXT(project)}, &selected, err));
    *ret_rows =
        (struct schedule_rows){.n = selected.n, .items = selected.items, .arena = selected.arena};
    return ERR_OK;
}

/* Nothing comes back when the schedule is not the one that was read, or another daemon was first:
 * it has noted this time, or one before that counts among those this one would call missed. */
static const char see_to_sql[] =
    "INSERT INTO pgboost.due_times (project_id, due_at, n_missed, kind)"
    " SELECT p.id, due.at, $3::integer, s.kind"
    " FROM pgboost.projects p CROSS JOIN LATERAL " SCHEDULES ", (SELECT " MOMENT(
        "$2") " AS at) due"
              " WHERE p.id = $1::bigint AND s.kind = $6 AND s.cron = $4"
              "  AND coalesce(p.definition ->> 'timezone', 'UTC') = $5 AND s.since < due.at"
              "  AND NOT EXISTS (SELECT FROM pgboost.due_times d"
              "   WHERE d.project_id = p.id AND d.kind = s.kind AND d.due_at > " MOMENT(
                  "$7") ")"
                        " ON CONFLICT DO NOTHING";

static enum err_code note_run(struct pg *pg, const struct schedule_row *schedule, int64_t due_us,
                              int64_t run_id, struct err *err)
{
    struct pg_int project_text, due_text, run_text;

    return pg_exec(pg,
                   "UPDATE pgboost.due_times SET run_id = $3::bigint"
                   " WHERE project_id = $1::bigint AND kind = $4 AND due_at = " MOMENT("$2"),
                   4,
                   (struct pg_param[]){pg_param_int(&project_text, schedule->project_id),
                                       pg_param_int(&due_text, due_us),
                                       pg_param_int(&run_text, run_id), PG_TEXT(schedule->kind)},
                   NULL, err);
}

static enum err_code see_to_locked(struct pg *pg, const struct schedule_row *schedule,
                                   const struct due_time *due, bool *ret_first, int64_t *ret_run_id,
                                   struct err *err)
{
    struct pg_int project_text, due_text, missed_text, since_text;
    const struct pg_param params[] = {
        pg_param_int(&project_text, schedule->project_id),
        pg_param_int(&due_text, due->at_us),
        pg_param_int(&missed_text, due->n_missed),
        PG_TEXT(schedule->schedule),
        PG_TEXT(schedule->timezone),
        PG_TEXT(schedule->kind),
        pg_param_int(&since_text, schedule->since_us),
    };
    int64_t n_rows = 0, project_id;
    bool existing;

    TRY(within_lock(pg, schedule->project, &project_id, err));
    TRY(pg_exec(pg, see_to_sql, N_ELEMENTS(params), params, &n_rows, err));
    *ret_first = n_rows == 1;
    if (!*ret_first || !due->queues)
        return ERR_OK;
    if (strcmp(schedule->kind, "score") == 0)
        TRY(catalog_queue_score(pg, schedule->project, "schedule", NULL, ret_run_id, err));
    else
        TRY(within_queue(pg, schedule->project_id, "schedule", false, ret_run_id, &existing, err));
    return note_run(pg, schedule, due->at_us, *ret_run_id, err);
}

enum err_code catalog_see_to(struct pg *pg, const struct schedule_row *schedule,
                             const struct due_time *due, bool *ret_first, int64_t *ret_run_id,
                             struct err *err)
{
    bool first = false;
    int64_t run_id = 0;

    TRY(pg_begin(pg, err));
    TRY(pg_end(pg, see_to_locked(pg, schedule, due, &first, &run_id, err), err));
    *ret_first = first;
    *ret_run_id = run_id;
    return ERR_OK;
}
