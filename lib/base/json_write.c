#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

/* The escape of a character that may not stand in a string as it is; NULL when it may. */
static const char *escape_of(unsigned char c, char scratch[8])
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\b':
        return "\\b";
    case '\f':
        return "\\f";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        if (c >= ' ')
            return NULL;
        snprintf(scratch, 8, "\\u%04x", c);
        return scratch;
    }
}

void json_put_string(struct buf *buf, const char *text, size_t length)
{
    size_t at = 0, copied = 0; /* what stands between them goes out unchanged */

    buf_putc(buf, '"');
    while (at < length) {
        char scratch[8];
        const char *escape = escape_of((unsigned char)text[at], scratch);
        int n_bytes = escape != NULL ? 1 : utf8_length(text + at, length - at);

        if (n_bytes == 0) {
            escape = "\xef\xbf\xbd"; /* U+FFFD for the one byte */
            n_bytes = 1;
        }
        if (escape != NULL) {
            buf_append(buf, text + copied, at - copied);
            buf_puts(buf, escape);
            copied = at + (size_t)n_bytes;
        }
        at += (size_t)n_bytes;
    }
    if (length > copied)
        buf_append(buf, text + copied, length - copied);
    buf_putc(buf, '"');
}

void json_put_text(struct buf *buf, const char *text)
{
    if (text == NULL)
        buf_puts(buf, "null");
    else
        json_put_string(buf, text, strlen(text));
}

void json_put_float(struct buf *buf, float value)
{
    if (!isfinite(value))
        buf_puts(buf, "null");
    else if (buf_reserve(buf, NUMBER_TEXT_SIZE))
        buf->length += number_put_float(value, buf->data + buf->length);
}

void json_put_double(struct buf *buf, double value)
{
    if (!isfinite(value))
        buf_puts(buf, "null");
    else if (buf_reserve(buf, NUMBER_TEXT_SIZE))
        buf->length += number_put_double(value, buf->data + buf->length);
}

void json_put_bool(struct buf *buf, bool value)
{
    buf_puts(buf, value ? "true" : "false");
}
