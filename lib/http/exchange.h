/*
 * One request and its answer: from the head through the body to the reply.
 *
 * An exchange lives as long as its connection and is used for one request after the other, so that
 * a connection that is up needs no more memory. Only the connection's thread touches it, or, while
 * the connection is suspended, the thread that it was handed over to. Inside lib/http only.
 */
#ifndef PGBOOST_HTTP_EXCHANGE_H
#define PGBOOST_HTTP_EXCHANGE_H

#include <pthread.h>
#include <stdatomic.h>

#include "http/bulk.h"
#include "http/connections.h"
#include "http/desk.h"
#include "http/guard.h"
#include "http/hygiene.h"
#include "http/reply.h"
#include "http/server.h"
#include "http/stats.h"
#include "http/target.h"
#include "lookup/lookup.h"
#include "predict/predict.h"
#include "registry/registry.h"

/* What all exchanges share. */
struct http_service {
    struct registry *registry;
    bool predicts;
    struct desk *desk;     /* for routes that ask the catalog */
    struct lookup *lookup; /* for rows that are named by key; NULL: this daemon does not predict */
    atomic_size_t body_limit_bytes, rows_limit;
    struct guard_post guard;
    struct connections *connections;
    bool reads_in_place; /* the HTTP library does: see head_begin */
    atomic_bool draining;
    uint64_t request_id_base;
    struct bulk *bulk;         /* where those are answered */
    pthread_key_t scratch_key; /* struct predict_scratch of each serving thread */
    struct stats *stats;
    _Atomic int64_t slow_us; /* requests that take so long are logged; 0: none */
    _Atomic int64_t gauges[HTTP_GAUGES];
    /* What requests write stands apart from what all of them read. */
    _Alignas(CACHE_LINE) atomic_int n_requests; /* under way */
    atomic_int n_connections;                   /* open */
    atomic_size_t n_held_bytes;                 /* of large bodies, all together */
    atomic_uint_fast64_t n_request_ids;
};

struct route;
struct seeking;

struct exchange {
    struct http_service *service;
    struct MHD_Connection *connection;
    struct connection link;
    enum connection_admission admission;
    const char *target; /* as it was sent, while the head is read */
    size_t n_target;
    bool bad_target;
    struct guard_pass pass;
    const struct token *token;          /* the request's; NULL: none is needed */
    bool has_begun;                     /* the request under way counts */
    const struct route *route;          /* NULL: refused before one was found */
    char argument[TARGET_ARGUMENT_MAX]; /* the route's decoded {segment} */
    struct buf body;
    struct reply reply;
    uint64_t n_body_bytes; /* received, also of a body that is thrown away */
    uint32_t n_pieces;     /* in which it was received */
    size_t n_held_bytes;   /* of n_body_bytes, those that count as the service's */
    bool chunked;
    bool is_csv;
    bool is_handed_over; /* to a thread of bulk, the desk or the look-ups, which answers it, then
                            resumes */
    struct bulk_job job;
    struct seeking *seeking;      /* rows that the handler wants before it can go on; NULL: none */
    int64_t began_us;             /* the clock, when the head had come */
    int64_t project_id, model_id; /* that were asked; 0: none */
    char request_id[65]; /* the client's, or one that is made when an error needs it; "": none */
    int refusal;         /* the status to answer with once the body has come; 0: none yet */
    struct err err;
};

/* What every answer goes through that a handler has written, on whatever thread: it is packed where
 * it is long and the client takes that; or, when the handler failed, becomes a refusal, which is
 * logged where it is our fault. */
void exchange_handled(struct exchange *exchange, enum err_code code);

/* The first that is heard of a request, before its headers: its target, as it was sent. Returns the
 * exchange, which the handler then has as its state. */
void *exchange_target(void *cls, const char *target, struct MHD_Connection *connection);

/* The handler of libmicrohttpd (MHD_AccessHandlerCallback); cls is the struct http_service. */
enum MHD_Result exchange_handle(void *cls, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *data,
                                size_t *n_bytes, void **state);
void exchange_completed(void *cls, struct MHD_Connection *connection, void **state,
                        enum MHD_RequestTerminationCode why);
void exchange_connection(void *cls, struct MHD_Connection *connection, void **context,
                         enum MHD_ConnectionNotificationCode what);

#endif
