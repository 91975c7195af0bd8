/*
 * Deployments by hand: which model of a project is live, and the history of it.
 */
#include <stddef.h>
#include <string.h>

#include "base/nearest.h"
#include "catalog/catalog.h"
#include "catalog/lookup.h"
#include "catalog/select.h"

static const struct field deployment_fields[] = {
    {"d.id", FIELD_INT64, offsetof(struct deployment_row, id)},
    {"d.project_id", FIELD_INT64, offsetof(struct deployment_row, project_id)},
    {"d.model_id", FIELD_INT64, offsetof(struct deployment_row, model_id)},
    {"d.version", FIELD_INT64, offsetof(struct deployment_row, version)},
    {"p.name", FIELD_TEXT, offsetof(struct deployment_row, project)},
    {"d.strategy", FIELD_TEXT, offsetof(struct deployment_row, strategy)},
    {"d.reason", FIELD_TEXT, offsetof(struct deployment_row, reason)},
    {SQL_TIME("d.created_at"), FIELD_TEXT, offsetof(struct deployment_row, created_at)},
    {"d.created_by", FIELD_TEXT, offsetof(struct deployment_row, created_by)},
    {"NOT d.refused AND d.version = p.deploy_version", FIELD_BOOL,
     offsetof(struct deployment_row, live)},
    {"d.refused", FIELD_BOOL, offsetof(struct deployment_row, refused)},
};
static const struct row_spec deployment_spec = ROW_SPEC(struct deployment_row, deployment_fields);

void deployment_rows_release(struct deployment_rows *rows)
{
    arena_release(&rows->arena);
    *rows = (struct deployment_rows){0};
}

enum err_code catalog_deployments(struct pg *pg, const char *project, int limit,
                                  struct deployment_rows *ret_rows, struct err *err)
{
    struct pg_int limit_text;
    struct selected selected;

    TRY(catalog_check_project(pg, project, err));
    TRY(catalog_select(pg, &deployment_spec,
                       "FROM pgboost.deployments d"
                       " JOIN pgboost.projects p ON p.id = d.project_id"
                       " WHERE $1::text IS NULL OR p.name = $1"
                       " ORDER BY d.id DESC LIMIT $2::bigint",
                       2, (struct pg_param[]){PG_TEXT(project), pg_param_int(&limit_text, limit)},
                       &selected, err));
    *ret_rows =
        (struct deployment_rows){.n = selected.n, .items = selected.items, .arena = selected.arena};
    return ERR_OK;
}

/* Strategies ----------------------------------------------------------------------------------- */

/* How a model is chosen: a statement over a project's id ($1) that gives one row with the model's
 * id, or none. Only models of the project's present target count. */
#define SAME_TARGET "m.target = p.target AND m.task = p.task"
static const struct strategy {
    const char *name;
    const char *sql;
    const char *none; /* the error where there is no row */
} strategies[] = {
    {"most_recent",
     "SELECT m.id FROM pgboost.models m JOIN pgboost.projects p ON p.id = m.project_id"
     " WHERE p.id = $1::bigint AND m.twin_of IS NULL AND " SAME_TARGET
     " ORDER BY m.id DESC LIMIT 1",
     "project \"%s\" has no model of its present target yet"},
    /* Before the present model went live other than by a rollback: going back twice goes back two
     * models, not forth again to the one that was left. */
    {"rollback",
     "SELECT d.model_id FROM pgboost.deployments d"
     " JOIN pgboost.projects p ON p.id = d.project_id"
     " JOIN pgboost.models m ON m.id = d.model_id"
     " WHERE p.id = $1::bigint AND NOT d.refused AND " SAME_TARGET
     "  AND d.model_id <> p.live_model_id"
     "  AND d.version < (SELECT max(version) FROM pgboost.deployments"
     "   WHERE project_id = p.id AND model_id = p.live_model_id AND NOT refused"
     "    AND strategy <> 'rollback')"
     " ORDER BY d.version DESC LIMIT 1",
     "project \"%s\" has no model from before the live one"},
};

static enum err_code find_strategy(const char *name, const struct strategy **ret_strategy,
                                   struct err *err)
{
    const char *names[N_ELEMENTS(strategies)];
    const char *nearest;

    for (size_t i = 0; i < N_ELEMENTS(strategies); i++) {
        names[i] = strategies[i].name;
        if (strcmp(name, names[i]) == 0) {
            *ret_strategy = &strategies[i];
            return ERR_OK;
        }
    }
    nearest = nearest_name(name, names, (int)N_ELEMENTS(strategies));
    err_set(err, ERR_USAGE, "strategy \"%s\" does not exist", name);
    if (nearest != NULL)
        err_hint(err, "did you mean \"%s\"?", nearest);
    else
        err_hint(err, "one of best_score, most_recent, rollback");
    return ERR_USAGE;
}

enum err_code catalog_choose_model(struct pg *pg, const char *project, const char *strategy,
                                   int64_t *ret_model_id, struct err *err)
{
    CLEANUP(project_rows_release) struct project_rows projects = {0};
    CLEANUP(pg_table_release) struct pg_table table = {0};
    const struct strategy *found;
    struct pg_int id;

    TRY(find_strategy(strategy, &found, err));
    TRY(catalog_projects(pg, project, &projects, err));
    TRY(pg_rows(pg, found->sql, 1, (struct pg_param[]){pg_param_int(&id, projects.items[0].id)},
                &table, err));
    if (table.n_rows == 0) {
        err_set(err, ERR_CONFLICT, found->none, project);
        return err_hint(err, "\"pgboost models\" and \"pgboost deployments\" list what there is");
    }
    *ret_model_id = pg_get_int64(&table, 0, 0);
    return ERR_OK;
}

/* Deploying ------------------------------------------------------------------------------------ */

struct locked_project {
    int64_t id, live_model_id;
};

static enum err_code lock_project(struct pg *pg, const char *project, struct locked_project *ret,
                                  struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};

    TRY(pg_rows(pg,
                "SELECT id, live_model_id FROM pgboost.projects WHERE name = $1"
                " FOR NO KEY UPDATE",
                1, (struct pg_param[]){PG_TEXT(project)}, &table, err));
    if (table.n_rows == 0)
        return catalog_no_project(pg, project, err);
    ret->id = pg_get_int64(&table, 0, 0);
    ret->live_model_id = pg_get_int64(&table, 0, 1);
    return ERR_OK;
}

static enum err_code check_model(struct pg *pg, const char *project, int64_t project_id,
                                 int64_t model_id, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    struct pg_int project_text, model_text;

    TRY(pg_rows(pg,
                "SELECT " SAME_TARGET ", m.target, m.twin_of FROM pgboost.models m"
                " JOIN pgboost.projects p ON p.id = m.project_id"
                " WHERE p.id = $1::bigint AND m.id = $2::bigint",
                2,
                (struct pg_param[]){pg_param_int(&project_text, project_id),
                                    pg_param_int(&model_text, model_id)},
                &table, err));
    if (table.n_rows == 0) {
        err_set(err, ERR_NOT_FOUND, "project \"%s\" has no model %lld", project,
                (long long)model_id);
        return err_hint(err, "\"pgboost models\" lists those it has");
    }
    if (!pg_is_null(&table, 0, 2)) {
        err_set(err, ERR_CONFLICT,
                "model %lld is the twin that measures model %lld, and not served",
                (long long)model_id, (long long)pg_get_int64(&table, 0, 2));
        return err_hint(err, "deploy model %lld", (long long)pg_get_int64(&table, 0, 2));
    }
    if (!pg_get_bool(&table, 0, 0)) {
        err_set(err, ERR_CONFLICT,
                "model %lld predicts \"%s\", which is not what project \"%s\" "
                "asks for now",
                (long long)model_id, pg_get_text(&table, 0, 1), project);
        return err_hint(err, "apply the definition it was trained for first");
    }
    return ERR_OK;
}

static const char deploy_sql[] =
    "WITH live AS ("
    " UPDATE pgboost.projects SET live_model_id = $2::bigint, deploy_version = deploy_version + 1"
    " WHERE id = $1::bigint RETURNING id, deploy_version),"
    " deployed AS ("
    " INSERT INTO pgboost.deployments (project_id, model_id, version, strategy, reason)"
    " SELECT id, $2::bigint, deploy_version, $3, $4 FROM live RETURNING id)"
    " SELECT id, pg_notify('" CATALOG_CHANNEL "', 'deploy') FROM deployed";

static enum err_code deploy_locked(struct pg *pg, const char *project, int64_t model_id,
                                   const char *strategy, const char *reason, bool *ret_changed,
                                   struct err *err)
{
    struct locked_project locked = {0};
    struct pg_int project_text, model_text;

    TRY(lock_project(pg, project, &locked, err));
    TRY(check_model(pg, project, locked.id, model_id, err));
    if (model_id != locked.live_model_id)
        TRY(pg_exec(pg, deploy_sql, 4,
                    (struct pg_param[]){pg_param_int(&project_text, locked.id),
                                        pg_param_int(&model_text, model_id), PG_TEXT(strategy),
                                        PG_TEXT(reason)},
                    NULL, err));
    TRY(pg_commit(pg, err));
    *ret_changed = model_id != locked.live_model_id;
    return ERR_OK;
}

enum err_code catalog_deploy(struct pg *pg, const char *project, int64_t model_id,
                             const char *strategy, const char *reason, bool *ret_changed,
                             struct err *err)
{
    enum err_code code;

    TRY(pg_begin(pg, err));
    code = deploy_locked(pg, project, model_id, strategy, reason, ret_changed, err);
    if (code != ERR_OK)
        pg_rollback(pg);
    return code;
}
