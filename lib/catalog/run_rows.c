/*
 * The rows that unfinished runs have read: where they are, and their pieces where they are here.
 */
#include <string.h>

#include "catalog/catalog.h"
#include "catalog/fence.h"

/* FOR SHARE as in trials.c: no piece of a worker that lost its lease among those of the next. */
enum err_code catalog_put_rows(struct pg *pg, const struct lease *lease, int number,
                               const void *bytes, size_t n_bytes, struct err *err)
{
    const struct fence fence = fence_of(lease);
    struct pg_int number_text;
    int64_t n_rows;

    if (number == 0) /* an earlier attempt may have left more of them */
        TRY(pg_exec(pg,
                    "DELETE FROM pgboost.run_rows WHERE run_id IN"
                    " (SELECT id FROM pgboost.runs WHERE " FENCED ")",
                    2, (struct pg_param[]){FENCE_PARAMS(fence)}, NULL, err));
    TRY(pg_exec(pg,
                "INSERT INTO pgboost.run_rows AS r (run_id, number, bytes)"
                " SELECT id, $3::integer, $4::bytea"
                " FROM (SELECT id FROM pgboost.runs WHERE " FENCED " FOR SHARE) run"
                " ON CONFLICT (run_id, number) DO UPDATE SET bytes = excluded.bytes",
                4,
                (struct pg_param[]){FENCE_PARAMS(fence), pg_param_int(&number_text, number),
                                    PG_BYTES(bytes, n_bytes)},
                &n_rows, err));
    return n_rows == 1 ? ERR_OK : fence_lost(lease, err);
}

enum err_code catalog_get_rows(struct pg *pg, int64_t run_id, int number, void *bytes,
                               size_t n_most, size_t *ret_n_bytes, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    struct pg_int run_text, number_text;
    const uint8_t *piece;

    *ret_n_bytes = 0;
    TRY(pg_rows_binary(
        pg, "SELECT bytes FROM pgboost.run_rows WHERE run_id = $1::bigint AND number = $2::integer",
        2, (struct pg_param[]){pg_param_int(&run_text, run_id), pg_param_int(&number_text, number)},
        &table, err));
    if (table.n_rows == 0)
        return ERR_OK;
    piece = pg_get_bytes(&table, 0, 0, ret_n_bytes);
    if (*ret_n_bytes > n_most)
        return err_set(err, ERR_CORRUPT, "piece %d of run %lld's rows is too long", number,
                       (long long)run_id);
    memcpy(bytes, piece, *ret_n_bytes);
    return ERR_OK;
}

enum err_code catalog_set_rows(struct pg *pg, const struct lease *lease, const char *key,
                               bool in_table, struct err *err)
{
    const struct fence fence = fence_of(lease);
    int64_t n_rows;

    TRY(pg_exec(
        pg, "UPDATE pgboost.runs SET rows_key = $3, rows_in_table = $4::boolean WHERE " FENCED, 4,
        (struct pg_param[]){FENCE_PARAMS(fence), PG_TEXT(key),
                            PG_TEXT(in_table ? "true" : "false")},
        &n_rows, err));
    return n_rows == 1 ? ERR_OK : fence_lost(lease, err);
}
