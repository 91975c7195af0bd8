/*
 * Triggers that look at the relation: new rows, and refreshes.
 */
#include <stddef.h>
#include <stdio.h>

#include "catalog/catalog.h"
#include "catalog/select.h"
#include "catalog/within.h"

/* A count holds for so long at least, and longer where counting takes long. */
#define COUNT_EVERY_SECONDS "60"

static const char refreshed_sql[] =
    "SELECT coalesce(sum(pgboost.refreshed(relation)), 0)::bigint FROM ("
    " SELECT pgboost.relation_of($1) AS relation WHERE $1 IS NOT NULL"
    " UNION SELECT pgboost.relation_of(named) FROM pgboost.projects p,"
    "  jsonb_array_elements_text(CASE jsonb_typeof(p.definition #> '{retrain,on_refresh}')"
    "   WHEN 'array' THEN p.definition #> '{retrain,on_refresh}'"
    "   WHEN 'string' THEN jsonb_build_array(p.definition #> '{retrain,on_refresh}')"
    "   ELSE '[]' END) named"
    "  WHERE $1 IS NULL) r";

enum err_code catalog_refreshed(struct pg *pg, const char *relation, int64_t *ret_n_runs,
                                struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};

    TRY(pg_row(pg, refreshed_sql, 1, (struct pg_param[]){PG_TEXT(relation)}, &table, err));
    *ret_n_runs = pg_get_int64(&table, 0, 0);
    return ERR_OK;
}

/* Rows ----------------------------------------------------------------------------------------- */

static const struct field count_fields[] = {
    {"claimed.id", FIELD_INT64, offsetof(struct count_row, project_id)},
    {"claimed.name", FIELD_TEXT, offsetof(struct count_row, project)},
    {"claimed.definition ->> 'relation'", FIELD_TEXT, offsetof(struct count_row, relation)},
    {"(claimed.definition #>> '{retrain,after_rows}')::bigint", FIELD_INT64,
     offsetof(struct count_row, after_rows)},
    {"coalesce(claimed.base, 0)", FIELD_INT64, offsetof(struct count_row, base_rows)},
};
static const struct row_spec count_spec = ROW_SPEC(struct count_row, count_fields);

void count_rows_release(struct count_rows *rows)
{
    arena_release(&rows->arena);
    *rows = (struct count_rows){0};
}

/* One that nobody counts now, and that has no run which will read the rows anyway. */
static const char claim_sql[] =
    "UPDATE pgboost.projects p"
    " SET count_rows_at = clock_timestamp() + interval '" COUNT_EVERY_SECONDS " seconds'"
    " WHERE p.id = (SELECT id FROM pgboost.projects w"
    "  WHERE w.definition #>> '{retrain,after_rows}' IS NOT NULL"
    "   AND coalesce(w.count_rows_at < clock_timestamp(), true)"
    "   AND NOT EXISTS (SELECT FROM pgboost.runs WHERE project_id = w.id"
    "    AND status IN ('queued', 'running') AND kind = 'training')"
    "  ORDER BY w.count_rows_at NULLS FIRST LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)"
    " RETURNING p.id";

/* From where new rows count: the last run that read them, or what was seen since. */
static const char claimed_sql[] =
    "FROM (SELECT p.*, CASE WHEN coalesce(p.rows_seen_at >= r.finished_at, r.id IS NULL)"
    "  THEN p.rows_seen ELSE (r.stats ->> 'rows')::bigint END AS base"
    " FROM pgboost.projects p"
    " LEFT JOIN LATERAL (SELECT id, stats, finished_at FROM pgboost.runs"
    "  WHERE project_id = p.id AND status = 'succeeded' AND kind = 'training'"
    "  ORDER BY id DESC LIMIT 1) r ON true"
    " WHERE p.id = $1::bigint) claimed";

enum err_code catalog_claim_count(struct pg *pg, struct count_rows *ret_row, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    struct selected selected;
    struct pg_int id;

    *ret_row = (struct count_rows){0};
    TRY(pg_rows(pg, claim_sql, 0, NULL, &table, err));
    if (table.n_rows == 0)
        return ERR_OK;
    TRY(catalog_select(pg, &count_spec, claimed_sql, 1,
                       (struct pg_param[]){pg_param_int(&id, pg_get_int64(&table, 0, 0))},
                       &selected, err));
    *ret_row =
        (struct count_rows){.n = selected.n, .items = selected.items, .arena = selected.arena};
    return ERR_OK;
}

static enum err_code note_count(struct pg *pg, const struct count_row *row, int64_t n_rows,
                                bool is_base, double pause_seconds, struct err *err)
{
    struct pg_int id, rows_text;
    char pause[40];

    snprintf(pause, sizeof(pause), "%.3f", pause_seconds);
    return pg_exec(pg,
                   "UPDATE pgboost.projects SET"
                   " rows_seen = CASE WHEN $3::boolean THEN $2::bigint ELSE rows_seen END,"
                   " rows_seen_at = CASE WHEN $3::boolean THEN clock_timestamp()"
                   "  ELSE rows_seen_at END,"
                   " count_rows_at = greatest(count_rows_at,"
                   "  clock_timestamp() + $4::double precision * interval '1 second')"
                   " WHERE id = $1::bigint",
                   4,
                   (struct pg_param[]){pg_param_int(&id, row->project_id),
                                       pg_param_int(&rows_text, n_rows),
                                       PG_TEXT(is_base ? "true" : "false"), PG_TEXT(pause)},
                   NULL, err);
}

static enum err_code note_and_queue(struct pg *pg, const struct count_row *row, int64_t n_rows,
                                    double pause_seconds, int64_t *ret_run_id, struct err *err)
{
    bool enough = n_rows - row->base_rows >= row->after_rows, existing;
    int64_t project_id;

    TRY(within_lock(pg, row->project, &project_id, err));
    TRY(note_count(pg, row, n_rows, enough || n_rows < row->base_rows, pause_seconds, err));
    if (enough)
        TRY(within_queue(pg, project_id, "rows", false, ret_run_id, &existing, err));
    return ERR_OK;
}

enum err_code catalog_note_count(struct pg *pg, const struct count_row *row, int64_t n_rows,
                                 double pause_seconds, int64_t *ret_run_id, struct err *err)
{
    int64_t run_id = 0;

    TRY(pg_begin(pg, err));
    TRY(pg_end(pg, note_and_queue(pg, row, n_rows, pause_seconds, &run_id, err), err));
    *ret_run_id = run_id;
    return ERR_OK;
}
