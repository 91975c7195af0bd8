/*
 * UTF-8 as RFC 3629 has it: no surrogates, nothing beyond U+10FFFF, no overlong forms.
 */
#ifndef PGBOOST_BASE_UTF8_H
#define PGBOOST_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Length in bytes (1-4) of the valid character at text, 0 when it is not one. n_bytes > 0. */
int utf8_length(const char *text, size_t n_bytes);

bool utf8_valid(const char *text, size_t n_bytes);

#endif
