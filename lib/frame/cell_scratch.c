/* What the readers of all forms use: scanners, and the scratch that lists are gathered in. */
#include <math.h>
#include <string.h>

#include "frame/internal.h"

#define ITEMS_FIRST 64

static const enum pg_type item_types[PG_TYPES] = {
    [PG_INT_RANGE] = PG_INT8,         [PG_NUM_RANGE] = PG_NUMERIC,
    [PG_DATE_RANGE] = PG_DATE,        [PG_TS_RANGE] = PG_TIMESTAMP,
    [PG_TSTZ_RANGE] = PG_TIMESTAMPTZ, [PG_BOOL_ARRAY] = PG_BOOL,
    [PG_INT2_ARRAY] = PG_INT2,        [PG_INT4_ARRAY] = PG_INT4,
    [PG_INT8_ARRAY] = PG_INT8,        [PG_FLOAT4_ARRAY] = PG_FLOAT4,
    [PG_FLOAT8_ARRAY] = PG_FLOAT8,    [PG_NUMERIC_ARRAY] = PG_NUMERIC,
    [PG_TEXT_ARRAY] = PG_TEXT_TYPE,   [PG_VECTOR] = PG_FLOAT4,
};

enum pg_type cell_item_type(enum pg_type type)
{
    return item_types[type];
}

bool cell_is_array(enum pg_type type)
{
    return type >= PG_BOOL_ARRAY && type <= PG_VECTOR;
}

bool cell_is_range(enum pg_type type)
{
    return type >= PG_INT_RANGE && type <= PG_TSTZ_RANGE;
}

void cell_scratch_release(struct cell_scratch *scratch)
{
    free(scratch->items);
    free(scratch->texts);
    buf_release(&scratch->string);
    buf_release(&scratch->bytes);
    *scratch = (struct cell_scratch){0};
}

/* The array with room for n + 1 elements, or NULL with err set: it is then as it was. */
static void *room_for(void *array, size_t *capacity, size_t n, size_t size, struct err *err)
{
    size_t wanted = *capacity == 0 ? ITEMS_FIRST : *capacity * 2;

    if (n == CELL_ITEMS_MAX) {
        err_set(err, ERR_LIMIT, "a list of more than %d elements", CELL_ITEMS_MAX);
        err_hint(err, "leave the column out, or take a part of the list in the view");
        return NULL;
    }
    if (n < *capacity)
        return array;
    array = reallocarray(array, wanted, size);
    if (array == NULL)
        err_nomem(err);
    else
        *capacity = wanted;
    return array;
}

static enum err_code no_room(size_t n)
{
    return n == CELL_ITEMS_MAX ? ERR_LIMIT : ERR_NOMEM;
}

enum err_code cell_push_item(struct cell_scratch *scratch, size_t *n, double value, struct err *err)
{
    double *items =
        room_for(scratch->items, &scratch->items_capacity, *n, sizeof(*scratch->items), err);

    if (items == NULL)
        return no_room(*n);
    scratch->items = items;
    items[(*n)++] = value + 0.0; /* -0 is 0: jsonb does not keep it */
    return ERR_OK;
}

enum err_code cell_push_text(struct cell_scratch *scratch, size_t *n, const char *text,
                             size_t n_bytes, struct err *err)
{
    struct cell_string *texts =
        room_for(scratch->texts, &scratch->texts_capacity, *n, sizeof(*scratch->texts), err);

    if (texts == NULL)
        return no_room(*n);
    scratch->texts = texts;
    texts[(*n)++] = (struct cell_string){text, n_bytes};
    return ERR_OK;
}

void cell_set_list(struct cell *cell, const struct cell_scratch *scratch, size_t n)
{
    cell->n_items = n;
    if (cell->kind == CELL_TEXTS)
        cell->texts = scratch->texts;
    else
        cell->items = scratch->items;
}

enum err_code cell_unexpected(enum pg_type type, struct err *err)
{
    return err_set(err, ERR_INVALID, "expected %s", cell_expected(type));
}

enum err_code cell_corrupt(enum pg_type type, struct err *err)
{
    return err_set(err, ERR_CORRUPT, "a value of type %s that cannot be read", pg_type_name(type));
}

bool scan_char(struct scanner *scanner, char c)
{
    if (scanner->at == scanner->end || *scanner->at != c)
        return false;
    scanner->at++;
    return true;
}

/* White space as Postgres's array_in and interval_in skip it. */
void scan_spaces(struct scanner *scanner)
{
    while (scanner->at < scanner->end &&
           (*scanner->at == ' ' || (*scanner->at >= '\t' && *scanner->at <= '\r')))
        scanner->at++;
}

bool scan_digits(struct scanner *scanner, int n_least, int n_most, int64_t *ret_value)
{
    int n = 0;
    int64_t value = 0;

    for (; n < n_most && scanner->at < scanner->end; n++, scanner->at++) {
        if (*scanner->at < '0' || *scanner->at > '9')
            break;
        value = value * 10 + (*scanner->at - '0');
    }
    *ret_value = value;
    return n >= n_least;
}

bool wire_int(struct wire *wire, int n_bytes, int64_t *ret_value)
{
    uint64_t value;

    if (wire->end - wire->at < n_bytes)
        return false;
    value = wire->at[0] & 0x80 ? UINT64_MAX : 0;
    for (int i = 0; i < n_bytes; i++)
        value = value << 8 | wire->at[i];
    wire->at += n_bytes;
    *ret_value = (int64_t)value;
    return true;
}

bool wire_field(struct wire *wire, const uint8_t **ret_data, uint32_t *ret_n_bytes)
{
    int64_t length;

    if (!wire_int(wire, 4, &length) || length < -1 || length > wire->end - wire->at)
        return false;
    *ret_data = length < 0 ? NULL : wire->at;
    *ret_n_bytes = length < 0 ? 0 : (uint32_t)length;
    wire->at += *ret_n_bytes;
    return true;
}
