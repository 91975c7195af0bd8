#include "http/connections.h"

/* linux/tcp.h has the counters of bytes that glibc's netinet/tcp.h lacks. */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"

#define TICK_MS           100 /* the thread's pace, and the unit of time here */
#define PHASE_BITS        8
#define UNCOUNTED_WINDOWS 10
#define SETTLED           5 /* ticks: a new connection that has said nothing so long counts as idle */

/* Addresses are counted by a hash with a secret key: two that meet in a bucket share a limit, which
 * is rare and which nobody can bring about; there is nothing to look up, to grow or to forget. */
#define BUCKET_BITS 14
#define BUCKETS     (1 << BUCKET_BITS)

struct connections {
    atomic_uint_fast32_t tick;
    bool encrypted;
    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t end;
    pthread_t thread;
    bool has_thread, ending;
    struct connection_limits limits;
    struct connection *first;
    int n;
    struct {
        uint64_t factor, addend;
    } key;
    uint16_t by_address[BUCKETS];
    atomic_uint_fast64_t n_cut[CONNECTION_CUT], n_timeouts;
};

/* Phases -------------------------------------------------------------------------------------- */

static uint64_t pack(uint32_t tick, enum connection_phase phase)
{
    return (uint64_t)tick << PHASE_BITS | phase;
}

static enum connection_phase phase_of(uint64_t state)
{
    return (enum connection_phase)(state & ((1 << PHASE_BITS) - 1));
}

static uint32_t tick_of(uint64_t state)
{
    return (uint32_t)(state >> PHASE_BITS);
}

static uint32_t tick_now(const struct connections *connections)
{
    return (uint32_t)atomic_load_explicit(&connections->tick, memory_order_relaxed);
}

bool connection_enter(struct connection *connection, enum connection_phase phase)
{
    uint64_t state = pack(tick_now(connection->all), phase);

    if (phase_of(atomic_exchange(&connection->state, state)) != CONNECTION_CUT)
        return true;
    atomic_store(&connection->state, pack(0, CONNECTION_CUT));
    return false;
}

#define TIMEOUT_BODY                                                                               \
    "{\"type\":\"about:blank\",\"title\":\"Request Timeout\",\"status\":408,"                      \
    "\"detail\":\"the request came too slowly\",\"errors\":[]}"
_Static_assert(sizeof(TIMEOUT_BODY) - 1 == 112, "the length below");

static const char timeout_answer[] = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
                                     "Content-Type: application/problem+json\r\n"
                                     "Content-Length: 112\r\n\r\n" TIMEOUT_BODY;

/* Ends it, unless it has moved on meanwhile. What was under way of a request is told why: whoever
 * cut it is the only one who may send. */
static bool cut(struct connection *connection, uint64_t state)
{
    struct connections *all = connection->all;
    enum connection_phase phase = phase_of(state);
    bool is_timeout =
        phase != CONNECTION_REPLY &&
        (phase == CONNECTION_HEAD || phase == CONNECTION_BODY || connection->window.moved);

    if (!atomic_compare_exchange_strong(&connection->state, &state, pack(0, CONNECTION_CUT)))
        return false;
    if (is_timeout && !all->encrypted)
        (void)!send(connection->socket_fd, timeout_answer, sizeof(timeout_answer) - 1,
                    MSG_DONTWAIT | MSG_NOSIGNAL);
    shutdown(connection->socket_fd, SHUT_RDWR);
    atomic_fetch_add_explicit(&all->n_cut[phase], 1, memory_order_relaxed);
    if (is_timeout)
        atomic_fetch_add_explicit(&all->n_timeouts, 1, memory_order_relaxed);
    return true;
}

/* Progress ------------------------------------------------------------------------------------ */

/* What has come from the client, or what it has acknowledged. False, and 0, where the kernel does
 * not say: of a Unix socket. */
static bool bytes_moved(const struct connection *connection, enum connection_phase phase,
                        uint64_t *ret_n_bytes)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);
    bool counted = getsockopt(connection->socket_fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0;

    *ret_n_bytes = phase == CONNECTION_REPLY ? info.tcpi_bytes_acked : info.tcpi_bytes_received;
    return counted;
}

static uint32_t ticks(int64_t ms)
{
    return (uint32_t)(ms / TICK_MS);
}

static void open_window(struct connection *connection, uint64_t state, uint64_t n_bytes,
                        uint32_t now)
{
    connection->window.state = state;
    connection->window.n_bytes = n_bytes;
    connection->window.tick = now;
    connection->window.moved = false;
}

/* A body that comes, or an answer that is read: by as much in each window as the rate asks for, and
 * where nobody counts, in so many windows. */
static void check_pace(struct connection *connection, uint64_t state, uint32_t now,
                       int64_t limit_ms)
{
    enum connection_phase phase = phase_of(state);
    uint64_t n_bytes, least = CONNECTION_RATE * (uint64_t)limit_ms / 1000;

    if (connection->window.state != state) {
        (void)bytes_moved(connection, phase, &n_bytes);
        open_window(connection, state, n_bytes, now);
        connection->window.tick = tick_of(state);
        return;
    }
    if (now - connection->window.tick < ticks(limit_ms))
        return;
    if (!bytes_moved(connection, phase, &n_bytes) &&
        now - connection->window.tick < ticks(limit_ms * UNCOUNTED_WINDOWS))
        return;
    if (n_bytes - connection->window.n_bytes < least)
        cut(connection, state);
    else
        open_window(connection, state, n_bytes, now);
}

/* The library reads what came and the end behind it as one event, and then waits for another. So
 * where all that a client will ever send has been read, and it is no whole request, the end is told
 * once more: to the library only, which heeds it when it wants to read on. */
static void tell_end(const struct connection *connection)
{
    char byte;

    if (recv(connection->socket_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
        shutdown(connection->socket_fd, SHUT_RD);
}

/* Between requests the library says nothing of a line that comes byte by byte; the kernel does. */
static void check_idle(struct connection *connection, uint64_t state, uint32_t now)
{
    const struct connection_limits *limits = &connection->all->limits;
    uint32_t age = now - tick_of(state);
    uint64_t n_bytes;

    if (age >= ticks(limits->idle_ms)) {
        cut(connection, state);
        return;
    }
    if (age < SETTLED)
        return;
    if (age % SETTLED == 0)
        tell_end(connection);
    (void)bytes_moved(connection, CONNECTION_IDLE, &n_bytes);
    if (connection->window.state != state) {
        open_window(connection, state, n_bytes, now);
    } else if (!connection->window.moved && n_bytes != connection->window.n_bytes) {
        connection->window.moved = true;
        connection->window.tick = now;
    } else if (connection->window.moved &&
               now - connection->window.tick >= ticks(limits->head_ms)) {
        cut(connection, state);
    }
}

static void look_at(struct connection *connection, uint32_t now)
{
    const struct connection_limits *limits = &connection->all->limits;
    uint64_t state = atomic_load(&connection->state);
    uint64_t n_bytes;

    switch (phase_of(state)) {
    case CONNECTION_NEW:
    case CONNECTION_HEAD:
        tell_end(connection);
        if (now - tick_of(state) >= ticks(limits->head_ms)) {
            (void)bytes_moved(connection, CONNECTION_NEW, &n_bytes);
            connection->window.moved = n_bytes > 0;
            cut(connection, state);
        }
        return;
    case CONNECTION_IDLE:
        check_idle(connection, state, now);
        return;
    case CONNECTION_BODY:
        tell_end(connection);
        check_pace(connection, state, now, limits->body_ms);
        return;
    case CONNECTION_REPLY:
        check_pace(connection, state, now, limits->reply_ms);
        return;
    case CONNECTION_WORK:
    case CONNECTION_CUT:
        return;
    }
}

static void look_at_all(struct connections *connections)
{
    uint32_t now = tick_now(connections);

    for (struct connection *at = connections->first; at != NULL; at = at->next)
        look_at(at, now);
}

/* The thread also keeps the time, so that a request need not ask the clock. */
static void *work(void *cls)
{
    struct connections *connections = cls;
    int64_t began_ms = clock_ms();

    pthread_mutex_lock(&connections->lock);
    while (!connections->ending) {
        struct timespec until;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += TICK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        pthread_cond_timedwait(&connections->end, &connections->lock, &until);
        atomic_store(&connections->tick, (uint32_t)((clock_ms() - began_ms) / TICK_MS));
        look_at_all(connections);
    }
    pthread_mutex_unlock(&connections->lock);
    return NULL;
}

/* Coming and going ---------------------------------------------------------------------------- */

/* An address by which one client is counted: of IPv6 the network that one customer is given. The
 * hash is multiply-shift (Dietzfelbinger and others, 1997): two addresses meet as rarely as by
 * chance, whoever chose them. */
static unsigned bucket_of(const struct connections *connections, const struct sockaddr *address)
{
    uint64_t network = 0;

    if (address != NULL && address->sa_family == AF_INET)
        memcpy(&network, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    else if (address != NULL && address->sa_family == AF_INET6)
        memcpy(&network, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 8);
    else
        return BUCKETS;
    return (unsigned)((network * connections->key.factor + connections->key.addend) >>
                      (64 - BUCKET_BITS));
}

/* The one that has been idle longest goes. */
static bool make_room(struct connections *connections)
{
    uint32_t now = tick_now(connections);
    struct connection *oldest = NULL;
    uint64_t oldest_state = UINT64_MAX;

    for (struct connection *at = connections->first; at != NULL; at = at->next) {
        uint64_t state = atomic_load(&at->state);
        enum connection_phase phase = phase_of(state);

        if (phase == CONNECTION_IDLE ||
            (phase == CONNECTION_NEW && now - tick_of(state) >= SETTLED)) {
            if (state < oldest_state) {
                oldest = at;
                oldest_state = state;
            }
        }
    }
    return oldest != NULL && cut(oldest, oldest_state);
}

static enum connection_admission admit(struct connections *connections,
                                       struct connection *connection)
{
    const struct connection_limits *limits = &connections->limits;
    int n_here = connection->bucket < BUCKETS ? connections->by_address[connection->bucket] : 0;

    if (limits->per_address > 0 && n_here > limits->per_address) {
        if (n_here > limits->per_address + CONNECTIONS_TURNED_AWAY_MAX)
            cut(connection, atomic_load(&connection->state));
        return CONNECTION_ADDRESS_IS_FULL;
    }
    if (connections->n <= limits->all || make_room(connections))
        return CONNECTION_ADMITTED;
    if (connections->n > limits->all + CONNECTIONS_TURNED_AWAY_MAX)
        cut(connection, atomic_load(&connection->state));
    return CONNECTION_ONE_TOO_MANY;
}

enum connection_admission connections_add(struct connections *connections,
                                          struct connection *connection, int socket_fd,
                                          const struct sockaddr *address)
{
    enum connection_admission admission;

    connection->all = connections;
    connection->socket_fd = socket_fd;
    connection->bucket = bucket_of(connections, address);
    atomic_store(&connection->state, pack(tick_now(connections), CONNECTION_NEW));
    pthread_mutex_lock(&connections->lock);
    connections->n++;
    if (connection->bucket < BUCKETS)
        connections->by_address[connection->bucket]++;
    admission = admit(connections, connection); /* before it stands in the list itself */
    connection->next = connections->first;
    if (connection->next != NULL)
        connection->next->previous = connection;
    connections->first = connection;
    pthread_mutex_unlock(&connections->lock);
    return admission;
}

void connections_remove(struct connection *connection)
{
    struct connections *connections = connection->all;

    pthread_mutex_lock(&connections->lock);
    connections->n--;
    if (connection->bucket < BUCKETS)
        connections->by_address[connection->bucket]--;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        connections->first = connection->next;
    pthread_mutex_unlock(&connections->lock);
}

uint64_t connections_n_cut(const struct connections *connections, enum connection_phase phase)
{
    return atomic_load_explicit(&connections->n_cut[phase], memory_order_relaxed);
}

uint64_t connections_n_timeouts(const struct connections *connections)
{
    return atomic_load_explicit(&connections->n_timeouts, memory_order_relaxed);
}

/* Life ---------------------------------------------------------------------------------------- */

void connections_set_limits(struct connections *connections, const struct connection_limits *limits)
{
    int all = connections->limits.all;

    pthread_mutex_lock(&connections->lock);
    connections->limits = *limits;
    connections->limits.all = all;
    pthread_mutex_unlock(&connections->lock);
}

enum err_code connections_new(const struct connection_limits *limits, bool encrypted,
                              struct connections **ret_connections, struct err *err)
{
    CLEANUP(connections_freep) struct connections *connections = calloc(1, sizeof(*connections));
    pthread_condattr_t attributes;
    int failure;

    if (connections == NULL)
        return err_nomem(err);
    connections->limits = *limits;
    connections->encrypted = encrypted;
    pthread_mutex_init(&connections->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&connections->end, &attributes);
    pthread_condattr_destroy(&attributes);
    if (getrandom(&connections->key, sizeof(connections->key), 0) != sizeof(connections->key))
        return err_errno(err, errno, "cannot get random bytes");
    connections->key.factor |= 1;
    failure = pthread_create(&connections->thread, NULL, work, connections);
    if (failure != 0)
        return err_errno(err, failure, "cannot start the thread that watches connections");
    connections->has_thread = true;
    *ret_connections = TAKE_PTR(connections);
    return ERR_OK;
}

void connections_free(struct connections *connections)
{
    if (connections == NULL)
        return;
    pthread_mutex_lock(&connections->lock);
    connections->ending = true;
    pthread_cond_signal(&connections->end);
    pthread_mutex_unlock(&connections->lock);
    if (connections->has_thread)
        pthread_join(connections->thread, NULL);
    pthread_cond_destroy(&connections->end);
    pthread_mutex_destroy(&connections->lock);
    free(connections);
}
