/*
 * The HTTP face: libmicrohttpd with a pool of epoll threads over the live models.
 *
 * In the way of a prediction: socket → hygiene (head) → guard → route → handler → reply. The files
 * in that order: server.c (socket, threads, drain, which begins with unlisten.c), tls.c,
 * connections.c (limits and deadlines), exchange.c (one request and its answer), hygiene.c, guard.c
 * (hosts, origins, tokens), target.c, routes.c (the table), handlers.c, pack.c (gzip), reply.c. A
 * large body is answered by a thread of bulk.c while its connection is suspended, so that the
 * loop's other connections do not wait for it; what asks the catalog likewise by that of desk.c,
 * with admin.c; what names its rows by key by one of lookup/pool.c, with seeking.c.
 *
 * Bounded: body, bodies, rows, connections, header size, idle time. Refuses: waiting for Postgres.
 */
#ifndef PGBOOST_HTTP_SERVER_H
#define PGBOOST_HTTP_SERVER_H

#include <stdbool.h>

#include "http/connections.h"
#include "http/guard.h"
#include "lookup/lookup.h"
#include "registry/registry.h"

struct http_server;

/* What the daemon knows and /metrics shows. */
enum http_gauge {
    HTTP_RUNS_QUEUED,
    HTTP_RUNS_RUNNING,
    HTTP_QUEUE_AGE_S, /* of the oldest queued run */
    HTTP_WORKERS,
    HTTP_WORKERS_STARTED,
    HTTP_WORKERS_DIED,
    HTTP_CATALOG_UP,
    HTTP_RELOADS,
    HTTP_RELOADS_REFUSED,
    HTTP_STARTED_S,   /* since 1970 */
    HTTP_TLS_UNTIL_S, /* since 1970: when the certificate expires; 0: no TLS */
    HTTP_GAUGES
};

/* Who may reach it and ask it: files and lists, as the options of these names have them. */
struct http_security {
    struct guard_rules rules;
    const char *tls_cert, *tls_key; /* "": plain HTTP */
    bool protected_mode; /* refuses to be reached from other machines without tokens and TLS */
};

struct http_options {
    const char *listen;      /* "127.0.0.1:8080", "[::1]:0": as the option has it */
    int n_threads;           /* at least 1 */
    size_t body_limit_bytes; /* of a request's body: 413 beyond */
    size_t rows_limit;       /* of a request: 413 beyond */
    struct connection_limits connections;
    struct http_security security;
    struct registry *registry;    /* outlives the server */
    bool predicts;                /* false: /predict is refused */
    const char *dsn;              /* the catalog, for routes that ask it */
    struct lookup_options lookup; /* for rows that are named by key */
};

/* Serves from here on. ERR_IO with a hint when the address cannot be had; ERR_NOT_FOUND when the
 * host is not known; ERR_CONFIG when `listen` cannot be read. */
MUST_CHECK enum err_code http_server_start(const struct http_options *options,
                                           struct http_server **ret_server, struct err *err);

/* What http_server_start would refuse of `listen` and the security. */
MUST_CHECK enum err_code http_security_check(const char *listen,
                                             const struct http_security *security, struct err *err);

/* Reads the files of tokens, certificate and key again, and the lists anew. On an error everything
 * stays as it was. Whether there is TLS is settled at the start. */
MUST_CHECK enum err_code http_server_reload(struct http_server *server,
                                            const struct http_security *security, struct err *err);

/* Where it listens, with the actual port: "http://127.0.0.1:8080", "https://…", or "unix:/PATH". */
const char *http_server_address(const struct http_server *server);

/* For requests that begin from now on. */
void http_server_set_limits(struct http_server *server, size_t body_limit_bytes, size_t rows_limit);

/* From now on, but for the number of all connections: that stays as it was at the start. */
void http_server_set_connections(struct http_server *server,
                                 const struct connection_limits *limits);

/* Requests that take so long or longer are logged; 0: none is. */
void http_server_set_slow(struct http_server *server, int64_t slow_ms);

void http_server_set_gauge(struct http_server *server, enum http_gauge gauge, int64_t value);
void http_server_count(struct http_server *server, enum http_gauge gauge); /* one more */

/* Asks the server as a client would, see probe.h: a prediction for one project after the other by
 * `turn`, where it predicts, and an answer to a connection within timeout_ms. */
MUST_CHECK enum err_code http_server_probe(struct http_server *server, unsigned turn,
                                           int timeout_ms, struct err *err);

/* Refuses new connections, but for those of an inherited socket, which wait; answers on those that
 * are open, with "Connection: close", and returns when that is done or timeout_ms passed (false).
 * No request is lost of clients that heed the close, or send within 0.3 s. */
bool http_server_drain(struct http_server *server, int timeout_ms);

/* Stops at once: connections that are open are closed. */
void http_server_free(struct http_server *server);
DEFINE_FREEP(struct http_server *, http_server_free)

#endif
