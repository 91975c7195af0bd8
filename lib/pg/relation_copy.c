/* The statements that read a relation's rows. */
#include <stdio.h>
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
    uint32_t oid; /* of the type that comes out */
};

#define AS_TEXT                                                                                    \
    {                                                                                              \
        "", "::pg_catalog.text", PG_OID_TEXT                                                       \
    }

static const struct wrapping wrappings[PG_TYPES] = {
    [PG_TEXT_TYPE] = AS_TEXT,
    [PG_ENUM] = AS_TEXT,
    [PG_UUID] = AS_TEXT,
    [PG_BYTEA] = AS_TEXT,
    [PG_OTHER] = AS_TEXT,
    /* in binary its scale is that of a locale */
    [PG_MONEY] = {"", "::pg_catalog.numeric", PG_OID_NUMERIC},
    /* a cast prints 10.0.0.1/32 where everything else prints 10.0.0.1 */
    [PG_INET] = {"pg_catalog.to_jsonb(", ") OPERATOR(pg_catalog.#>>) '{}'", PG_OID_TEXT},
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

/* Of either begin: the COPY, or the end of the transaction. */
static enum err_code open_copy(struct pg *pg, const struct buf *sql, int n_columns,
                               struct pg_copy **ret_copy, struct err *err)
{
    enum err_code code = pg_copy_open(pg, buf_text(sql), n_columns, ret_copy, err);

    if (code != ERR_OK)
        pg_rollback(pg);
    return code;
}

enum err_code relation_put_column(struct pg *pg, const struct relation *relation,
                                  const struct relation_column *column, struct buf *sql,
                                  struct err *err)
{
    const struct wrapping *wrapping = &wrappings[column->type];

    TRY(check_readable(relation, column, err));
    buf_puts(sql, wrapping->before != NULL ? wrapping->before : "");
    TRY(pg_quote_identifier(pg, sql, column->name, err));
    buf_puts(sql, wrapping->after != NULL ? wrapping->after : "");
    return buf_check(sql, err);
}

uint32_t relation_wire_type(const struct relation_column *column)
{
    const struct wrapping *wrapping = &wrappings[column->type];

    return wrapping->oid != 0 ? wrapping->oid : column->type_oid;
}

enum err_code relation_copy(struct pg *pg, const struct relation *relation, const int *columns,
                            int n_columns, struct pg_copy **ret_copy, struct err *err)
{
    CLEANUP(buf_release) struct buf sql = {0};

    buf_puts(&sql, "COPY (SELECT ");
    for (int i = 0; i < n_columns; i++) {
        buf_puts(&sql, i > 0 ? ", " : "");
        TRY(relation_put_column(pg, relation, &relation->columns[columns[i]], &sql, err));
    }
    buf_printf(&sql, " FROM %s) TO STDOUT (FORMAT binary)", relation->name);
    TRY(buf_check(&sql, err));
    TRY(begin_read(pg, err));
    return open_copy(pg, &sql, n_columns, ret_copy, err);
}

/* In the order of a key -------------------------------------------------------------------------
 */

#define AFTER "pgboost.after_"

static enum err_code put_keys(struct pg *pg, const struct relation *relation,
                              const struct keyed_copy *what, struct buf *sql, struct err *err)
{
    for (int i = 0; i < what->n_keys; i++) {
        const struct relation_column *column = &relation->columns[what->keys[i]];

        TRY(check_readable(relation, column, err));
        buf_puts(sql, i > 0 ? ", " : "");
        TRY(pg_quote_identifier(pg, sql, column->name, err));
    }
    return ERR_OK;
}

/* COPY takes no parameters: the values travel as settings of the transaction. */
static enum err_code set_after(struct pg *pg, const struct keyed_copy *what, struct err *err)
{
    for (int i = 0; i < what->n_keys && what->after != NULL; i++) {
        char name[40];

        snprintf(name, sizeof(name), AFTER "%d", i);
        TRY(pg_exec(pg, "SELECT pg_catalog.set_config($1, $2, true)", 2,
                    (struct pg_param[]){PG_TEXT(name), PG_TEXT(what->after[i])}, NULL, err));
    }
    return ERR_OK;
}

static enum err_code put_after(struct pg *pg, const struct relation *relation,
                               const struct keyed_copy *what, struct buf *sql, struct err *err)
{
    buf_puts(sql, " WHERE ROW(");
    TRY(put_keys(pg, relation, what, sql, err));
    buf_puts(sql, ") > ROW(");
    for (int i = 0; i < what->n_keys; i++)
        buf_printf(sql, "%spg_catalog.current_setting('" AFTER "%d')::%s", i > 0 ? ", " : "", i,
                   relation->columns[what->keys[i]].type_name);
    buf_putc(sql, ')');
    return ERR_OK;
}

enum err_code relation_copy_keyed(struct pg *pg, const struct relation *relation,
                                  const struct keyed_copy *what, struct pg_copy **ret_copy,
                                  struct err *err)
{
    CLEANUP(buf_release) struct buf sql = {0};

    buf_puts(&sql, "COPY (SELECT ");
    TRY(put_keys(pg, relation, what, &sql, err));
    for (int i = 0; i < what->n_columns; i++) {
        buf_puts(&sql, ", ");
        TRY(relation_put_column(pg, relation, &relation->columns[what->columns[i]], &sql, err));
    }
    buf_printf(&sql, " FROM %s", relation->name);
    if (what->after != NULL)
        TRY(put_after(pg, relation, what, &sql, err));
    buf_puts(&sql, " ORDER BY ");
    TRY(put_keys(pg, relation, what, &sql, err));
    buf_puts(&sql, ") TO STDOUT (FORMAT binary)");
    TRY(buf_check(&sql, err));
    TRY(begin_read(pg, err));
    TRY(set_after(pg, what, err));
    return open_copy(pg, &sql, what->n_keys + what->n_columns, ret_copy, err);
}

int64_t relation_expected_rows(struct pg *pg, const struct relation *relation)
{
    CLEANUP(buf_release) struct buf sql = {0};
    CLEANUP(pg_table_release) struct pg_table plan = {0};
    const char *rows;

    buf_printf(&sql, "EXPLAIN (COSTS true) SELECT FROM %s", relation->name);
    if (buf_check(&sql, NULL) != ERR_OK ||
        pg_rows(pg, buf_text(&sql), 0, NULL, &plan, NULL) != ERR_OK || plan.n_rows == 0)
        return 0;
    rows = strstr(pg_get_text(&plan, 0, 0), " rows=");
    return rows != NULL ? strtoll(rows + strlen(" rows="), NULL, 10) : 0;
}
