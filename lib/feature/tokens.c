#include "feature/tokens.h"

void tokens_init(struct tokens *tokens, const char *text, size_t n_bytes)
{
    if (n_bytes > TOKENISED_BYTES_MAX)
        n_bytes = TOKENISED_BYTES_MAX;
    *tokens = (struct tokens){.at = text, .end = text + n_bytes};
}

/* Not the C library's: they follow a locale. */
static bool is_letter(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c >= 0x80;
}

bool tokens_next(struct tokens *tokens)
{
    const char *at = tokens->at, *first;

    while (at < tokens->end && !is_letter((unsigned char)*at))
        at++;
    first = at;
    while (at < tokens->end && is_letter((unsigned char)*at))
        at++;
    tokens->at = at;
    tokens->length = (size_t)(at - first);
    tokens->is_token = tokens->length >= TOKEN_BYTES_MIN && tokens->length <= TOKEN_BYTES_MAX;
    for (size_t i = 0; tokens->is_token && i < tokens->length; i++)
        tokens->text[i] =
            first[i] >= 'A' && first[i] <= 'Z' ? (char)(first[i] - 'A' + 'a') : first[i];
    return tokens->length > 0;
}

size_t count_words(const char *text, size_t n_bytes)
{
    struct tokens tokens;
    size_t n = 0;

    tokens_init(&tokens, text, n_bytes);
    while (tokens_next(&tokens))
        n++;
    return n;
}
