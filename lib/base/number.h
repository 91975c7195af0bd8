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

/* False: the quick way is not sure. Zero keeps its sign. */
bool number_to_double(const struct number *number, double *ret_value);
bool number_to_float(const struct number *number, float *ret_value);

/* Room for either, with the NUL that they end in. */
#define NUMBER_TEXT_SIZE 32

/* The value, which is finite, as printf's %g shows it with as many digits as it takes: "0.1",
 * "1e-05"; whole numbers below 10^9 (double: 10^15, or of 16 and 17 digits) without an exponent.
 * Gives the length. */
size_t number_put_float(float value, char text[NUMBER_TEXT_SIZE]);
size_t number_put_double(double value, char text[NUMBER_TEXT_SIZE]);

#endif
