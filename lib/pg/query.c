#include <poll.h>
#include <string.h>

#include "pg/internal.h"

enum err_code pg_next_result(struct pg *pg, int64_t deadline_ms, PGresult **ret_result,
                             struct err *err)
{
    while (PQisBusy(pg->conn)) {
        TRY(pg_wait_socket(pg, POLLIN, deadline_ms, err));
        if (PQconsumeInput(pg->conn))
            continue;
        if (PQstatus(pg->conn) == CONNECTION_OK)
            return pg_lost(pg, err);
        break; /* the link is cut: PQgetResult still has what the server said last */
    }
    *ret_result = PQgetResult(pg->conn);
    return ERR_OK;
}

static enum err_code check_result(struct pg *pg, const PGresult *result, struct err *err)
{
    switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
        return ERR_OK;
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
        pg->broken = true;
        return err_set(err, ERR_SQL, "COPY from or to the client cannot be used here");
    default:
        return pg_result_error(pg, result, err);
    }
}

/* PQclear for CLEANUP. */
static void result_free(PGresult **result)
{
    PQclear(*result);
    *result = NULL;
}

enum err_code pg_collect(struct pg *pg, int64_t deadline_ms, PGresult **ret_last,
                         struct pg_progress *progress, struct err *err)
{
    CLEANUP(result_free) PGresult *last = NULL;
    enum err_code code = ERR_OK;

    for (;;) {
        PGresult *result;
        enum err_code waited =
            pg_next_result(pg, deadline_ms, &result, code == ERR_OK ? err : NULL);

        if (waited != ERR_OK)
            return code != ERR_OK ? code : waited;
        if (result == NULL)
            break;
        PQclear(last);
        last = result;
        if (code != ERR_OK)
            continue; /* the first error is the cause */
        code = check_result(pg, result, err);
        if (progress != NULL && code == ERR_OK)
            progress->n_done++;
        if (progress != NULL && code != ERR_OK) {
            const char *position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);

            progress->position = position != NULL ? (int)strtol(position, NULL, 10) : 0;
        }
        if (pg->broken && code != ERR_OK)
            return code;
    }
    if (code == ERR_OK && ret_last != NULL)
        *ret_last = TAKE_PTR(last);
    return code;
}

static enum err_code run_alone(struct pg *pg, const char *sql, int n_params,
                               const struct pg_param *params, bool binary_results,
                               PGresult **ret_result, struct err *err)
{
    int64_t deadline_ms = pg_deadline(pg);

    TRY(pg_send(pg, sql, n_params, params, binary_results, deadline_ms, err));
    return pg_collect(pg, deadline_ms, ret_result, NULL, err);
}

/* What a view's functions have set for the session of a reader goes back with its transaction. */
static enum err_code run_in_transaction(struct pg *pg, const char *sql, int n_params,
                                        const struct pg_param *params, bool binary_results,
                                        PGresult **ret_result, struct err *err)
{
    CLEANUP(result_free) PGresult *result = NULL;
    enum err_code code;

    code = pg_begin(pg, err);
    if (code == ERR_OK)
        code = run_alone(pg, sql, n_params, params, binary_results, &result, err);
    if (code == ERR_OK && !pg->read_only)
        code = pg_commit(pg, err);
    pg_rollback(pg);
    if (code == ERR_OK)
        *ret_result = TAKE_PTR(result);
    return code;
}

static enum err_code run(struct pg *pg, const char *sql, int n_params,
                         const struct pg_param *params, bool binary_results, PGresult **ret_result,
                         struct err *err)
{
    TRY(pg_check_usable(pg, err));
    return (pg_needs_transaction(pg) ? run_in_transaction : run_alone)(
        pg, sql, n_params, params, binary_results, ret_result, err);
}

enum err_code pg_exec(struct pg *pg, const char *sql, int n_params, const struct pg_param *params,
                      int64_t *ret_n_rows, struct err *err)
{
    CLEANUP(result_free) PGresult *result = NULL;

    TRY(run(pg, sql, n_params, params, false, &result, err));
    if (ret_n_rows != NULL)
        *ret_n_rows = strtoll(PQcmdTuples(result), NULL, 10);
    return ERR_OK;
}

static enum err_code fetch(struct pg *pg, const char *sql, int n_params,
                           const struct pg_param *params, bool binary_results,
                           struct pg_table *ret_table, struct err *err)
{
    PGresult *result = NULL;

    TRY(run(pg, sql, n_params, params, binary_results, &result, err));
    *ret_table = (struct pg_table){result, PQntuples(result), PQnfields(result)};
    return ERR_OK;
}

enum err_code pg_rows(struct pg *pg, const char *sql, int n_params, const struct pg_param *params,
                      struct pg_table *ret_table, struct err *err)
{
    return fetch(pg, sql, n_params, params, false, ret_table, err);
}

enum err_code pg_rows_binary(struct pg *pg, const char *sql, int n_params,
                             const struct pg_param *params, struct pg_table *ret_table,
                             struct err *err)
{
    return fetch(pg, sql, n_params, params, true, ret_table, err);
}

enum err_code pg_prepare(struct pg *pg, const char *name, const char *sql, struct err *err)
{
    int64_t deadline_ms = pg_deadline(pg);

    TRY(pg_check_usable(pg, err));
    if (!PQsendPrepare(pg->conn, name, sql, 0, NULL))
        return pg_lost(pg, err);
    TRY(pg_flush(pg, deadline_ms, err));
    return pg_collect(pg, deadline_ms, NULL, NULL, err);
}

enum err_code pg_rows_prepared(struct pg *pg, const char *name, int n_params,
                               const struct pg_param *params, struct pg_table *ret_table,
                               struct err *err)
{
    int64_t deadline_ms = pg_deadline(pg);
    PGresult *result = NULL;

    TRY(pg_check_usable(pg, err));
    TRY(pg_send_prepared(pg, name, n_params, params, deadline_ms, err));
    TRY(pg_collect(pg, deadline_ms, &result, NULL, err));
    *ret_table = (struct pg_table){result, PQntuples(result), PQnfields(result)};
    return ERR_OK;
}

enum err_code pg_row(struct pg *pg, const char *sql, int n_params, const struct pg_param *params,
                     struct pg_table *ret_table, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};

    TRY(pg_rows(pg, sql, n_params, params, &table, err));
    if (table.n_rows == 0)
        return err_set(err, ERR_NOT_FOUND, "no such row");
    if (table.n_rows > 1)
        return err_set(err, ERR_FAILED, "%d rows where one was expected", table.n_rows);
    *ret_table = table;
    table = (struct pg_table){0};
    return ERR_OK;
}

enum err_code pg_run_script(struct pg *pg, const char *sql, struct pg_progress *progress,
                            struct err *err)
{
    int64_t deadline_ms = pg_deadline(pg);

    TRY(pg_check_usable(pg, err));
    if (!PQsendQuery(pg->conn, sql))
        return pg_lost(pg, err);
    TRY(pg_flush(pg, deadline_ms, err));
    return pg_collect(pg, deadline_ms, NULL, progress, err);
}

enum err_code pg_script(struct pg *pg, const char *sql, struct err *err)
{
    struct pg_progress progress = {0};
    enum err_code code = pg_run_script(pg, sql, &progress, err);

    if (code != ERR_OK && !pg->broken)
        err_prefix(err, "line %d",
                   progress.position > 0 ? script_line_of_position(sql, progress.position)
                                         : script_line_of_statement(sql, progress.n_done));
    return code;
}

/* COMMIT of a transaction that failed is answered with ROLLBACK, which is no error to libpq. */
enum err_code pg_commit(struct pg *pg, struct err *err)
{
    CLEANUP(result_free) PGresult *result = NULL;

    TRY(run(pg, "COMMIT", 0, NULL, false, &result, err));
    if (strcmp(PQcmdStatus(result), "COMMIT") != 0)
        return err_set(err, ERR_SQL, "the transaction had failed and was rolled back");
    return ERR_OK;
}

void pg_rollback(struct pg *pg)
{
    if (pg == NULL || pg->broken || pg->copying || PQtransactionStatus(pg->conn) == PQTRANS_IDLE)
        return;
    if (pg_exec(pg, "ROLLBACK", 0, NULL, NULL, NULL) != ERR_OK)
        pg->broken = true; /* a connection inside an old transaction is of no use */
}

enum err_code pg_end(struct pg *pg, enum err_code code, struct err *err)
{
    if (code == ERR_OK)
        code = pg_commit(pg, err);
    if (code != ERR_OK)
        pg_rollback(pg);
    return code;
}

enum err_code pg_quote_identifier(struct pg *pg, struct buf *sql, const char *name, struct err *err)
{
    char *escaped = PQescapeIdentifier(pg->conn, name, strlen(name));

    if (escaped == NULL) {
        char line[160];

        return err_set(err, ERR_INVALID, "cannot quote a name of %zu bytes: %s", strlen(name),
                       pg_first_line(PQerrorMessage(pg->conn), line, sizeof(line)));
    }
    buf_puts(sql, escaped);
    PQfreemem(escaped);
    return buf_check(sql, err);
}
