#include "feature/json_paths.h"

#include <stdio.h>
#include <string.h>

/* An escape of six bytes is one byte at least. */
#define ESCAPED_BYTES_MAX (6 * LABEL_BYTES_MAX)

struct walk {
    const struct json_visitor *visitor;
    struct json_reader reader;
    size_t length; /* of path */
    char path[LABEL_BYTES_MAX];
    char scratch[ESCAPED_BYTES_MAX + 1];
};

/* The reader's last key or string in at most LABEL_BYTES_MAX bytes; false when it has more. */
static bool unescape(const struct json_reader *reader, char scratch[ESCAPED_BYTES_MAX + 1],
                     size_t *ret_length)
{
    if (reader->length > ESCAPED_BYTES_MAX)
        return false;
    *ret_length = json_unescape(reader, scratch);
    return *ret_length <= LABEL_BYTES_MAX;
}

static bool put(struct walk *walk, char c)
{
    if (walk->length == sizeof(walk->path))
        return false;
    walk->path[walk->length++] = c;
    return true;
}

/* Puts the member's name behind the path of what holds it. */
static bool append_name(struct walk *walk)
{
    size_t length;

    if (!unescape(&walk->reader, walk->scratch, &length) || length == 0 ||
        memchr(walk->scratch, '\0', length) != NULL)
        return false;
    if (walk->length > 0 && !put(walk, '.'))
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = walk->scratch[i];

        if ((c == '.' || c == '\\') && !put(walk, '\\'))
            return false;
        if (!put(walk, c))
            return false;
    }
    return true;
}

static bool visit_array(struct walk *walk, uint32_t at)
{
    size_t n_items = 0;

    for (;; n_items++) {
        enum json_token token = json_next(&walk->reader, NULL);

        if (token == JSON_ARRAY_END)
            break;
        if (token == JSON_ERROR || json_skip(&walk->reader, token, NULL) != ERR_OK)
            return false;
    }
    walk->visitor->array(walk->visitor->context, at, n_items);
    return true;
}

static bool visit_value(struct walk *walk, uint32_t at);

/* Its depth is the reader's, so it is bounded. */
static bool visit_object(struct walk *walk)
{
    const struct json_visitor *visitor = walk->visitor;
    size_t length = walk->length;

    for (;;) {
        enum json_token token = json_next(&walk->reader, NULL);
        uint32_t at = STRMAP_NONE;

        if (token != JSON_KEY)
            return token == JSON_OBJECT_END;
        if (append_name(walk))
            at = visitor->enter(visitor->context, walk->path, walk->length);
        if (!visit_value(walk, at))
            return false;
        walk->length = length;
    }
}

static bool visit_value(struct walk *walk, uint32_t at)
{
    enum json_token token = json_next(&walk->reader, NULL);

    if (at == STRMAP_NONE)
        return token != JSON_ERROR && json_skip(&walk->reader, token, NULL) == ERR_OK;
    switch (token) {
    case JSON_OBJECT_BEGIN:
        return visit_object(walk);
    case JSON_ARRAY_BEGIN:
        return visit_array(walk, at);
    case JSON_STRING:
    case JSON_NUMBER:
    case JSON_TRUE:
    case JSON_FALSE:
        walk->visitor->scalar(walk->visitor->context, at, &walk->reader, token);
        return true;
    default:
        return token == JSON_NULL;
    }
}

bool json_paths_visit(const char *text, size_t n_bytes, const struct json_visitor *visitor)
{
    struct walk walk;

    walk.visitor = visitor;
    walk.length = 0;
    json_reader_init(&walk.reader, text, n_bytes);
    return visit_value(&walk, visitor->enter(visitor->context, "", 0)) &&
           json_next(&walk.reader, NULL) == JSON_END;
}

bool json_path_is_below(const char *path, size_t length, const char *above, size_t above_length)
{
    return length >= above_length && memcmp(path, above, above_length) == 0 &&
           (above_length == 0 || length == above_length || path[above_length] == '.');
}

double json_scalar_number(const struct json_reader *reader)
{
    struct cell cell = {0};

    if (cell_from_number(PG_FLOAT8, reader->text, reader->length, &cell, NULL) == ERR_OK)
        return cell.double_value;
    return reader->text[0] == '-' ? -HUGE_VAL : HUGE_VAL;
}

/* As json_put_double writes it. */
static size_t number_text(double value, char out[JSON_TEXT_MAX])
{
    int length = 0;

    value += 0.0; /* -0 is 0 */
    if (fabs(value) < 1e15 && trunc(value) == value)
        return (size_t)snprintf(out, JSON_TEXT_MAX, "%.0f", value);
    for (int digits = 15; digits <= 17; digits++) {
        length = snprintf(out, JSON_TEXT_MAX, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            break;
    }
    return (size_t)length;
}

size_t json_scalar_text(const struct json_reader *reader, enum json_token token,
                        char out[JSON_TEXT_MAX])
{
    char scratch[ESCAPED_BYTES_MAX + 1];
    size_t length;

    if (token == JSON_NUMBER)
        return number_text(json_scalar_number(reader), out);
    if (token != JSON_STRING)
        return (size_t)snprintf(out, JSON_TEXT_MAX, "%s", token == JSON_TRUE ? "true" : "false");
    if (!unescape(reader, scratch, &length))
        return 0;
    out[0] = '"';
    memcpy(out + 1, scratch, length);
    out[length + 1] = '"';
    return length + 2;
}
