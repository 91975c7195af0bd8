/*
 * Models: listed without their bytes, or one with everything.
 */
#include <stddef.h>
#include <string.h>

#include "catalog/catalog.h"
#include "catalog/lookup.h"
#include "catalog/select.h"

#define N_LARGE_FIELDS 3 /* at the end: what listings leave out */

static const struct field model_fields[] = {
    {"m.id", FIELD_INT64, offsetof(struct model_row, id)},
    {"m.project_id", FIELD_INT64, offsetof(struct model_row, project_id)},
    {"m.run_id", FIELD_INT64, offsetof(struct model_row, run_id)},
    {"m.trial_id", FIELD_INT64, offsetof(struct model_row, trial_id)},
    {"(SELECT t.id FROM pgboost.models t WHERE t.twin_of = m.id)", FIELD_INT64,
     offsetof(struct model_row, measured_by)},
    {"p.name", FIELD_TEXT, offsetof(struct model_row, project)},
    {"m.algorithm", FIELD_TEXT, offsetof(struct model_row, algorithm)},
    {"m.task", FIELD_TEXT, offsetof(struct model_row, task)},
    {"m.relation", FIELD_TEXT, offsetof(struct model_row, relation)},
    {"m.target", FIELD_TEXT, offsetof(struct model_row, target)},
    {"m.split", FIELD_TEXT, offsetof(struct model_row, split)},
    {"p.metric", FIELD_TEXT, offsetof(struct model_row, metric)},
    {"m.hyperparams", FIELD_TEXT, offsetof(struct model_row, hyperparams)},
    {"m.metrics", FIELD_TEXT, offsetof(struct model_row, metrics)},
    {"m.labels", FIELD_TEXT, offsetof(struct model_row, labels)},
    {"m.base_margin_bits", FIELD_UINT32, offsetof(struct model_row, base_margin_bits)},
    {"m.sha256", FIELD_TEXT, offsetof(struct model_row, sha256)},
    {"m.xgboost_version", FIELD_TEXT, offsetof(struct model_row, xgboost_version)},
    {SQL_TIME("m.created_at"), FIELD_TEXT, offsetof(struct model_row, created_at)},
    {"m.metrics ->> p.metric", FIELD_TEXT, offsetof(struct model_row, score)},
    {"m.id IS NOT DISTINCT FROM p.live_model_id", FIELD_BOOL, offsetof(struct model_row, live)},
    {"m.encoder", FIELD_TEXT, offsetof(struct model_row, encoder)},
    {"m.golden", FIELD_TEXT, offsetof(struct model_row, golden)},
    {"m.calibration", FIELD_TEXT, offsetof(struct model_row, calibration)},
};
static const struct row_spec whole_spec = ROW_SPEC(struct model_row, model_fields);
static const struct row_spec listed_spec = {
    .fields = model_fields,
    .n_fields = (int)N_ELEMENTS(model_fields) - N_LARGE_FIELDS,
    .item_size = sizeof(struct model_row),
};

#define FROM_MODELS "FROM pgboost.models m JOIN pgboost.projects p ON p.id = m.project_id"

void model_rows_release(struct model_rows *rows)
{
    arena_release(&rows->arena);
    *rows = (struct model_rows){0};
}

static enum err_code no_model(int64_t model_id, struct err *err)
{
    err_set(err, ERR_NOT_FOUND, "model %lld does not exist", (long long)model_id);
    err_hint(err, "\"pgboost models\" lists those that do");
    return ERR_NOT_FOUND;
}

static enum err_code read_bytes(struct pg *pg, int64_t model_id, struct model_rows *rows,
                                struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    struct pg_int id;
    const uint8_t *bytes;
    uint8_t *copy;
    size_t n_bytes;

    TRY(pg_rows_binary(pg, "SELECT model FROM pgboost.models WHERE id = $1::bigint", 1,
                       (struct pg_param[]){pg_param_int(&id, model_id)}, &table, err));
    if (table.n_rows == 0)
        return no_model(model_id, err);
    bytes = pg_get_bytes(&table, 0, 0, &n_bytes);
    copy = arena_alloc(&rows->arena, n_bytes + 1);
    if (copy == NULL)
        return err_nomem(err);
    memcpy(copy, bytes, n_bytes);
    rows->items[0].bytes = copy;
    rows->items[0].n_bytes = n_bytes;
    return ERR_OK;
}

/* A model never changes once it is there, so its two reads belong together. */
static enum err_code read_model(struct pg *pg, const char *where, int64_t model_id,
                                struct model_rows *ret_row, struct err *err)
{
    CLEANUP(model_rows_release) struct model_rows rows = {0};
    struct pg_int id;
    struct selected selected;

    TRY(catalog_select(pg, &whole_spec, where, 1, (struct pg_param[]){pg_param_int(&id, model_id)},
                       &selected, err));
    rows = (struct model_rows){.n = selected.n, .items = selected.items, .arena = selected.arena};
    if (rows.n == 0)
        return no_model(model_id, err);
    TRY(read_bytes(pg, rows.items[0].id, &rows, err));
    *ret_row = rows;
    rows = (struct model_rows){0};
    return ERR_OK;
}

enum err_code catalog_model(struct pg *pg, int64_t model_id, struct model_rows *ret_row,
                            struct err *err)
{
    return read_model(pg, FROM_MODELS " WHERE m.id = $1::bigint", model_id, ret_row, err);
}

enum err_code catalog_measured_model(struct pg *pg, int64_t model_id, struct model_rows *ret_row,
                                     struct err *err)
{
    TRY(read_model(pg,
                   FROM_MODELS " WHERE m.id = coalesce((SELECT t.id FROM pgboost.models t"
                               " WHERE t.twin_of = $1::bigint), $1::bigint)",
                   model_id, ret_row, err));
    ret_row->items[0].id = model_id;
    return ERR_OK;
}

enum err_code catalog_models(struct pg *pg, const char *project, int limit,
                             struct model_rows *ret_rows, struct err *err)
{
    struct pg_int limit_text;
    struct selected selected;

    TRY(catalog_check_project(pg, project, err));
    /* The score only orders within one project: across projects it means nothing. */
    TRY(catalog_select(pg, &listed_spec,
                       FROM_MODELS
                       " WHERE ($1::text IS NULL OR p.name = $1) AND m.twin_of IS NULL"
                       " ORDER BY CASE WHEN $1 IS NOT NULL THEN"
                       "   pgboost.metric_value(m.metrics, p.metric)"
                       "   * CASE WHEN p.higher_is_better THEN -1 ELSE 1 END END NULLS LAST,"
                       "  CASE WHEN $1 IS NULL THEN -m.id ELSE m.id END LIMIT $2::bigint",
                       2, (struct pg_param[]){PG_TEXT(project), pg_param_int(&limit_text, limit)},
                       &selected, err));
    *ret_rows =
        (struct model_rows){.n = selected.n, .items = selected.items, .arena = selected.arena};
    return ERR_OK;
}

static const char prune_sql[] =
    "DELETE FROM pgboost.models WHERE id IN ("
    " SELECT m.id FROM pgboost.models m JOIN pgboost.projects p ON p.id = m.project_id"
    " WHERE p.id = $1::bigint AND m.id IS DISTINCT FROM p.live_model_id AND NOT m.pinned"
    "  AND m.twin_of IS NULL"
    "  AND m.id NOT IN (SELECT id FROM pgboost.models WHERE project_id = $1::bigint"
    "   AND twin_of IS NULL ORDER BY id DESC LIMIT $2::bigint)"
    "  AND m.id NOT IN (SELECT model_id FROM pgboost.deployments"
    "   WHERE project_id = $1::bigint AND NOT refused ORDER BY version DESC LIMIT 2)"
    " ORDER BY m.id LIMIT 20)";

enum err_code catalog_prune_models(struct pg *pg, int64_t project_id, int keep,
                                   int64_t *ret_n_deleted, struct err *err)
{
    struct pg_int project_text, keep_text;

    return pg_exec(pg, prune_sql, 2,
                   (struct pg_param[]){pg_param_int(&project_text, project_id),
                                       pg_param_int(&keep_text, keep)},
                   ret_n_deleted, err);
}
