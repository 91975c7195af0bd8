/* Values as text and as JSON: what Postgres's output functions print. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "frame/internal.h"

/* D.DDD × 10^exponent, n digits without trailing zeros. */
struct digits {
    char digits[24];
    int n, exponent;
};

/* What tells the two floating types apart. */
struct precision {
    int safe_digits, most_digits; /* that many always survive the type; always tell values apart */
    int exponent_end;             /* from this exponent on Postgres prints an exponent */
    double whole_end;             /* and below it whole numbers are their own shortest form */
    long double (*next)(double value);
    bool (*reads_back)(const char *text, double value);
};

static long double next_double(double value)
{
    return nextafter(value, HUGE_VAL);
}

static long double next_float(double value)
{
    return nextafterf((float)value, HUGE_VALF);
}

static bool double_reads_back(const char *text, double value)
{
    return strtod(text, NULL) == value;
}

static bool float_reads_back(const char *text, double value)
{
    return strtof(text, NULL) == (float)value;
}

static const struct precision of_double = {15, 17, 15, 1e15, next_double, double_reads_back};
static const struct precision of_float = {6, 9, 6, 1e6, next_float, float_reads_back};

static void digits_text(const struct digits *digits, char text[40])
{
    snprintf(text, 40, "%c.%.*se%d", digits->digits[0], digits->n - 1, digits->digits + 1,
             digits->exponent);
}

/* Half way to a neighbour: a reader that does not round to even would read that one, so Postgres
 * does not print it. */
static bool is_half_way(const char *text, const struct precision *precision, double value)
{
    long double read = strtold(text, NULL), middle;
    size_t n_mantissa = strcspn(text, "e");
    char exact[80];

    if (read == value)
        return false;
    middle = (value + (read > value ? precision->next(value) : -precision->next(-value))) / 2;
    if (read != middle)
        return false;
    snprintf(exact, sizeof(exact), "%.50Le", middle);
    if (strncmp(exact, text, n_mantissa) != 0)
        return false; /* close to the middle, not on it */
    return strspn(exact + n_mantissa, "0") == strcspn(exact + n_mantissa, "e");
}

static bool is_faithful(const struct digits *digits, const struct precision *precision,
                        double value)
{
    char text[40];

    digits_text(digits, text);
    return precision->reads_back(text, value) && !is_half_way(text, precision, value);
}

/* The nearest decimal of n digits. */
static void round_to(struct digits *digits, double value, int n)
{
    char text[40];

    snprintf(text, sizeof(text), "%.*e", n - 1, value);
    digits->digits[0] = text[0];
    memcpy(digits->digits + 1, text + 2, (size_t)n - 1);
    digits->n = n;
    digits->exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
}

/* One more in the last place. */
static void step_up(struct digits *digits)
{
    int i = digits->n - 1;

    for (; i >= 0 && digits->digits[i] == '9'; i--)
        digits->digits[i] = '0';
    if (i >= 0) {
        digits->digits[i]++;
    } else {
        digits->digits[0] = '1';
        digits->exponent++;
    }
}

static bool is_power_of_two(double value)
{
    int exponent;

    return frexp(value, &exponent) == 0.5;
}

/* The shortest decimal between the middles to both neighbours, the nearest of those. Above a power
 * of two there is more room than below it: there the decimal one step up is tried as well. */
static void shortest(struct digits *digits, const struct precision *precision, double value)
{
    int n = value < 1e-30 ? 1 : precision->safe_digits; /* few digits survive a subnormal */

    for (; n <= precision->most_digits; n++) {
        round_to(digits, value, n);
        if (n == precision->most_digits || is_faithful(digits, precision, value))
            break;
        if (!is_power_of_two(value))
            continue;
        step_up(digits);
        if (is_faithful(digits, precision, value))
            break;
    }
    while (digits->n > 1 && digits->digits[digits->n - 1] == '0')
        digits->n--;
}

static void put_digits(const struct digits *digits, const struct precision *precision,
                       struct buf *text)
{
    int point = digits->exponent + 1; /* digits before the point */

    if (digits->exponent < -4 || digits->exponent >= precision->exponent_end) {
        buf_putc(text, digits->digits[0]);
        if (digits->n > 1)
            buf_printf(text, ".%.*s", digits->n - 1, digits->digits + 1);
        buf_printf(text, "e%c%02d", digits->exponent < 0 ? '-' : '+', abs(digits->exponent));
        return;
    }
    if (point <= 0) {
        buf_printf(text, "0.%.*s%.*s", -point, "0000", digits->n, digits->digits);
        return;
    }
    for (int i = 0; i < point; i++)
        buf_putc(text, i < digits->n ? digits->digits[i] : '0');
    if (digits->n > point)
        buf_printf(text, ".%.*s", digits->n - point, digits->digits + point);
}

static void put_real(double value, const struct precision *precision, struct buf *text)
{
    struct digits digits;

    if (signbit(value))
        buf_putc(text, '-');
    value = fabs(value);
    if (isinf(value)) {
        buf_puts(text, "Infinity");
    } else if (value < precision->whole_end && trunc(value) == value) {
        buf_printf(text, "%.0f", value);
    } else {
        shortest(&digits, precision, value);
        put_digits(&digits, precision, text);
    }
}

void put_double(double value, struct buf *text)
{
    put_real(value, &of_double, text);
}

void put_float(double value, struct buf *text)
{
    put_real(value, &of_float, text);
}

/* A whole number that came from an int64, which the nearest double may be just beyond. */
void put_whole(double value, struct buf *text)
{
    int64_t whole = value >= 0x1p63 ? INT64_MAX : (int64_t)value;

    buf_put_int(text, whole);
}

/* 8766:00:00.5: six decimals tell all microseconds apart that a double does. */
void put_seconds(double seconds, struct buf *text)
{
    char digits[40];
    size_t n;
    int64_t whole;

    if (signbit(seconds))
        buf_putc(text, '-');
    if (isinf(seconds)) {
        buf_puts(text, "infinity");
        return;
    }
    n = (size_t)snprintf(digits, sizeof(digits), "%.6f", fabs(seconds));
    while (digits[n - 1] == '0')
        n--;
    n -= digits[n - 1] == '.';
    whole = strtoll(digits, NULL, 10);
    buf_printf(text, "%02" PRId64 ":%02d:%02d", whole / 3600, (int)(whole / 60 % 60),
               (int)(whole % 60));
    if (memchr(digits, '.', n) != NULL)
        buf_append(text, strchr(digits, '.'), n - (size_t)(strchr(digits, '.') - digits));
}

static void put_time_of_day(const struct civil *civil, struct buf *text)
{
    char fraction[8];
    size_t n;

    buf_printf(text, "%02d:%02d:%02d", civil->hour, civil->minute, civil->second);
    if (civil->microsecond == 0)
        return;
    n = (size_t)snprintf(fraction, sizeof(fraction), ".%06d", civil->microsecond);
    while (fraction[n - 1] == '0')
        n--;
    buf_append(text, fraction, n);
}

void put_moment(enum pg_type type, int64_t us, char separator, const char *zone, struct buf *text)
{
    struct civil civil;

    civil_from_us(us, &civil);
    buf_printf(text, "%04" PRId64 "-%02d-%02d", civil.year > 0 ? civil.year : 1 - civil.year,
               civil.month, civil.day);
    if (type != PG_DATE) {
        buf_putc(text, separator);
        put_time_of_day(&civil, text);
    }
    if (type == PG_TIMESTAMPTZ)
        buf_puts(text, zone);
    if (civil.year <= 0)
        buf_puts(text, " BC");
}

static bool is_seconds(enum pg_type type)
{
    return type == PG_TIME || type == PG_INTERVAL;
}

void cell_to_text(enum pg_type type, const struct cell *cell, struct buf *text)
{
    if (cell->is_null)
        return;
    switch (cell->kind) {
    case CELL_BOOL:
        buf_puts(text, cell->bool_value ? "true" : "false");
        break;
    case CELL_INT:
        buf_put_int(text, cell->int_value);
        break;
    case CELL_FLOAT4:
        put_float(cell->float_value, text);
        break;
    case CELL_DOUBLE:
        if (is_seconds(type))
            put_seconds(cell->double_value, text);
        else
            put_double(cell->double_value, text);
        break;
    case CELL_TEXT:
    case CELL_JSON:
        buf_append(text, cell->text, cell->n_bytes);
        break;
    case CELL_TIMESTAMP:
        put_moment(type, cell->int_value, ' ', "+00", text);
        break;
    case CELL_LIST:
    case CELL_TEXTS:
        list_to_text(type, cell, text);
        break;
    }
}

/* Values that are strings in JSON although they are numbers in cells. */
static bool is_quoted(enum pg_type type, const struct cell *cell)
{
    return is_seconds(type) || (cell->kind == CELL_FLOAT4 && isinf(cell->float_value)) ||
           (cell->kind == CELL_DOUBLE && isinf(cell->double_value));
}

static void put_value(enum pg_type type, const struct cell *cell, struct buf *json)
{
    const char *quote = is_quoted(type, cell) ? "\"" : "";

    buf_puts(json, quote);
    cell_to_text(type, cell, json);
    buf_puts(json, quote);
}

void cell_to_json(enum pg_type type, const struct cell *cell, struct buf *json)
{
    if (cell->is_null) {
        buf_puts(json, "null");
        return;
    }
    switch (cell->kind) {
    case CELL_TEXT:
        json_put_string(json, cell->text, cell->n_bytes);
        break;
    case CELL_TIMESTAMP:
        buf_putc(json, '"');
        put_moment(type, cell->int_value, 'T', "+00:00", json);
        buf_putc(json, '"');
        break;
    case CELL_LIST:
    case CELL_TEXTS:
        list_to_json(type, cell, json);
        break;
    default:
        put_value(type, cell, json);
        break;
    }
}
