/*
 * One connection of the pool, and the statements that are prepared on it. For lib/lookup only, one
 * thread at a time.
 *
 * It is opened when it is needed, at the first server that answers; opened again when it broke or
 * is old, and soon when it is not to the first server. Statements are kept by their asks'
 * signature, as many as LINK_PLANS_MAX; beyond, the one that was not used for longest goes.
 */
#ifndef PGBOOST_LOOKUP_LINK_H
#define PGBOOST_LOOKUP_LINK_H

#include "lookup/plan.h"
#include "lookup/servers.h"

#define LINK_PLANS_MAX 64

/* The plan of one signature. */
struct link_plan {
    char *signature;
    size_t signature_length;
    struct lookup_plan *plan;
    uint64_t used; /* when, as the link counts */
    int64_t made_ms;
};

struct link {
    struct servers *servers;
    int64_t timeout_ms; /* of a whole ask */
    struct pg *pg;      /* NULL: not connected */
    int server;
    int64_t opened_ms;
    int statement_ms; /* the timeout of statements that is set */
    int n_plans;
    unsigned n_made; /* plans, ever on this connection */
    uint64_t n_used;
    struct link_plan plans[LINK_PLANS_MAX];
};

void link_init(struct link *link, struct servers *servers, int64_t timeout_ms);
void link_close(struct link *link);

/* Connects, unless it is, and bounds what is asked next by the deadline. A failure is told as
 * ERR_UNREACHABLE, whatever it was: the request is not at fault. */
MUST_CHECK enum err_code link_open(struct link *link, int64_t deadline_ms, struct err *err);

/* The plan of the signature, if there is one. It lives until the next link_make, link_forget or
 * link_close. */
struct link_plan *link_find(struct link *link, const char *signature, size_t length);
MUST_CHECK enum err_code link_make(struct link *link, const char *signature, size_t length,
                                   const struct lookup_spec *spec, bool is_where,
                                   struct link_plan **ret_plan, struct err *err);
void link_forget(struct link *link, struct link_plan *plan);

/* Made so lately that its relation is hardly another by now. */
bool link_is_fresh(const struct link_plan *plan);

#endif
