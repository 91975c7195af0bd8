#include "config/tokens.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/random.h>

#define FILE_BYTES_MAX (1 << 20)
#define TOKENS_MAX     4096
#define RANDOM_BYTES   32
#define SPACES         " \t\r"

struct token_file {
    const char *path;
    int line;
    struct tokens *tokens;
};

static enum err_code refuse(const struct token_file *file, struct err *err, const char *why)
{
    err_set(err, ERR_CONFIG, "%s:%d: %s", file->path, file->line, why);
    err_field(err, "tokens");
    return err_hint(err, "\"pgboost token new NAME\" makes a token and its line");
}

/* Fields ------------------------------------------------------------------------------------- */

static bool read_name(const char *text, char *name)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                 "_-.@");

    if (length == 0 || length >= TOKEN_NAME_MAX || text[length] != '\0')
        return false;
    memcpy(name, text, length + 1);
    return true;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_digest(const char *text, uint8_t *digest)
{
    if (strlen(text) != SHA256_HEX_SIZE - 1)
        return false;
    for (int i = 0; i < SHA256_SIZE; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        digest[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

static bool read_scopes(char *text, unsigned *scopes)
{
    static const struct {
        const char *name;
        enum token_scope scope;
    } names[] = {{"predict", TOKEN_PREDICT}, {"admin", TOKEN_ADMIN}};
    char *name;

    while ((name = strsep(&text, ",")) != NULL) {
        unsigned found = 0;

        for (size_t i = 0; i < N_ELEMENTS(names); i++)
            if (strcmp(name, names[i].name) == 0)
                found = names[i].scope;
        if (found == 0)
            return false;
        *scopes |= found;
    }
    return true;
}

static bool read_rate(const char *text, int *rate)
{
    int n = 0;

    if (text[0] == '\0' || strlen(text) > 7 || strspn(text, "0123456789") != strlen(text))
        return false;
    for (; *text != '\0'; text++)
        n = n * 10 + (*text - '0');
    *rate = n;
    return n >= 1 && n <= TOKEN_RATE_MAX;
}

static enum err_code read_projects(struct tokens *tokens, struct token *token, const char *text,
                                   struct err *err)
{
    char *copy = arena_strdup(&tokens->arena, text), *name;
    const char **projects = arena_alloc_array(&tokens->arena, strlen(text) + 1, sizeof(char *));

    if (copy == NULL || projects == NULL)
        return err_nomem(err);
    while ((name = strsep(&copy, ",")) != NULL)
        if (name[0] != '\0')
            projects[token->n_projects++] = name;
    token->projects = projects;
    return ERR_OK;
}

/* Lines -------------------------------------------------------------------------------------- */

static char *next_word(char **rest)
{
    char *word;

    do
        word = strsep(rest, SPACES);
    while (word != NULL && word[0] == '\0');
    return word;
}

static enum err_code read_limits(const struct token_file *file, struct token *token, char *rest,
                                 struct err *err)
{
    char *word;

    while ((word = next_word(&rest)) != NULL) {
        if (strncmp(word, "projects=", 9) == 0 && token->n_projects == 0) {
            TRY(read_projects(file->tokens, token, word + 9, err));
            if (token->n_projects == 0)
                return refuse(file, err, "\"projects\" names none");
        } else if (strncmp(word, "rate=", 5) == 0 && token->rate == 0) {
            if (!read_rate(word + 5, &token->rate))
                return refuse(file, err, "\"rate\" is not a number of requests from 1 to 1000000");
        } else {
            return refuse(file, err, "expected \"projects=\" or \"rate=\", each once");
        }
    }
    return ERR_OK;
}

static enum err_code check_among(const struct token_file *file, const struct token *token,
                                 struct err *err)
{
    int n_named = 0;

    for (int i = 0; i < file->tokens->n; i++) {
        const struct token *other = &file->tokens->items[i];

        if (memcmp(other->digest, token->digest, SHA256_SIZE) == 0)
            return refuse(file, err, "this token stands here a second time");
        n_named += strcmp(other->name, token->name) == 0;
    }
    return n_named < 2 ? ERR_OK
                       : refuse(file, err,
                                "a third token of this name: two live at most, an old "
                                "and a new one");
}

static enum err_code read_token(const struct token_file *file, char *text, struct err *err)
{
    char *rest = text, *name = next_word(&rest), *digest, *scopes;
    struct token token = {0};

    if (name == NULL || name[0] == '#')
        return ERR_OK;
    digest = next_word(&rest);
    scopes = next_word(&rest);
    if (scopes == NULL)
        return refuse(file, err, "expected a name, a SHA-256 and scopes");
    if (!read_name(name, token.name))
        return refuse(file, err, "a name is of letters, digits, \"_\", \"-\", \".\" and \"@\"");
    if (!read_digest(digest, token.digest))
        return refuse(file, err, "the second word is not a SHA-256 of 64 lower-case digits");
    if (!read_scopes(scopes, &token.scopes))
        return refuse(file, err, "scopes are \"predict\", \"admin\" or \"predict,admin\"");
    TRY(read_limits(file, &token, rest, err));
    TRY(check_among(file, &token, err));
    if (file->tokens->n == TOKENS_MAX)
        return refuse(file, err, "more tokens than 4096");
    file->tokens->items[file->tokens->n++] = token;
    return ERR_OK;
}

static enum err_code read_all(struct token_file *file, char *text, struct err *err)
{
    char *line;

    file->tokens->items =
        arena_alloc_array(&file->tokens->arena, TOKENS_MAX, sizeof(*file->tokens->items));
    if (file->tokens->items == NULL)
        return err_nomem(err);
    while ((line = strsep(&text, "\n")) != NULL) {
        file->line++;
        TRY(read_token(file, line, err));
    }
    return ERR_OK;
}

enum err_code tokens_read(const char *path, struct tokens *ret_tokens, struct err *err)
{
    CLEANUP(buf_release) struct buf text = {0};
    CLEANUP(tokens_release) struct tokens tokens = {0};
    struct token_file file = {.path = path, .tokens = &tokens};
    enum err_code code = buf_read_file(&text, path, FILE_BYTES_MAX, err);

    if (code != ERR_OK && code != ERR_NOMEM && err != NULL)
        err->code = ERR_CONFIG;
    if (code != ERR_OK)
        return code == ERR_NOMEM ? code : ERR_CONFIG;
    if (strlen(buf_text(&text)) != text.length)
        return err_set(err, ERR_CONFIG, "\"%s\" is not a text file: it holds a NUL byte", path);
    if (text.length > 0)
        TRY(read_all(&file, text.data, err));
    if (tokens.n == 0)
        return err_set(err, ERR_CONFIG, "\"%s\" holds no token: nobody could ask for anything",
                       path);
    *ret_tokens = tokens;
    tokens = (struct tokens){0};
    return ERR_OK;
}

void tokens_release(struct tokens *tokens)
{
    arena_release(&tokens->arena);
    *tokens = (struct tokens){0};
}

/* Use ---------------------------------------------------------------------------------------- */

struct token *tokens_find(const struct tokens *tokens, const char *text, size_t length)
{
    struct token *found = NULL;
    uint8_t digest[SHA256_SIZE];

    if (sha256(text, length, digest, NULL) != ERR_OK)
        return NULL;
    for (int i = 0; i < tokens->n; i++)
        if (CRYPTO_memcmp(tokens->items[i].digest, digest, SHA256_SIZE) == 0)
            found = &tokens->items[i];
    return found;
}

bool token_sees(const struct token *token, const char *project, size_t length)
{
    for (int i = 0; i < token->n_projects; i++)
        if (strlen(token->projects[i]) == length &&
            memcmp(token->projects[i], project, length) == 0)
            return true;
    return token->n_projects == 0;
}

/* The generic cell rate algorithm (ITU-T I.371): one number says how far ahead of its rate it is.
 */
bool token_spend(struct token *token, int64_t now_us)
{
    const int64_t second_us = 1000000;
    int_fast64_t due = atomic_load(&token->due_us), next;

    if (token->rate == 0)
        return true;
    do {
        next = (due > now_us ? due : now_us) + second_us / token->rate;
        if (next - now_us > second_us)
            return false;
    } while (!atomic_compare_exchange_weak(&token->due_us, &due, next));
    return true;
}

/* Making ------------------------------------------------------------------------------------- */

enum err_code token_make(char ret_text[TOKEN_TEXT_MAX], struct err *err)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t bytes[RANDOM_BYTES + 1] = {0};
    char *out = ret_text;

    if (getrandom(bytes, RANDOM_BYTES, 0) != RANDOM_BYTES)
        return err_errno(err, errno, "cannot get random bytes");
    memcpy(out, "pgb_", 4);
    out += 4;
    for (int bit = 0; bit < RANDOM_BYTES * 8; bit += 6) { /* base64url */
        unsigned pair = (unsigned)bytes[bit / 8] << 8 | bytes[bit / 8 + 1];

        *out++ = letters[pair >> (10 - bit % 8) & 63];
    }
    *out = '\0';
    return ERR_OK;
}

enum err_code token_line(const char *name, const char *text, const char *scopes,
                         const char *projects, const char *rate, struct buf *line, struct err *err)
{
    CLEANUP(tokens_release) struct tokens tokens = {0};
    CLEANUP(buf_release) struct buf copy = {0};
    struct token_file file = {.path = "the new line", .line = 1, .tokens = &tokens};
    char digest[SHA256_HEX_SIZE];

    TRY(sha256_hex(text, strlen(text), digest, err));
    buf_printf(&copy, "%s %s %s", name, digest, scopes);
    if (projects != NULL)
        buf_printf(&copy, " projects=%s", projects);
    if (rate != NULL)
        buf_printf(&copy, " rate=%s", rate);
    TRY(buf_check(&copy, err));
    if (strpbrk(copy.data, "\n#") != NULL)
        return err_set(err, ERR_USAGE, "a name holds a line's end or a \"#\"");
    buf_printf(line, "%s\n", copy.data);
    TRY(buf_check(line, err));
    return read_all(&file, copy.data, err);
}
