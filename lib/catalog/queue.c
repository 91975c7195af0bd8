#include "catalog/catalog.h"

enum err_code catalog_queue_state(struct pg *pg, struct queue_state *ret_queue, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};

    TRY(pg_row(pg,
               "SELECT count(*) FILTER (WHERE status = 'queued'),"
               " count(*) FILTER (WHERE status = 'running'),"
               " coalesce(extract(epoch FROM clock_timestamp()"
               "  - min(created_at) FILTER (WHERE status = 'queued')), 0)::bigint"
               " FROM pgboost.runs WHERE status IN ('queued', 'running')",
               0, NULL, &table, err));
    *ret_queue = (struct queue_state){
        .n_queued = pg_get_int64(&table, 0, 0),
        .n_running = pg_get_int64(&table, 0, 1),
        .oldest_s = pg_get_int64(&table, 0, 2),
    };
    return ERR_OK;
}
