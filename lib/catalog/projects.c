/*
 * Projects: definitions by name, and what a daemon serves of them.
 */
#include <stddef.h>
#include <stdlib.h>

#include "base/nearest.h"
#include "catalog/catalog.h"
#include "catalog/lookup.h"
#include "catalog/select.h"
#include "metric/metric.h"

static const struct field project_fields[] = {
    {"p.id", FIELD_INT64, offsetof(struct project_row, id)},
    {"p.name", FIELD_TEXT, offsetof(struct project_row, name)},
    {"p.definition", FIELD_TEXT, offsetof(struct project_row, definition)},
    {"p.task", FIELD_TEXT, offsetof(struct project_row, task)},
    {"p.relation", FIELD_TEXT, offsetof(struct project_row, relation)},
    {"p.target", FIELD_TEXT, offsetof(struct project_row, target)},
    {"p.metric", FIELD_TEXT, offsetof(struct project_row, metric)},
    {"p.live_model_id", FIELD_INT64, offsetof(struct project_row, live_model_id)},
    {"p.deploy_version", FIELD_INT64, offsetof(struct project_row, deploy_version)},
    {SQL_TIME("p.created_at"), FIELD_TEXT, offsetof(struct project_row, created_at)},
    {SQL_TIME("p.updated_at"), FIELD_TEXT, offsetof(struct project_row, updated_at)},
    {"m.metrics ->> p.metric", FIELD_TEXT, offsetof(struct project_row, live_score)},
    {"r.status", FIELD_TEXT, offsetof(struct project_row, last_run_status)},
    {"r.id", FIELD_INT64, offsetof(struct project_row, last_run_id)},
};
static const struct row_spec project_spec = ROW_SPEC(struct project_row, project_fields);

void project_rows_release(struct project_rows *rows)
{
    arena_release(&rows->arena);
    *rows = (struct project_rows){0};
}

enum err_code catalog_no_project(struct pg *pg, const char *name, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    CLEANUP(free_ptr) const char **names = NULL;
    const char *nearest;

    TRY(pg_rows(pg, "SELECT name FROM pgboost.projects ORDER BY name", 0, NULL, &table, err));
    names = calloc((size_t)table.n_rows + 1, sizeof(*names));
    if (names == NULL)
        return err_nomem(err);
    for (int i = 0; i < table.n_rows; i++)
        names[i] = pg_get_text(&table, i, 0);
    nearest = nearest_name(name, names, table.n_rows);
    err_set(err, ERR_NOT_FOUND, "project \"%s\" does not exist", name);
    if (nearest != NULL)
        err_hint(err, "did you mean \"%s\"?", nearest);
    else if (table.n_rows == 0)
        err_hint(err, "there are no projects yet: create one with \"pgboost apply FILE\"");
    else
        err_hint(err, "\"pgboost projects\" lists those that do");
    return ERR_NOT_FOUND;
}

enum err_code catalog_check_project(struct pg *pg, const char *project, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};

    if (project == NULL)
        return ERR_OK;
    TRY(pg_rows(pg, "SELECT 1 FROM pgboost.projects WHERE name = $1", 1,
                (struct pg_param[]){PG_TEXT(project)}, &table, err));
    return table.n_rows > 0 ? ERR_OK : catalog_no_project(pg, project, err);
}

enum err_code catalog_projects(struct pg *pg, const char *name, struct project_rows *ret_rows,
                               struct err *err)
{
    struct selected selected;

    TRY(catalog_select(pg, &project_spec,
                       "FROM pgboost.projects p"
                       " LEFT JOIN pgboost.models m ON m.id = p.live_model_id"
                       " LEFT JOIN LATERAL (SELECT id, status FROM pgboost.runs"
                       "   WHERE project_id = p.id ORDER BY id DESC LIMIT 1) r ON true"
                       " WHERE $1::text IS NULL OR p.name = $1"
                       " ORDER BY p.name",
                       1, (struct pg_param[]){PG_TEXT(name)}, &selected, err));
    if (name != NULL && selected.n == 0) {
        arena_release(&selected.arena);
        return catalog_no_project(pg, name, err);
    }
    *ret_rows =
        (struct project_rows){.n = selected.n, .items = selected.items, .arena = selected.arena};
    return ERR_OK;
}

/* One statement: who comes second of two that apply the same project updates it. xmax is 0 in a row
 * that was inserted. A definition that says the same touches nothing and wakes nobody. */
static const char apply_sql[] =
    "WITH applied AS ("
    " INSERT INTO pgboost.projects AS p"
    "  (name, definition, relation, target, task, metric, higher_is_better)"
    " VALUES ($1, $2::jsonb, $3, $4, $5, $6, $7::boolean)"
    " ON CONFLICT (name) DO UPDATE SET definition = excluded.definition,"
    "  relation = excluded.relation, target = excluded.target, task = excluded.task,"
    "  metric = excluded.metric, higher_is_better = excluded.higher_is_better,"
    "  updated_at = clock_timestamp()"
    " WHERE (p.definition, p.relation, p.target, p.task, p.metric, p.higher_is_better)"
    "  IS DISTINCT FROM (excluded.definition, excluded.relation, excluded.target, excluded.task,"
    "   excluded.metric, excluded.higher_is_better)"
    " RETURNING id, xmax = 0 AS created)"
    " SELECT id, created, pg_notify('" CATALOG_CHANNEL "', 'project') FROM applied";

enum err_code catalog_apply_project(struct pg *pg, const char *name, const char *definition,
                                    const char *relation, const char *target, const char *task,
                                    const char *metric, int64_t *ret_id, const char **ret_what,
                                    struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    CLEANUP(pg_table_release) struct pg_table present = {0};
    const struct metric *known = metric_find(metric);

    if (known == NULL)
        return err_set(err, ERR_CONFIG, "metric \"%s\" does not exist", metric);
    TRY(pg_rows(pg, apply_sql, 7,
                (struct pg_param[]){PG_TEXT(name), PG_TEXT(definition), PG_TEXT(relation),
                                    PG_TEXT(target), PG_TEXT(task), PG_TEXT(metric),
                                    PG_TEXT(known->higher_is_better ? "true" : "false")},
                &table, err));
    if (table.n_rows == 1) {
        *ret_id = pg_get_int64(&table, 0, 0);
        *ret_what = pg_get_bool(&table, 0, 1) ? "created" : "updated";
        return ERR_OK;
    }
    TRY(pg_row(pg, "SELECT id FROM pgboost.projects WHERE name = $1", 1,
               (struct pg_param[]){PG_TEXT(name)}, &present, err));
    *ret_id = pg_get_int64(&present, 0, 0);
    *ret_what = "unchanged";
    return ERR_OK;
}

/* What a daemon serves ------------------------------------------------------------------------- */

static const struct field live_fields[] = {
    {"p.id", FIELD_INT64, offsetof(struct live_row, project_id)},
    {"p.live_model_id", FIELD_INT64, offsetof(struct live_row, model_id)},
    {"p.deploy_version", FIELD_INT64, offsetof(struct live_row, deploy_version)},
    {"p.name", FIELD_TEXT, offsetof(struct live_row, project)},
    {"p.task", FIELD_TEXT, offsetof(struct live_row, task)},
    {"p.relation", FIELD_TEXT, offsetof(struct live_row, relation)},
    {"p.target", FIELD_TEXT, offsetof(struct live_row, target)},
    {"p.metric", FIELD_TEXT, offsetof(struct live_row, metric)},
    {"m.metrics ->> p.metric", FIELD_TEXT, offsetof(struct live_row, score)},
    {SQL_TIME("d.created_at"), FIELD_TEXT, offsetof(struct live_row, deployed_at)},
    {"coalesce(p.definition ->> 'serving', p.relation)", FIELD_TEXT,
     offsetof(struct live_row, serving)},
    {"p.definition -> 'key'", FIELD_TEXT, offsetof(struct live_row, key)},
    {"p.definition ->> 'time'", FIELD_TEXT, offsetof(struct live_row, time)},
    {"p.definition ->> 'cache_seconds'", FIELD_TEXT, offsetof(struct live_row, cache_seconds)},
    {MODEL_ROW_VERSION, FIELD_TEXT, offsetof(struct live_row, row_version)},
    {"octet_length(m.model)", FIELD_INT64, offsetof(struct live_row, model_bytes)},
};
static const struct row_spec live_spec = ROW_SPEC(struct live_row, live_fields);

void live_rows_release(struct live_rows *rows)
{
    arena_release(&rows->arena);
    *rows = (struct live_rows){0};
}

enum err_code catalog_live(struct pg *pg, struct live_rows *ret_rows, struct err *err)
{
    struct selected selected;

    TRY(catalog_select(pg, &live_spec,
                       "FROM pgboost.projects p"
                       " LEFT JOIN pgboost.models m ON m.id = p.live_model_id"
                       " LEFT JOIN pgboost.deployments d ON d.project_id = p.id"
                       "  AND d.version = p.deploy_version AND NOT d.refused"
                       " ORDER BY p.name",
                       0, NULL, &selected, err));
    *ret_rows =
        (struct live_rows){.n = selected.n, .items = selected.items, .arena = selected.arena};
    return ERR_OK;
}
