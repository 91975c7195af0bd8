#include "frame/decimal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

/* Exponents beyond this say zero or infinity whatever the digits are. */
#define EXPONENT_MAX 1000000000

/* Digits, the one that stands for what was cut, 'e', the exponent, NUL. */
#define TEXT_SIZE (DECIMAL_DIGITS + 32)

void decimal_init(struct decimal *decimal, bool negative)
{
    decimal->negative = negative;
    decimal->cut = false;
    decimal->n_digits = 0;
    decimal->exponent = 0;
}

void decimal_push(struct decimal *decimal, int digit)
{
    if (decimal->n_digits == 0 && digit == 0)
        return;
    if (decimal->n_digits < DECIMAL_DIGITS) {
        decimal->digits[decimal->n_digits++] = (char)('0' + digit);
    } else {
        decimal->exponent++;
        decimal->cut |= digit != 0;
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads [+-] digits into *exponent, saturating. Returns false when that is not what is there. */
static bool parse_exponent(const char *at, const char *end, int64_t *exponent)
{
    bool negative = at < end && *at == '-';
    int64_t value = 0;

    if (at < end && (*at == '-' || *at == '+'))
        at++;
    if (at == end)
        return false;
    for (; at < end; at++) {
        if (!is_digit(*at))
            return false;
        if (value < EXPONENT_MAX)
            value = value * 10 + (*at - '0');
    }
    *exponent += negative ? -value : value;
    return true;
}

bool decimal_parse(struct decimal *decimal, const char *text, size_t n_bytes)
{
    const char *at = text, *end = text + n_bytes;
    bool any = false;

    decimal_init(decimal, at < end && *at == '-');
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    for (; at < end && is_digit(*at); at++, any = true)
        decimal_push(decimal, *at - '0');
    if (at < end && *at == '.') {
        for (at++; at < end && is_digit(*at); at++, any = true) {
            decimal_push(decimal, *at - '0');
            decimal->exponent--;
        }
    }
    if (!any)
        return false;
    if (at < end && (*at == 'e' || *at == 'E'))
        return parse_exponent(at + 1, end, &decimal->exponent);
    return at == end;
}

/* Is DIGITS × 10^exponent surely zero (-1) or surely infinite (1) as a double? */
static int surely_beyond(const struct decimal *decimal)
{
    int64_t magnitude = decimal->exponent + decimal->n_digits;

    if (decimal->n_digits == 0 || magnitude < -400)
        return -1;
    return magnitude > 400;
}

/* For strtod and strtof, which round correctly in glibc; the locale is always C. */
static void to_text(const struct decimal *decimal, char text[TEXT_SIZE])
{
    size_t n = (size_t)decimal->n_digits;
    int64_t exponent = decimal->exponent;

    memcpy(text, decimal->digits, n);
    if (decimal->cut) {
        text[n++] = '1';
        exponent--;
    }
    snprintf(text + n, TEXT_SIZE - n, "e%" PRId64, exponent);
}

/* What base/number can take: it needs no more digits than fit a uint64_t. */
static bool to_number(const struct decimal *decimal, struct number *ret_number)
{
    uint64_t digits = 0;

    if (decimal->cut || decimal->n_digits > NUMBER_DIGITS)
        return false;
    for (int i = 0; i < decimal->n_digits; i++)
        digits = digits * 10 + (uint64_t)(decimal->digits[i] - '0');
    *ret_number = (struct number){.digits = digits, .exponent = (int)decimal->exponent};
    return true;
}

double decimal_to_double(const struct decimal *decimal)
{
    double sign = decimal->negative ? -1 : 1, value;
    int beyond = surely_beyond(decimal);
    char text[TEXT_SIZE];
    struct number number;

    if (beyond != 0)
        return sign * (beyond > 0 ? HUGE_VAL : 0.0);
    if (to_number(decimal, &number) && number_to_double(&number, &value))
        return sign * value;
    to_text(decimal, text);
    return sign * strtod(text, NULL);
}

float decimal_to_float(const struct decimal *decimal)
{
    float sign = decimal->negative ? -1 : 1, value;
    int beyond = surely_beyond(decimal);
    char text[TEXT_SIZE];
    struct number number;

    if (beyond != 0)
        return sign * (beyond > 0 ? HUGE_VALF : 0.0F);
    if (to_number(decimal, &number) && number_to_float(&number, &value))
        return sign * value;
    to_text(decimal, text);
    return sign * strtof(text, NULL);
}

bool decimal_to_int64(const struct decimal *decimal, int64_t *ret_value)
{
    int64_t value = 0, whole_digits = decimal->n_digits + decimal->exponent;

    if (decimal->n_digits == 0) {
        *ret_value = 0;
        return true;
    }
    if (decimal->cut || whole_digits > 19)
        return false;
    for (int i = 0; i < decimal->n_digits; i++)
        if (i >= whole_digits && decimal->digits[i] != '0')
            return false;
    for (int64_t i = 0; i < whole_digits; i++) {
        int digit = i < decimal->n_digits ? decimal->digits[i] - '0' : 0;

        /* downwards: int64 has one more number on that side */
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, digit, &value))
            return false;
    }
    if (!decimal->negative && value == INT64_MIN)
        return false;
    *ret_value = decimal->negative ? value : -value;
    return true;
}
