/*
 * Runs as everybody sees them: queued, listed, asked to stop. What a worker does to the run it
 * holds stands in lease.c.
 */
#include <stddef.h>
#include <string.h>

#include "catalog/catalog.h"
#include "catalog/fence.h"
#include "catalog/lookup.h"
#include "catalog/select.h"
#include "catalog/within.h"

static const struct field run_fields[] = {
    {"r.id", FIELD_INT64, offsetof(struct run_row, id)},
    {"r.project_id", FIELD_INT64, offsetof(struct run_row, project_id)},
    {"p.name", FIELD_TEXT, offsetof(struct run_row, project)},
    {"r.kind", FIELD_TEXT, offsetof(struct run_row, kind)},
    {"r.status", FIELD_TEXT, offsetof(struct run_row, status)},
    {"r.trigger", FIELD_TEXT, offsetof(struct run_row, trigger)},
    {"r.error", FIELD_TEXT, offsetof(struct run_row, error)},
    {"r.hint", FIELD_TEXT, offsetof(struct run_row, hint)},
    {"r.progress", FIELD_TEXT, offsetof(struct run_row, progress)},
    {"r.stats", FIELD_TEXT, offsetof(struct run_row, stats)},
    {"p.metric", FIELD_TEXT, offsetof(struct run_row, metric)},
    {"r.model_id", FIELD_INT64, offsetof(struct run_row, model_id)},
    {"m.metrics ->> p.metric", FIELD_TEXT, offsetof(struct run_row, score)},
    {"r.attempts", FIELD_INT, offsetof(struct run_row, attempts)},
    {"r.cancel_requested", FIELD_BOOL, offsetof(struct run_row, cancel_requested)},
    {"r.worker", FIELD_TEXT, offsetof(struct run_row, worker)},
    {SQL_TIME("r.created_at"), FIELD_TEXT, offsetof(struct run_row, created_at)},
    {SQL_TIME("r.started_at"), FIELD_TEXT, offsetof(struct run_row, started_at)},
    {SQL_TIME("r.finished_at"), FIELD_TEXT, offsetof(struct run_row, finished_at)},
    {"extract(epoch FROM coalesce(r.finished_at, clock_timestamp()) - r.started_at)", FIELD_DOUBLE,
     offsetof(struct run_row, seconds)},
};
static const struct row_spec run_spec = ROW_SPEC(struct run_row, run_fields);

#define FROM_RUNS                                                                                  \
    "FROM pgboost.runs r"                                                                          \
    " JOIN pgboost.projects p ON p.id = r.project_id"                                              \
    " LEFT JOIN pgboost.models m ON m.id = r.model_id"

void run_rows_release(struct run_rows *rows)
{
    arena_release(&rows->arena);
    *rows = (struct run_rows){0};
}

enum err_code catalog_runs(struct pg *pg, const char *project, int limit, struct run_rows *ret_rows,
                           struct err *err)
{
    struct pg_int limit_text;
    struct selected selected;

    TRY(catalog_check_project(pg, project, err));
    TRY(catalog_select(pg, &run_spec,
                       FROM_RUNS " WHERE $1::text IS NULL OR p.name = $1"
                                 " ORDER BY r.id DESC LIMIT $2::bigint",
                       2, (struct pg_param[]){PG_TEXT(project), pg_param_int(&limit_text, limit)},
                       &selected, err));
    *ret_rows =
        (struct run_rows){.n = selected.n, .items = selected.items, .arena = selected.arena};
    return ERR_OK;
}

static enum err_code no_run(int64_t run_id, struct err *err)
{
    err_set(err, ERR_NOT_FOUND, "run %lld does not exist", (long long)run_id);
    err_hint(err, "\"pgboost runs\" lists those that do");
    return ERR_NOT_FOUND;
}

enum err_code catalog_run(struct pg *pg, int64_t run_id, struct run_rows *ret_row, struct err *err)
{
    struct pg_int id;
    struct selected selected;

    TRY(catalog_select(pg, &run_spec, FROM_RUNS " WHERE r.id = $1::bigint", 1,
                       (struct pg_param[]){pg_param_int(&id, run_id)}, &selected, err));
    if (selected.n == 0) {
        arena_release(&selected.arena);
        return no_run(run_id, err);
    }
    *ret_row = (struct run_rows){.n = selected.n, .items = selected.items, .arena = selected.arena};
    return ERR_OK;
}

/* Queue ---------------------------------------------------------------------------------------- */

#define RESERVATION TEXT_OF(RESERVED_SECONDS) " seconds"

enum err_code within_lock(struct pg *pg, const char *project, int64_t *ret_project_id,
                          struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table locked = {0};

    TRY(pg_rows(pg, "SELECT id FROM pgboost.projects WHERE name = $1 FOR NO KEY UPDATE", 1,
                (struct pg_param[]){PG_TEXT(project)}, &locked, err));
    if (locked.n_rows == 0)
        return catalog_no_project(pg, project, err);
    *ret_project_id = pg_get_int64(&locked, 0, 0);
    return ERR_OK;
}

enum err_code within_queue(struct pg *pg, int64_t project_id, const char *trigger, bool reserve,
                           int64_t *ret_run_id, bool *ret_existing, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table run = {0};
    struct pg_int id;

    TRY(pg_row(pg,
               "SELECT run_id, existing FROM"
               " pgboost.queue_run($1::bigint, $2, 'training', NULL, $3::interval)",
               3,
               (struct pg_param[]){pg_param_int(&id, project_id), PG_TEXT(trigger),
                                   PG_TEXT(reserve ? RESERVATION : NULL)},
               &run, err));
    *ret_run_id = pg_get_int64(&run, 0, 0);
    *ret_existing = pg_get_bool(&run, 0, 1);
    return ERR_OK;
}

static enum err_code queue_run(struct pg *pg, const char *project, const char *trigger,
                               bool reserve, int64_t *ret_run_id, bool *ret_existing,
                               struct err *err)
{
    int64_t project_id;

    TRY(within_lock(pg, project, &project_id, err));
    return within_queue(pg, project_id, trigger, reserve, ret_run_id, ret_existing, err);
}

enum err_code catalog_queue_run(struct pg *pg, const char *project, const char *trigger,
                                bool reserve, int64_t *ret_run_id, bool *ret_existing,
                                struct err *err)
{
    int64_t run_id = 0;
    bool existing = false;

    TRY(pg_begin(pg, err));
    TRY(pg_end(pg, queue_run(pg, project, trigger, reserve, &run_id, &existing, err), err));
    *ret_run_id = run_id;
    *ret_existing = existing;
    return ERR_OK;
}

enum err_code catalog_queue_contest(struct pg *pg, const char *project, const char *trigger,
                                    int64_t *ret_run_id, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table run = {0};

    TRY(pg_rows(pg,
                "SELECT q.run_id FROM pgboost.projects p,"
                " pgboost.queue_run(p.id, $2, 'contest', NULL, NULL) q WHERE p.name = $1",
                2, (struct pg_param[]){PG_TEXT(project), PG_TEXT(trigger)}, &run, err));
    if (run.n_rows == 0)
        return catalog_no_project(pg, project, err);
    *ret_run_id = pg_get_int64(&run, 0, 0);
    return ERR_OK;
}

/* Cancel --------------------------------------------------------------------------------------- */

enum err_code catalog_cancel_run(struct pg *pg, int64_t run_id, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table cancelled = {0};
    CLEANUP(pg_table_release) struct pg_table present = {0};
    struct pg_int id_text;
    struct pg_param id = pg_param_int(&id_text, run_id);

    TRY(pg_rows(pg,
                "SELECT status FROM pgboost.cancel_run($1::bigint) status"
                " WHERE status IS NOT NULL",
                1, &id, &cancelled, err));
    if (cancelled.n_rows > 0)
        return ERR_OK;
    TRY(pg_rows(pg, "SELECT status FROM pgboost.runs WHERE id = $1::bigint", 1, &id, &present,
                err));
    if (present.n_rows == 0)
        return no_run(run_id, err);
    return err_set(err, ERR_CONFLICT, "run %lld has ended already: it is %s", (long long)run_id,
                   pg_get_text(&present, 0, 0));
}

enum err_code catalog_last_profile(struct pg *pg, const char *project, char **ret_json,
                                   int64_t *ret_run_id, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    char *json = NULL;

    TRY(pg_rows(pg,
                "SELECT r.id, r.profile FROM pgboost.runs r"
                " JOIN pgboost.projects p ON p.id = r.project_id"
                " WHERE p.name = $1 AND r.profile IS NOT NULL ORDER BY r.id DESC LIMIT 1",
                1, (struct pg_param[]){PG_TEXT(project)}, &table, err));
    if (table.n_rows > 0) {
        json = strdup(pg_get_text(&table, 0, 1));
        if (json == NULL)
            return err_nomem(err);
        *ret_run_id = pg_get_int64(&table, 0, 0);
    }
    *ret_json = json;
    return ERR_OK;
}
