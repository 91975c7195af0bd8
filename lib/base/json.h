/*
 * Strict JSON (RFC 8259): one tokenizer for everything that comes from outside.
 *
 * The reader pulls tokens from text in memory, in one pass, and allocates nothing. It refuses what
 * cJSON lets through: leading zeros, raw control characters, bad escapes, lone surrogates, invalid
 * UTF-8, NUL bytes, trailing text, literals like NaN. Numbers stay decimal, so that the caller
 * chooses the exact conversion. `json_parse` gives a cJSON tree of text that passed the same
 * reader, with duplicate keys refused; definitions, catalog documents and control requests go
 * through it.
 *
 * Not thread-safe per reader; no global state.
 */
#ifndef PGBOOST_BASE_JSON_H
#define PGBOOST_BASE_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/number.h"

enum json_token {
    JSON_ERROR, /* err is set; the reader stays in error */
    JSON_END,   /* the whole text was one value, and it has ended */
    JSON_OBJECT_BEGIN,
    JSON_OBJECT_END,
    JSON_ARRAY_BEGIN,
    JSON_ARRAY_END,
    JSON_KEY, /* a member's name: text, length, escaped as for strings */
    JSON_STRING,
    JSON_NUMBER, /* text, length: the number as written */
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
};

#define JSON_DEPTH_MAX 64

struct json_reader {
    const char *start, *at, *end;
    const char *text; /* of the last key, string (without quotes, escapes as written) or number */
    size_t length;
    struct number number; /* of the last number; where it is cut, its text alone counts */
    bool escaped;         /* the last key or string holds escapes: use json_unescape */
    int depth;
    unsigned char state;
    unsigned char is_object[JSON_DEPTH_MAX]; /* one flag a level */
};

void json_reader_init(struct json_reader *reader, const char *text, size_t length);

/* The next token. On JSON_ERROR err (ERR_INVALID; ERR_LIMIT for depth) names line and column. */
enum json_token json_next(struct json_reader *reader, struct err *err);

/* Skips the value whose first token was just returned (a scalar: nothing to do). */
MUST_CHECK enum err_code json_skip(struct json_reader *reader, enum json_token first,
                                   struct err *err);

/* Decodes the escapes of the last key or string into out, which must hold reader->length + 1 bytes
 * (escapes never grow). Returns the length; the text is NUL-terminated and may hold NULs when the
 * JSON said \u0000. */
size_t json_unescape(const struct json_reader *reader, char *out);

/* The last key or string without escapes: in place where it has none, else in scratch (until its
 * next use). May hold NULs. */
MUST_CHECK enum err_code json_text(const struct json_reader *reader, struct buf *scratch,
                                   const char **ret_text, size_t *ret_length, struct err *err);

/* "an object", "a string", "null" …: for messages that say what was found. */
const char *json_found(enum json_token token);

/* Line and column (from 1, in bytes) of a position in the text. */
void json_position(const char *start, const char *at, int *ret_line, int *ret_column);

/* A cJSON tree, released with cJSON_Delete. Strict as above; duplicate keys, a \u0000 in a string
 * and numbers beyond double are refused. `what` names the text in messages ("models/x.json"). */
MUST_CHECK enum err_code json_parse(const char *text, size_t length, const char *what,
                                    cJSON **ret_root, struct err *err);

/* Appends the same JSON without spaces. Strings are written anew, numbers are copied as they stand,
 * so that none loses a digit; the order of keys stays. Errors as json_next. */
MUST_CHECK enum err_code json_compact(const char *text, size_t length, struct buf *out,
                                      struct err *err);

/* Appends "/name", escaped, to a JSON pointer (RFC 6901). */
void json_pointer_append(struct buf *pointer, const char *name);

/* The line and column of what a JSON pointer names in a text: of a scalar or, for the rest, of the
 * key that holds it. False when it is not there. For messages: it reads the text from its start. */
bool json_locate(const char *text, size_t length, const char *pointer, int *ret_line,
                 int *ret_column);

/* Writers: append to buf. Strings are quoted and escaped; invalid UTF-8 becomes U+FFFD. */
void json_put_string(struct buf *buf, const char *text, size_t length);
void json_put_text(struct buf *buf, const char *text); /* NUL-terminated; NULL → null */
void json_put_float(struct buf *buf, float value); /* shortest that reads back; not finite → null */
void json_put_double(struct buf *buf, double value); /* likewise */
void json_put_bool(struct buf *buf, bool value);

static inline void cjson_delete_ptr(cJSON **root)
{
    cJSON_Delete(*root);
    *root = NULL;
}

#endif
