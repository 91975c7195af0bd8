/* From JSON: what a request holds for a column, and the documents that json columns hold. */
#include <math.h>
#include <string.h>

#include "frame/decimal.h"
#include "frame/internal.h"

/* Numbers beyond 10^±that have no place in a jsonb, where golden rows are stored. */
#define DOCUMENT_EXPONENT_MAX 10000

/* What has no form of its own in JSON but a string is told so. */
static enum err_code found_other(enum pg_type type, enum json_token token, struct err *err)
{
    enum cell_kind kind = cell_kind_of(type);
    bool is_text = kind == CELL_TIMESTAMP || type == PG_TIME || type == PG_INTERVAL ||
                   (kind == CELL_LIST && !cell_is_array(type));

    err_set(err, ERR_INVALID, "expected %s, found %s", cell_expected(type), json_found(token));
    return is_text ? err_hint(err, "send it as a string") : ERR_INVALID;
}

/* As it was sent, so that it can be found, and escaped; a long one is cut. */
static enum err_code found_string(enum pg_type type, const char *text, size_t n_bytes,
                                  struct err *err)
{
    CLEANUP(buf_release) struct buf shown = {0};
    size_t n = n_bytes < CELL_SHOWN_MAX ? n_bytes : CELL_SHOWN_MAX;

    while (n < n_bytes && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    json_put_string(&shown, text, n);
    if (n == n_bytes)
        err_set(err, ERR_INVALID, "expected %s, found the string %s", cell_expected(type),
                buf_text(&shown));
    else
        err_set(err, ERR_INVALID, "expected %s, found a string of %zu bytes that begins with %s",
                cell_expected(type), n_bytes, buf_text(&shown));
    return err_hint(err, "a string must be as Postgres prints such a value");
}

/* Documents ------------------------------------------------------------------------------------ */

static bool has_nul(const struct json_reader *reader)
{
    const char *at = reader->text, *end = at + reader->length;

    if (!reader->escaped)
        return false;
    for (; at < end; at++) {
        if (*at != '\\')
            continue;
        at++; /* to what is escaped, so that "\\\\u0000" is none */
        if (*at == 'u' && memcmp(at + 1, "0000", 4) == 0)
            return true;
    }
    return false;
}

static bool is_huge(const struct json_reader *reader)
{
    struct decimal decimal;
    int64_t magnitude;

    if (!decimal_parse(&decimal, reader->text, reader->length))
        return true;
    magnitude = decimal.exponent + decimal.n_digits;
    return magnitude > DOCUMENT_EXPONENT_MAX || magnitude < -DOCUMENT_EXPONENT_MAX;
}

static bool fits(const struct json_reader *reader, enum json_token token)
{
    if (token == JSON_NUMBER)
        return !is_huge(reader);
    if (token == JSON_STRING || token == JSON_KEY)
        return !has_nul(reader);
    return reader->depth <= CELL_JSON_DEPTH;
}

/* Where the token that was just returned begins: of a scalar or the opening bracket; else where
 * the reader is. */
static const char *token_start(const struct json_reader *reader, enum json_token token)
{
    switch (token) {
    case JSON_STRING:
        return reader->text - 1;
    case JSON_NUMBER:
        return reader->text;
    case JSON_TRUE:
        return reader->at - strlen("true");
    case JSON_FALSE:
        return reader->at - strlen("false");
    case JSON_OBJECT_BEGIN:
    case JSON_ARRAY_BEGIN:
        return reader->at - 1;
    default:
        return reader->at;
    }
}

/* SQL's NULL and JSON's null are one: to_jsonb makes the same of both. */
static bool set_document(struct cell *cell, const char *text, size_t n_bytes)
{
    struct json_reader reader;
    enum json_token token;
    struct err refused;
    bool fit;

    json_reader_init(&reader, text, n_bytes);
    token = json_next(&reader, &refused);
    cell->text = token_start(&reader, token);
    fit = token != JSON_NULL && token != JSON_ERROR;
    while (token != JSON_END && token != JSON_ERROR) {
        fit = fit && fits(&reader, token);
        token = json_next(&reader, &refused);
    }
    cell->n_bytes = (size_t)(reader.at - cell->text);
    cell->is_null = !fit || token == JSON_ERROR;
    return token == JSON_END || refused.code == ERR_LIMIT;
}

/* A string that holds an object or an array is Postgres's text form of a document, in a request, or
 * one that an application encoded twice, in a table: either way that document is meant. */
static void unwrap_document(struct cell *cell, struct cell_scratch *scratch)
{
    struct cell inner = {.kind = CELL_JSON};
    struct json_reader reader;
    const char *text;
    size_t n_bytes;

    json_reader_init(&reader, cell->text, cell->n_bytes);
    if (scratch == NULL || cell->is_null || json_next(&reader, NULL) != JSON_STRING ||
        json_text(&reader, &scratch->bytes, &text, &n_bytes, NULL) != ERR_OK)
        return;
    if (set_document(&inner, text, n_bytes) && !inner.is_null &&
        (inner.text[0] == '{' || inner.text[0] == '['))
        *cell = inner;
}

bool cell_set_document(struct cell *cell, struct cell_scratch *scratch, const char *text,
                       size_t n_bytes)
{
    bool is_json = set_document(cell, text, n_bytes);

    if (is_json)
        unwrap_document(cell, scratch);
    return is_json;
}

static enum err_code read_document(struct json_reader *reader, enum json_token token,
                                   struct cell_scratch *scratch, struct cell *cell, struct err *err)
{
    const char *start = token_start(reader, token);

    TRY(json_skip(reader, token, err));
    cell_set_document(cell, scratch, start, (size_t)(reader->at - start));
    return ERR_OK;
}

/* Strings, numbers, booleans ------------------------------------------------------------------- */

static enum err_code refuse_nul(struct err *err)
{
    err_set(err, ERR_INVALID, "a string holds \\u0000");
    return err_hint(err, "text in Postgres cannot hold it: leave it out");
}

static enum err_code read_string(enum pg_type type, const struct zone *zone,
                                 const struct json_reader *reader, struct cell_scratch *scratch,
                                 struct cell *ret_cell, struct err *err)
{
    const char *text;
    size_t n_bytes;
    enum err_code code;

    if (has_nul(reader))
        return refuse_nul(err);
    TRY(json_text(reader, &scratch->string, &text, &n_bytes, err));
    code = cell_from_text(type, zone, text, n_bytes, scratch, ret_cell, err);
    return code == ERR_INVALID ? found_string(type, text, n_bytes, err) : code;
}

static enum err_code read_scalar(enum pg_type type, const struct zone *zone,
                                 const struct json_reader *reader, enum json_token token,
                                 struct cell_scratch *scratch, struct cell *ret_cell,
                                 struct err *err)
{
    if (token == JSON_STRING)
        return read_string(type, zone, reader, scratch, ret_cell, err);
    if (token == JSON_NUMBER && cell_takes_numbers(type))
        return cell_from_number(type, reader->text, reader->length, ret_cell, err);
    if ((token == JSON_TRUE || token == JSON_FALSE) && type == PG_BOOL)
        return cell_from_bool(type, token == JSON_TRUE, ret_cell, err);
    return found_other(type, token, err);
}

/* Arrays --------------------------------------------------------------------------------------- */

/* Room for all strings of the array that has just begun: what is there stays where it is. */
static enum err_code reserve_strings(const struct json_reader *reader, struct buf *bytes,
                                     struct err *err)
{
    struct json_reader rest = *reader;

    TRY(json_skip(&rest, JSON_ARRAY_BEGIN, err));
    buf_clear(bytes);
    return buf_reserve(bytes, (size_t)(rest.at - reader->at)) ? ERR_OK : err_nomem(err);
}

static enum err_code push_string(const struct json_reader *reader, struct cell_scratch *scratch,
                                 size_t *n, struct err *err)
{
    const char *text = reader->text;
    size_t n_bytes = reader->length;

    if (has_nul(reader))
        return refuse_nul(err);
    if (reader->escaped) {
        text = scratch->bytes.data + scratch->bytes.length;
        n_bytes = json_unescape(reader, scratch->bytes.data + scratch->bytes.length);
        scratch->bytes.length += n_bytes;
    }
    return cell_push_text(scratch, n, text, n_bytes, err);
}

static enum err_code push_value(enum pg_type type, const struct json_reader *reader,
                                enum json_token token, struct cell_scratch *scratch, size_t *n,
                                struct err *err)
{
    enum pg_type item = cell_item_type(type);
    struct cell cell = {.is_null = true};

    if (token == JSON_NULL && type != PG_VECTOR)
        return type == PG_TEXT_ARRAY ? cell_push_text(scratch, n, NULL, 0, err)
                                     : cell_push_item(scratch, n, NAN, err);
    if (type == PG_TEXT_ARRAY)
        return token == JSON_STRING ? push_string(reader, scratch, n, err)
                                    : found_other(item, token, err);
    TRY(read_scalar(item, NULL, reader, token, scratch, &cell, err));
    return cell_push_item(scratch, n, cell_as_number(&cell), err);
}

/* An array inside of the array makes the whole of it a missing value. */
static enum err_code read_array(enum pg_type type, struct json_reader *reader,
                                struct cell_scratch *scratch, struct cell *cell, struct err *err)
{
    enum json_token token;
    bool nested = false;
    size_t n = 0;

    if (type == PG_TEXT_ARRAY)
        TRY(reserve_strings(reader, &scratch->bytes, err));
    while ((token = json_next(reader, err)) != JSON_ARRAY_END && token != JSON_ERROR) {
        if (token == JSON_ARRAY_BEGIN && type != PG_VECTOR) {
            nested = true;
            TRY(json_skip(reader, token, err));
        } else if (push_value(type, reader, token, scratch, &n, err)) {
            return err_prefix(err, "element %zu", n + 1);
        }
    }
    if (token == JSON_ERROR)
        return json_skip(reader, token, err);
    cell->is_null = nested;
    cell_set_list(cell, scratch, n);
    return ERR_OK;
}

/* Kept out of its caller, which most values leave at once. */
__attribute__((noinline)) static enum err_code read_other(
    enum pg_type type, const struct zone *zone, struct json_reader *reader, enum json_token token,
    struct cell_scratch *scratch, struct cell *ret_cell, struct err *err)
{
    struct cell cell = {.is_null = true, .kind = cell_kind_of(type)};

    if (token == JSON_ERROR)
        return json_skip(reader, token, err);
    if (token == JSON_NULL)
        ;
    else if (cell.kind == CELL_JSON)
        TRY(read_document(reader, token, scratch, &cell, err));
    else if (token == JSON_ARRAY_BEGIN && cell_is_array(type))
        TRY(read_array(type, reader, scratch, &cell, err));
    else
        TRY(read_scalar(type, zone, reader, token, scratch, &cell, err));
    *ret_cell = cell;
    return ERR_OK;
}

enum err_code cell_from_json(enum pg_type type, const struct zone *zone, struct json_reader *reader,
                             enum json_token token, struct cell_scratch *scratch,
                             struct cell *ret_cell, struct err *err)
{
    if (token == JSON_NUMBER && cell_from_decimal(type, &reader->number, ret_cell))
        return ERR_OK;
    return read_other(type, zone, reader, token, scratch, ret_cell, err);
}
