/*
 * Which server of the connection string is asked: the first that answers. All threads of the pool
 * share what each of them found. One that fails is left alone for a moment that doubles
 * (schedule/backoff.h), and the next one is taken meanwhile. For lib/lookup only; any thread.
 */
#ifndef PGBOOST_LOOKUP_SERVERS_H
#define PGBOOST_LOOKUP_SERVERS_H

#include <pthread.h>
#include <stdint.h>

#include "base/random.h"
#include "lookup/hosts.h"
#include "schedule/backoff.h"

struct server {
    struct backoff backoff;
    int64_t retry_at_ms;
};

struct servers {
    struct hosts hosts;
    pthread_mutex_t lock;  /* of all below */
    struct server *states; /* [hosts.n] */
    struct err failure;    /* why the last one could not be asked */
    struct rng rng;
};

/* ERR_CONFIG: dsn cannot be parsed. Is to be released in any case. */
MUST_CHECK enum err_code servers_init(struct servers *servers, const char *dsn, struct err *err);
void servers_release(struct servers *servers);

/* The first that may be tried, from `from` on; -1: none at present, and err says why. */
int servers_next(struct servers *servers, int from, struct err *err);

/* The first failure may be the connection's alone, and is logged; from the second on the server is
 * left alone. */
void servers_failed(struct servers *servers, int server, const struct err *err);
void servers_answered(struct servers *servers, int server);

#endif
