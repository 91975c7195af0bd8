/*
 * A decimal number as someone wrote it, on its way to the nearest double, float or integer: rounded
 * once, and never through another type. For lib/frame only.
 *
 * The digits of a double's worst case are 768; those beyond DECIMAL_DIGITS matter only by being
 * more than nothing, which `cut` keeps. Allocates nothing.
 */
#ifndef PGBOOST_FRAME_DECIMAL_H
#define PGBOOST_FRAME_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DECIMAL_DIGITS 800

/* ±DIGITS × 10^exponent. No leading zeros; zero has no digits. */
struct decimal {
    bool negative;
    bool cut; /* digits that are not zero were left out behind the last */
    int n_digits;
    int64_t exponent;
    char digits[DECIMAL_DIGITS]; /* '0' … '9' */
};

void decimal_init(struct decimal *decimal, bool negative);

/* One digit (0-9) more at the end: ten times the value, plus the digit. */
void decimal_push(struct decimal *decimal, int digit);

/* [+-] digits [. digits] [e [+-] digits] with at least one digit before the e, and nothing else. */
bool decimal_parse(struct decimal *decimal, const char *text, size_t n_bytes);

/* Beyond the type: ±HUGE_VAL. Zero keeps its sign. */
double decimal_to_double(const struct decimal *decimal);
float decimal_to_float(const struct decimal *decimal);

/* False when it is not whole or beyond int64. */
bool decimal_to_int64(const struct decimal *decimal, int64_t *ret_value);

#endif
