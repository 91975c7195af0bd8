#include "base/number.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number_powers.h"

_Static_assert(FLT_EVAL_METHOD == 0, "an operation on doubles is rounded once, to a double");

typedef unsigned __int128 uint128;

/* floor(q log2 10), for |q| of at most 1233. */
static int log2_of_ten_to(int q)
{
    return (q * 217706) >> 16;
}

/* Decimal to binary --------------------------------------------------------------------------- */

/* A binary floating-point format: bits of the significand, and exponents of normal numbers. */
struct format {
    int bits, exponent_min, exponent_max;
};

/* significand × 2^exponent, nearest to digits × 10^q: the significand of exactly format->bits bits.
 *
 * The product of the digits, shifted up to 64 bits, and of 5^q as 128 bits has 192 bits, of which
 * the low 64 only matter by not being zero. Where 5^q was rounded up, the product is too large by
 * less than the digits, which is less than 2^64: the true bits above are the same, and those below
 * are not all zero, unless a borrow could reach them. (The idea of multiplying by a truncated power
 * and seeing whether the error can matter is Clinger's, 1990; the 128 bits are those of Lemire,
 * Number parsing at a gigabyte per second, 2021.) */
static bool nearest(const struct format *format, uint64_t digits, int q, uint64_t *ret_significand,
                    int *ret_exponent)
{
    const struct power_of_five *power = &powers_of_five[q - POWER_MIN];
    int n_zeros = __builtin_clzll(digits), n_rest = 64 - format->bits, exponent;
    uint128 upper, lower;
    uint64_t high, middle, significand, rest, half = UINT64_C(1) << (n_rest - 1);

    digits <<= n_zeros;
    upper = (uint128)digits * power->high;
    lower = (uint128)digits * power->low;
    upper += (uint64_t)(lower >> 64);
    exponent = log2_of_ten_to(q) - n_zeros + n_rest + 1;
    high = (uint64_t)(upper >> 64);
    middle = (uint64_t)upper;
    if (high >> 63 == 0) {
        high = high << 1 | middle >> 63;
        middle = middle << 1 | (uint64_t)lower >> 63;
        lower <<= 1;
        exponent--;
    }
    rest = high & (2 * half - 1);
    if (q < 0 && (rest & (half - 1)) == 0 && middle <= 2)
        return false;
    significand = high >> n_rest;
    if (rest > half ||
        (rest == half && (middle != 0 || (uint64_t)lower != 0 || (significand & 1) != 0)))
        significand++;
    if (significand >> format->bits != 0) {
        significand >>= 1;
        exponent++;
    }
    *ret_significand = significand;
    *ret_exponent = exponent;
    return exponent >= format->exponent_min && exponent <= format->exponent_max;
}

static bool in_reach(const struct number *number)
{
    return !number->cut && number->exponent >= POWER_MIN && number->exponent <= POWER_MAX;
}

const double number_tens[NUMBER_TENS] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                         1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                         1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
const float number_float_tens[NUMBER_FLOAT_TENS] = {1e0F, 1e1F, 1e2F, 1e3F, 1e4F, 1e5F,
                                                    1e6F, 1e7F, 1e8F, 1e9F, 1e10F};

bool number_to_double_exactly(const struct number *number, double *ret_value)
{
    static const struct format format = {53, -1074, 971};
    uint64_t bits;
    int q = number->exponent;
    double value;

    if (!in_reach(number) || number->digits == 0 || !nearest(&format, number->digits, q, &bits, &q))
        return false;
    bits = (bits & ~(UINT64_C(1) << 52)) | (uint64_t)(q + 1075) << 52;
    memcpy(&value, &bits, sizeof(value));
    *ret_value = number->negative ? -value : value;
    return true;
}

bool number_to_float_exactly(const struct number *number, float *ret_value)
{
    static const struct format format = {24, -149, 104};
    uint64_t significand;
    int q = number->exponent;
    uint32_t bits;
    float value;

    if (!in_reach(number) || number->digits == 0 ||
        !nearest(&format, number->digits, q, &significand, &q))
        return false;
    bits = ((uint32_t)significand & ~(UINT32_C(1) << 23)) | (uint32_t)(q + 150) << 23;
    memcpy(&value, &bits, sizeof(value));
    *ret_value = number->negative ? -value : value;
    return true;
}

/* Binary to decimal --------------------------------------------------------------------------- */

struct shortest {
    uint64_t digits;
    int exponent;
};

/* n × 10^k in quarters of the last digit, its remainder kept in the last bit. n is shifted so that
 * the product's upper 64 bits are its whole part. */
static uint64_t scale(const struct power_of_five *power, uint64_t n)
{
    uint128 upper = (uint128)n * power->high + (uint64_t)((uint128)n * power->low >> 64);

    return (uint64_t)(upper >> 64) | ((uint64_t)upper > 1);
}

/* The shortest decimal that rounds to significand × 2^q, of these the nearest. Its neighbours'
 * middles are half a unit away, the lower one a quarter where the significand is the least
 * (is_least): what lies between (or on them, where the significand is even) reads back. Schubfach
 * (Giulietti, The Schubfach way to render doubles, 2020): 10^k is the greatest power of ten not
 * above the gap, so that a multiple of it is always there, and one of ten times it is or is not.
 * False where the power is not in the table. */
static bool find_shortest(uint64_t significand, int q, bool is_least, struct shortest *ret_shortest)
{
    /* floor(q log10 2), or floor(q log10 2 + log10 3/4) */
    int k = (q * 1262611 - (is_least ? 524031 : 0)) >> 22;
    int shift = q + log2_of_ten_to(-k) + 1;
    uint64_t odd = significand & 1, least, most, value, tens, ones;
    const struct power_of_five *power;
    bool below, above;

    if (-k < POWER_MIN || -k > POWER_MAX)
        return false;
    power = &powers_of_five[-k - POWER_MIN];
    least = scale(power, (4 * significand - 2 + is_least) << shift) + odd;
    value = scale(power, (4 * significand) << shift);
    most = scale(power, (4 * significand + 2) << shift) - odd;
    tens = value / 40;
    below = least <= 40 * tens;
    above = 40 * tens + 40 <= most;
    if (tens > 0 && below != above) {
        *ret_shortest = (struct shortest){tens + above, k + 1};
        return true;
    }
    ones = value / 4;
    below = least <= 4 * ones;
    above = 4 * ones + 4 <= most;
    if (below == above) /* both or none read back: the nearer, the even one of two */
        above = value > 4 * ones + 2 || (value == 4 * ones + 2 && (ones & 1) != 0);
    *ret_shortest = (struct shortest){ones + above, k};
    return true;
}

/* The decimal digits of n, which end at `end`. */
static char *put_digits_before(uint64_t n, char *end)
{
    do
        *--end = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    return end;
}

/* Beyond so many digits %g shows a whole number that has them all without an exponent. */
#define DIGITS_PLAIN 15

/* As %.15g, %.16g or %.17g, whichever first reads back. */
static size_t put_shortest(const struct shortest *shortest, bool negative, char *text)
{
    char digits[24], *end = digits + sizeof(digits),
                     *first = put_digits_before(shortest->digits, end);
    int exponent = shortest->exponent, point; /* the point's place, from the first digit on */
    char *at = text;
    size_t n;

    while (end - first > 1 && end[-1] == '0') {
        end--;
        exponent++;
    }
    n = (size_t)(end - first);
    point = (int)n + exponent;
    if (negative)
        *at++ = '-';
    if (point > -4 && point <= 0) { /* 0.00012 */
        memcpy(at, "0.000", 5);
        at += 2 - point;
        memcpy(at, first, n);
        at += n;
    } else if (point > 0 && point < (int)n) { /* 12.5 */
        memcpy(at, first, (size_t)point);
        at[point] = '.';
        memcpy(at + point + 1, first + point, n - (size_t)point);
        at += n + 1;
    } else if (point == (int)n && n > DIGITS_PLAIN) { /* 9007199254740993 */
        memcpy(at, first, n);
        at += n;
    } else { /* 1.2e-05, 1e+20 */
        *at++ = *first;
        if (n > 1) {
            *at++ = '.';
            memcpy(at, first + 1, n - 1);
            at += n - 1;
        }
        *at++ = 'e';
        *at++ = point > 0 ? '+' : '-';
        exponent = abs(point - 1);
        if (exponent >= 100)
            *at++ = (char)('0' + exponent / 100);
        *at++ = (char)('0' + exponent / 10 % 10);
        *at++ = (char)('0' + exponent % 10);
    }
    *at = '\0';
    return (size_t)(at - text);
}

static size_t put_whole(int64_t value, bool negative, char *text)
{
    char digits[24], *end = digits + sizeof(digits);
    char *first = put_digits_before((uint64_t)(value < 0 ? -value : value), end);
    size_t n = (size_t)(end - first);

    if (negative)
        *text++ = '-';
    memcpy(text, first, n);
    text[n] = '\0';
    return n + negative;
}

size_t number_put_float(float value, char text[NUMBER_TEXT_SIZE])
{
    uint32_t bits, significand, exponent;
    struct shortest shortest;
    bool negative;

    memcpy(&bits, &value, sizeof(bits));
    negative = bits >> 31 != 0;
    if (fabsf(value) < 1e9F && (float)(int32_t)value == value)
        return put_whole((int64_t)value, negative, text);
    significand = bits & 0x7fffff;
    exponent = bits >> 23 & 0xff;
    if (exponent == 0)
        find_shortest(significand, -149, false, &shortest);
    else
        find_shortest(significand | 0x800000, (int)exponent - 150, significand == 0 && exponent > 1,
                      &shortest); /* the table has all that a float takes */
    return put_shortest(&shortest, negative, text);
}

/* Beyond the table. Fifteen digits are always a double's own, seventeen tell all apart. */
static size_t print_double(double value, char *text)
{
    int n = 0;

    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(text, NUMBER_TEXT_SIZE, "%.*g", digits, value);
        if (digits < 17 && strtod(text, NULL) == value)
            break;
    }
    return (size_t)n;
}

size_t number_put_double(double value, char text[NUMBER_TEXT_SIZE])
{
    struct shortest shortest;
    uint64_t bits, significand;
    int exponent;
    bool negative;

    memcpy(&bits, &value, sizeof(bits));
    negative = bits >> 63 != 0;
    if (fabs(value) < 1e15 && (double)(int64_t)value == value)
        return put_whole((int64_t)value, negative, text);
    significand = bits & ((UINT64_C(1) << 52) - 1);
    exponent = (int)(bits >> 52 & 0x7ff);
    if (exponent == 0 || !find_shortest(significand | UINT64_C(1) << 52, exponent - 1075,
                                        significand == 0 && exponent > 1, &shortest))
        return print_double(value, text);
    return put_shortest(&shortest, negative, text);
}
