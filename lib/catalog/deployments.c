/*
 * Deployments by hand: which model of a project is live, and the history of it.
 */
#include <stddef.h>
#include <string.h>

#include "base/nearest.h"
#include "catalog/catalog.h"
#include "catalog/lookup.h"
#include "catalog/select.h"
#include "catalog/within.h"

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

#define SAME_TARGET "m.target = p.target AND m.task = p.task"

/* pgboost.choose_model knows what they mean. */
static const struct strategy {
    const char *name;
    const char *none; /* the error where there is no such model */
} strategies[] = {
    {"most_recent", "project \"%s\" has no model of its present target yet"},
    {"rollback", "project \"%s\" has no model from before the live one"},
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
    TRY(pg_rows(pg, "SELECT id FROM pgboost.choose_model($1::bigint, $2) id WHERE id IS NOT NULL",
                2,
                (struct pg_param[]){pg_param_int(&id, projects.items[0].id), PG_TEXT(found->name)},
                &table, err));
    if (table.n_rows == 0) {
        err_set(err, ERR_CONFLICT, found->none, project);
        return err_hint(err, "\"pgboost models\" and \"pgboost deployments\" list what there is");
    }
    *ret_model_id = pg_get_int64(&table, 0, 0);
    return ERR_OK;
}

/* Deploying ------------------------------------------------------------------------------------ */

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

enum err_code within_deploy(struct pg *pg, const char *project, int64_t model_id,
                            const char *strategy, const char *reason, bool *ret_changed,
                            struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    struct pg_int project_text, model_text;
    int64_t project_id;

    TRY(within_lock(pg, project, &project_id, err));
    TRY(check_model(pg, project, project_id, model_id, err));
    TRY(pg_row(pg, "SELECT pgboost.make_live($1::bigint, $2::bigint, $3, $4)", 4,
               (struct pg_param[]){pg_param_int(&project_text, project_id),
                                   pg_param_int(&model_text, model_id), PG_TEXT(strategy),
                                   PG_TEXT(reason)},
               &table, err));
    *ret_changed = pg_get_bool(&table, 0, 0);
    return ERR_OK;
}

enum err_code catalog_deploy(struct pg *pg, const char *project, int64_t model_id,
                             const char *strategy, const char *reason, bool *ret_changed,
                             struct err *err)
{
    bool changed = false;

    TRY(pg_begin(pg, err));
    TRY(pg_end(pg, within_deploy(pg, project, model_id, strategy, reason, &changed, err), err));
    *ret_changed = changed;
    return ERR_OK;
}
