/* The text form, and JSON's own numbers and booleans: what clients send. */
#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "frame/decimal.h"
#include "frame/internal.h"

static const char *const expected[PG_TYPES] = {
    [PG_BOOL] = "true or false",
    [PG_INT2] = "a whole number from -32768 to 32767",
    [PG_INT4] = "a whole number from -2147483648 to 2147483647",
    [PG_INT8] = "a whole number from -9223372036854775808 to 9223372036854775807",
    [PG_FLOAT4] = "a number",
    [PG_FLOAT8] = "a number",
    [PG_NUMERIC] = "a number",
    [PG_TEXT_TYPE] = "a string",
    [PG_BPCHAR] = "a string",
    [PG_ENUM] = "a string",
    [PG_DATE] = "a date like 2013-01-01",
    [PG_TIMESTAMP] = "a timestamp like 2013-01-01 05:00",
    [PG_TIMESTAMPTZ] = "a timestamp like 2013-01-01 05:00+00",
    [PG_TIME] = "a time like 04:05:06",
    [PG_INTERVAL] = "an interval like 1 day 02:03:04",
    [PG_MONEY] = "an amount like 12.50 or $1,234.50",
    [PG_BIT] = "bits like 10110",
    [PG_POINT] = "a point like (1,2)",
    [PG_INT_RANGE] = "a range like [1,6)",
    [PG_NUM_RANGE] = "a range like [1.5,6)",
    [PG_DATE_RANGE] = "a range like [2013-01-01,2013-02-01)",
    [PG_TS_RANGE] = "a range like [2013-01-01 05:00,2013-01-02 05:00)",
    [PG_TSTZ_RANGE] = "a range like [2013-01-01 05:00+00,2013-01-02 05:00+00)",
    [PG_BOOL_ARRAY] = "an array like [true, false]",
    [PG_INT2_ARRAY] = "an array of whole numbers from -32768 to 32767",
    [PG_INT4_ARRAY] = "an array of whole numbers from -2147483648 to 2147483647",
    [PG_INT8_ARRAY] = "an array of whole numbers from -9223372036854775808 to 9223372036854775807",
    [PG_FLOAT4_ARRAY] = "an array of numbers like [1, 2.5]",
    [PG_FLOAT8_ARRAY] = "an array of numbers like [1, 2.5]",
    [PG_NUMERIC_ARRAY] = "an array of numbers like [1, 2.5]",
    [PG_TEXT_ARRAY] = "an array of strings",
    [PG_VECTOR] = "a vector like [1, 2.5]",
    [PG_JSON] = "a JSON document",
    [PG_UUID] = "a string",
    [PG_INET] = "a string",
    [PG_BYTEA] = "a string",
    [PG_OTHER] = "a string",
};

const struct cell_int_range cell_int_ranges[PG_TYPES] = {
    [PG_INT2] = {INT16_MIN, INT16_MAX},
    [PG_INT4] = {INT32_MIN, INT32_MAX},
    [PG_INT8] = {INT64_MIN, INT64_MAX},
};

const char *cell_expected(enum pg_type type)
{
    return expected[type];
}

static bool equals(const char *text, size_t n_bytes, const char *word)
{
    return strlen(word) == n_bytes && strncasecmp(text, word, n_bytes) == 0;
}

/* As Postgres's boolin: a beginning of the word that no other word has. */
static bool parse_bool(const char *text, size_t n_bytes, struct cell *cell)
{
    static const struct {
        const char *word;
        size_t n_least;
        bool value;
    } words[] = {
        {"true", 1, true}, {"false", 1, false}, {"yes", 1, true}, {"no", 1, false},
        {"on", 2, true},   {"off", 2, false},   {"1", 1, true},   {"0", 1, false},
    };

    for (size_t i = 0; i < N_ELEMENTS(words); i++) {
        if (n_bytes < words[i].n_least || n_bytes > strlen(words[i].word) ||
            strncasecmp(text, words[i].word, n_bytes) != 0)
            continue;
        cell->bool_value = words[i].value;
        return true;
    }
    return false;
}

/* A sign and digits: 1.0 and 1e3 are no integers in Postgres's text. */
static bool parse_int(enum pg_type type, const char *text, size_t n_bytes, struct cell *cell)
{
    struct decimal decimal;

    for (size_t i = 0; i < n_bytes; i++)
        if (text[i] == '.' || text[i] == 'e' || text[i] == 'E')
            return false;
    return decimal_parse(&decimal, text, n_bytes) && decimal_to_int64(&decimal, &cell->int_value) &&
           cell_int_is_in_range(type, cell->int_value);
}

/* NaN and the infinities, as float8in and numeric_in spell them. */
static bool parse_special(const char *text, size_t n_bytes, double *ret_value)
{
    bool negative = n_bytes > 0 && text[0] == '-';
    bool sign = n_bytes > 0 && (text[0] == '-' || text[0] == '+');

    if (equals(text, n_bytes, "NaN")) {
        *ret_value = NAN;
        return true;
    }
    text += sign;
    n_bytes -= sign;
    if (!equals(text, n_bytes, "Infinity") && !equals(text, n_bytes, "inf"))
        return false;
    *ret_value = negative ? -HUGE_VAL : HUGE_VAL;
    return true;
}

/* Each type is rounded once, from the decimal. Beyond float4 is infinite; beyond double only
 * numeric can have been printed. */
static bool set_decimal(enum pg_type type, const struct decimal *decimal, bool may_overflow,
                        struct cell *cell)
{
    double value;

    if (type == PG_FLOAT4) {
        cell->float_value = decimal_to_float(decimal);
        return !isinf(cell->float_value) || !isinf(decimal_to_double(decimal));
    }
    value = decimal_to_double(decimal);
    cell->double_value = value;
    return may_overflow || !isinf(value);
}

bool cell_parse_number(enum pg_type type, const char *text, size_t n_bytes, struct cell *cell)
{
    struct decimal decimal;
    double special;

    if (decimal_parse(&decimal, text, n_bytes))
        return set_decimal(type, &decimal, type == PG_NUMERIC, cell);
    if (!parse_special(text, n_bytes, &special))
        return false;
    cell->is_null = isnan(special);
    if (type == PG_FLOAT4)
        cell->float_value = (float)special;
    else
        cell->double_value = special;
    return true;
}

static bool set_text(enum pg_type type, const char *text, size_t n_bytes, struct cell *cell)
{
    while (type == PG_BPCHAR && n_bytes > 0 && text[n_bytes - 1] == ' ')
        n_bytes--;
    cell->text = text;
    cell->n_bytes = n_bytes;
    return true;
}

/* [-][$]1,234.50: what is left without the dollar and the commas between digits is a number. */
static bool parse_money(const char *text, size_t n_bytes, struct cell *cell)
{
    char number[64];
    size_t n = 0, i = 0;

    if (n_bytes >= sizeof(number))
        return cell_parse_number(PG_MONEY, text, n_bytes, cell);
    if (i < n_bytes && text[i] == '-')
        number[n++] = text[i++];
    i += i < n_bytes && text[i] == '$';
    for (; i < n_bytes; i++) {
        bool between = i > 0 && isdigit((unsigned char)text[i - 1]) && i + 1 < n_bytes &&
                       isdigit((unsigned char)text[i + 1]);

        if (text[i] != ',' || !between)
            number[n++] = text[i];
    }
    return cell_parse_number(PG_MONEY, number, n, cell);
}

static bool parse_double(enum pg_type type, const char *text, size_t n_bytes, struct cell *cell)
{
    switch (type) {
    case PG_TIME:
        return cell_parse_time_of_day(text, n_bytes, cell);
    case PG_INTERVAL:
        return cell_parse_interval(text, n_bytes, cell);
    case PG_MONEY:
        return parse_money(text, n_bytes, cell);
    default:
        return cell_parse_number(type, text, n_bytes, cell);
    }
}

static bool parse(enum pg_type type, const struct zone *zone, const char *text, size_t n_bytes,
                  struct cell_scratch *scratch, struct cell *cell)
{
    switch (cell->kind) {
    case CELL_BOOL:
        return parse_bool(text, n_bytes, cell);
    case CELL_INT:
        return parse_int(type, text, n_bytes, cell);
    case CELL_FLOAT4:
        return cell_parse_number(type, text, n_bytes, cell);
    case CELL_DOUBLE:
        return parse_double(type, text, n_bytes, cell);
    case CELL_TEXT:
        return set_text(type, text, n_bytes, cell);
    case CELL_TIMESTAMP:
        return cell_parse_time(type, zone, text, n_bytes, cell);
    case CELL_JSON:
        return cell_set_document(cell, scratch, text, n_bytes);
    case CELL_LIST:
    case CELL_TEXTS:
        break;
    }
    return false;
}

static enum err_code read_list(enum pg_type type, const struct zone *zone, const char *text,
                               size_t n_bytes, struct cell_scratch *scratch, struct cell *cell,
                               struct err *err)
{
    if (type == PG_BIT)
        return cell_bits_from_text(text, n_bytes, scratch, cell, err);
    if (type == PG_POINT)
        return cell_point_from_text(text, n_bytes, scratch, cell, err);
    if (cell_is_range(type))
        return cell_range_from_text(type, zone, text, n_bytes, scratch, cell, err);
    return cell_array_from_text(type, text, n_bytes, scratch, cell, err);
}

enum err_code cell_from_text(enum pg_type type, const struct zone *zone, const char *text,
                             size_t n_bytes, struct cell_scratch *scratch, struct cell *ret_cell,
                             struct err *err)
{
    struct cell cell = {.kind = cell_kind_of(type)};

    if (cell.kind == CELL_LIST || cell.kind == CELL_TEXTS)
        TRY(read_list(type, zone, text, n_bytes, scratch, &cell, err));
    else if (!parse(type, zone, text, n_bytes, scratch, &cell))
        return cell_unexpected(type, err);
    *ret_cell = cell;
    return ERR_OK;
}

enum err_code cell_from_number(enum pg_type type, const char *text, size_t n_bytes,
                               struct cell *ret_cell, struct err *err)
{
    struct cell cell = {.kind = cell_kind_of(type)};
    int n_shown = (int)(n_bytes < CELL_SHOWN_MAX ? n_bytes : CELL_SHOWN_MAX);
    const char *more = n_bytes > CELL_SHOWN_MAX ? "…" : "";
    struct decimal decimal;

    if (!cell_takes_numbers(type) || !decimal_parse(&decimal, text, n_bytes))
        return cell_unexpected(type, err);
    if (cell.kind == CELL_INT) {
        if (!decimal_to_int64(&decimal, &cell.int_value) ||
            !cell_int_is_in_range(type, cell.int_value))
            return err_set(err, ERR_INVALID, "expected %s, found %.*s%s", cell_expected(type),
                           n_shown, text, more);
    } else if (!set_decimal(type, &decimal, false, &cell)) {
        return err_set(err, ERR_INVALID, "the number %.*s%s is beyond what a double can hold",
                       n_shown, text, more);
    }
    *ret_cell = cell;
    return ERR_OK;
}

enum err_code cell_from_bool(enum pg_type type, bool value, struct cell *ret_cell, struct err *err)
{
    if (type != PG_BOOL)
        return cell_unexpected(type, err);
    *ret_cell = (struct cell){.kind = CELL_BOOL, .bool_value = value};
    return ERR_OK;
}
