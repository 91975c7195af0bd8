/*
 * Request targets: percent-decoding and the match of a path with a route's pattern.
 *
 * libmicrohttpd is told not to decode (it would turn "%2F" into a separator and cut at "%00"), so a
 * path arrives as it was sent and is decoded here, one segment at a time. Pure functions.
 */
#ifndef PGBOOST_HTTP_TARGET_H
#define PGBOOST_HTTP_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define TARGET_ARGUMENT_MAX 256 /* bytes of a decoded segment, NUL included */

/* Decodes length bytes of a segment into out[TARGET_ARGUMENT_MAX]. ERR_INVALID: a "%" without two
 * hexadecimal digits, a NUL, invalid UTF-8. ERR_NOT_FOUND: longer than any name can be. */
MUST_CHECK enum err_code target_decode(const char *segment, size_t length, char *out,
                                       struct err *err);

/* Does the path have the pattern's shape? A pattern is literal text, with at most one segment
 * "{name}" that stands for any text but "" and "/"; that segment, undecoded, is returned. */
bool target_match(const char *pattern, const char *path, const char **ret_segment,
                  size_t *ret_length);

#endif
