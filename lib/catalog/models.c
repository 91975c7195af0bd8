/*
 * Models: listed without their bytes, or one with everything.
 */
#include <endian.h>
#include <inttypes.h>
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
    {MODEL_ROW_VERSION, FIELD_TEXT, offsetof(struct model_row, row_version)},
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

static int64_t binary_int64(const struct pg_table *table, int row, int column)
{
    uint64_t value = 0;
    size_t n_bytes;
    const uint8_t *bytes = pg_get_bytes(table, row, column, &n_bytes);

    memcpy(&value, bytes, n_bytes < sizeof(value) ? n_bytes : sizeof(value));
    return (int64_t)be64toh(value);
}

static enum err_code copy_bytes(const struct pg_table *table, int row, struct model_rows *rows,
                                struct model_row *model, struct err *err)
{
    size_t n_bytes;
    const uint8_t *bytes = pg_get_bytes(table, row, 1, &n_bytes);
    uint8_t *copy = arena_alloc(&rows->arena, n_bytes + 1);

    if (copy == NULL)
        return err_nomem(err);
    memcpy(copy, bytes, n_bytes);
    model->bytes = copy;
    model->n_bytes = n_bytes;
    return ERR_OK;
}

/* A model that was deleted since its row was read leaves the rows. */
static enum err_code read_bytes(struct pg *pg, const char *ids, struct model_rows *rows,
                                struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    int n = 0;

    TRY(pg_rows_binary(pg,
                       "SELECT id, model FROM pgboost.models WHERE id = ANY ($1::bigint[])"
                       " ORDER BY id",
                       1, (struct pg_param[]){PG_TEXT(ids)}, &table, err));
    for (int i = 0, row = 0; i < rows->n && row < table.n_rows; i++) {
        if (rows->items[i].id != binary_int64(&table, row, 0))
            continue;
        rows->items[n] = rows->items[i];
        TRY(copy_bytes(&table, row++, rows, &rows->items[n++], err));
    }
    rows->n = n;
    return ERR_OK;
}

static enum err_code write_ids(const int64_t *ids, int n, struct buf *text, struct err *err)
{
    buf_putc(text, '{');
    for (int i = 0; i < n; i++)
        buf_printf(text, "%s%" PRId64, i > 0 ? "," : "", ids[i]);
    buf_putc(text, '}');
    return buf_check(text, err);
}

/* A model never changes once it is there, so the two reads belong together. */
enum err_code catalog_models_whole(struct pg *pg, const int64_t *model_ids, int n,
                                   struct model_rows *ret_rows, struct err *err)
{
    CLEANUP(model_rows_release) struct model_rows rows = {0};
    CLEANUP(buf_release) struct buf ids = {0};
    struct selected selected;

    TRY(write_ids(model_ids, n, &ids, err));
    TRY(catalog_select(pg, &whole_spec,
                       FROM_MODELS " WHERE m.id = ANY ($1::bigint[]) ORDER BY m.id", 1,
                       (struct pg_param[]){PG_TEXT(buf_text(&ids))}, &selected, err));
    rows = (struct model_rows){.n = selected.n, .items = selected.items, .arena = selected.arena};
    TRY(read_bytes(pg, buf_text(&ids), &rows, err));
    *ret_rows = rows;
    rows = (struct model_rows){0};
    return ERR_OK;
}

enum err_code catalog_model(struct pg *pg, int64_t model_id, struct model_rows *ret_row,
                            struct err *err)
{
    CLEANUP(model_rows_release) struct model_rows rows = {0};

    TRY(catalog_models_whole(pg, &model_id, 1, &rows, err));
    if (rows.n == 0)
        return no_model(model_id, err);
    *ret_row = rows;
    rows = (struct model_rows){0};
    return ERR_OK;
}

enum err_code catalog_measured_model(struct pg *pg, int64_t model_id, struct model_rows *ret_row,
                                     struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    struct pg_int id;

    TRY(pg_row(pg,
               "SELECT coalesce((SELECT id FROM pgboost.models WHERE twin_of = $1::bigint),"
               " $1::bigint)",
               1, (struct pg_param[]){pg_param_int(&id, model_id)}, &table, err));
    TRY(catalog_model(pg, pg_get_int64(&table, 0, 0), ret_row, err));
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
