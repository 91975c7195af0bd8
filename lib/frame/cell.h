/*
 * One value of a column, as the encoder sees it, whichever way it came.
 *
 * Two ways lead here and must mean the same, to the bit: the binary form that COPY sends at
 * training, and the text (or JSON) form that a client sends at prediction time. Both stand in this
 * module so that they are read together.
 *
 * Rules (the public interface): integers, numeric and float8 go by their exact value to the nearest
 * double; float4 goes from decimal to float32 directly. NaN is a missing value: reading it gives
 * is_null (timestamps: ±infinity likewise, and dates later than the latest timestamp). -0 stays
 * until the encoder makes it +0. ±Infinity and numeric beyond double become ±HUGE_VAL here; the
 * encoder clamps. char(n) loses trailing blanks.
 *
 * What the other types mean:
 *   interval   seconds as extract(epoch) counts them: years of 365.25 days, the months that do not
 *              make a year of 30 days; the exact microseconds, rounded once to a double. Infinite
 *              ones are ±HUGE_VAL
 *   time       seconds since midnight; 24:00:00 is 86400
 *   money      the amount; text "$1,234.50", "-$0.01" (lc_monetary C or en_US) or a plain number
 *   bit(n)     a list of n times 0 or 1
 *   point      a list: x, y
 *   range      a list: lower, upper. A bound that is not there, NaN, and infinity of a date or
 *              timestamp are NaN; an empty range is two of them. Whether a bound is inclusive is
 *              not kept, but ranges of whole numbers and of dates count as Postgres holds them:
 *              [1,5] is [1,6)
 *   array      a list of the elements as the rules above read them. NULL and NaN are NaN in
 *              numbers; NULL has text NULL in texts. More than one dimension is a missing value,
 *              at training and at serving. Lower bounds mean nothing. Elements of char(n)[] keep
 *              their blanks, as Postgres prints them
 *   vector     a list of the elements, float32 each
 *   json       the document as it came, which is strict JSON of at most CELL_JSON_DEPTH levels
 *              without \u0000 or numbers that jsonb cannot hold: any other document is a missing
 *              value, and so is JSON's null. In a request any JSON value is the document itself; a
 *              string that holds an object or an array is that object or array, in a table too
 * A list has at most CELL_ITEMS_MAX elements (ERR_LIMIT beyond), and 0 where they are -0.
 *
 * Text points into the caller's bytes, lists into the caller's scratch: nothing is allocated but
 * what that grows by.
 */
#ifndef PGBOOST_FRAME_CELL_H
#define PGBOOST_FRAME_CELL_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "base/zone.h"
#include "pg/relation.h"

#define CELL_ITEMS_MAX  16000
#define CELL_JSON_DEPTH 32

/* How a type is held. */
enum cell_kind {
    CELL_BOOL,      /* bool_value */
    CELL_INT,       /* int_value: int2, int4, int8 */
    CELL_FLOAT4,    /* float_value: float4 */
    CELL_DOUBLE,    /* double_value: float8, numeric, money; interval and time in seconds */
    CELL_TEXT,      /* text, n_bytes: text, char(n), enum, uuid, inet, bytea (as \x…), PG_OTHER */
    CELL_TIMESTAMP, /* int_value: date, timestamp (wall clock), timestamptz (UTC); µs since 2000 */
    CELL_LIST,      /* items, n_items: numeric arrays and vectors, NULL elements NaN; bit(n) 0/1;
                       point x, y; ranges lower, upper (NaN: unbounded; dates and timestamps in µs) */
    CELL_TEXTS,     /* texts, n_items: text arrays, NULL elements with text NULL */
    CELL_JSON,      /* text, n_bytes: a JSON document as jsonb or json prints it */
};

struct cell_string {
    const char *text;
    size_t n_bytes;
};

struct cell {
    enum cell_kind kind;
    bool is_null;
    union {
        bool bool_value;
        int64_t int_value;
        float float_value;
        double double_value;
        struct {
            const char *text;
            size_t n_bytes;
        };
        struct {
            union {
                const double *items;
                const struct cell_string *texts;
            };
            size_t n_items;
        };
    };
};

/* Where the list of one cell lies, until the scratch is used for the next one. Zeroed memory is
 * valid. cell_from_binary and cell_from_text need none (NULL) for types that are no lists. */
struct cell_scratch {
    double *items;
    struct cell_string *texts;
    size_t items_capacity, texts_capacity;
    struct buf string; /* a JSON string without its escapes */
    struct buf bytes;  /* elements without theirs */
};
void cell_scratch_release(struct cell_scratch *scratch);

extern const enum cell_kind cell_kinds[PG_TYPES];
static inline enum cell_kind cell_kind_of(enum pg_type type)
{
    return cell_kinds[type];
}

/* Of a value that is not null: equal ones have equal hashes. By base's hash64, with what it is for.
 */
uint64_t cell_hash(const struct cell *cell);

/* From the binary form of COPY. Bytes that do not hold what they must: ERR_CORRUPT. */
MUST_CHECK enum err_code cell_from_binary(enum pg_type type, const uint8_t *data, uint32_t n_bytes,
                                          struct cell_scratch *scratch, struct cell *ret_cell,
                                          struct err *err);

/* From the text Postgres prints under DateStyle ISO (zone: for a timestamptz without one), as a
 * JSON string would hold it. Also takes to_jsonb's forms ("2013-01-01T05:00:00+00:00"). zone NULL:
 * UTC. ERR_INVALID with what was expected ("expected a timestamp like 2013-01-01 05:00"). */
MUST_CHECK enum err_code cell_from_text(enum pg_type type, const struct zone *zone,
                                        const char *text, size_t n_bytes,
                                        struct cell_scratch *scratch, struct cell *ret_cell,
                                        struct err *err);

/* From a JSON number as written (already valid JSON grammar). For numeric types only; other types:
 * ERR_INVALID "expected …". A number that overflows a double: ERR_INVALID. For integer types a
 * number that is not whole, or beyond the type: ERR_INVALID. */
MUST_CHECK enum err_code cell_from_number(enum pg_type type, const char *text, size_t n_bytes,
                                          struct cell *ret_cell, struct err *err);
/* Is a JSON number a value of the type? Not of times and intervals, which have no one unit. */
static inline bool cell_takes_numbers(enum pg_type type)
{
    enum cell_kind kind = cell_kind_of(type);

    return kind == CELL_INT || kind == CELL_FLOAT4 ||
           (kind == CELL_DOUBLE && type != PG_TIME && type != PG_INTERVAL);
}

extern const struct cell_int_range {
    int64_t min, max;
} cell_int_ranges[PG_TYPES]; /* of integer types */

static inline bool cell_int_is_in_range(enum pg_type type, int64_t value)
{
    return value >= cell_int_ranges[type].min && value <= cell_int_ranges[type].max;
}

/* The same of a number that was scanned, the quick way. False: cell_from_number or, of a type that
 * takes no numbers, cell_from_json says what it is, or what is wrong with it. */
static inline bool cell_from_decimal(enum pg_type type, const struct number *number,
                                     struct cell *ret_cell)
{
    struct cell cell = {.kind = cell_kind_of(type)};

    switch (cell.kind) {
    case CELL_INT:
        if (number->cut || number->exponent != 0 || number->digits > INT64_MAX)
            return false;
        cell.int_value = number->negative ? -(int64_t)number->digits : (int64_t)number->digits;
        if (!cell_int_is_in_range(type, cell.int_value))
            return false;
        break;
    case CELL_FLOAT4:
        if (!number_to_float(number, &cell.float_value))
            return false;
        break;
    default:
        if (!cell_takes_numbers(type) || !number_to_double(number, &cell.double_value))
            return false;
    }
    *ret_cell = cell;
    return true;
}

/* From JSON true or false: boolean columns only. */
MUST_CHECK enum err_code cell_from_bool(enum pg_type type, bool value, struct cell *ret_cell,
                                        struct err *err);

/* From the JSON value whose first token was just returned, which is read to its end: null, the text
 * forms as strings, numbers and booleans, arrays for types that are arrays (and for vectors), and
 * for json whatever stands there. The document's text points into what the reader reads. Errors:
 * ERR_INVALID "expected …, found …", which shows a string's or number's beginning, with the reader
 * still inside the value; the reader's own. */
MUST_CHECK enum err_code cell_from_json(enum pg_type type, const struct zone *zone,
                                        struct json_reader *reader, enum json_token token,
                                        struct cell_scratch *scratch, struct cell *ret_cell,
                                        struct err *err);

/* "a number", "a whole number", "true or false", "a string", "a timestamp …": for messages. */
const char *cell_expected(enum pg_type type);

/* The nearest double to a numeric in Postgres's binary form. NaN and ±Infinity as doubles. */
MUST_CHECK enum err_code numeric_to_double(const uint8_t *data, uint32_t n_bytes, double *ret_value,
                                           struct err *err);

/* The value as Postgres's ::text would print it, for labels, keys and golden rows: booleans
 * "true"/"false" (the cast's form), integers, shortest floats and doubles, ISO timestamps
 * (timestamptz in UTC with +00). What is not kept is not printed: a numeric is held as a double and
 * prints as one ("1.50" as "1.5"), money as well, an interval prints as hours, a range as [a,b).
 * Appends; a null cell appends nothing. */
void cell_to_text(enum pg_type type, const struct cell *cell, struct buf *text);

/* The value as to_jsonb would write it (numbers may have an exponent); a null cell: null. */
void cell_to_json(enum pg_type type, const struct cell *cell, struct buf *json);

/* A number, boolean (0 or 1) or timestamp (its microseconds); null is NaN. */
static inline double cell_as_number(const struct cell *cell)
{
    if (cell->is_null)
        return NAN;
    switch (cell->kind) {
    case CELL_BOOL:
        return cell->bool_value ? 1 : 0;
    case CELL_FLOAT4:
        return (double)cell->float_value;
    case CELL_DOUBLE:
        return cell->double_value;
    default:
        return (double)cell->int_value;
    }
}

#endif
