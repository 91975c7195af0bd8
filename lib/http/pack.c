#include "http/pack.h"

#include <strings.h>
#include <zlib.h>

#define LEVEL       1  /* a third of the time of zlib's default, for a tenth more bytes */
#define GZIP_WINDOW 31 /* 15 bits, and 16: gzip's frame rather than zlib's */

/* A weight of "q=0", "q=0.0" …; the coding's parameters begin at text. */
static bool is_refused(const char *text, size_t length)
{
    const char *q = memchr(text, '=', length);
    const char *end = text + length;

    if (q == NULL)
        return false;
    for (q++; q < end; q++)
        if (*q >= '1' && *q <= '9')
            return false;
    return true;
}

bool pack_is_taken(const char *accept_encoding)
{
    const char *at = accept_encoding;
    bool any = false;

    if (at == NULL)
        return false;
    for (at += strspn(at, " \t,"); *at != '\0'; at += strspn(at, " \t,")) {
        size_t name = strcspn(at, ",; \t"), whole = strcspn(at, ",");
        bool refused = is_refused(at + name, whole - name);

        if (name == 4 && strncasecmp(at, "gzip", 4) == 0)
            return !refused;
        if (name == 1 && at[0] == '*')
            any = !refused;
        at += whole;
    }
    return any;
}

static bool deflate_all(z_stream *stream, const struct buf *text, struct buf *packed)
{
    stream->next_in = (Bytef *)text->data;
    stream->avail_in = (uInt)text->length;
    stream->next_out = (Bytef *)packed->data;
    stream->avail_out = (uInt)text->length;
    if (deflate(stream, Z_FINISH) != Z_STREAM_END)
        return false;
    packed->length = text->length - stream->avail_out;
    return true;
}

bool pack(struct buf *text)
{
    CLEANUP(buf_release) struct buf packed = {0};
    z_stream stream = {0};
    struct buf plain;
    bool done;

    if (text->failed || text->length > INT32_MAX || !buf_reserve(&packed, text->length) ||
        deflateInit2(&stream, LEVEL, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    done = deflate_all(&stream, text, &packed);
    deflateEnd(&stream);
    if (!done)
        return false;
    plain = *text;
    *text = packed;
    packed = plain; /* released */
    return true;
}
