/*
 * What is deleted: old runs by age, models and projects by hand. In small batches, each a
 * transaction, so that nothing waits long for any of it and what is broken off can be begun again.
 */
#include "catalog/catalog.h"
#include "catalog/fence.h"
#include "catalog/lookup.h"
#include "catalog/within.h"

#define RUNS_PER_BATCH   50
#define MODELS_PER_BATCH 20

/* Runs ----------------------------------------------------------------------------------------- */

/* The runs of a statement's CTE `old`, with their trials. Both are deleted before the references
 * between them are checked, which is at the statement's end. Their rows go by the reference. */
#define DELETE_OLD                                                                                 \
    "trials AS (DELETE FROM pgboost.trials t USING old WHERE t.run_id = old.id)"                   \
    " DELETE FROM pgboost.runs r USING old WHERE r.id = old.id"

/* A run whose model is still there stays: the model refers to it. */
static const char prune_runs_sql[] =
    "WITH old AS (SELECT r.id FROM pgboost.runs r"
    " WHERE r.finished_at < clock_timestamp() - $1::bigint * interval '1 millisecond'"
    "  AND NOT EXISTS (SELECT FROM pgboost.models WHERE run_id = r.id)"
    " ORDER BY r.finished_at LIMIT " TEXT_OF(
        RUNS_PER_BATCH) " FOR UPDATE SKIP LOCKED), " DELETE_OLD;

/* The last due time of a schedule says what has been seen to. */
static const char prune_due_times_sql[] =
    "DELETE FROM pgboost.due_times WHERE (project_id, kind, due_at) IN ("
    " SELECT d.project_id, d.kind, d.due_at FROM pgboost.due_times d"
    " WHERE d.seen_at < clock_timestamp() - $1::bigint * interval '1 millisecond'"
    "  AND EXISTS (SELECT FROM pgboost.due_times l"
    "   WHERE l.project_id = d.project_id AND l.kind = d.kind AND l.due_at > d.due_at)"
    " LIMIT 1000)";

enum err_code catalog_prune_runs(struct pg *pg, int64_t age_ms, int64_t *ret_n_deleted,
                                 struct err *err)
{
    struct pg_int age_text;
    const struct pg_param age = pg_param_int(&age_text, age_ms);

    TRY(pg_exec(pg, prune_due_times_sql, 1, &age, NULL, err));
    return pg_exec(pg, prune_runs_sql, 1, &age, ret_n_deleted, err);
}

/* Models --------------------------------------------------------------------------------------- */

enum err_code catalog_delete_model(struct pg *pg, int64_t model_id, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    struct pg_int id_text;
    const struct pg_param id = pg_param_int(&id_text, model_id);
    int64_t n_rows;

    /* a deployment that comes between the two fails this statement by its reference */
    TRY(pg_rows(pg,
                "SELECT m.id = p.live_model_id, p.name, m.twin_of FROM pgboost.models m"
                " JOIN pgboost.projects p ON p.id = m.project_id WHERE m.id = $1::bigint",
                1, &id, &table, err));
    if (table.n_rows > 0 && pg_get_bool(&table, 0, 0)) {
        err_set(err, ERR_CONFLICT, "model %lld is live", (long long)model_id);
        return err_hint(err, "deploy another model of project \"%s\" first",
                        pg_get_text(&table, 0, 1));
    }
    if (table.n_rows > 0 && !pg_is_null(&table, 0, 2)) {
        err_set(err, ERR_CONFLICT, "model %lld is the twin that measures model %s",
                (long long)model_id, pg_get_text(&table, 0, 2));
        return err_hint(err, "it goes with that one");
    }
    TRY(pg_exec(pg, "DELETE FROM pgboost.models WHERE id = $1::bigint", 1, &id, &n_rows, err));
    if (n_rows == 1)
        return ERR_OK;
    err_set(err, ERR_NOT_FOUND, "model %lld does not exist", (long long)model_id);
    return err_hint(err, "\"pgboost models\" lists those that do");
}

/* Projects ------------------------------------------------------------------------------------- */

static enum err_code refuse_if_used(struct pg *pg, const char *project, const struct pg_param *id,
                                    bool even_live, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};

    TRY(pg_row(pg,
               "SELECT coalesce(live_model_id, 0), (SELECT coalesce(min(id), 0) FROM pgboost.runs"
               " WHERE project_id = p.id AND status = 'running'"
               "  AND lease_until >= clock_timestamp())"
               " FROM pgboost.projects p WHERE p.id = $1::bigint",
               1, id, &table, err));
    if (pg_get_int64(&table, 0, 0) != 0 && !even_live) {
        err_set(err, ERR_CONFLICT, "model %s of project \"%s\" is live", pg_get_text(&table, 0, 0),
                project);
        return err_hint(err, "predictions of it would end; with --live it is deleted nevertheless");
    }
    if (pg_get_int64(&table, 0, 1) == 0)
        return ERR_OK;
    err_set(err, ERR_CONFLICT, "run %s of project \"%s\" is under way", pg_get_text(&table, 0, 1),
            project);
    return err_hint(err, "stop it with: pgboost cancel %s", pg_get_text(&table, 0, 1));
}

/* From here on nothing is served or begun by itself. */
static enum err_code retire(struct pg *pg, const char *project, bool even_live, int64_t *ret_id,
                            struct err *err)
{
    struct pg_int id_text;
    struct pg_param id;

    TRY(within_lock(pg, project, ret_id, err));
    id = pg_param_int(&id_text, *ret_id);
    TRY(refuse_if_used(pg, project, &id, even_live, err));
    TRY(pg_exec(pg,
                "UPDATE pgboost.projects SET live_model_id = NULL,"
                " deploy_version = deploy_version + (live_model_id IS NOT NULL)::integer,"
                " definition = definition - 'schedule' - 'retrain' - 'score' WHERE id = $1::bigint",
                1, &id, NULL, err));
    TRY(pg_exec(pg,
                "SELECT pgboost.cancel_run(id) FROM pgboost.runs"
                " WHERE project_id = $1::bigint AND status IN ('queued', 'running')",
                1, &id, NULL, err));
    return pg_exec(pg, "SELECT pg_notify('" CATALOG_CHANNEL "', 'deploy')", 0, NULL, NULL, err);
}

/* What belongs to a project ($1), a batch a statement, in the order of their references. */
static const char *const batches[] = {
    "DELETE FROM pgboost.models WHERE id IN (SELECT id FROM pgboost.models"
    " WHERE project_id = $1::bigint LIMIT " TEXT_OF(MODELS_PER_BATCH) ")",
    "WITH old AS (SELECT id FROM pgboost.runs WHERE project_id = $1::bigint"
    " LIMIT " TEXT_OF(RUNS_PER_BATCH) "), " DELETE_OLD,
    "DELETE FROM pgboost.deployments WHERE project_id = $1::bigint",
    "DELETE FROM pgboost.due_times WHERE project_id = $1::bigint",
};

static enum err_code empty(struct pg *pg, const struct pg_param *id, struct err *err)
{
    for (size_t i = 0; i < N_ELEMENTS(batches); i++) {
        int64_t n_rows = 1;

        while (n_rows > 0)
            TRY(pg_exec(pg, batches[i], 1, id, &n_rows, err));
    }
    return ERR_OK;
}

/* What came meanwhile goes as well: nothing can come under the lock. */
static enum err_code finish(struct pg *pg, const char *project, const struct pg_param *id,
                            struct err *err)
{
    int64_t project_id;

    TRY(within_lock(pg, project, &project_id, err));
    TRY(refuse_if_used(pg, project, id, false, err));
    TRY(empty(pg, id, err));
    TRY(pg_exec(pg, "DELETE FROM pgboost.projects WHERE id = $1::bigint", 1, id, NULL, err));
    return pg_exec(pg, "SELECT pg_notify('" CATALOG_CHANNEL "', 'project')", 0, NULL, NULL, err);
}

enum err_code catalog_delete_project(struct pg *pg, const char *project, bool even_live,
                                     struct err *err)
{
    struct pg_int id_text;
    struct pg_param id;
    int64_t project_id = 0;

    TRY(pg_begin(pg, err));
    TRY(pg_end(pg, retire(pg, project, even_live, &project_id, err), err));
    id = pg_param_int(&id_text, project_id);
    TRY(empty(pg, &id, err));
    TRY(pg_begin(pg, err));
    return pg_end(pg, finish(pg, project, &id, err), err);
}
