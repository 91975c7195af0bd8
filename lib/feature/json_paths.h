/*
 * A JSON document as values at paths.
 *
 * A path leads through objects only: names joined by ".", a "." or "\" inside a name written with a
 * "\" before it; the document itself is "". What lies deeper than JSON_DEPTH_MAX, under an empty
 * name, under one with a NUL, or at a path of more than 256 bytes is not reached. Of a name that an
 * object has twice the last counts, as in jsonb. Allocates nothing. For lib/feature only.
 */
#ifndef PGBOOST_FEATURE_JSON_PATHS_H
#define PGBOOST_FEATURE_JSON_PATHS_H

#include "base/json.h"
#include "feature/encoder_internal.h"

struct json_visitor {
    void *context;
    /* A value begins at path. What came before at it and below it does not count any more. Returns
     * a number for the calls below; STRMAP_NONE: neither it nor what is below it is wanted. */
    uint32_t (*enter)(void *context, const char *path, size_t length);
    /* Its value: a string, number, true or false. */
    void (*scalar)(void *context, uint32_t at, const struct json_reader *reader,
                   enum json_token token);
    void (*array)(void *context, uint32_t at, size_t n_items);
};

/* False when the text is not JSON, or too deep: what was visited before does not count. */
bool json_paths_visit(const char *text, size_t n_bytes, const struct json_visitor *visitor);

/* Does path lie at or below the path `above`? */
bool json_path_is_below(const char *path, size_t length, const char *above, size_t above_length);

/* The text that a scalar goes by as a category: a string in quotes, unescaped; a number as the
 * shortest decimal of its nearest double; true or false. Of a string of more than 256 bytes "": no
 * category. Returns its length. */
#define JSON_TEXT_MAX (LABEL_BYTES_MAX + 3)
size_t json_scalar_text(const struct json_reader *reader, enum json_token token,
                        char out[JSON_TEXT_MAX]);

/* The nearest double; beyond it ±HUGE_VAL. */
double json_scalar_number(const struct json_reader *reader);

#endif
