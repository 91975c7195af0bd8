#include "model/value.h"

#include <string.h>

#include "base/nearest.h"

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

int value_name_length(const char *name, size_t length)
{
    if (length <= NAME_SHOWN_MAX)
        return (int)length;
    length = NAME_SHOWN_MAX;
    while (length > 0 && ((unsigned char)name[length] & 0xc0) == 0x80)
        length--;
    return (int)length;
}

void value_pointer_append(struct buf *pointer, const char *name, size_t length)
{
    char text[NAME_SHOWN_MAX + 1];
    int shown = value_name_length(name, length);

    memcpy(text, name, (size_t)shown);
    text[shown] = '\0';
    json_pointer_append(pointer, text);
}

const char *value_nearest(const char *name, size_t length, const char *const *names, int n_names)
{
    char text[72]; /* Postgres's names have 63 bytes at most: longer ones have no neighbours */

    if (length >= sizeof(text))
        return NULL;
    memcpy(text, name, length);
    text[length] = '\0';
    return nearest_name(text, names, n_names);
}

enum err_code value_decode(const struct encoder *encoder, const struct encoder_column *column,
                           struct json_reader *reader, enum json_token token,
                           struct cell_scratch *scratch, float *features, struct err *err)
{
    struct cell cell;

    TRY(cell_from_json(column->type, encoder->zone, reader, token, scratch, &cell, err));
    encode_cell(encoder, column, &cell, features);
    return ERR_OK;
}
