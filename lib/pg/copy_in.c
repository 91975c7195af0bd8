/*
 * COPY … FROM STDIN (FORMAT binary): rows that the caller has written, in pieces of any size.
 */
#include <poll.h>

#include "pg/internal.h"

/* The signature, no flags, no extension; and the number that no row has. */
static const char header[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";
static const char trailer[] = {'\377', '\377'};

/* The server refused what was sent, and says why; or it has ended the COPY without a word. */
static enum err_code refused(struct pg *pg, struct err *err)
{
    pg->copying = false;
    TRY(pg_collect(pg, pg_deadline(pg), NULL, NULL, err));
    pg->broken = true;
    return err_set(err, ERR_FAILED, "the server ended a COPY before its end");
}

enum err_code pg_copy_in_begin(struct pg *pg, const char *sql, struct err *err)
{
    int64_t deadline_ms = pg_deadline(pg);
    PGresult *result;
    bool as_expected;

    TRY(pg_check_usable(pg, err));
    TRY(pg_send(pg, sql, 0, NULL, true, deadline_ms, err));
    TRY(pg_next_result(pg, deadline_ms, &result, err));
    as_expected = PQresultStatus(result) == PGRES_COPY_IN && PQbinaryTuples(result);
    if (!as_expected) {
        enum err_code code = pg_result_error(pg, result, err);

        PQclear(result);
        if (pg_collect(pg, deadline_ms, NULL, NULL, NULL) != ERR_OK)
            pg->broken = true;
        return code;
    }
    PQclear(result);
    pg->copying = true;
    return pg_copy_in_put(pg, header, sizeof(header) - 1, err);
}

enum err_code pg_copy_in_put(struct pg *pg, const void *bytes, size_t n_bytes, struct err *err)
{
    int64_t deadline_ms = pg_deadline(pg);

    if (pg->broken)
        return pg_check_usable(pg, err);
    for (;;) {
        int sent = PQputCopyData(pg->conn, bytes, (int)n_bytes);

        if (sent < 0)
            return PQstatus(pg->conn) == CONNECTION_OK ? refused(pg, err) : pg_lost(pg, err);
        if (sent > 0)
            return pg_flush(pg, deadline_ms, err); /* libpq's buffer stays small */
        TRY(pg_wait_socket(pg, POLLIN | POLLOUT, deadline_ms, err));
        if (!PQconsumeInput(pg->conn))
            return pg_lost(pg, err);
    }
}

static enum err_code put_end(struct pg *pg, const char *error, struct err *err)
{
    int64_t deadline_ms = pg_deadline(pg);

    for (;;) {
        int sent = PQputCopyEnd(pg->conn, error);

        if (sent < 0)
            return PQstatus(pg->conn) == CONNECTION_OK ? refused(pg, err) : pg_lost(pg, err);
        TRY(pg_flush(pg, deadline_ms, err));
        if (sent > 0)
            return ERR_OK;
    }
}

enum err_code pg_copy_in_end(struct pg *pg, struct err *err)
{
    TRY(pg_copy_in_put(pg, trailer, sizeof(trailer), err));
    TRY(put_end(pg, NULL, err));
    pg->copying = false;
    return pg_collect(pg, pg_deadline(pg), NULL, NULL, err);
}

void pg_copy_in_stop(struct pg *pg)
{
    if (!pg->copying || pg->broken)
        return;
    if (put_end(pg, "stopped", NULL) != ERR_OK) {
        pg->broken = true;
        return;
    }
    pg->copying = false;
    if (pg_collect(pg, pg_deadline(pg), NULL, NULL, NULL) == ERR_OK)
        pg->broken = true; /* it was to fail */
}
