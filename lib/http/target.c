#include "http/target.h"

#include <string.h>

#include "base/utf8.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* One byte at *at, which moves on; -1 for a bad escape. */
static int decode_byte(const char **at, const char *end)
{
    const char *c = *at;
    int high, low;

    if (*c != '%') {
        *at = c + 1;
        return (unsigned char)*c;
    }
    if (end - c < 3)
        return -1;
    high = hex_digit(c[1]);
    low = hex_digit(c[2]);
    if (high < 0 || low < 0)
        return -1;
    *at = c + 3;
    return high * 16 + low;
}

enum err_code target_decode(const char *segment, size_t length, char *out, struct err *err)
{
    const char *at = segment, *end = segment + length;
    size_t n = 0;

    while (at < end) {
        int byte = decode_byte(&at, end);

        if (byte <= 0)
            return err_set(err, ERR_INVALID,
                           byte < 0 ? "the path holds a \"%%\" that is not a percent-encoding"
                                    : "the path holds a NUL");
        if (n == TARGET_ARGUMENT_MAX - 1)
            return err_set(err, ERR_NOT_FOUND, "the path holds a name that is too long");
        out[n++] = (char)byte;
    }
    out[n] = '\0';
    if (!utf8_valid(out, n))
        return err_set(err, ERR_INVALID, "the path is not valid UTF-8");
    return ERR_OK;
}

bool target_match(const char *pattern, const char *path, const char **ret_segment,
                  size_t *ret_length)
{
    const char *brace = strchr(pattern, '{'), *rest;
    size_t n_literal, length;

    if (brace == NULL)
        return strcmp(pattern, path) == 0;
    n_literal = (size_t)(brace - pattern);
    if (strncmp(pattern, path, n_literal) != 0)
        return false;
    length = strcspn(path + n_literal, "/");
    rest = strchr(brace, '}') + 1;
    if (length == 0 || strcmp(path + n_literal + length, rest) != 0)
        return false;
    *ret_segment = path + n_literal;
    *ret_length = length;
    return true;
}
