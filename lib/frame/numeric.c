/*
 * Postgres's numeric on the wire: int16 n, int16 weight, uint16 sign, uint16 scale, then n
 * base-10000 digits; the first stands for 10000^weight (src/backend/utils/adt/numeric.c,
 * numeric_send).
 */
#include <math.h>

#include "frame/cell.h"
#include "frame/decimal.h"

#define HEADER_BYTES 8
#define BASE         10000

enum {
    SIGN_POSITIVE = 0,
    SIGN_NEGATIVE = 0x4000,
    SIGN_NAN = 0xc000,
    SIGN_PINF = 0xd000,
    SIGN_NINF = 0xf000
};

static uint16_t read_uint16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static enum err_code corrupt(struct err *err)
{
    return err_set(err, ERR_CORRUPT, "a numeric of Postgres that cannot be read");
}

/* Few digits, as most numbers have: a whole number and a power of ten that doubles hold exactly, so
 * that the one rounding is the right one (W. Clinger, How to Read Floating Point Numbers
 * Accurately, 1990). False: it takes the long way. */
static bool from_few_digits(const uint8_t *digits, int n, int weight, bool negative,
                            double *ret_value)
{
    static const double powers[] = {1, 1e4, 1e8, 1e12, 1e16, 1e20};
    int exponent = weight - n + 1;
    uint64_t whole = 0;
    double value;

    if (n < 1 || n > 4 || exponent <= -(int)N_ELEMENTS(powers) ||
        exponent >= (int)N_ELEMENTS(powers))
        return false;
    for (int i = 0; i < n; i++) {
        uint16_t digit = read_uint16(digits + 2 * i);

        if (digit >= BASE)
            return false;
        whole = whole * BASE + digit;
    }
    if (whole == 0 || whole > (uint64_t)1 << 53)
        return false;
    value = exponent < 0 ? (double)whole / powers[-exponent] : (double)whole * powers[exponent];
    *ret_value = negative ? -value : value;
    return true;
}

enum err_code numeric_to_double(const uint8_t *data, uint32_t n_bytes, double *ret_value,
                                struct err *err)
{
    struct decimal decimal;
    int n, weight, sign;

    if (n_bytes < HEADER_BYTES)
        return corrupt(err);
    n = read_uint16(data);
    weight = (int16_t)read_uint16(data + 2);
    sign = read_uint16(data + 4);
    if (n_bytes != HEADER_BYTES + 2 * (uint32_t)n)
        return corrupt(err);
    if (sign == SIGN_NAN || sign == SIGN_PINF || sign == SIGN_NINF) {
        *ret_value = sign == SIGN_NAN ? NAN : sign == SIGN_PINF ? HUGE_VAL : -HUGE_VAL;
        return ERR_OK;
    }
    if (sign != SIGN_POSITIVE && sign != SIGN_NEGATIVE)
        return corrupt(err);
    if (from_few_digits(data + HEADER_BYTES, n, weight, sign == SIGN_NEGATIVE, ret_value))
        return ERR_OK;
    decimal_init(&decimal, sign == SIGN_NEGATIVE);
    for (int i = 0; i < n; i++) {
        int digit = read_uint16(data + HEADER_BYTES + 2 * i);

        if (digit >= BASE)
            return corrupt(err);
        for (int power = BASE / 10; power > 0; power /= 10)
            decimal_push(&decimal, digit / power % 10);
    }
    decimal.exponent += 4 * ((int64_t)weight - n + 1);
    *ret_value = decimal_to_double(&decimal);
    return ERR_OK;
}
