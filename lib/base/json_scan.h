/*
 * The reader's inner scanners, inline: for json_read.c, and for decoders that know what to expect
 * and whose every instruction counts. All else goes by json.h.
 *
 * A json_take_… takes the next token, or the next two, when they are what is expected: true, as if
 * json_next had returned them. False: nothing was read, and json_next says what is there. They
 * refuse nothing themselves.
 */
#ifndef PGBOOST_BASE_JSON_SCAN_H
#define PGBOOST_BASE_JSON_SCAN_H

#include <string.h>

#include "base/json.h"

/* What the reader waits for. State and position change only with a token that was read whole, so
 * that a reader in error reports the same error again. */
enum {
    WANT_VALUE = 0, /* at the start, after ":" and after "," in an array */
    WANT_ITEM,      /* after "[": a value or "]" */
    WANT_FIRST_KEY, /* after "{": a key or "}" */
    WANT_KEY,       /* after "," in an object */
    WANT_SEPARATOR, /* after a value: "," or the end of what holds it */
};

/* Most often there is none, or one. */
static inline const char *skip_space(const char *at, const char *end)
{
    if (at < end && *at == ' ')
        at++;
    while (at < end && (unsigned char)*at <= ' ' &&
           (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
        at++;
    return at;
}

static inline bool is_digit(const char *at, const char *end)
{
    return at < end && (unsigned char)(*at - '0') <= 9;
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* How many of eight bytes come first that are digits, and their value. A byte's upper bit is set in
 * `others` where it is none: one below '0' borrows, one above '9' overflows; what that does to
 * bytes behind it does not matter. Digits are moved up, so that zeros stand before them, then added
 * up in pairs: tens and ones, hundreds and ones, ten thousands and ones. */
static inline int eight_digits(const char *at, uint64_t *ret_value)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    const uint64_t pairs = UINT64_C(0x000000ff000000ff);
    uint64_t word, others;
    int n = 8;

    memcpy(&word, at, sizeof(word));
    others = ((word - ones * '0') | (word + ones * (0x7f - '9'))) & tops;
    if (others != 0) {
        n = __builtin_ctzll(others) / 8;
        word = n == 0 ? 0 : word << (64 - 8 * n);
    }
    word &= ones * 0xf;
    word = word * 10 + (word >> 8);
    *ret_value = ((word & pairs) * (UINT64_C(1000000) << 32 | 100) +
                  (word >> 16 & pairs) * (UINT64_C(10000) << 32 | 1)) >>
                 32;
    return n;
}
#endif

/* Appends the digits that stand there: eight at a time, and one by one at the text's end. */
static inline const char *scan_digits(const char *at, const char *end, uint64_t *value)
{
    uint64_t digits = *value;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    static const uint32_t tens[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    int n = 8;

    while (n == 8 && end - at >= 8) {
        uint64_t more;

        n = eight_digits(at, &more);
        digits = digits * tens[n] + more;
        at += n;
    }
    if (n == 8) /* there may be more than was looked at */
#endif
        for (; is_digit(at, end); at++)
            digits = digits * 10 + (uint64_t)(*at - '0');
    *value = digits;
    return at;
}

/* The digits of an exponent, saturating. */
static const char *scan_exponent(const char *at, const char *end, int *ret_value)
{
    int value = 0;

    for (; is_digit(at, end); at++)
        if (value < NUMBER_EXPONENT_MAX / 10)
            value = value * 10 + (*at - '0');
    *ret_value = value;
    return at;
}

/* number = [ "-" ] int [ "." digits ] [ e [ sign ] digits ], int without leading zeros. NULL: true,
 * and *ret_after is behind it; else what should stand at *ret_after. */
static inline const char *scan_number(const char *at, const char *end, struct number *ret_number,
                                      const char **ret_after)
{
    static const char a_digit[] = "a digit";
    const char *digits;
    bool negative = at < end && *at == '-';
    uint64_t value = 0;
    int exponent = 0;
    ptrdiff_t n_digits, n_behind = 0;

    digits = *ret_after = at += negative;
    if (!is_digit(at, end))
        return a_digit;
    at = scan_digits(at, end, &value);
    n_digits = at - digits;
    if (*digits == '0' && n_digits > 1)
        return "a number without leading zeros";
    if (at < end && *at == '.') {
        digits = ++at;
        at = scan_digits(at, end, &value);
        n_behind = at - digits;
        *ret_after = at;
        if (n_behind == 0)
            return a_digit;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        bool below = ++at < end && *at == '-';

        if (at < end && (*at == '+' || *at == '-'))
            at++;
        *ret_after = at;
        if (!is_digit(at, end))
            return a_digit;
        at = scan_exponent(at, end, &exponent);
        exponent = below ? -exponent : exponent;
    }
    ret_number->digits = value;
    ret_number->negative = negative;
    ret_number->cut = n_digits + n_behind > NUMBER_DIGITS;
    ret_number->exponent = ret_number->cut ? 0 : exponent - (int)n_behind;
    *ret_after = at;
    return NULL;
}

/* Both of n bytes: without a call, as names are short. */
static inline bool same_bytes(const char *a, const char *b, size_t n)
{
    uint64_t left, right;

    if (n < sizeof(left)) {
        for (size_t i = 0; i < n; i++)
            if (a[i] != b[i])
                return false;
        return true;
    }
    for (size_t i = 0; i < n; i += sizeof(left)) {
        if (i + sizeof(left) > n)
            i = n - sizeof(left); /* the last ones, some of them once more */
        memcpy(&left, a + i, sizeof(left));
        memcpy(&right, b + i, sizeof(right));
        if (left != right)
            return false;
    }
    return true;
}

/* Behind the colon of a member's name that is written as `quoted`, a JSON string of length bytes
 * with its quotes; NULL: something else is there. */
static inline const char *scan_key(const struct json_reader *reader, const char *quoted,
                                   size_t length)
{
    const char *end = reader->end, *at = skip_space(reader->at, end);

    if (reader->state == WANT_SEPARATOR) {
        if (reader->depth == 0 || !reader->is_object[reader->depth - 1] || at >= end || *at != ',')
            return NULL;
        at = skip_space(at + 1, end);
    } else if (reader->state != WANT_FIRST_KEY) {
        return NULL;
    }
    if ((size_t)(end - at) <= length || !same_bytes(at, quoted, length))
        return NULL;
    at = skip_space(at + length, end);
    return at < end && *at == ':' ? at + 1 : NULL;
}

/* A member's name. Its text, length and escaped are not set. */
static inline bool json_take_key(struct json_reader *reader, const char *quoted, size_t length)
{
    const char *at = scan_key(reader, quoted, length);

    if (at == NULL)
        return false;
    reader->state = WANT_VALUE;
    reader->at = at;
    return true;
}

/* A number, behind a key or the comma of an array. */
static inline bool json_take_number(struct json_reader *reader)
{
    const char *at = skip_space(reader->at, reader->end), *after;

    if (reader->state != WANT_VALUE ||
        scan_number(at, reader->end, &reader->number, &after) != NULL)
        return false;
    reader->text = at;
    reader->length = (size_t)(after - at);
    reader->state = WANT_SEPARATOR;
    reader->at = after;
    return true;
}

#endif
