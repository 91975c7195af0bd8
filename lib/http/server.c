#include "http/server.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/bulk.h"
#include "http/exchange.h"
#include "http/handlers.h"
#include "http/listen.h"
#include "http/probe.h"

#define CONNECTIONS_MAX 4096
#define FILES_RESERVED  64         /* descriptors that are not connections */
#define IDLE_SECONDS    30         /* of a connection that says nothing */
#define HEAD_BYTES_MAX  (16 << 10) /* memory of one connection: its head, and pieces of its body */
#define DRAIN_LINGER_MS 300        /* for clients that keep an idle connection to hear of the end */

struct http_server {
    struct http_service service;
    struct MHD_Daemon *mhd;
    int listen_fd; /* -1 once the HTTP library or the drain has taken it */
    bool has_handlers;
    char address[LISTEN_ADDRESS_MAX];
};

/* Paths stay as they were sent: lib/http/target decodes them. */
static size_t keep_encoding(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

PRINTF_LIKE(2, 0)
static void log_library(void *cls, const char *format, va_list args)
{
    char text[512], quoted[600];

    (void)cls;
    vsnprintf(text, sizeof(text), format, args);
    log_debug("libmicrohttpd", "said=%s", log_text(text, quoted, sizeof(quoted)));
}

/* As many as the process may have files open, within reason. */
static unsigned n_connections_max(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY ||
        files.rlim_cur > CONNECTIONS_MAX + FILES_RESERVED)
        return CONNECTIONS_MAX;
    return files.rlim_cur > 2 * FILES_RESERVED ? (unsigned)files.rlim_cur - FILES_RESERVED
                                               : FILES_RESERVED;
}

static enum err_code start_library(struct http_server *server, unsigned n_threads, struct err *err)
{
    struct http_service *service = &server->service;
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_LISTEN_SOCKET, server->listen_fd, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)n_connections_max(), NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, HEAD_BYTES_MAX, NULL},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_encoding, NULL},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)exchange_connection, service},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)exchange_completed, service},
        {n_threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, (intptr_t)n_threads, NULL},
        {MHD_OPTION_END, 0, NULL},
    };

    server->mhd = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        exchange_handle, service, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL, MHD_OPTION_ARRAY,
        options, MHD_OPTION_END);
    if (server->mhd == NULL)
        return err_set(err, ERR_FAILED, "cannot start the HTTP server with %u threads", n_threads);
    server->listen_fd = -1;
    return ERR_OK;
}

enum err_code http_server_start(const struct http_options *options, struct http_server **ret_server,
                                struct err *err)
{
    CLEANUP(http_server_freep) struct http_server *server = calloc(1, sizeof(*server));

    if (server == NULL)
        return err_nomem(err);
    server->listen_fd = -1;
    server->service.registry = options->registry;
    server->service.predicts = options->predicts;
    http_server_set_limits(server, options->body_limit_bytes, options->rows_limit);
    TRY(stats_new(&server->service.stats, err));
    TRY(desk_new(options->dsn, &server->service.desk, err));
    TRY(handlers_init(&server->service, err));
    server->has_handlers = true;
    TRY(bulk_new(options->n_threads, &server->service.bulk, err));
    TRY(listen_open(options->listen, &server->listen_fd, server->address, err));
    TRY(start_library(server, (unsigned)options->n_threads, err));
    *ret_server = TAKE_PTR(server);
    return ERR_OK;
}

const char *http_server_address(const struct http_server *server)
{
    return server->address;
}

void http_server_set_limits(struct http_server *server, size_t body_limit_bytes, size_t rows_limit)
{
    atomic_store(&server->service.body_limit_bytes, body_limit_bytes);
    atomic_store(&server->service.rows_limit, rows_limit);
}

void http_server_set_slow(struct http_server *server, int64_t slow_ms)
{
    atomic_store(&server->service.slow_us, slow_ms * 1000);
}

void http_server_set_gauge(struct http_server *server, enum http_gauge gauge, int64_t value)
{
    atomic_store(&server->service.gauges[gauge], value);
}

void http_server_count(struct http_server *server, enum http_gauge gauge)
{
    atomic_fetch_add(&server->service.gauges[gauge], 1);
}

enum err_code http_server_probe(struct http_server *server, unsigned turn, int timeout_ms,
                                struct err *err)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->mhd, MHD_DAEMON_INFO_LISTEN_FD);

    if (server->service.predicts)
        TRY(probe_prediction(server->service.registry, turn, err));
    if (info == NULL || info->listen_fd == MHD_INVALID_SOCKET)
        return ERR_OK; /* it drains */
    return probe_socket(info->listen_fd, timeout_ms, err);
}

/* Nobody is left, or nobody who is owed an answer and has not had time to hear of the end. */
static bool is_drained(struct http_server *server, int64_t began_ms)
{
    if (atomic_load(&server->service.n_connections) == 0)
        return true;
    return atomic_load(&server->service.n_requests) == 0 &&
           clock_ms() - began_ms >= DRAIN_LINGER_MS;
}

bool http_server_drain(struct http_server *server, int timeout_ms)
{
    const struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};
    int64_t began_ms = clock_ms(), deadline_ms = deadline_in(timeout_ms);
    MHD_socket listening;

    atomic_store(&server->service.draining, true);
    listening = MHD_quiesce_daemon(server->mhd);
    if (listening != MHD_INVALID_SOCKET)
        close(listening);
    while (!is_drained(server, began_ms)) {
        if (deadline_left_ms(deadline_ms) == 0)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

void http_server_free(struct http_server *server)
{
    if (server == NULL)
        return;
    /* nothing may be suspended when the library stops, and nothing be handed to who is gone */
    desk_stop(server->service.desk);
    bulk_stop(server->service.bulk);
    if (server->mhd != NULL)
        MHD_stop_daemon(server->mhd);
    bulk_free(server->service.bulk);
    desk_free(server->service.desk);
    if (server->has_handlers)
        handlers_release(&server->service);
    stats_free(server->service.stats);
    if (server->listen_fd >= 0)
        close(server->listen_fd);
    free(server);
}
