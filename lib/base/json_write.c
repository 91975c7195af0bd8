#include <math.h>
#include <stdio.h>
#include <stdlib.h>
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

/* A whole number below 10^9 is a float32's shortest form as it stands, below 10^15 a double's. Nine
 * digits tell all float32 apart, seventeen all doubles, so the last try needs no check. */
void json_put_float(struct buf *buf, float value)
{
    char text[32];

    if (!isfinite(value)) {
        buf_puts(buf, "null");
        return;
    }
    if (fabsf(value) < 1e9F && truncf(value) == value) {
        buf_printf(buf, "%.0f", (double)value);
        return;
    }
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, (double)value);
        if (digits < 9 && strtof(text, NULL) == value)
            break;
    }
    buf_puts(buf, text);
}

void json_put_double(struct buf *buf, double value)
{
    char text[32];

    if (!isfinite(value)) {
        buf_puts(buf, "null");
        return;
    }
    if (fabs(value) < 1e15 && trunc(value) == value) {
        buf_printf(buf, "%.0f", value);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (digits < 17 && strtod(text, NULL) == value)
            break;
    }
    buf_puts(buf, text);
}

void json_put_bool(struct buf *buf, bool value)
{
    buf_puts(buf, value ? "true" : "false");
}
