/*
 * Lists of two: points (1,2) and ranges [1,6).
 *
 * A range on the wire (Postgres's range_send): a byte of flags, then each bound that is there as a
 * field. Postgres holds ranges of whole numbers and dates as [a,b) and prints them so; text that
 * says [a,b] or (a,b] is brought to that form here.
 */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "frame/internal.h"

enum { RANGE_EMPTY = 0x01, RANGE_NO_LOWER = 0x08 | 0x20, RANGE_NO_UPPER = 0x10 | 0x40 };

static enum err_code set_pair(struct cell *cell, struct cell_scratch *scratch, double first,
                              double second, struct err *err)
{
    size_t n = 0;

    TRY(cell_push_item(scratch, &n, first, err));
    TRY(cell_push_item(scratch, &n, second, err));
    cell_set_list(cell, scratch, n);
    return ERR_OK;
}

/* Points --------------------------------------------------------------------------------------- */

enum err_code cell_point_from_binary(struct wire *wire, struct cell_scratch *scratch,
                                     struct cell *ret_cell, struct err *err)
{
    double values[2];
    int64_t bits;

    for (int i = 0; i < 2; i++) {
        if (!wire_int(wire, 8, &bits))
            return cell_corrupt(PG_POINT, err);
        memcpy(&values[i], &bits, sizeof(bits));
        values[i] = isnan(values[i]) ? NAN : values[i]; /* one NaN */
    }
    return set_pair(ret_cell, scratch, values[0], values[1], err);
}

/* A coordinate and the character behind it. */
static bool scan_coordinate(struct scanner *scanner, char after, double *ret_value)
{
    struct cell cell = {.kind = CELL_DOUBLE};
    const char *text, *end;

    scan_spaces(scanner);
    text = scanner->at;
    end = memchr(text, after, (size_t)(scanner->end - text));
    if (end == NULL)
        return false;
    scanner->at = end + 1;
    while (end > text && end[-1] == ' ')
        end--;
    if (!cell_parse_number(PG_FLOAT8, text, (size_t)(end - text), &cell))
        return false;
    *ret_value = cell_as_number(&cell);
    return true;
}

enum err_code cell_point_from_text(const char *text, size_t n_bytes, struct cell_scratch *scratch,
                                   struct cell *ret_cell, struct err *err)
{
    struct scanner scanner = {text, text + n_bytes};
    double x, y;

    if (!scan_char(&scanner, '(') || !scan_coordinate(&scanner, ',', &x) ||
        !scan_coordinate(&scanner, ')', &y) || scanner.at != scanner.end)
        return cell_unexpected(PG_POINT, err);
    return set_pair(ret_cell, scratch, x, y, err);
}

/* Ranges --------------------------------------------------------------------------------------- */

static enum err_code read_bound(enum pg_type type, struct wire *wire, double *ret_value,
                                struct err *err)
{
    enum pg_type item = cell_item_type(type);
    const uint8_t *data;
    uint32_t n_bytes;
    struct cell cell;

    if (!wire_field(wire, &data, &n_bytes) || data == NULL)
        return cell_corrupt(type, err);
    if (type == PG_INT_RANGE && n_bytes == 4)
        item = PG_INT4;
    TRY(cell_from_binary(item, data, n_bytes, NULL, &cell, err));
    *ret_value = cell_as_number(&cell);
    return ERR_OK;
}

enum err_code cell_range_from_binary(enum pg_type type, struct wire *wire,
                                     struct cell_scratch *scratch, struct cell *ret_cell,
                                     struct err *err)
{
    double lower = NAN, upper = NAN;
    int64_t flags;

    if (!wire_int(wire, 1, &flags))
        return cell_corrupt(type, err);
    if ((flags & (RANGE_EMPTY | RANGE_NO_LOWER)) == 0)
        TRY(read_bound(type, wire, &lower, err));
    if ((flags & (RANGE_EMPTY | RANGE_NO_UPPER)) == 0)
        TRY(read_bound(type, wire, &upper, err));
    if (lower > upper)
        return cell_corrupt(type, err);
    return set_pair(ret_cell, scratch, lower, upper, err);
}

/* The text of a bound, up to the character that ends it; it may be quoted. An absent bound has no
 * text at all. */
static bool scan_bound(struct scanner *scanner, const char *ends, struct scanner *ret_text)
{
    bool quoted = scan_char(scanner, '"');
    const char *text = scanner->at;

    while (scanner->at < scanner->end &&
           (quoted ? *scanner->at != '"' : strchr(ends, *scanner->at) == NULL))
        scanner->at++;
    *ret_text = (struct scanner){text, scanner->at};
    return quoted ? scan_char(scanner, '"') && ret_text->end > text : true;
}

/* A bound as text gives it. */
struct bound {
    double value;   /* NaN: there is none */
    __int128 exact; /* of whole numbers and dates */
};

/* `later`: the bound meant is the next whole number or day. */
static bool parse_bound(enum pg_type type, const struct zone *zone, const struct scanner *text,
                        bool later, struct bound *ret_bound)
{
    size_t n_bytes = (size_t)(text->end - text->at);
    struct cell cell;

    *ret_bound = (struct bound){.value = NAN};
    if (n_bytes == 0)
        return true;
    if (cell_from_text(cell_item_type(type), zone, text->at, n_bytes, NULL, &cell, NULL))
        return false;
    if (type == PG_DATE_RANGE && later && !cell.is_null)
        cell_set_days(&cell, cell.int_value / USECS_PER_DAY + 1);
    ret_bound->value = cell_as_number(&cell);
    if (type == PG_DATE_RANGE)
        ret_bound->exact = cell.int_value;
    if (type == PG_INT_RANGE) {
        ret_bound->exact = (__int128)cell.int_value + later;
        ret_bound->value = (double)ret_bound->exact;
    }
    return true;
}

static bool same_text(const struct scanner *a, const struct scanner *b)
{
    return a->end - a->at == b->end - b->at && a->end > a->at &&
           memcmp(a->at, b->at, (size_t)(a->end - a->at)) == 0;
}

static bool parse_range(enum pg_type type, const struct zone *zone, struct scanner *scanner,
                        double *ret_lower, double *ret_upper)
{
    bool discrete = type == PG_INT_RANGE || type == PG_DATE_RANGE;
    bool behind_lower = scan_char(scanner, '('), up_to_upper;
    struct scanner lower_text, upper_text;
    struct bound lower, upper;

    if (!behind_lower && !scan_char(scanner, '['))
        return false;
    if (!scan_bound(scanner, ",", &lower_text) || !scan_char(scanner, ',') ||
        !scan_bound(scanner, ")]", &upper_text))
        return false;
    up_to_upper = scan_char(scanner, ']');
    if ((!up_to_upper && !scan_char(scanner, ')')) || scanner->at != scanner->end)
        return false;
    if (!parse_bound(type, zone, &lower_text, discrete && behind_lower, &lower) ||
        !parse_bound(type, zone, &upper_text, discrete && up_to_upper, &upper))
        return false;
    if ((same_text(&lower_text, &upper_text) && (behind_lower || !up_to_upper)) ||
        (discrete && lower.value == upper.value && lower.exact == upper.exact))
        lower.value = upper.value = NAN; /* Postgres prints "empty" */
    *ret_lower = lower.value;
    *ret_upper = upper.value;
    return !(lower.value > upper.value);
}

enum err_code cell_range_from_text(enum pg_type type, const struct zone *zone, const char *text,
                                   size_t n_bytes, struct cell_scratch *scratch,
                                   struct cell *ret_cell, struct err *err)
{
    struct scanner scanner = {text, text + n_bytes};
    double lower = NAN, upper = NAN;

    if (n_bytes == 5 && strncasecmp(text, "empty", 5) == 0)
        return set_pair(ret_cell, scratch, NAN, NAN, err);
    if (!parse_range(type, zone, &scanner, &lower, &upper))
        return cell_unexpected(type, err);
    return set_pair(ret_cell, scratch, lower, upper, err);
}
