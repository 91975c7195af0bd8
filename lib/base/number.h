/*
 * Numbers between decimal and binary: exact both ways, and quick.
 *
 * From text: a decimal of up to 19 digits to the nearest double or float, ties to even: strtod's
 * and strtof's answer, to the bit. What needs more than 128 bits of a power of ten is left to the
 * caller (and to strtod): more digits, exponents beyond ±50 or so, results that are not normal, and
 * decimals nearer to the middle between two results than 2^-72.
 * To text: the shortest decimal that reads back to the same value, of these the nearest.
 *
 * Pure functions; no locale, no allocation.
 */
#ifndef PGBOOST_BASE_NUMBER_H
#define PGBOOST_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ±digits × 10^exponent */
struct number {
    uint64_t digits; /* the first NUMBER_DIGITS of them; leading zeros are none */
    int exponent;    /* within ±NUMBER_EXPONENT_MAX */
    bool negative;
    bool cut; /* there were more digits */
};

#define NUMBER_DIGITS       19
#define NUMBER_EXPONENT_MAX 1000000

#define NUMBER_TENS       23
#define NUMBER_FLOAT_TENS 11
extern const double number_tens[NUMBER_TENS]; /* 10^i, exact */
extern const float number_float_tens[NUMBER_FLOAT_TENS];

/* Where digits and power of ten are not both exact. */
bool number_to_double_exactly(const struct number *number, double *ret_value);
bool number_to_float_exactly(const struct number *number, float *ret_value);

/* False: the quick way is not sure. Zero keeps its sign. Where both are exact, one operation is
 * rounded correctly (Clinger's fast path). */
static inline bool number_to_double(const struct number *number, double *ret_value)
{
    int q = number->exponent;
    double value;

    if (number->digits > UINT64_C(1) << 53 || q <= -NUMBER_TENS || q >= NUMBER_TENS || number->cut)
        return number_to_double_exactly(number, ret_value);
    value = q < 0 ? (double)(int64_t)number->digits / number_tens[-q]
                  : (double)(int64_t)number->digits * number_tens[q];
    *ret_value = number->negative ? -value : value;
    return true;
}

static inline bool number_to_float(const struct number *number, float *ret_value)
{
    int q = number->exponent;
    float value;

    if (number->digits > UINT64_C(1) << 24 || q <= -NUMBER_FLOAT_TENS || q >= NUMBER_FLOAT_TENS ||
        number->cut)
        return number_to_float_exactly(number, ret_value);
    value = q < 0 ? (float)(int32_t)number->digits / number_float_tens[-q]
                  : (float)(int32_t)number->digits * number_float_tens[q];
    *ret_value = number->negative ? -value : value;
    return true;
}

/* Room for either, with the NUL that they end in. */
#define NUMBER_TEXT_SIZE 32

/* The value, which is finite, as printf's %g shows it with as many digits as it takes: "0.1",
 * "1e-05"; whole numbers below 10^9 (double: 10^15, or of 16 and 17 digits) without an exponent.
 * Gives the length. */
size_t number_put_float(float value, char text[NUMBER_TEXT_SIZE]);
size_t number_put_double(double value, char text[NUMBER_TEXT_SIZE]);

#endif
