/* Lists as text and as JSON: what Postgres's output functions and to_jsonb print. */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "frame/internal.h"

/* Items ---------------------------------------------------------------------------------------- */

static void put_item(enum pg_type type, double value, struct buf *text)
{
    switch (cell_item_type(type)) {
    case PG_INT2:
    case PG_INT4:
    case PG_INT8:
        put_whole(value, text);
        break;
    case PG_FLOAT4:
        put_float(value, text);
        break;
    default:
        put_double(value, text);
        break;
    }
}

/* As an array has it, {1,NULL}, or a vector, [1,2]. */
static void items_to_text(enum pg_type type, const struct cell *cell, struct buf *text)
{
    bool is_vector = type == PG_VECTOR;

    buf_putc(text, is_vector ? '[' : '{');
    for (size_t i = 0; i < cell->n_items; i++) {
        if (i > 0)
            buf_putc(text, ',');
        if (isnan(cell->items[i]))
            buf_puts(text, is_vector ? "NaN" : "NULL");
        else if (type == PG_BOOL_ARRAY)
            buf_putc(text, cell->items[i] != 0 ? 't' : 'f');
        else
            put_item(type, cell->items[i], text);
    }
    buf_putc(text, is_vector ? ']' : '}');
}

static void items_to_json(enum pg_type type, const struct cell *cell, struct buf *json)
{
    buf_putc(json, '[');
    for (size_t i = 0; i < cell->n_items; i++) {
        double value = cell->items[i];

        if (i > 0)
            buf_putc(json, ',');
        if (isnan(value))
            buf_puts(json, "null");
        else if (type == PG_BOOL_ARRAY)
            buf_puts(json, value != 0 ? "true" : "false");
        else if (isinf(value))
            buf_puts(json, value < 0 ? "\"-Infinity\"" : "\"Infinity\"");
        else
            put_item(type, value, json);
    }
    buf_putc(json, ']');
}

static void bits_to_text(const struct cell *cell, struct buf *text)
{
    for (size_t i = 0; i < cell->n_items; i++)
        buf_putc(text, cell->items[i] != 0 ? '1' : '0');
}

/* Points and ranges ---------------------------------------------------------------------------- */

static void put_coordinate(double value, struct buf *text)
{
    if (isnan(value))
        buf_puts(text, "NaN");
    else
        put_double(value, text);
}

static void point_to_text(const struct cell *cell, struct buf *text)
{
    buf_putc(text, '(');
    put_coordinate(cell->items[0], text);
    buf_putc(text, ',');
    put_coordinate(cell->items[1], text);
    buf_putc(text, ')');
}

/* Doubles far from 2000 are not whole days, and may lie beyond the last timestamp. */
static void put_time_bound(enum pg_type type, double us, struct buf *text)
{
    enum pg_type item = cell_item_type(type);
    int64_t whole = us >= (double)TIMESTAMP_END ? TIMESTAMP_END - 1 : (int64_t)us;

    if (type == PG_DATE_RANGE) {
        put_moment(item, (int64_t)rint(us / (double)USECS_PER_DAY) * USECS_PER_DAY, ' ', "", text);
        return;
    }
    buf_putc(text, '"');
    put_moment(item, whole, ' ', "+00", text);
    buf_putc(text, '"');
}

static void put_bound(enum pg_type type, double value, struct buf *text)
{
    if (isnan(value))
        return;
    if (type == PG_DATE_RANGE || type == PG_TS_RANGE || type == PG_TSTZ_RANGE)
        put_time_bound(type, value, text);
    else
        put_item(type, value, text);
}

/* [1,6): the brackets only tell a range with both bounds from an empty one. */
static void range_to_text(enum pg_type type, const struct cell *cell, struct buf *text)
{
    double lower = cell->items[0], upper = cell->items[1];

    buf_putc(text, isnan(lower) ? '(' : '[');
    put_bound(type, lower, text);
    buf_putc(text, ',');
    put_bound(type, upper, text);
    buf_putc(text, lower == upper ? ']' : ')');
}

/* Texts ---------------------------------------------------------------------------------------- */

/* As Postgres's array_out: quoted where it could be read as something else. */
static bool needs_quotes(const struct cell_string *string)
{
    if (string->n_bytes == 0 || (string->n_bytes == 4 && strncasecmp(string->text, "NULL", 4) == 0))
        return true;
    for (size_t i = 0; i < string->n_bytes; i++)
        if (memchr("{},\"\\ \t\n\r\v\f", string->text[i], 11) != NULL)
            return true;
    return false;
}

static void put_quoted(const struct cell_string *string, struct buf *text)
{
    buf_putc(text, '"');
    for (size_t i = 0; i < string->n_bytes; i++) {
        if (string->text[i] == '"' || string->text[i] == '\\')
            buf_putc(text, '\\');
        buf_putc(text, string->text[i]);
    }
    buf_putc(text, '"');
}

static void texts_to_text(const struct cell *cell, struct buf *text)
{
    buf_putc(text, '{');
    for (size_t i = 0; i < cell->n_items; i++) {
        const struct cell_string *string = &cell->texts[i];

        if (i > 0)
            buf_putc(text, ',');
        if (string->text == NULL)
            buf_puts(text, "NULL");
        else if (needs_quotes(string))
            put_quoted(string, text);
        else
            buf_append(text, string->text, string->n_bytes);
    }
    buf_putc(text, '}');
}

static void texts_to_json(const struct cell *cell, struct buf *json)
{
    buf_putc(json, '[');
    for (size_t i = 0; i < cell->n_items; i++) {
        if (i > 0)
            buf_putc(json, ',');
        if (cell->texts[i].text == NULL)
            buf_puts(json, "null");
        else
            json_put_string(json, cell->texts[i].text, cell->texts[i].n_bytes);
    }
    buf_putc(json, ']');
}

void list_to_text(enum pg_type type, const struct cell *cell, struct buf *text)
{
    if (cell->kind == CELL_TEXTS)
        texts_to_text(cell, text);
    else if (type == PG_BIT)
        bits_to_text(cell, text);
    else if (type == PG_POINT)
        point_to_text(cell, text);
    else if (cell_is_range(type))
        range_to_text(type, cell, text);
    else
        items_to_text(type, cell, text);
}

void list_to_json(enum pg_type type, const struct cell *cell, struct buf *json)
{
    CLEANUP(buf_release) struct buf text = {0};

    if (cell->kind == CELL_TEXTS) {
        texts_to_json(cell, json);
    } else if (cell_is_array(type) && type != PG_VECTOR) {
        items_to_json(type, cell, json);
    } else {
        list_to_text(type, cell, &text);
        json->failed |= text.failed;
        json_put_string(json, buf_text(&text), text.length);
    }
}
