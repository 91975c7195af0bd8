/*
 * The tokens that the HTTP face takes, as a file lists them: a line each, of which only the SHA-256
 * of the token is kept, so that who reads the file can do nothing with it.
 *
 *     # NAME  SHA-256  SCOPES  [projects=NAME,…]  [rate=N]
 *     shop    9f86d0…  predict projects=churn     rate=50
 *     ops     60303a…  predict,admin
 *
 * A name may stand twice: the old token and the new one, while clients change over. `projects`
 * limits a token to some, `rate` to so many requests a second, of which a second's worth may come
 * at once. `pgboost token` makes tokens and such lines.
 *
 * Refuses: weak tokens. They are made here, of 256 random bits, so that one SHA-256 is enough.
 */
#ifndef PGBOOST_CONFIG_TOKENS_H
#define PGBOOST_CONFIG_TOKENS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"

enum token_scope { TOKEN_PREDICT = 1 << 0, TOKEN_ADMIN = 1 << 1 };

#define TOKEN_NAME_MAX 64 /* bytes of a name, NUL included */
#define TOKEN_RATE_MAX 1000000
#define TOKEN_TEXT_MAX 64 /* bytes of a token, NUL included */

struct token {
    char name[TOKEN_NAME_MAX];
    uint8_t digest[SHA256_SIZE];
    unsigned scopes;
    int rate;       /* requests a second; 0: any number */
    int n_projects; /* 0: all of them */
    const char *const *projects;
    atomic_int_fast64_t due_us; /* when as many requests as came are within the rate */
};

struct tokens {
    struct token *items;
    int n;
    struct arena arena;
};

/* ERR_CONFIG with file and line. */
MUST_CHECK enum err_code tokens_read(const char *path, struct tokens *ret_tokens, struct err *err);
void tokens_release(struct tokens *tokens);

/* The one of this text, or NULL. Takes as long whichever it is, and whether it is there or not. */
struct token *tokens_find(const struct tokens *tokens, const char *text, size_t length);

/* May it see this project? */
bool token_sees(const struct token *token, const char *project, size_t length);

/* Takes one request off what is left of the rate; false: none is left now. Any thread. */
bool token_spend(struct token *token, int64_t now_us);

/* A new token: "pgb_" and 43 letters. */
MUST_CHECK enum err_code token_make(char ret_text[TOKEN_TEXT_MAX], struct err *err);

/* Its line for the file, checked as the file is. projects and rate: NULL, or as they stand there.
 */
MUST_CHECK enum err_code token_line(const char *name, const char *text, const char *scopes,
                                    const char *projects, const char *rate, struct buf *line,
                                    struct err *err);

#endif
