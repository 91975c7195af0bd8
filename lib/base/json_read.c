#include <stdio.h>
#include <string.h>

#include "base/json_scan.h"
#include "base/utf8.h"

void json_reader_init(struct json_reader *reader, const char *text, size_t length)
{
    if (length == 0)
        text = ""; /* NULL is allowed for an empty text */
    *reader = (struct json_reader){
        .start = text, .at = text, .end = text + length, .text = text, .state = WANT_VALUE};
}

void json_position(const char *start, const char *at, int *ret_line, int *ret_column)
{
    const char *line_start = start;
    int line = 1;

    for (const char *c = start; c < at; c++) {
        if (*c == '\n') {
            line++;
            line_start = c + 1;
        }
    }
    *ret_line = line;
    *ret_column = (int)(at - line_start) + 1;
}

static bool begins(const struct json_reader *reader, const char *at, const char *word)
{
    size_t length = strlen(word);

    return (size_t)(reader->end - at) >= length && memcmp(at, word, length) == 0;
}

/* "line 3, column 7: expected …, found …". Kept out of its callers: their frames stay small. */
__attribute__((noinline, cold)) static enum err_code refuse(const struct json_reader *reader,
                                                            const char *at, const char *expected,
                                                            struct err *err)
{
    char found[32];
    int line, column;

    json_position(reader->start, at, &line, &column);
    if (at >= reader->end)
        snprintf(found, sizeof(found), "the end of the text");
    else if (*at > ' ' && *at < 0x7f)
        snprintf(found, sizeof(found), *at == '"' ? "a quote" : "\"%c\"", *at);
    else if (reader->end - at >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
        snprintf(found, sizeof(found), "a byte order mark");
    else
        snprintf(found, sizeof(found), "byte 0x%02x", (unsigned char)*at);
    err_set(err, ERR_INVALID, "line %d, column %d: expected %s, found %s", line, column, expected,
            found);
    return begins(reader, at, "NaN") || begins(reader, at, "Infinity")
               ? err_hint(err, "JSON has no NaN and no Infinity")
               : ERR_INVALID;
}

/* The value of four hexadecimal digits, -1 when they are not there. */
static int hex4(const char *at, const char *end)
{
    int value = 0;

    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;

        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static bool is_high_surrogate(int unit)
{
    return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low_surrogate(int unit)
{
    return unit >= 0xdc00 && unit <= 0xdfff;
}

/* The bytes of the escape at "\", 0 when it is not one. A surrogate pair is one escape. */
static int escape_length(const char *at, const char *end)
{
    int unit;

    if (end - at < 2)
        return 0;
    if (at[1] != 'u')
        return at[1] != '\0' && strchr("\"\\/bfnrt", at[1]) != NULL ? 2 : 0;
    unit = hex4(at + 2, end);
    if (unit < 0 || is_low_surrogate(unit))
        return 0;
    if (!is_high_surrogate(unit))
        return 6;
    if (end - at < 12 || at[6] != '\\' || at[7] != 'u' || !is_low_surrogate(hex4(at + 8, end)))
        return 0;
    return 12;
}

/* Of eight bytes the plain ones that come first: no quote, no backslash, no control character, all
 * of ASCII. A byte's upper bit is set in `special` where it is not plain; what a subtraction
 * borrows from the next byte can only set bits behind the first of them. */
static int n_plain(const char *at)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    uint64_t word, quotes, backslashes, special;

    memcpy(&word, at, sizeof(word));
    quotes = word ^ ones * '"';
    backslashes = word ^ ones * '\\';
    special = ((quotes - ones) | (backslashes - ones) | (word - ones * ' ') | word) & tops;
    if (special == 0)
        return sizeof(word);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return __builtin_ctzll(special) / 8;
#else
    return 0; /* byte by byte */
#endif
}

/* Reads the string whose quote stands at `at`; *ret_after is behind the closing quote. */
static enum err_code read_string(struct json_reader *reader, const char *at, const char **ret_after,
                                 struct err *err)
{
    const char *first = at + 1;
    bool escaped = false;

    for (at = first;;) {
        unsigned char c;
        int length = 8;

        while (length == 8 && reader->end - at >= 8) {
            length = n_plain(at);
            at += length;
        }
        if (at >= reader->end)
            return refuse(reader, at, "the closing quote of a string", err);
        c = (unsigned char)*at;
        if (c == '"')
            break;
        if (c < ' ')
            return refuse(reader, at, "an escape, as control characters need one in strings", err);
        if (c == '\\') {
            length = escape_length(at, reader->end);
            if (length == 0)
                return refuse(reader, at, "a valid escape (lone surrogates are not)", err);
            escaped = true;
        } else {
            length = c < 0x80 ? 1 : utf8_length(at, (size_t)(reader->end - at));
            if (length == 0)
                return refuse(reader, at, "valid UTF-8", err);
        }
        at += length;
    }
    reader->text = first;
    reader->length = (size_t)(at - first);
    reader->escaped = escaped;
    *ret_after = at + 1;
    return ERR_OK;
}

static enum err_code read_number(struct json_reader *reader, const char *at, const char **ret_after,
                                 struct err *err)
{
    const char *expected = scan_number(at, reader->end, &reader->number, ret_after);

    if (expected != NULL)
        return refuse(reader, *ret_after, expected, err);
    reader->text = at;
    reader->length = (size_t)(*ret_after - at);
    return ERR_OK;
}

static enum err_code read_literal(struct json_reader *reader, const char *at,
                                  const char **ret_after, enum json_token *ret_token,
                                  struct err *err)
{
    static const struct {
        const char *text;
        size_t length;
        enum json_token token;
    } literals[] = {{"true", 4, JSON_TRUE}, {"false", 5, JSON_FALSE}, {"null", 4, JSON_NULL}};

    for (size_t i = 0; i < N_ELEMENTS(literals); i++) {
        if ((size_t)(reader->end - at) >= literals[i].length &&
            memcmp(at, literals[i].text, literals[i].length) == 0) {
            *ret_token = literals[i].token;
            *ret_after = at + literals[i].length;
            return ERR_OK;
        }
    }
    return refuse(reader, at, reader->state == WANT_ITEM ? "a value or \"]\"" : "a value", err);
}

static enum err_code begin(struct json_reader *reader, const char *at, bool is_object,
                           enum json_token *ret_token, struct err *err)
{
    if (reader->depth == JSON_DEPTH_MAX) {
        int line, column;

        json_position(reader->start, at, &line, &column);
        return err_set(err, ERR_LIMIT, "line %d, column %d: nested deeper than %d levels", line,
                       column, JSON_DEPTH_MAX);
    }
    reader->is_object[reader->depth++] = is_object;
    reader->state = is_object ? WANT_FIRST_KEY : WANT_ITEM;
    reader->at = at + 1;
    *ret_token = is_object ? JSON_OBJECT_BEGIN : JSON_ARRAY_BEGIN;
    return ERR_OK;
}

static enum err_code close_level(struct json_reader *reader, const char *at,
                                 enum json_token *ret_token)
{
    reader->depth--;
    reader->state = WANT_SEPARATOR;
    reader->at = at + 1;
    *ret_token = reader->is_object[reader->depth] ? JSON_OBJECT_END : JSON_ARRAY_END;
    return ERR_OK;
}

static enum err_code read_value(struct json_reader *reader, const char *at,
                                enum json_token *ret_token, struct err *err)
{
    enum json_token token = JSON_ERROR;
    const char *after = at;

    if (at >= reader->end)
        return refuse(reader, at, "a value", err);
    if (*at == '{' || *at == '[')
        return begin(reader, at, *at == '{', ret_token, err);
    if (*at == ']' && reader->state == WANT_ITEM)
        return close_level(reader, at, ret_token);
    if (*at == '"') {
        TRY(read_string(reader, at, &after, err));
        token = JSON_STRING;
    } else if (*at == '-' || is_digit(at, reader->end)) {
        TRY(read_number(reader, at, &after, err));
        token = JSON_NUMBER;
    } else {
        TRY(read_literal(reader, at, &after, &token, err));
    }
    reader->state = WANT_SEPARATOR;
    reader->at = after;
    *ret_token = token;
    return ERR_OK;
}

/* A member's name together with its colon. */
static enum err_code read_key(struct json_reader *reader, const char *at,
                              enum json_token *ret_token, struct err *err)
{
    const char *after = at;

    if (at < reader->end && *at == '}' && reader->state == WANT_FIRST_KEY)
        return close_level(reader, at, ret_token);
    if (at >= reader->end || *at != '"')
        return refuse(reader, at, reader->state == WANT_KEY ? "a key" : "a key or \"}\"", err);
    TRY(read_string(reader, at, &after, err));
    after = skip_space(after, reader->end);
    if (after >= reader->end || *after != ':')
        return refuse(reader, after, "\":\" after a key", err);
    reader->state = WANT_VALUE;
    reader->at = after + 1;
    *ret_token = JSON_KEY;
    return ERR_OK;
}

/* After a value: the end of the text, of the object or of the array, or a comma and what follows.
 */
static enum err_code read_separator(struct json_reader *reader, const char *at,
                                    enum json_token *ret_token, struct err *err)
{
    bool in_object;

    if (reader->depth == 0) {
        if (at < reader->end)
            return refuse(reader, at, "the end of the text", err);
        *ret_token = JSON_END;
        return ERR_OK;
    }
    in_object = reader->is_object[reader->depth - 1];
    if (at < reader->end && *at == (in_object ? '}' : ']'))
        return close_level(reader, at, ret_token);
    if (at >= reader->end || *at != ',')
        return refuse(reader, at, in_object ? "\",\" or \"}\"" : "\",\" or \"]\"", err);
    reader->state = in_object ? WANT_KEY : WANT_VALUE;
    reader->at = at + 1;
    at = skip_space(reader->at, reader->end);
    return in_object ? read_key(reader, at, ret_token, err)
                     : read_value(reader, at, ret_token, err);
}

static inline enum err_code next(struct json_reader *reader, enum json_token *ret_token,
                                 struct err *err)
{
    const char *at = skip_space(reader->at, reader->end);

    switch (reader->state) {
    case WANT_FIRST_KEY:
    case WANT_KEY:
        return read_key(reader, at, ret_token, err);
    case WANT_SEPARATOR:
        return read_separator(reader, at, ret_token, err);
    default:
        return read_value(reader, at, ret_token, err);
    }
}

enum json_token json_next(struct json_reader *reader, struct err *err)
{
    enum json_token token = JSON_ERROR;

    return next(reader, &token, err) == ERR_OK ? token : JSON_ERROR;
}

enum err_code json_skip(struct json_reader *reader, enum json_token first, struct err *err)
{
    enum json_token token = first;
    int depth = reader->depth - 1; /* that outside of the value */

    if (first == JSON_ERROR)
        return next(reader, &token, err); /* says it again */
    if (first != JSON_OBJECT_BEGIN && first != JSON_ARRAY_BEGIN)
        return ERR_OK;
    while (reader->depth > depth)
        TRY(next(reader, &token, err));
    return ERR_OK;
}

static char *put_utf8(char *out, int code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
        *out++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    } else {
        *out++ = (char)(0xf0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3f));
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    }
    return out;
}

/* The reader let only valid escapes through. */
static char *unescape_one(const char *at, const char *end, char *out)
{
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    int unit;

    if (at[1] != 'u') {
        *out = meanings[strchr(names, at[1]) - names];
        return out + 1;
    }
    unit = hex4(at + 2, end);
    if (is_high_surrogate(unit))
        unit = 0x10000 + ((unit - 0xd800) << 10) + (hex4(at + 8, end) - 0xdc00);
    return put_utf8(out, unit);
}

size_t json_unescape(const struct json_reader *reader, char *out)
{
    const char *at = reader->text, *end = at + reader->length;
    char *first = out;

    while (at < end) {
        if (*at == '\\') {
            out = unescape_one(at, end, out);
            at += escape_length(at, end);
        } else {
            *out++ = *at++;
        }
    }
    *out = '\0';
    return (size_t)(out - first);
}
