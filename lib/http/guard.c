#include "http/guard.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

struct guard {
    struct tokens tokens;
    const char **hosts, **origins; /* end with NULL */
    struct arena arena;
    atomic_int n_holders; /* the post, and passes */
};

/* Rules --------------------------------------------------------------------------------------- */

/* "a, b" into its parts. */
static enum err_code read_list(struct guard *guard, const char *text, const char ***ret_items,
                               struct err *err)
{
    char *rest = arena_strdup(&guard->arena, text), *item;
    const char **items = arena_alloc_array(&guard->arena, strlen(text) + 2, sizeof(char *));
    int n = 0;

    if (rest == NULL || items == NULL)
        return err_nomem(err);
    while ((item = strsep(&rest, ", \t")) != NULL)
        if (item[0] != '\0')
            items[n++] = item;
    *ret_items = items;
    return ERR_OK;
}

static enum err_code check_origins(const struct guard *guard, struct err *err)
{
    for (const char **origin = guard->origins; *origin != NULL; origin++) {
        const char *host = strstr(*origin, "://");

        if (host != NULL && host > *origin && host[3] != '\0' && strchr(host + 3, '/') == NULL &&
            strchr(*origin, '*') == NULL)
            continue;
        err_set(err, ERR_CONFIG, "\"origins\": expected SCHEME://HOST, found \"%.100s\"", *origin);
        err_field(err, "origins");
        return err_hint(err, "as browsers send it: \"https://app.example.com\", without a path");
    }
    return ERR_OK;
}

enum err_code guard_new(const struct guard_rules *rules, struct guard **ret_guard, struct err *err)
{
    CLEANUP(guard_freep) struct guard *guard = calloc(1, sizeof(*guard));

    if (guard == NULL)
        return err_nomem(err);
    TRY(read_list(guard, rules->hosts, &guard->hosts, err));
    TRY(read_list(guard, rules->origins, &guard->origins, err));
    TRY(check_origins(guard, err));
    if (rules->tokens[0] != '\0')
        TRY(tokens_read(rules->tokens, &guard->tokens, err));
    *ret_guard = TAKE_PTR(guard);
    return ERR_OK;
}

void guard_free(struct guard *guard)
{
    if (guard == NULL)
        return;
    tokens_release(&guard->tokens);
    arena_release(&guard->arena);
    free(guard);
}

bool guard_has_tokens(const struct guard *guard)
{
    return guard->tokens.n > 0;
}

int guard_n_tokens(const struct guard *guard)
{
    return guard->tokens.n;
}

/* On duty ------------------------------------------------------------------------------------- */

static void let_go(struct guard *guard)
{
    if (guard != NULL && atomic_fetch_sub(&guard->n_holders, 1) == 1)
        guard_free(guard);
}

void guard_post_init(struct guard_post *post)
{
    pthread_mutex_init(&post->lock, NULL);
    atomic_init(&post->guard, NULL);
}

void guard_post_set(struct guard_post *post, struct guard *guard)
{
    struct guard *older;

    atomic_store(&guard->n_holders, 1);
    pthread_mutex_lock(&post->lock);
    older = atomic_exchange(&post->guard, guard);
    pthread_mutex_unlock(&post->lock);
    let_go(older);
}

void guard_post_release(struct guard_post *post)
{
    let_go(atomic_exchange(&post->guard, NULL));
    pthread_mutex_destroy(&post->lock);
}

/* The one that the pass holds cannot have been freed, so that no other has its address. */
const struct guard *guard_pass_renew(struct guard_pass *pass, struct guard_post *post)
{
    struct guard *guard;

    if (atomic_load_explicit(&post->guard, memory_order_acquire) == pass->guard)
        return pass->guard;
    pthread_mutex_lock(&post->lock);
    guard = atomic_load(&post->guard);
    atomic_fetch_add(&guard->n_holders, 1);
    pthread_mutex_unlock(&post->lock);
    guard_pass_release(pass);
    pass->guard = guard;
    return guard;
}

void guard_pass_release(struct guard_pass *pass)
{
    let_go(pass->guard);
    *pass = (struct guard_pass){0};
}

/* Hosts and origins --------------------------------------------------------------------------- */

static int refuse(int status, struct err *err, const char *why, const char *hint)
{
    err_set(err, ERR_DENIED, "%s", why);
    err_hint(err, "%s", hint);
    return status;
}

static bool is_listed(const char *const *items, const char *text, size_t length)
{
    for (; *items != NULL; items++)
        if (strcmp(*items, "*") == 0 ||
            (strlen(*items) == length && strncasecmp(*items, text, length) == 0))
            return true;
    return false;
}

/* No resolver outside answers for such a name: an address, or one without a dot. */
static bool is_nobodys(const char *host, size_t length)
{
    struct in_addr address;
    char text[64];

    if (host[0] == '[' || memchr(host, '.', length) == NULL)
        return true;
    if (length >= sizeof(text))
        return false;
    memcpy(text, host, length);
    text[length] = '\0';
    return inet_pton(AF_INET, text, &address) == 1 ||
           (length > 10 && strcasecmp(text + length - 10, ".localhost") == 0);
}

/* Without its port; a list may name it with the port as well. */
static bool is_host(const struct guard *guard, const char *host)
{
    const char *bracket = strchr(host, ']');
    size_t length = bracket != NULL ? (size_t)(bracket - host) + 1 : strcspn(host, ":");

    return is_nobodys(host, length) || is_listed(guard->hosts, host, length) ||
           is_listed(guard->hosts, host, strlen(host));
}

static bool is_own_origin(const char *origin, const char *host)
{
    const char *of = strstr(origin, "://");

    return of != NULL && host != NULL && strcasecmp(of + 3, host) == 0;
}

static int check_host(const struct guard *guard, struct guard_pass *pass, const char *host,
                      struct err *err)
{
    /* the empty one of a new pass is none that was looked at */
    if (host[0] != '\0' && strcmp(pass->host, host) == 0)
        return 0;
    if (!is_host(guard, host))
        return refuse(421, err, "this is not a host that is served here",
                      "list its name in the option \"hosts\"");
    if (strlen(host) < sizeof(pass->host))
        memcpy(pass->host, host, strlen(host) + 1);
    return 0;
}

int guard_admit(const struct guard *guard, struct guard_pass *pass, const struct head *head,
                const char **ret_origin, struct err *err)
{
    const char *host = head->value[HEAD_HOST], *origin = head->value[HEAD_ORIGIN];
    int status = check_host(guard, pass, host != NULL ? host : "", err);

    if (status != 0 || head->n[HEAD_ORIGIN] == 0)
        return status;
    if (head->n[HEAD_ORIGIN] == 1 && is_own_origin(origin, host))
        return 0;
    if (head->n[HEAD_ORIGIN] > 1 || !is_listed(guard->origins, origin, strlen(origin)))
        return refuse(403, err, "pages of this origin may not ask here",
                      "list it in the option \"origins\"");
    *ret_origin = origin;
    return 0;
}

/* Tokens -------------------------------------------------------------------------------------- */

static struct token *look_up(const struct guard *guard, struct guard_pass *pass, const char *value)
{
    const size_t n_scheme = strlen("Bearer ");
    char same[sizeof(pass->authorization)] = {0};
    size_t length = strlen(value);
    struct token *token;

    if (length >= sizeof(same) || strncasecmp(value, "Bearer ", n_scheme) != 0)
        return NULL;
    memcpy(same, value, length);
    /* a proxy may send several clients' requests on one connection: no client times another's */
    if (pass->token != NULL && CRYPTO_memcmp(pass->authorization, same, sizeof(same)) == 0)
        return pass->token;
    token = tokens_find(&guard->tokens, value + n_scheme, length - n_scheme);
    if (token != NULL) {
        pass->token = token;
        memcpy(pass->authorization, same, sizeof(same));
    }
    return token;
}

int guard_authorize(const struct guard *guard, struct guard_pass *pass, const struct head *head,
                    unsigned scopes, struct token **ret_token, struct err *err)
{
    struct token *token = NULL;

    if (!guard_has_tokens(guard))
        return 0;
    if (head->n[HEAD_AUTHORIZATION] == 1)
        token = look_up(guard, pass, head->value[HEAD_AUTHORIZATION]);
    if (token == NULL)
        return refuse(401, err, "a token is needed, and this is none that is known",
                      "send the header \"Authorization: Bearer TOKEN\"");
    if ((token->scopes & scopes) == 0)
        return refuse(403, err, "the token is not good for this",
                      scopes == TOKEN_ADMIN ? "it needs the scope admin"
                                            : "it needs the scope predict");
    if (token->rate > 0 && !token_spend(token, clock_us()))
        return refuse(429, err, "the token's rate is used up", "come back in a moment");
    *ret_token = token;
    return 0;
}
