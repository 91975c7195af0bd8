/*
 * What statements rely on of their session, directly and through a pooler.
 *
 * A pooler in transaction mode (pgbouncer, and those of the clouds) gives each transaction any
 * session it has. What is set for a session is then somebody else's, and ours is set by others, so
 * through a pooler nothing is: every statement runs in a transaction that begins with SET LOCAL.
 * A pooler shows by the process it speaks of: what it tells its clients at the start is not the
 * server's own. One that keeps sessions is treated alike, which costs round trips and is right.
 */
#include <stdio.h>

#include "pg/internal.h"

/* In one statement: for the session where it is ours, else for this statement alone. */
static const char open_sql[] =
    "SELECT pg_catalog.set_config(name, value, pooled), pooled FROM (VALUES "
    "('search_path', 'pg_catalog'), ('DateStyle', 'ISO'), "
    "('IntervalStyle', 'postgres'), ('TimeZone', 'UTC'), "
    "('extra_float_digits', '3'), ('quote_all_identifiers', 'off'), "
    "('default_transaction_isolation', 'read committed'), ('statement_timeout', $1::text), "
    "('default_transaction_read_only', $2::text)) AS setting(name, value), "
    "(SELECT pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.<>) $3::integer AS pooled) AS link";

static int server_timeout_ms(const struct pg *pg)
{
    return pg->statement_timeout_ms > 0 ? pg->statement_timeout_ms : 0;
}

/* By a statement, not by options=: pgbouncer refuses startup parameters it does not know. */
enum err_code pg_open_session(struct pg *pg, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    struct pg_int timeout, pid;
    const struct pg_param params[] = {
        pg_param_int(&timeout, server_timeout_ms(pg)),
        PG_TEXT(pg->read_only ? "on" : "off"),
        pg_param_int(&pid, PQbackendPID(pg->conn)),
    };

    TRY(pg_rows(pg, open_sql, N_ELEMENTS(params), params, &table, err));
    pg->pooled = table.n_rows > 0 && pg_get_bool(&table, 0, 1);
    return ERR_OK;
}

enum err_code pg_set_statement_timeout(struct pg *pg, int timeout_ms, struct err *err)
{
    struct pg_int text;
    struct pg_param param = pg_param_int(&text, timeout_ms);

    if (!pg->pooled)
        TRY(pg_exec(pg, "SELECT pg_catalog.set_config('statement_timeout', $1::text, false)", 1,
                    &param, NULL, err));
    pg->statement_timeout_ms = timeout_ms;
    return ERR_OK;
}

bool pg_pooled(const struct pg *pg)
{
    return pg->pooled;
}

bool pg_needs_transaction(const struct pg *pg)
{
    return pg->pooled && PQtransactionStatus(pg->conn) == PQTRANS_IDLE;
}

static enum err_code begin_pooled(struct pg *pg, const char *mode, struct err *err)
{
    char sql[400];

    snprintf(sql, sizeof(sql),
             "BEGIN %s; SET LOCAL search_path = pg_catalog; SET LOCAL DateStyle = ISO;"
             " SET LOCAL IntervalStyle = postgres; SET LOCAL TimeZone = UTC;"
             " SET LOCAL extra_float_digits = 3; SET LOCAL quote_all_identifiers = off;"
             " SET LOCAL statement_timeout = %d",
             mode, server_timeout_ms(pg));
    return pg_run_script(pg, sql, NULL, err);
}

enum err_code pg_begin_as(struct pg *pg, const char *mode, struct err *err)
{
    char sql[80];

    if (pg->pooled)
        return begin_pooled(pg, mode, err);
    snprintf(sql, sizeof(sql), "BEGIN %s", mode);
    return pg_exec(pg, sql, 0, NULL, NULL, err);
}

/* Through a pooler the default is whatever somebody has set. */
enum err_code pg_begin(struct pg *pg, struct err *err)
{
    const char *mode = pg->read_only ? "ISOLATION LEVEL READ COMMITTED READ ONLY"
                                     : "ISOLATION LEVEL READ COMMITTED READ WRITE";

    return pg_begin_as(pg, pg->pooled ? mode : "", err);
}

/* What a script has set for the session stays through a pooler, whose session it is. */
enum err_code pg_restore_session(struct pg *pg, struct err *err)
{
    TRY(pg_run_script(pg,
                      "RESET SESSION AUTHORIZATION; RESET ROLE;"
                      " SET LOCAL search_path = pg_catalog",
                      NULL, err));
    return pg->pooled ? ERR_OK : pg_open_session(pg, err);
}
