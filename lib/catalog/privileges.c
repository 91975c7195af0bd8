/*
 * What the role behind `dsn` must be allowed to do, and its server.
 */
#include "catalog/catalog.h"

/* A standby refuses it, as it refuses all that writes. */
static enum err_code try_to_write(struct pg *pg, struct err *err)
{
    return pg_exec(pg, "SELECT FROM pgboost.schema_migrations LIMIT 1 FOR KEY SHARE", 0, NULL, NULL,
                   err);
}

enum err_code catalog_check_privileges(struct pg *pg, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};

    TRY(pg_row(pg,
               "SELECT string_agg(c.relname, ', ' ORDER BY c.relname), quote_ident(current_user)"
               " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
               " WHERE n.nspname = 'pgboost' AND c.relkind = 'r'"
               "  AND NOT (has_schema_privilege(n.oid, 'USAGE')"
               "   AND has_table_privilege(c.oid, 'SELECT')"
               "   AND has_table_privilege(c.oid, 'INSERT')"
               "   AND has_table_privilege(c.oid, 'UPDATE')"
               "   AND has_table_privilege(c.oid, 'DELETE'))",
               0, NULL, &table, err));
    if (pg_is_null(&table, 0, 0))
        return try_to_write(pg, err);
    err_set(err, ERR_DENIED, "permission denied on the catalog's %s", pg_get_text(&table, 0, 0));
    err_hint(err,
             "log in as the owner of the schema pgboost, or let it run: GRANT SELECT, INSERT, "
             "UPDATE, DELETE ON ALL TABLES IN SCHEMA pgboost TO %s",
             pg_get_text(&table, 0, 1));
    return ERR_DENIED;
}
