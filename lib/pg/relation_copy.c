/* The statements that read a relation's rows. */
#include <string.h>

#include "pg/internal.h"
#include "pg/relation.h"

/* One snapshot, and the same order of rows each time for the same data: no scan that joins another
 * half way, no workers that race. A view's functions find nothing by search_path but Postgres's
 * own. The wait for each piece of data is bounded by the client instead of statement_timeout. */
static enum err_code begin_read(struct pg *pg, struct err *err)
{
    TRY(pg_begin_as(pg, "ISOLATION LEVEL REPEATABLE READ READ ONLY", err));
    return pg_exec(pg,
                   "SELECT pg_catalog.set_config(name, value, true) FROM (VALUES "
                   "('search_path', 'pg_catalog'), ('synchronize_seqscans', 'off'), "
                   "('max_parallel_workers_per_gather', '0'), ('statement_timeout', '0'), "
                   "('DateStyle', 'ISO'), ('IntervalStyle', 'postgres'), ('TimeZone', 'UTC'), "
                   "('extra_float_digits', '3'), ('bytea_output', 'hex')) AS setting(name, value)",
                   0, NULL, NULL, err);
}

/* What stands around a column whose own binary form is not what cell_from_binary reads. */
struct wrapping {
    const char *before, *after;
};

#define AS_TEXT                                                                                    \
    {                                                                                              \
        "", "::pg_catalog.text"                                                                    \
    }

static const struct wrapping wrappings[PG_TYPES] = {
    [PG_TEXT_TYPE] = AS_TEXT,
    [PG_ENUM] = AS_TEXT,
    [PG_UUID] = AS_TEXT,
    [PG_BYTEA] = AS_TEXT,
    [PG_OTHER] = AS_TEXT,
    /* in binary its scale is that of a locale */
    [PG_MONEY] = {"", "::pg_catalog.numeric"},
    /* a cast prints 10.0.0.1/32 where everything else prints 10.0.0.1 */
    [PG_INET] = {"pg_catalog.to_jsonb(", ") OPERATOR(pg_catalog.#>>) '{}'"},
};

static enum err_code check_readable(const struct relation *relation,
                                    const struct relation_column *column, struct err *err)
{
    if (column->readable)
        return ERR_OK;
    err_set(err, ERR_DENIED, "no SELECT privilege on column \"%s\" of %s", column->name,
            relation->name);
    return err_hint(err, "run as its owner: GRANT SELECT ON %s TO the role that reads",
                    relation->name);
}

enum err_code relation_copy(struct pg *pg, const struct relation *relation, const int *columns,
                            int n_columns, struct pg_copy **ret_copy, struct err *err)
{
    CLEANUP(buf_release) struct buf sql = {0};
    struct pg_copy *copy;
    enum err_code code;

    buf_puts(&sql, "COPY (SELECT ");
    for (int i = 0; i < n_columns; i++) {
        const struct relation_column *column = &relation->columns[columns[i]];
        const struct wrapping *wrapping = &wrappings[column->type];

        TRY(check_readable(relation, column, err));
        buf_puts(&sql, i > 0 ? ", " : "");
        buf_puts(&sql, wrapping->before != NULL ? wrapping->before : "");
        TRY(pg_quote_identifier(pg, &sql, column->name, err));
        buf_puts(&sql, wrapping->after != NULL ? wrapping->after : "");
    }
    buf_printf(&sql, " FROM %s) TO STDOUT (FORMAT binary)", relation->name);
    TRY(buf_check(&sql, err));
    TRY(begin_read(pg, err));
    code = pg_copy_open(pg, buf_text(&sql), n_columns, &copy, err);
    if (code != ERR_OK) {
        pg_rollback(pg);
        return code;
    }
    *ret_copy = copy;
    return ERR_OK;
}
