/*
 * Who may ask for what: hosts, origins and tokens.
 *
 * A page of another site can make a browser send requests here, with the site's name as Origin, or,
 * where its own name is made to point at this address (DNS rebinding), as Host. So a Host must be
 * one that nobody outside can take: an address, a name without a dot, localhost, or one that the
 * option "hosts" lists; and an Origin must be the Host itself, or listed in "origins". Where tokens
 * are configured, every request needs one, but for /healthz, /readyz and OPTIONS.
 *
 * A guard does not change once it is made: a reload makes another, and the one before is freed with
 * the last connection whose latest request it let in. What was found of a connection's last Host
 * and token is kept with it. Inside lib/http only.
 */
#ifndef PGBOOST_HTTP_GUARD_H
#define PGBOOST_HTTP_GUARD_H

#include <pthread.h>
#include <stdatomic.h>

#include "config/tokens.h"
#include "http/hygiene.h"

struct guard;

struct guard_rules {
    const char *tokens;  /* file; "": none, and nobody needs one */
    const char *hosts;   /* names, divided by commas; "*": any */
    const char *origins; /* "https://app.example.com", divided by commas */
};

/* ERR_CONFIG with file and line. */
MUST_CHECK enum err_code guard_new(const struct guard_rules *rules, struct guard **ret_guard,
                                   struct err *err);
void guard_free(struct guard *guard);
DEFINE_FREEP(struct guard *, guard_free)
bool guard_has_tokens(const struct guard *guard);
int guard_n_tokens(const struct guard *guard);

/* The guard that is on duty. Any thread may ask for it, one alone replaces it. */
struct guard_post {
    pthread_mutex_t lock;
    _Atomic(struct guard *) guard; /* NULL: none was ever set */
};
void guard_post_init(struct guard_post *post);
void guard_post_set(struct guard_post *post, struct guard *guard); /* takes it */
void guard_post_release(struct guard_post *post);                  /* when nobody asks any more */

/* What a connection was found to be; part of it, zeroed at first. */
struct guard_pass {
    struct guard *guard; /* that found it, and stays while the pass holds it; NULL: none yet */
    struct token *token;
    char host[64], authorization[96];
};

/* The guard for the connection's next request, until the one after. Takes a lock only where it is
 * another than for the last one; then all that was found is found anew. */
const struct guard *guard_pass_renew(struct guard_pass *pass, struct guard_post *post);
void guard_pass_release(struct guard_pass *pass);

/* Is this a host and an origin to speak to? 0, or 421, 403 with err filled. *ret_origin: the
 * origin, where it is a listed one, which the answer must name; NULL otherwise. */
int guard_admit(const struct guard *guard, struct guard_pass *pass, const struct head *head,
                const char **ret_origin, struct err *err);

/* Is this token good for any of these scopes? 0, or 401, 403, 429. *ret_token: NULL where none is
 * needed; it stays until the pass is renewed. */
int guard_authorize(const struct guard *guard, struct guard_pass *pass, const struct head *head,
                    unsigned scopes, struct token **ret_token, struct err *err);

#endif
