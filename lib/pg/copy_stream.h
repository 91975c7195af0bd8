/*
 * The bytes of COPY … TO STDOUT (FORMAT binary), as rows, without a connection.
 *
 * Bytes come in messages of any size. Postgres puts a row into each, but the protocol says that
 * their boundaries mean nothing: the same rows come out wherever the stream is cut.
 *
 *   stream: "PGCOPY\n\377\r\n\0"  int32 flags  int32 n  n bytes  row*  int16 -1
 *   row:    int16 n_columns  (int32 length, -1 for NULL, then the bytes)*
 *
 * In the way of the data: libpq (copy.c) → here → frame_read. Refuses: knowing what a field means.
 * A row that lies whole in one message is not copied; only what a message leaves over is.
 */
#ifndef PGBOOST_PG_COPY_STREAM_H
#define PGBOOST_PG_COPY_STREAM_H

#include "pg/pg.h"

/* Zeroed but for n_columns, it is a stream of which nothing came yet. */
struct copy_stream {
    int n_columns;
    const uint8_t *at, *end; /* not read yet: in the last message, or in carry */
    struct buf carry;        /* the start of a row whose rest is still to come, and that rest */
    bool in_carry;
    bool past_header, past_trailer;
};
void copy_stream_release(struct copy_stream *stream);

enum copy_state {
    COPY_ROW,     /* fields[n_columns] are a row's */
    COPY_MORE,    /* another message is needed */
    COPY_END,     /* the trailer was read, and nothing is behind it */
    COPY_CORRUPT, /* err is set: ERR_CORRUPT */
};

/* The next message: only when copy_stream_next has said COPY_MORE or COPY_END (or first). Its bytes
 * must stay until the one after it has come. ERR_NOMEM. */
MUST_CHECK enum err_code copy_stream_feed(struct copy_stream *stream, const void *message,
                                          size_t n_bytes, struct err *err);

/* Fields stay valid until the next message has come. COPY_CORRUPT, as often as it is asked: bytes
 * that are no such stream, or have not n_columns fields a row. */
enum copy_state copy_stream_next(struct copy_stream *stream, struct pg_field *fields,
                                 struct err *err);

/* No message comes any more: ERR_CORRUPT unless the trailer was the last of what came. */
MUST_CHECK enum err_code copy_stream_finish(const struct copy_stream *stream, struct err *err);

#endif
