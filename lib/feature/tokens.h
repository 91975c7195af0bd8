/*
 * Words of a text: runs of letters and digits, of which one byte from 0x80 on is a letter. Only the
 * first 64 KiB of a text are looked at, so that no text takes long. For lib/feature only.
 */
#ifndef PGBOOST_FEATURE_TOKENS_H
#define PGBOOST_FEATURE_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

#define TOKENISED_BYTES_MAX 65536
#define TOKEN_BYTES_MIN     2
#define TOKEN_BYTES_MAX     32

struct tokens {
    const char *at, *end;
    size_t length; /* of the last word; text is only set within TOKEN_BYTES_MIN and _MAX */
    bool is_token;
    char text[TOKEN_BYTES_MAX]; /* A-Z as a-z */
};

void tokens_init(struct tokens *tokens, const char *text, size_t n_bytes);

/* The next word; false when there is none. */
bool tokens_next(struct tokens *tokens);

size_t count_words(const char *text, size_t n_bytes);

#endif
