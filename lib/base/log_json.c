#include <string.h>

#include "base/json.h"
#include "base/log.h"

/* Is it a number as JSON writes it? */
static bool is_number(const char *text, size_t length)
{
    struct json_reader reader;

    json_reader_init(&reader, text, length);
    return json_next(&reader, NULL) == JSON_NUMBER && json_next(&reader, NULL) == JSON_END;
}

/* The length of a value that begins here: quoted, up to its closing quote, else up to a blank. */
static size_t value_length(const char *text, size_t length)
{
    size_t at = 1;

    if (length == 0 || text[0] != '"') {
        const char *blank = memchr(text, ' ', length);

        return blank != NULL ? (size_t)(blank - text) : length;
    }
    while (at < length && text[at] != '"')
        at += text[at] == '\\' && at + 1 < length ? 2 : 1;
    return at < length ? at + 1 : length;
}

/* A line that was cut may end amid its last value. */
static void put_quoted(struct buf *json, const char *text, size_t length)
{
    CLEANUP(buf_release) struct buf plain = {0};
    size_t end = length > 1 && text[length - 1] == '"' ? length - 1 : length;

    for (size_t i = 1; i < end; i++) {
        if (text[i] == '\\' && i + 1 < end)
            i++;
        buf_putc(&plain, text[i]);
    }
    json_put_string(json, buf_text(&plain), plain.length);
}

static void put_value(struct buf *json, const char *text, size_t length)
{
    if (length > 0 && text[0] == '"')
        put_quoted(json, text, length);
    else if (is_number(text, length))
        buf_append(json, text, length);
    else
        json_put_string(json, text, length);
}

void log_line_to_json(const char *line, size_t length, struct buf *json)
{
    const char *end = line + length;

    buf_putc(json, '{');
    for (bool first = true; line < end; first = false) {
        const char *equals;
        size_t n;

        while (line < end && *line == ' ')
            line++;
        equals = memchr(line, '=', (size_t)(end - line));
        if (equals == NULL)
            break; /* the line was cut amid a name */
        if (!first)
            buf_putc(json, ',');
        json_put_string(json, line, (size_t)(equals - line));
        buf_putc(json, ':');
        n = value_length(equals + 1, (size_t)(end - equals - 1));
        put_value(json, equals + 1, n);
        line = equals + 1 + n;
    }
    buf_putc(json, '}');
}
