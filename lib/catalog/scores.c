/*
 * How far the scoring of a relation is, in the transaction that writes its rows: whoever goes on
 * with it knows what is done to the row.
 */
#include <stdio.h>
#include <string.h>

#include "catalog/catalog.h"
#include "catalog/fence.h"

#define KEYS_MAX 32 /* as many columns as a key of Postgres has */

#define MICROSECONDS(moment)                                                                       \
    "round(extract(epoch FROM " moment " - timestamptz '2000-01-01 00:00:00+00') * 1e6)::bigint"

void score_point_release(struct score_point *point)
{
    arena_release(&point->arena);
    *point = (struct score_point){0};
}

/* $1 … $6 of what a score is. */
struct score_params {
    struct pg_int project, model, run;
    struct pg_param items[6];
};

static const struct pg_param *params_of(const struct score_job *job, struct score_params *params)
{
    params->items[0] = pg_param_int(&params->project, job->project_id);
    params->items[1] = PG_TEXT(job->target);
    params->items[2] = PG_TEXT(job->relation);
    params->items[3] = pg_param_int(&params->model, job->model_id);
    params->items[4] = PG_TEXT(job->explains ? "true" : "false");
    params->items[5] = pg_param_int(&params->run, job->run_id);
    return params->items;
}

enum err_code catalog_score_point(struct pg *pg, const struct score_job *job, bool of_any_run,
                                  struct score_point *ret_point, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    CLEANUP(score_point_release) struct score_point point = {0};
    struct score_params params;

    params_of(job, &params);
    if (of_any_run)
        params.items[5] = PG_TEXT(NULL);
    TRY(pg_rows(pg,
                "SELECT s.n_rows, k.part FROM pgboost.scores s,"
                " unnest(s.last_key) WITH ORDINALITY k (part, n)"
                " WHERE s.project_id = $1::bigint AND s.target = $2 AND s.relation = $3"
                "  AND s.model_id = $4::bigint AND s.explains = $5::boolean"
                "  AND s.finished_at IS NULL"
                "  AND ($6::bigint IS NULL OR s.run_id IS NOT DISTINCT FROM nullif($6::bigint, 0))"
                " ORDER BY k.n",
                6, params.items, &table, err));
    *ret_point = (struct score_point){0};
    if (table.n_rows == 0)
        return ERR_OK;
    point.n_rows = pg_get_int64(&table, 0, 0);
    point.n_keys = table.n_rows;
    point.key = arena_alloc_array(&point.arena, (size_t)table.n_rows, sizeof(*point.key));
    for (int i = 0; point.key != NULL && i < table.n_rows; i++) {
        point.key[i] = arena_strdup(&point.arena, pg_get_text(&table, i, 1));
        if (point.key[i] == NULL)
            return err_nomem(err);
    }
    if (point.key == NULL)
        return err_nomem(err);
    *ret_point = point;
    point = (struct score_point){0};
    return ERR_OK;
}

/* The row, whatever it was before; what goes on keeps its beginning. */
static const char begin_sql[] =
    "INSERT INTO pgboost.scores AS s (project_id, target, relation, model_id, explains, run_id)"
    " VALUES ($1::bigint, $2, $3, $4::bigint, $5::boolean, nullif($6::bigint, 0))"
    " ON CONFLICT (project_id, target) DO UPDATE SET epoch = s.epoch + 1,"
    "  relation = EXCLUDED.relation, model_id = EXCLUDED.model_id, explains = EXCLUDED.explains,"
    "  run_id = EXCLUDED.run_id, finished_at = NULL,"
    "  scored_at = CASE WHEN $7::boolean THEN s.scored_at ELSE clock_timestamp() END,"
    "  n_rows = CASE WHEN $7::boolean THEN s.n_rows ELSE 0 END,"
    "  last_key = CASE WHEN $7::boolean THEN s.last_key END"
    " RETURNING epoch, " MICROSECONDS("scored_at");

enum err_code catalog_begin_score(struct pg *pg, const struct score_job *job, bool goes_on,
                                  struct score_hold *ret_hold, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    struct score_params params;
    struct pg_param all[7];

    memcpy(all, params_of(job, &params), sizeof(params.items));
    all[6] = PG_TEXT(goes_on ? "true" : "false");
    TRY(pg_row(pg, begin_sql, 7, all, &table, err));
    *ret_hold = (struct score_hold){.epoch = pg_get_int64(&table, 0, 0),
                                    .scored_us = pg_get_int64(&table, 0, 1)};
    return ERR_OK;
}

static enum err_code check_held(const struct score_job *job, int64_t n_rows, struct err *err)
{
    if (n_rows == 1)
        return ERR_OK;
    err_set(err, ERR_CONFLICT, "another score into %s has begun", job->target);
    return err_hint(err, "this one stops; what it has written stays until that one replaces it");
}

/* UPDATE … SET what, of the score that this epoch holds ($1, $2, $3). */
static enum err_code update(struct pg *pg, const struct score_job *job,
                            const struct score_hold *hold, const char *set, int n_more,
                            const struct pg_param *more, struct err *err)
{
    CLEANUP(buf_release) struct buf sql = {0};
    struct pg_param params[4 + KEYS_MAX];
    struct pg_int project, epoch;
    int64_t n_rows = 0;

    params[0] = pg_param_int(&project, job->project_id);
    params[1] = PG_TEXT(job->target);
    params[2] = pg_param_int(&epoch, hold->epoch);
    for (int i = 0; i < n_more; i++)
        params[3 + i] = more[i];
    buf_printf(&sql,
               "UPDATE pgboost.scores SET %s"
               " WHERE project_id = $1::bigint AND target = $2 AND epoch = $3::bigint",
               set);
    TRY(buf_check(&sql, err));
    TRY(pg_exec(pg, buf_text(&sql), 3 + n_more, params, &n_rows, err));
    return check_held(job, n_rows, err);
}

enum err_code catalog_note_score(struct pg *pg, const struct score_job *job,
                                 const struct score_hold *hold, int64_t n_rows,
                                 const struct score_key *keys, int n_keys, struct err *err)
{
    CLEANUP(buf_release) struct buf set = {0};
    struct pg_param params[1 + KEYS_MAX];
    struct pg_int rows;

    if (n_keys > KEYS_MAX)
        return err_set(err, ERR_LIMIT, "a key of more than %d columns", KEYS_MAX);
    params[0] = pg_param_int(&rows, n_rows);
    buf_puts(&set, "n_rows = $4::bigint, last_key = ARRAY[");
    for (int i = 0; i < n_keys; i++) {
        params[1 + i] = PG_BYTES(keys[i].bytes, keys[i].n_bytes);
        buf_printf(&set, "%s$%d::%s::text", i > 0 ? ", " : "", 5 + i, keys[i].type);
    }
    buf_putc(&set, ']');
    TRY(buf_check(&set, err));
    return update(pg, job, hold, buf_text(&set), 1 + n_keys, params, err);
}

enum err_code catalog_end_score(struct pg *pg, const struct score_job *job,
                                const struct score_hold *hold, int64_t n_rows, struct err *err)
{
    struct pg_int rows;
    const struct pg_param param = pg_param_int(&rows, n_rows);

    return update(pg, job, hold,
                  "n_rows = $4::bigint, last_key = NULL, finished_at = clock_timestamp()", 1,
                  &param, err);
}

enum err_code catalog_forget_score(struct pg *pg, const struct score_job *job,
                                   const struct score_hold *hold, struct err *err)
{
    return update(pg, job, hold, "last_key = NULL", 0, NULL, err);
}

/* Runs ---------------------------------------------------------------------------------------- */

enum err_code catalog_queue_score(struct pg *pg, const char *project, const char *trigger,
                                  const char *overrides, int64_t *ret_run_id, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table run = {0};

    TRY(pg_row(pg,
               "SELECT q.run_id FROM pgboost.projects p,"
               " pgboost.queue_run(p.id, $2, 'score', $3::jsonb, NULL) q WHERE p.name = $1",
               3, (struct pg_param[]){PG_TEXT(project), PG_TEXT(trigger), PG_TEXT(overrides)}, &run,
               err));
    *ret_run_id = pg_get_int64(&run, 0, 0);
    return ERR_OK;
}

enum err_code catalog_finish_score(struct pg *pg, const struct lease *lease, int64_t model_id,
                                   const char *progress_json, struct err *err)
{
    const struct fence fence = fence_of(lease);
    struct pg_int model;
    int64_t n_rows;

    TRY(pg_exec(pg,
                "WITH ended AS (UPDATE pgboost.runs SET status = 'succeeded',"
                " finished_at = clock_timestamp(), model_id = $3::bigint, progress = $4::jsonb"
                " WHERE " FENCED " RETURNING id)"
                " SELECT pg_notify('" CATALOG_CHANNEL "', 'run') FROM ended",
                4,
                (struct pg_param[]){FENCE_PARAMS(fence), pg_param_int(&model, model_id),
                                    PG_TEXT(progress_json)},
                &n_rows, err));
    return n_rows == 1 ? ERR_OK : fence_lost(lease, err);
}
