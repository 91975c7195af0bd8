/*
 * COPY … TO STDOUT (FORMAT binary), as rows.
 *
 * libpq hands out CopyData messages. Postgres puts a row into each, but the protocol says that the
 * boundaries mean nothing: what a message leaves over is carried to the next.
 *
 *   stream: "PGCOPY\n\377\r\n\0"  int32 flags  int32 n  n bytes  row*  int16 -1
 *   row:    int16 n_columns  (int32 length, -1 for NULL, then the bytes)*
 */
#include <poll.h>
#include <string.h>

#include "pg/internal.h"

static const char signature[11] = "PGCOPY\n\377\r\n";

#define HEADER_BYTES     19 /* signature, flags, length of the extension */
#define HEADER_BYTES_MAX (1 << 16)
#define FLAGS_CRITICAL   0xffff0000u /* a reader must refuse those it does not know */

struct pg_copy {
    struct pg *pg;
    int n_columns;
    char *message;     /* libpq's */
    struct buf carry;  /* the start of a row whose rest is still to come, and that rest */
    const uint8_t *at; /* into message or carry */
    const uint8_t *end;
    bool in_carry;
    bool past_header, ended;
};

enum progress { COMPLETE, INCOMPLETE, TRAILER, CORRUPT };

static uint16_t read_uint16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t read_uint32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static enum progress read_header(struct pg_copy *copy)
{
    size_t left = (size_t)(copy->end - copy->at);
    uint32_t extension;

    if (left == 0)
        return INCOMPLETE;
    if (memcmp(copy->at, signature, left < sizeof(signature) ? left : sizeof(signature)) != 0)
        return CORRUPT;
    if (left < HEADER_BYTES)
        return INCOMPLETE;
    extension = read_uint32(copy->at + 15);
    if ((read_uint32(copy->at + 11) & FLAGS_CRITICAL) != 0 || extension > HEADER_BYTES_MAX)
        return CORRUPT;
    if (left - HEADER_BYTES < extension)
        return INCOMPLETE;
    copy->at += HEADER_BYTES + extension;
    return COMPLETE;
}

static enum progress read_row(struct pg_copy *copy, struct pg_field *fields)
{
    const uint8_t *at = copy->at, *end = copy->end;
    uint16_t n_fields;

    if (end - at < 2)
        return INCOMPLETE;
    n_fields = read_uint16(at);
    at += 2;
    if (n_fields == UINT16_MAX)
        return at == end ? TRAILER : CORRUPT;
    if (n_fields != copy->n_columns)
        return CORRUPT;
    for (int i = 0; i < n_fields; i++) {
        uint32_t length;

        if (end - at < 4)
            return INCOMPLETE;
        length = read_uint32(at);
        at += 4;
        if (length == UINT32_MAX) {
            fields[i] = (struct pg_field){0};
            continue;
        }
        if (length > INT32_MAX)
            return CORRUPT;
        if ((size_t)(end - at) < length)
            return INCOMPLETE;
        fields[i] = (struct pg_field){at, length};
        at += length;
    }
    copy->at = at;
    return COMPLETE;
}

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

static enum err_code keep_rest(struct pg_copy *copy, const char *message, size_t n_bytes,
                               struct err *err)
{
    size_t left = (size_t)(copy->end - copy->at);

    if (copy->in_carry) {
        memmove(copy->carry.data, copy->at, left);
        copy->carry.length = left;
    } else {
        buf_clear(&copy->carry);
        buf_append(&copy->carry, copy->at, left);
    }
    buf_append(&copy->carry, message, n_bytes);
    TRY(buf_check(&copy->carry, err));
    copy->in_carry = true;
    copy->at = (const uint8_t *)copy->carry.data;
    copy->end = copy->at + copy->carry.length;
    return ERR_OK;
}

/* Makes more bytes readable behind those that are left; *ret_more false at the end of the COPY. */
static enum err_code read_more(struct pg_copy *copy, bool *ret_more, struct err *err)
{
    char *message = NULL;
    size_t n_bytes = 0;

    TRY(next_message(copy, &message, &n_bytes, err));
    if (n_bytes > 0 && copy->at == copy->end) {
        copy->in_carry = false;
        copy->at = (const uint8_t *)message;
        copy->end = copy->at + n_bytes;
    } else if (n_bytes > 0) {
        enum err_code code = keep_rest(copy, message, n_bytes, err);

        if (code != ERR_OK) {
            PQfreemem(message);
            return code;
        }
    }
    PQfreemem(copy->message);
    copy->message = message;
    *ret_more = n_bytes > 0;
    return ERR_OK;
}

static enum err_code corrupt(struct pg_copy *copy, struct err *err)
{
    copy->pg->broken = true;
    err_set(err, ERR_CORRUPT, "the server sent a COPY stream that cannot be read");
    return err_hint(err, "is there a proxy between, or a server that is not PostgreSQL?");
}

/* After the trailer, or where the stream stopped without one: the server's last word. */
static enum err_code finish(struct pg_copy *copy, bool trailer_seen, struct err *err)
{
    struct pg *pg = copy->pg;
    bool more = false;

    if (trailer_seen) {
        copy->at = copy->end;
        TRY(read_more(copy, &more, err));
        if (more)
            return corrupt(copy, err);
    }
    copy->ended = true;
    pg->copying = false;
    TRY(pg_collect(pg, pg_deadline(pg), NULL, NULL, err));
    return trailer_seen ? ERR_OK : corrupt(copy, err);
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
    copy->n_columns = n_columns;
    TRY(pg_check_usable(pg, err));
    TRY(start(pg, sql, n_columns, err));
    pg->copying = true;
    *ret_copy = TAKE_PTR(copy);
    return ERR_OK;
}

enum err_code pg_copy_next(struct pg_copy *copy, struct pg_field *fields, bool *ret_done,
                           struct err *err)
{
    if (copy->ended) {
        *ret_done = true;
        return ERR_OK;
    }
    if (copy->pg->broken)
        return pg_check_usable(copy->pg, err);
    for (;;) {
        enum progress progress = copy->past_header ? read_row(copy, fields) : read_header(copy);
        bool more;

        switch (progress) {
        case COMPLETE:
            if (copy->past_header) {
                *ret_done = false;
                return ERR_OK;
            }
            copy->past_header = true;
            break;
        case INCOMPLETE:
            TRY(read_more(copy, &more, err));
            if (!more)
                return finish(copy, false, err);
            break;
        case TRAILER:
            TRY(finish(copy, true, err));
            *ret_done = true;
            return ERR_OK;
        case CORRUPT:
            return corrupt(copy, err);
        }
    }
}

void pg_copy_close(struct pg_copy *copy)
{
    if (copy == NULL)
        return;
    if (!copy->ended)
        copy->pg->broken = true; /* closing the connection is what stops the server */
    copy->pg->copying = false;
    PQfreemem(copy->message);
    buf_release(&copy->carry);
    free(copy);
}
