#include "pg/copy_stream.h"

#include <string.h>

static const char signature[11] = "PGCOPY\n\377\r\n";

#define HEADER_BYTES        19 /* signature, flags, length of the extension */
#define EXTENSION_BYTES_MAX (1 << 16)
#define FLAGS_CRITICAL      0xffff0000u /* a reader must refuse those it does not know */
#define BEHIND_TRAILER      "it goes on behind its end"

static uint16_t read_uint16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t read_uint32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static enum err_code corrupt(struct err *err, const char *what)
{
    err_set(err, ERR_CORRUPT, "the server sent a COPY stream that cannot be read: %s", what);
    return err_hint(err, "is there a proxy between, or a server that is not PostgreSQL?");
}

static enum copy_state damaged(struct err *err, const char *what)
{
    corrupt(err, what);
    return COPY_CORRUPT;
}

/* COPY_ROW: the header was read, and rows come. */
static enum copy_state read_header(struct copy_stream *stream, struct err *err)
{
    size_t left = (size_t)(stream->end - stream->at);
    uint32_t extension;

    if (left == 0)
        return COPY_MORE;
    if (memcmp(stream->at, signature, left < sizeof(signature) ? left : sizeof(signature)) != 0)
        return damaged(err, "it does not begin with PGCOPY");
    if (left < HEADER_BYTES)
        return COPY_MORE;
    if ((read_uint32(stream->at + 11) & FLAGS_CRITICAL) != 0)
        return damaged(err, "its header has flags of an unknown format");
    extension = read_uint32(stream->at + 15);
    if (extension > EXTENSION_BYTES_MAX)
        return damaged(err, "its header is too long");
    if (left - HEADER_BYTES < extension)
        return COPY_MORE;
    stream->at += HEADER_BYTES + extension;
    stream->past_header = true;
    return COPY_ROW;
}

/* Behind the number that no row has. */
static enum copy_state read_trailer(struct copy_stream *stream, const uint8_t *at, struct err *err)
{
    if (at != stream->end)
        return damaged(err, BEHIND_TRAILER);
    stream->at = at;
    stream->past_trailer = true;
    return COPY_END;
}

static enum copy_state read_row(struct copy_stream *stream, struct pg_field *fields,
                                struct err *err)
{
    const uint8_t *at = stream->at, *end = stream->end;
    uint16_t n_fields;

    if (end - at < 2)
        return COPY_MORE;
    n_fields = read_uint16(at);
    at += 2;
    if (n_fields == UINT16_MAX)
        return read_trailer(stream, at, err);
    if (n_fields != stream->n_columns)
        return damaged(err, "a row has another number of fields");
    for (int i = 0; i < n_fields; i++) {
        uint32_t length;

        if (end - at < 4)
            return COPY_MORE;
        length = read_uint32(at);
        at += 4;
        if (length == UINT32_MAX) {
            fields[i] = (struct pg_field){0};
            continue;
        }
        if (length > INT32_MAX)
            return damaged(err, "a field has a length below zero");
        if ((size_t)(end - at) < length)
            return COPY_MORE;
        fields[i] = (struct pg_field){at, length};
        at += length;
    }
    stream->at = at;
    return COPY_ROW;
}

enum copy_state copy_stream_next(struct copy_stream *stream, struct pg_field *fields,
                                 struct err *err)
{
    if (!stream->past_header) {
        enum copy_state state = read_header(stream, err);

        if (state != COPY_ROW)
            return state;
    }
    if (stream->past_trailer)
        return stream->at == stream->end ? COPY_END : damaged(err, BEHIND_TRAILER);
    return read_row(stream, fields, err);
}

/* The message goes behind what the last ones left over. */
static enum err_code append_to_carry(struct copy_stream *stream, const void *message,
                                     size_t n_bytes, struct err *err)
{
    struct buf *carry = &stream->carry;
    size_t left = (size_t)(stream->end - stream->at);

    if (!stream->in_carry) {
        buf_clear(carry);
        buf_append(carry, stream->at, left);
    } else if (left < carry->length) { /* else a row that is long comes in many messages */
        memmove(carry->data, stream->at, left);
        carry->length = left;
    }
    buf_append(carry, message, n_bytes);
    TRY(buf_check(carry, err));
    stream->in_carry = true;
    stream->at = (const uint8_t *)carry->data;
    stream->end = stream->at + carry->length;
    return ERR_OK;
}

enum err_code copy_stream_feed(struct copy_stream *stream, const void *message, size_t n_bytes,
                               struct err *err)
{
    if (n_bytes == 0)
        return ERR_OK;
    if (stream->at != stream->end)
        return append_to_carry(stream, message, n_bytes, err);
    stream->in_carry = false;
    stream->at = message;
    stream->end = stream->at + n_bytes;
    return ERR_OK;
}

enum err_code copy_stream_finish(const struct copy_stream *stream, struct err *err)
{
    if (!stream->past_trailer)
        return corrupt(err, "it ends in the middle");
    return stream->at == stream->end ? ERR_OK : corrupt(err, BEHIND_TRAILER);
}

void copy_stream_release(struct copy_stream *stream)
{
    buf_release(&stream->carry);
    *stream = (struct copy_stream){0};
}
