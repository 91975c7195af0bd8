/*
 * COPY … TO STDOUT (FORMAT binary): the statement, and the messages that libpq hands out. What they
 * mean: copy_stream.h.
 */
#include <poll.h>

#include "pg/copy_stream.h"
#include "pg/internal.h"

struct pg_copy {
    struct pg *pg; /* NULL: what was kept is read again */
    struct pg_copy_tape tape;
    char *message; /* libpq's, that the stream reads */
    struct copy_stream stream;
    bool ended;
};

/* The next message's bytes; *ret_n_bytes 0 at the end of the COPY. */
static enum err_code next_message(struct pg_copy *copy, char **ret_message, size_t *ret_n_bytes,
                                  struct err *err)
{
    struct pg *pg = copy->pg;
    int64_t deadline_ms = pg_deadline(pg);

    for (;;) {
        int n = PQgetCopyData(pg->conn, ret_message, 1);

        if (n == -2)
            return pg_lost(pg, err);
        if (n != 0) {
            *ret_n_bytes = n > 0 ? (size_t)n : 0;
            return ERR_OK;
        }
        TRY(pg_wait_socket(pg, POLLIN, deadline_ms, err));
        /* Should the link be cut, PQgetCopyData still hands out what came before. */
        if (!PQconsumeInput(pg->conn) && PQstatus(pg->conn) == CONNECTION_OK)
            return pg_lost(pg, err);
    }
}

static enum err_code feed_kept(struct pg_copy *copy, bool *ret_more, struct err *err)
{
    const void *bytes = NULL;
    size_t n_bytes = 0;

    TRY(copy->tape.next(copy->tape.context, &bytes, &n_bytes, err));
    *ret_more = n_bytes > 0;
    return copy_stream_feed(&copy->stream, bytes, n_bytes, err);
}

/* Gives the stream its next message; *ret_more false at the end of the COPY. */
static enum err_code feed(struct pg_copy *copy, bool *ret_more, struct err *err)
{
    char *message = NULL;
    size_t n_bytes = 0;
    enum err_code code = ERR_OK;

    if (copy->pg == NULL)
        return feed_kept(copy, ret_more, err);
    TRY(next_message(copy, &message, &n_bytes, err));
    if (copy->tape.keep != NULL && n_bytes > 0)
        code = copy->tape.keep(copy->tape.context, message, n_bytes, err);
    if (code == ERR_OK)
        code = copy_stream_feed(&copy->stream, message, n_bytes, err);
    if (code != ERR_OK) {
        PQfreemem(message);
        return code;
    }
    *ret_more = n_bytes > 0;
    if (*ret_more) {
        PQfreemem(copy->message);
        copy->message = message;
    }
    return ERR_OK;
}

/* After the last message: the server's word on it comes first, as it may say why it is the last. */
static enum err_code finish(struct pg_copy *copy, struct err *err)
{
    struct pg *pg = copy->pg;
    enum err_code code;

    copy->ended = true;
    if (pg == NULL)
        return copy_stream_finish(&copy->stream, err);
    pg->copying = false;
    TRY(pg_collect(pg, pg_deadline(pg), NULL, NULL, err));
    code = copy_stream_finish(&copy->stream, err);
    if (code != ERR_OK)
        pg->broken = true;
    return code;
}

static enum err_code start(struct pg *pg, const char *sql, int n_columns, struct err *err)
{
    int64_t deadline_ms = pg_deadline(pg);
    PGresult *result;
    bool as_expected;

    TRY(pg_send(pg, sql, 0, NULL, true, deadline_ms, err));
    TRY(pg_next_result(pg, deadline_ms, &result, err));
    if (PQresultStatus(result) == PGRES_COPY_OUT) {
        as_expected = PQbinaryTuples(result) && PQnfields(result) == n_columns;
        PQclear(result);
        if (as_expected)
            return ERR_OK;
        pg->broken = true;
        return err_set(err, ERR_FAILED, "the statement is not a binary COPY of %d columns",
                       n_columns);
    }
    if (PQresultStatus(result) == PGRES_FATAL_ERROR) {
        enum err_code code = pg_result_error(pg, result, err);

        PQclear(result);
        if (!pg->broken && pg_collect(pg, deadline_ms, NULL, NULL, NULL) != ERR_OK)
            pg->broken = true;
        return code;
    }
    PQclear(result);
    pg->broken = true;
    return err_set(err, ERR_FAILED, "the statement is not a COPY to the client");
}

enum err_code pg_copy_open(struct pg *pg, const char *sql, int n_columns, struct pg_copy **ret_copy,
                           struct err *err)
{
    CLEANUP(free_ptr) struct pg_copy *copy = calloc(1, sizeof(*copy));

    if (copy == NULL)
        return err_nomem(err);
    copy->pg = pg;
    copy->stream.n_columns = n_columns;
    TRY(pg_check_usable(pg, err));
    TRY(start(pg, sql, n_columns, err));
    pg->copying = true;
    *ret_copy = TAKE_PTR(copy);
    return ERR_OK;
}

void pg_copy_keep(struct pg_copy *copy, const struct pg_copy_tape *tape)
{
    copy->tape = *tape;
}

enum err_code pg_copy_replay(const struct pg_copy_tape *tape, int n_columns,
                             struct pg_copy **ret_copy, struct err *err)
{
    struct pg_copy *copy = calloc(1, sizeof(*copy));

    if (copy == NULL)
        return err_nomem(err);
    copy->tape = *tape;
    copy->stream.n_columns = n_columns;
    *ret_copy = copy;
    return ERR_OK;
}

enum err_code pg_copy_next(struct pg_copy *copy, struct pg_field *fields, bool *ret_done,
                           struct err *err)
{
    if (copy->ended) {
        *ret_done = true;
        return ERR_OK;
    }
    if (copy->pg != NULL && copy->pg->broken)
        return pg_check_usable(copy->pg, err);
    for (;;) {
        bool more;

        switch (copy_stream_next(&copy->stream, fields, err)) {
        case COPY_ROW:
            *ret_done = false;
            return ERR_OK;
        case COPY_CORRUPT:
            if (copy->pg != NULL)
                copy->pg->broken = true;
            return ERR_CORRUPT;
        case COPY_MORE:
        case COPY_END: /* which the server has to confirm */
            TRY(feed(copy, &more, err));
            break;
        }
        if (!more) {
            TRY(finish(copy, err));
            *ret_done = true;
            return ERR_OK;
        }
    }
}

void pg_copy_close(struct pg_copy *copy)
{
    if (copy == NULL)
        return;
    if (copy->pg != NULL) {
        if (!copy->ended)
            copy->pg->broken = true; /* closing the connection is what stops the server */
        copy->pg->copying = false;
    }
    PQfreemem(copy->message);
    copy_stream_release(&copy->stream);
    free(copy);
}
