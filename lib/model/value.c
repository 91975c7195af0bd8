#include "model/value.h"

#include <string.h>

#include "base/nearest.h"

static const char *const found[] = {
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

const char *value_found(enum json_token token)
{
    return found[token];
}

enum err_code value_error(const struct err *err)
{
    return err != NULL && err->code != ERR_OK ? err->code : ERR_INVALID;
}

enum err_code value_corrupt(enum err_code code, struct err *err)
{
    if (code == ERR_OK || code == ERR_NOMEM)
        return code;
    if (err != NULL)
        err->code = ERR_CORRUPT;
    return ERR_CORRUPT;
}

enum err_code value_text(const struct json_reader *reader, struct buf *scratch,
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

int value_name_length(const char *name, size_t length)
{
    if (length <= NAME_SHOWN_MAX)
        return (int)length;
    length = NAME_SHOWN_MAX;
    while (length > 0 && ((unsigned char)name[length] & 0xc0) == 0x80)
        length--;
    return (int)length;
}

const char *value_pointer_token(const char *name, size_t length, char out[POINTER_TOKEN_MAX])
{
    int shown = value_name_length(name, length), n = 0;

    for (int i = 0; i < shown; i++) {
        if (name[i] == '~' || name[i] == '/') {
            out[n++] = '~';
            out[n++] = name[i] == '~' ? '0' : '1';
        } else {
            out[n++] = name[i];
        }
    }
    out[n] = '\0';
    return out;
}

enum err_code value_hint_nearest(const char *name, size_t length, const char *const *names,
                                 int n_names, struct err *err)
{
    char text[72]; /* Postgres's names have 63 bytes at most: longer ones have no neighbours */
    const char *nearest = NULL;

    if (length < sizeof(text)) {
        memcpy(text, name, length);
        text[length] = '\0';
        nearest = nearest_name(text, names, n_names);
    }
    if (nearest != NULL)
        err_hint(err, "did you mean \"%s\"?", nearest);
    return err != NULL ? err->code : ERR_INVALID;
}

static enum err_code wrong_type(const struct encoder_column *column, enum json_token token,
                                struct err *err)
{
    return err_set(err, ERR_INVALID, "expected %s, found %s", cell_expected(column->type),
                   value_found(token));
}

static bool is_number(enum cell_kind kind)
{
    return kind == CELL_INT || kind == CELL_FLOAT4 || kind == CELL_DOUBLE;
}

static enum err_code string_cell(const struct encoder *encoder, const struct encoder_column *column,
                                 const struct json_reader *reader, struct buf *scratch,
                                 struct cell *ret_cell, struct err *err)
{
    const char *text;
    size_t length;
    enum err_code code;

    TRY(value_text(reader, scratch, &text, &length, err));
    if (memchr(text, '\0', length) != NULL) {
        err_set(err, ERR_INVALID, "a string holds \\u0000");
        return err_hint(err, "text in Postgres cannot hold it: leave it out");
    }
    code = cell_from_text(column->type, encoder->zone, text, length, ret_cell, err);
    if (code == ERR_INVALID && cell_kind_of(column->type) != CELL_TIMESTAMP)
        return wrong_type(column, JSON_STRING,
                          err); /* numbers and booleans may come as text, too */
    return code;
}

enum err_code value_decode(const struct encoder *encoder, const struct encoder_column *column,
                           const struct json_reader *reader, enum json_token token,
                           struct buf *scratch, float *features, struct err *err)
{
    struct cell cell = {.kind = cell_kind_of(column->type), .is_null = true};

    switch (token) {
    case JSON_NULL:
        break;
    case JSON_NUMBER:
        if (!is_number(cell.kind))
            return wrong_type(column, token, err);
        TRY(cell_from_number(column->type, reader->text, reader->length, &cell, err));
        break;
    case JSON_STRING:
        TRY(string_cell(encoder, column, reader, scratch, &cell, err));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        if (cell.kind != CELL_BOOL)
            return wrong_type(column, token, err);
        TRY(cell_from_bool(column->type, token == JSON_TRUE, &cell, err));
        break;
    case JSON_ERROR:
        return value_error(err);
    default:
        return wrong_type(column, token, err);
    }
    encode_cell(encoder, column, &cell, features);
    return ERR_OK;
}
