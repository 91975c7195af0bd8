/*
 * Who is connected: how many in all and from one address, and until when each may take its time.
 *
 * The HTTP library knows only inactivity, so a client that sends a byte now and then holds its
 * connection for ever. Here each connection has a phase, and a thread that looks at all of them a
 * few times a second: a head must be complete in time; a body and a reader of an answer must keep
 * up a least rate; an idle connection has its end. At the limit the longest idle one makes room for
 * who comes; where none is idle, who comes is turned away.
 *
 * What a request costs of this: four stores to a word of the connection's own; no lock, no clock.
 * Any thread may call. Inside lib/http only.
 */
#ifndef PGBOOST_HTTP_CONNECTIONS_H
#define PGBOOST_HTTP_CONNECTIONS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

struct connections;

struct connection_limits {
    int all, per_address; /* per_address 0: as many as all */
    int64_t head_ms;      /* from the first byte, or from the start, to the end of a head */
    int64_t body_ms;      /* in which a body must move by CONNECTION_RATE */
    int64_t reply_ms;     /* … and a client read an answer */
    int64_t idle_ms;      /* between requests */
};

/* Bytes a second: what keeps this up is not slow. */
#define CONNECTION_RATE ((uint64_t)64 << 10)

/* Beyond the limit, so many are still told why they are turned away. */
#define CONNECTIONS_TURNED_AWAY_MAX 64

enum connection_phase {
    CONNECTION_NEW,   /* no request yet */
    CONNECTION_IDLE,  /* between two */
    CONNECTION_HEAD,  /* a request's line has come */
    CONNECTION_BODY,  /* its head has */
    CONNECTION_WORK,  /* the answer is ours to make: no deadline */
    CONNECTION_REPLY, /* the answer is being sent */
    CONNECTION_CUT,   /* it was ended here */
};

/* Part of what the connection belongs to; zeroed before connections_add. */
struct connection {
    atomic_uint_fast64_t state; /* when a phase began, and which */
    struct connections *all;
    struct connection *next, *previous;
    int socket_fd;
    unsigned bucket;
    struct { /* the thread's own: how far it was when a window began */
        uint64_t state, n_bytes;
        uint32_t tick;
        bool moved;
    } window;
};

enum connection_admission {
    CONNECTION_ADMITTED,
    CONNECTION_ONE_TOO_MANY,   /* of all: 503 */
    CONNECTION_ADDRESS_IS_FULL /* 429 */
};

/* encrypted: nothing can be said to a client that is cut. */
MUST_CHECK enum err_code connections_new(const struct connection_limits *limits, bool encrypted,
                                         struct connections **ret_connections, struct err *err);
void connections_free(struct connections *connections); /* after the last was removed */
DEFINE_FREEP(struct connections *, connections_free)

/* From now on. `all` stays as it was. */
void connections_set_limits(struct connections *connections,
                            const struct connection_limits *limits);

/* Takes a connection in; one that is beyond what is even told so is shut down. address may be NULL,
 * or of no network: then nothing is counted by it. */
enum connection_admission connections_add(struct connections *connections,
                                          struct connection *connection, int socket_fd,
                                          const struct sockaddr *address);

/* Before the socket is closed. */
void connections_remove(struct connection *connection);

/* How many were ended here, by the phase they were in, since the start. */
uint64_t connections_n_cut(const struct connections *connections, enum connection_phase phase);

/* Of them, those amid a request, who were told so with 408 where they could be. */
uint64_t connections_n_timeouts(const struct connections *connections);

/* Moves on. False: it was cut, and nothing may be sent any more. */
bool connection_enter(struct connection *connection, enum connection_phase phase);

#endif
