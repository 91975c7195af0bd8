/*
 * What the fuzzers of cells share: any bytes as a value of a type, in any form. The first byte
 * chooses the type, the second the form (binary, text, JSON), the rest is the value. Whatever is
 * read must be printed as text and as JSON that read back as the same value, to the bit.
 */
#ifndef PGBOOST_FUZZ_CELLS_H
#define PGBOOST_FUZZ_CELLS_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "frame/cell.h"

enum form { FORM_BINARY, FORM_TEXT, FORM_JSON, FORMS };

static inline bool same_double(double a, double b)
{
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof(a)) == 0;
}

static inline bool same_text(const char *a, size_t n_a, const char *b, size_t n_b)
{
    return (a == NULL) == (b == NULL) && n_a == n_b && (n_a == 0 || memcmp(a, b, n_a) == 0);
}

static inline bool same_list(const struct cell *a, const struct cell *b)
{
    if (a->n_items != b->n_items)
        return false;
    for (size_t i = 0; i < a->n_items; i++) {
        if (a->kind == CELL_LIST && !same_double(a->items[i], b->items[i]))
            return false;
        if (a->kind == CELL_TEXTS && !same_text(a->texts[i].text, a->texts[i].n_bytes,
                                                b->texts[i].text, b->texts[i].n_bytes))
            return false;
    }
    return true;
}

static inline bool same(const struct cell *a, const struct cell *b)
{
    if (a->kind != b->kind || a->is_null != b->is_null)
        return false;
    if (a->is_null)
        return true;
    switch (a->kind) {
    case CELL_BOOL:
        return a->bool_value == b->bool_value;
    case CELL_INT:
    case CELL_TIMESTAMP:
        return a->int_value == b->int_value;
    case CELL_FLOAT4:
        return memcmp(&a->float_value, &b->float_value, sizeof(float)) == 0;
    case CELL_DOUBLE:
        return same_double(a->double_value, b->double_value);
    case CELL_TEXT:
    case CELL_JSON:
        return same_text(a->text, a->n_bytes, b->text, b->n_bytes);
    case CELL_LIST:
    case CELL_TEXTS:
        return same_list(a, b);
    }
    return false;
}

static inline enum err_code read_json(enum pg_type type, const char *text, size_t length,
                                      struct cell_scratch *scratch, struct cell *ret_cell,
                                      struct err *err)
{
    struct json_reader reader;
    enum json_token token;

    json_reader_init(&reader, text, length);
    token = json_next(&reader, err);
    return cell_from_json(type, NULL, &reader, token, scratch, ret_cell, err);
}

static inline enum err_code read_form(enum pg_type type, enum form form, const char *data,
                                      size_t size, struct cell_scratch *scratch,
                                      struct cell *ret_cell, struct err *err)
{
    if (form == FORM_BINARY)
        return cell_from_binary(type, (const uint8_t *)data, (uint32_t)size, scratch, ret_cell,
                                err);
    if (form == FORM_TEXT)
        return cell_from_text(type, NULL, data, size, scratch, ret_cell, err);
    return read_json(type, data, size, scratch, ret_cell, err);
}

/* Text from Postgres is what it is; a request's is UTF-8 without NULs, and only that reads back. */
static inline bool is_text(const struct cell *cell)
{
    return cell->kind == CELL_TEXT || cell->kind == CELL_TEXTS;
}

static inline void check_round_trip(enum pg_type type, const struct cell *cell)
{
    static struct cell_scratch scratch;
    static struct buf printed;
    struct cell again = {0};
    struct err err = {0};

    for (int form = FORM_TEXT; form < FORMS; form++) {
        if (form == FORM_TEXT && cell->is_null)
            continue;
        buf_clear(&printed);
        if (form == FORM_TEXT)
            cell_to_text(type, cell, &printed);
        else
            cell_to_json(type, cell, &printed);
        if (read_form(type, (enum form)form, buf_text(&printed), printed.length, &scratch, &again,
                      &err) != ERR_OK ||
            !same(cell, &again))
            abort();
    }
}

static inline void fuzz_cell(const enum pg_type *types, size_t n_types, const uint8_t *data,
                             size_t size)
{
    static struct cell_scratch scratch;
    struct cell cell = {.int_value = 17};
    struct err err = {0};
    enum pg_type type;
    enum form form;
    char *copy;

    if (size < 2)
        return;
    type = types[data[0] % n_types];
    form = (enum form)(data[1] % FORMS);
    copy = malloc(size - 2); /* of its own, so that a byte too far is seen */
    if (copy == NULL)
        return;
    memcpy(copy, data + 2, size - 2);
    if (read_form(type, form, copy, size - 2, &scratch, &cell, &err) == ERR_OK) {
        if (!is_text(&cell) || form == FORM_JSON)
            check_round_trip(type, &cell);
    } else if (cell.int_value != 17 || err.message[0] == '\0') {
        abort();
    }
    free(copy);
}

#endif
