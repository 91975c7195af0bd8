#include <stdio.h>
#include <string.h>

#include "base/json.h"

static const char *const token_names[] = {
    [JSON_ERROR] = "an error",
    [JSON_END] = "the end",
    [JSON_OBJECT_BEGIN] = "an object",
    [JSON_OBJECT_END] = "the end of an object",
    [JSON_ARRAY_BEGIN] = "an array",
    [JSON_ARRAY_END] = "the end of an array",
    [JSON_KEY] = "a name",
    [JSON_STRING] = "a string",
    [JSON_NUMBER] = "a number",
    [JSON_TRUE] = "true",
    [JSON_FALSE] = "false",
    [JSON_NULL] = "null",
};

const char *json_found(enum json_token token)
{
    return token_names[token];
}

enum err_code json_text(const struct json_reader *reader, struct buf *scratch,
                        const char **ret_text, size_t *ret_length, struct err *err)
{
    if (!reader->escaped) {
        *ret_text = reader->text;
        *ret_length = reader->length;
        return ERR_OK;
    }
    buf_clear(scratch);
    if (!buf_reserve(scratch, reader->length))
        return err_nomem(err);
    *ret_length = json_unescape(reader, scratch->data);
    *ret_text = scratch->data;
    return ERR_OK;
}

/* Appends the last key or string, decoded and written anew. */
static enum err_code put_decoded(const struct json_reader *reader, struct buf *out, struct err *err)
{
    CLEANUP(buf_release) struct buf decoded = {0};
    size_t length;

    if (!reader->escaped) {
        json_put_string(out, reader->text, reader->length);
        return ERR_OK;
    }
    if (!buf_reserve(&decoded, reader->length))
        return err_nomem(err);
    length = json_unescape(reader, decoded.data);
    json_put_string(out, decoded.data, length);
    return ERR_OK;
}

static enum err_code put_token(const struct json_reader *reader, enum json_token token,
                               struct buf *out, struct err *err)
{
    static const char *const fixed[] = {
        [JSON_OBJECT_BEGIN] = "{", [JSON_OBJECT_END] = "}", [JSON_ARRAY_BEGIN] = "[",
        [JSON_ARRAY_END] = "]",    [JSON_TRUE] = "true",    [JSON_FALSE] = "false",
        [JSON_NULL] = "null",
    };

    if (token == JSON_NUMBER)
        buf_append(out, reader->text, reader->length);
    else if (token == JSON_STRING || token == JSON_KEY)
        TRY(put_decoded(reader, out, err));
    else
        buf_puts(out, fixed[token]);
    if (token == JSON_KEY)
        buf_putc(out, ':');
    return ERR_OK;
}

enum err_code json_compact(const char *text, size_t length, struct buf *out, struct err *err)
{
    struct json_reader reader;
    struct err reason = {0};
    bool after_value = false; /* a key or value that follows needs a comma */

    json_reader_init(&reader, text, length);
    for (;;) {
        enum json_token token = json_next(&reader, &reason);

        if (token == JSON_ERROR)
            return err_set(err, reason.code, "%s", reason.message);
        if (token == JSON_END)
            return buf_check(out, err);
        if (after_value && token != JSON_OBJECT_END && token != JSON_ARRAY_END)
            buf_putc(out, ',');
        TRY(put_token(&reader, token, out, err));
        after_value = token != JSON_KEY && token != JSON_OBJECT_BEGIN && token != JSON_ARRAY_BEGIN;
    }
}

void json_pointer_append(struct buf *pointer, const char *name)
{
    buf_putc(pointer, '/');
    for (; *name != '\0'; name++) {
        if (*name == '~' || *name == '/')
            buf_puts(pointer, *name == '~' ? "~0" : "~1");
        else
            buf_putc(pointer, *name);
    }
}

/* Puts the key or index that leads to a child behind the pointer of what holds it. */
static bool append_step(const struct json_reader *reader, bool is_object, size_t index,
                        struct buf *pointer)
{
    CLEANUP(buf_release) struct buf name = {0};

    if (!is_object) {
        buf_printf(pointer, "/%zu", index);
        return !pointer->failed;
    }
    if (!buf_reserve(&name, reader->length))
        return false;
    if (reader->escaped) {
        json_unescape(reader, name.data);
    } else {
        buf_append(&name, reader->text, reader->length);
    }
    json_pointer_append(pointer, buf_text(&name));
    return !pointer->failed;
}

/* Walks the value whose first token was just read and stands at `at`; the place of what wanted
 * points to, or NULL when it is not inside. Depth is bounded by the reader. */
static const char *find(struct json_reader *reader, enum json_token first, const char *at,
                        struct buf *here, const char *wanted)
{
    bool is_object = first == JSON_OBJECT_BEGIN;
    size_t here_length = here->length;

    if (strcmp(buf_text(here), wanted) == 0)
        return at;
    if (!is_object && first != JSON_ARRAY_BEGIN)
        return NULL;
    for (size_t index = 0;; index++) {
        enum json_token token = json_next(reader, NULL);
        const char *found;

        if (token == JSON_ERROR || token == JSON_OBJECT_END || token == JSON_ARRAY_END ||
            !append_step(reader, is_object, index, here))
            return NULL;
        at = is_object ? reader->text : reader->at - 1;
        if (is_object)
            token = json_next(reader, NULL);
        if (token == JSON_STRING || token == JSON_NUMBER)
            at = reader->text;
        found = find(reader, token, at, here, wanted);
        if (found != NULL)
            return found;
        here->length = here_length;
        here->data[here_length] = '\0';
    }
}

bool json_locate(const char *text, size_t length, const char *pointer, int *ret_line,
                 int *ret_column)
{
    CLEANUP(buf_release) struct buf here = {0};
    struct json_reader reader;
    enum json_token first;
    const char *at;

    json_reader_init(&reader, text, length);
    first = json_next(&reader, NULL);
    at = first == JSON_ERROR ? NULL : find(&reader, first, reader.start, &here, pointer);
    if (at == NULL)
        return false;
    json_position(text, at, ret_line, ret_column);
    return true;
}
