/*
 * Arrays, vectors and bit strings on the wire and as text: {1,NULL,"a \"b\""}, [1,2,3] and 101.
 *
 * On the wire (Postgres's array_send): int32 dimensions, int32 flags, uint32 the elements' type; a
 * length and a lower bound for each dimension; then each element as a field. pgvector's
 * vector_send: int16 length, int16 unused, the float4s. Bit strings: int32 bits, and the bytes they
 * lie in, the first bit highest.
 */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "frame/internal.h"

#define DIMENSIONS_MAX 6 /* Postgres's MAXDIM */

/* One element as it stands in the text. */
struct element {
    const char *text; /* NULL: it is NULL */
    size_t n_bytes;
    bool escaped; /* holds backslashes: the bytes behind them are meant */
    bool nested;  /* an array, which is stepped over */
};

struct list_text {
    enum pg_type type;
    struct scanner scanner;
    struct cell_scratch *scratch;
    size_t n;
    bool nested; /* one of the elements was an array */
};

/* Binary --------------------------------------------------------------------------------------- */

static enum err_code push_field(enum pg_type type, const uint8_t *data, uint32_t n_bytes,
                                struct cell_scratch *scratch, size_t *n, struct err *err)
{
    struct cell cell = {.is_null = true};

    if (type == PG_TEXT_ARRAY)
        return cell_push_text(scratch, n, (const char *)data, n_bytes, err);
    if (data != NULL)
        TRY(cell_from_binary(cell_item_type(type), data, n_bytes, NULL, &cell, err));
    return cell_push_item(scratch, n, cell_as_number(&cell), err);
}

static enum err_code read_fields(enum pg_type type, struct wire *wire, int64_t n_fields,
                                 struct cell_scratch *scratch, struct cell *ret_cell,
                                 struct err *err)
{
    const uint8_t *data;
    uint32_t n_bytes;
    size_t n = 0;

    for (int64_t i = 0; i < n_fields; i++) {
        if (!wire_field(wire, &data, &n_bytes))
            return cell_corrupt(type, err);
        TRY(push_field(type, data, n_bytes, scratch, &n, err));
    }
    cell_set_list(ret_cell, scratch, n);
    return ERR_OK;
}

enum err_code cell_array_from_binary(enum pg_type type, struct wire *wire,
                                     struct cell_scratch *scratch, struct cell *ret_cell,
                                     struct err *err)
{
    int64_t n_dimensions, flags, item_oid, n_fields = 0, lower_bound;

    if (!wire_int(wire, 4, &n_dimensions) || !wire_int(wire, 4, &flags) ||
        !wire_int(wire, 4, &item_oid) || n_dimensions < 0 || n_dimensions > DIMENSIONS_MAX)
        return cell_corrupt(type, err);
    if (n_dimensions > 1) {
        ret_cell->is_null = true;
        wire->at = wire->end;
        return ERR_OK;
    }
    if (n_dimensions == 1 &&
        (!wire_int(wire, 4, &n_fields) || !wire_int(wire, 4, &lower_bound) || n_fields < 0))
        return cell_corrupt(type, err);
    return read_fields(type, wire, n_fields, scratch, ret_cell, err);
}

enum err_code cell_vector_from_binary(struct wire *wire, struct cell_scratch *scratch,
                                      struct cell *ret_cell, struct err *err)
{
    int64_t n_items, unused;
    size_t n = 0;

    if (!wire_int(wire, 2, &n_items) || !wire_int(wire, 2, &unused) ||
        wire->end - wire->at != n_items * 4)
        return cell_corrupt(PG_VECTOR, err);
    for (; wire->at < wire->end; wire->at += 4)
        TRY(push_field(PG_VECTOR, wire->at, 4, scratch, &n, err));
    cell_set_list(ret_cell, scratch, n);
    return ERR_OK;
}

enum err_code cell_bits_from_binary(struct wire *wire, struct cell_scratch *scratch,
                                    struct cell *ret_cell, struct err *err)
{
    int64_t n_bits;
    size_t n = 0;

    if (!wire_int(wire, 4, &n_bits) || n_bits < 0 || wire->end - wire->at != (n_bits + 7) / 8)
        return cell_corrupt(PG_BIT, err);
    for (int64_t i = 0; i < n_bits; i++)
        TRY(cell_push_item(scratch, &n, wire->at[i / 8] >> (7 - i % 8) & 1, err));
    wire->at = wire->end;
    cell_set_list(ret_cell, scratch, n);
    return ERR_OK;
}

/* Text ----------------------------------------------------------------------------------------- */

/* "[0:2]=" before an array whose indices do not begin at 1. */
static bool skip_bounds(struct scanner *scanner)
{
    if (scanner->at == scanner->end || *scanner->at != '[')
        return true;
    while (scan_char(scanner, '[')) {
        int64_t bound;

        for (int i = 0; i < 2; i++) {
            if (!scan_char(scanner, '-'))
                scan_char(scanner, '+');
            if (!scan_digits(scanner, 1, 10, &bound) || !scan_char(scanner, i == 0 ? ':' : ']'))
                return false;
        }
    }
    if (!scan_char(scanner, '='))
        return false;
    scan_spaces(scanner);
    return true;
}

/* Behind the opening quote. */
static bool scan_quoted(struct scanner *scanner, struct element *element)
{
    element->text = scanner->at;
    for (; scanner->at < scanner->end && *scanner->at != '"'; scanner->at++) {
        if (*scanner->at != '\\')
            continue;
        element->escaped = true;
        if (++scanner->at == scanner->end)
            return false;
    }
    element->n_bytes = (size_t)(scanner->at - element->text);
    return scan_char(scanner, '"');
}

/* Up to the next comma or the end of the list, without the white space before that. NULL is one in
 * any case. */
static bool scan_bare(struct scanner *scanner, char close, struct element *element)
{
    const char *end;

    element->text = scanner->at;
    while (scanner->at < scanner->end && *scanner->at != ',' && *scanner->at != close) {
        if (strchr("{}\"\\", *scanner->at) != NULL) /* NUL is refused as well */
            return false;
        scanner->at++;
    }
    end = scanner->at;
    while (end > element->text && (end[-1] == ' ' || (end[-1] >= '\t' && end[-1] <= '\r')))
        end--;
    element->n_bytes = (size_t)(end - element->text);
    if (element->n_bytes == 4 && strncasecmp(element->text, "NULL", 4) == 0)
        *element = (struct element){0};
    return end > element->text;
}

/* Steps over an array inside of the array, quotes and all. */
static bool skip_nested(struct scanner *scanner)
{
    struct element element;
    int depth = 0;

    while (scanner->at < scanner->end) {
        switch (*scanner->at++) {
        case '{':
            depth++;
            break;
        case '}':
            if (--depth == 0)
                return true;
            break;
        case '"':
            if (!scan_quoted(scanner, &element))
                return false;
            break;
        case '\\':
            return false;
        }
    }
    return false;
}

static bool scan_element(struct list_text *list, struct element *element)
{
    struct scanner *scanner = &list->scanner;

    *element = (struct element){0};
    if (list->type == PG_VECTOR)
        return scan_bare(scanner, ']', element) && element->text != NULL;
    if (scan_char(scanner, '"'))
        return scan_quoted(scanner, element);
    if (scanner->at < scanner->end && *scanner->at == '{') {
        element->nested = true;
        return skip_nested(scanner);
    }
    return scan_bare(scanner, '}', element);
}

/* Into bytes, where there is room for the rest of the list: what is there stays where it is. */
static const char *unescape(struct buf *bytes, const struct element *element, size_t *ret_n_bytes)
{
    size_t first = bytes->length;

    for (size_t i = 0; i < element->n_bytes; i++) {
        i += element->text[i] == '\\';
        buf_putc(bytes, element->text[i]);
    }
    *ret_n_bytes = bytes->length - first;
    return bytes->data + first;
}

static enum err_code push_element(struct list_text *list, const struct element *element,
                                  struct err *err)
{
    struct cell cell = {.is_null = true};
    const char *text = element->text;
    size_t n_bytes = element->n_bytes;

    if (element->nested) {
        list->nested = true;
        return ERR_OK;
    }
    if (element->escaped) {
        if (!buf_reserve(&list->scratch->bytes, (size_t)(list->scanner.end - text)))
            return err_nomem(err);
        text = unescape(&list->scratch->bytes, element, &n_bytes);
    }
    if (list->type == PG_TEXT_ARRAY)
        return cell_push_text(list->scratch, &list->n, text, n_bytes, err);
    if (text != NULL &&
        cell_from_text(cell_item_type(list->type), NULL, text, n_bytes, NULL, &cell, NULL))
        return cell_unexpected(list->type, err);
    return cell_push_item(list->scratch, &list->n, cell_as_number(&cell), err);
}

static enum err_code read_elements(struct list_text *list, char close, struct err *err)
{
    struct scanner *scanner = &list->scanner;
    struct element element;

    scan_spaces(scanner);
    if (scan_char(scanner, close))
        return ERR_OK;
    for (;;) {
        scan_spaces(scanner);
        if (!scan_element(list, &element))
            return cell_unexpected(list->type, err);
        TRY(push_element(list, &element, err));
        scan_spaces(scanner);
        if (scan_char(scanner, close))
            return ERR_OK;
        if (!scan_char(scanner, ','))
            return cell_unexpected(list->type, err);
    }
}

enum err_code cell_array_from_text(enum pg_type type, const char *text, size_t n_bytes,
                                   struct cell_scratch *scratch, struct cell *ret_cell,
                                   struct err *err)
{
    bool is_vector = type == PG_VECTOR;
    struct list_text list = {.type = type, .scanner = {text, text + n_bytes}, .scratch = scratch};

    buf_clear(&scratch->bytes);
    scan_spaces(&list.scanner);
    if ((!is_vector && !skip_bounds(&list.scanner)) ||
        !scan_char(&list.scanner, is_vector ? '[' : '{'))
        return cell_unexpected(type, err);
    TRY(read_elements(&list, is_vector ? ']' : '}', err));
    scan_spaces(&list.scanner);
    if (list.scanner.at != list.scanner.end)
        return cell_unexpected(type, err);
    ret_cell->is_null = list.nested;
    cell_set_list(ret_cell, scratch, list.n);
    return ERR_OK;
}

enum err_code cell_bits_from_text(const char *text, size_t n_bytes, struct cell_scratch *scratch,
                                  struct cell *ret_cell, struct err *err)
{
    size_t n = 0;

    for (size_t i = 0; i < n_bytes; i++) {
        if (text[i] != '0' && text[i] != '1')
            return cell_unexpected(PG_BIT, err);
        TRY(cell_push_item(scratch, &n, text[i] - '0', err));
    }
    cell_set_list(ret_cell, scratch, n);
    return ERR_OK;
}
