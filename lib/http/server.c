#include "http/server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/options.h"
#include "http/bulk.h"
#include "http/exchange.h"
#include "http/handlers.h"
#include "http/listen.h"
#include "http/probe.h"
#include "http/tls.h"
#include "http/unlisten.h"

#define FILES_RESERVED 128 /* descriptors that are not connections, or are being turned away */
#define LIBRARY_SECONDS                                                                            \
    3600 /* the library's own bound of inactivity; connections.h has nearer ones */
#define HEAD_BYTES_MAX  (16 << 10) /* memory of one connection: its head, and pieces of its body */
#define TLS_WARN_S      (14 * 24 * 3600) /* before a certificate expires */
#define DRAIN_LINGER_MS 300 /* for clients that keep an idle connection to hear of the end */
#define DRAIN_SETTLE_MS 100 /* for the threads to count who has only just come */

struct http_server {
    struct http_service service;
    struct MHD_Daemon *mhd;
    int listen_fd; /* -1 while the HTTP library has it */
    bool has_handlers, has_tls, is_inherited;
    const char *socket_path; /* in address; NULL: none */
    struct stat socket_file; /* what was made there */
    char address[LISTEN_ADDRESS_MAX + 8];
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

/* As many as were asked for, or as the process may have files open. */
static int n_connections_max(int n_wanted)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY ||
        files.rlim_cur >= (rlim_t)n_wanted + FILES_RESERVED)
        return n_wanted;
    log_warning("fewer connections than the option says: few files may be open",
                "connections=%d files=%llu", n_wanted, (unsigned long long)files.rlim_cur);
    return files.rlim_cur > 2 * FILES_RESERVED ? (int)(files.rlim_cur - FILES_RESERVED)
                                               : FILES_RESERVED;
}

static void start_limits(const struct http_options *options, struct connection_limits *limits)
{
    *limits = options->connections;
    limits->all = n_connections_max(limits->all);
}

/* The library divides its limit among its threads, and leaves beyond it whoever comes waiting: it
 * must never be reached before that of connections.h. */
static enum err_code start_library(struct http_server *server, unsigned n_threads, int n_max,
                                   struct err *err)
{
    struct http_service *service = &server->service;
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_LISTEN_SOCKET, server->listen_fd, NULL},
        {MHD_OPTION_CONNECTION_LIMIT,
         (intptr_t)n_threads * (n_max + 2 * CONNECTIONS_TURNED_AWAY_MAX), NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, LIBRARY_SECONDS, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, HEAD_BYTES_MAX, NULL},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_encoding, NULL},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)exchange_target, service},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)exchange_connection, service},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)exchange_completed, service},
        {n_threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, (intptr_t)n_threads, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)TLS_PRIORITIES},
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, tls_callback()},
        {MHD_OPTION_END, 0, NULL},
    };

    server->mhd =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
                             MHD_USE_ERROR_LOG | (server->has_tls ? MHD_USE_TLS : 0U),
                         0, NULL, NULL, exchange_handle, service, MHD_OPTION_EXTERNAL_LOGGER,
                         log_library, NULL, MHD_OPTION_ARRAY, server->has_tls ? tls : &tls[2],
                         MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    if (server->mhd == NULL)
        return err_set(err, ERR_FAILED, "cannot start the HTTP server with %u threads", n_threads);
    server->listen_fd = -1;
    return ERR_OK;
}

/* Security ------------------------------------------------------------------------------------ */

/* What is read of the files; both are the caller's. */
static const char *format_day(int64_t seconds, char *out, size_t size)
{
    const time_t at = (time_t)seconds;
    struct tm tm;

    if (gmtime_r(&at, &tm) == NULL || strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        snprintf(out, size, "?");
    return out;
}

/* A certificate that clients will not take is served all the same: it may be the clock that is
 * wrong. */
static void warn_of_validity(const char *path, const struct tls_identity *identity)
{
    int64_t from_s, until_s, now_s = time(NULL);
    char from[32], until[32], name[300];

    tls_validity(identity, &from_s, &until_s);
    if (now_s >= from_s && now_s < until_s - TLS_WARN_S)
        return;
    log_warning(now_s < from_s     ? "the TLS certificate is not valid yet"
                : now_s >= until_s ? "the TLS certificate has expired"
                                   : "the TLS certificate expires soon",
                "tls_cert=%s from=%s until=%s", log_text(path, name, sizeof(name)),
                format_day(from_s, from, sizeof(from)), format_day(until_s, until, sizeof(until)));
}

static enum err_code load_security(const struct http_security *security, struct guard **ret_guard,
                                   struct tls_identity **ret_identity, struct err *err)
{
    CLEANUP(guard_freep) struct guard *guard = NULL;
    CLEANUP(tls_freep) struct tls_identity *identity = NULL;

    if ((security->tls_cert[0] != '\0') != (security->tls_key[0] != '\0')) {
        err_set(err, ERR_CONFIG, "\"tls_cert\" and \"tls_key\" go together: one is not set");
        return err_field(err, "tls_key");
    }
    TRY(guard_new(&security->rules, &guard, err));
    if (security->tls_cert[0] != '\0') {
        TRY(tls_load(security->tls_cert, security->tls_key, &identity, err));
        warn_of_validity(security->tls_cert, identity);
    }
    *ret_guard = TAKE_PTR(guard);
    *ret_identity = TAKE_PTR(identity);
    return ERR_OK;
}

static enum err_code check_exposure(const char *listen, const struct http_security *security,
                                    const struct guard *guard, struct err *err)
{
    bool is_exposed;

    TRY(listen_is_exposed(listen, &is_exposed, err));
    if (!is_exposed || !security->protected_mode ||
        (guard_has_tokens(guard) && security->tls_cert[0] != '\0'))
        return ERR_OK;
    err_set(err, ERR_CONFIG,
            "\"listen\": \"%s\" can be reached from other machines, which needs tokens and TLS",
            listen);
    err_field(err, "listen");
    return err_hint(err, "set tokens, tls_cert and tls_key; or, where a proxy or a network of its "
                         "own sees to that, protected_mode = no");
}

enum err_code http_security_check(const char *listen, const struct http_security *security,
                                  struct err *err)
{
    CLEANUP(guard_freep) struct guard *guard = NULL;
    CLEANUP(tls_freep) struct tls_identity *identity = NULL;

    TRY(load_security(security, &guard, &identity, err));
    return check_exposure(listen, security, guard, err);
}

static void take_security(struct http_server *server, struct guard *guard,
                          struct tls_identity *identity)
{
    int64_t from_s, until_s;

    guard_post_set(&server->service.guard, guard);
    if (identity == NULL)
        return;
    tls_validity(identity, &from_s, &until_s);
    http_server_set_gauge(server, HTTP_TLS_UNTIL_S, until_s);
    tls_use(identity);
}

static enum err_code start_security(struct http_server *server, const char *listen,
                                    const struct http_security *security, struct err *err)
{
    CLEANUP(guard_freep) struct guard *guard = NULL;
    CLEANUP(tls_freep) struct tls_identity *identity = NULL;

    TRY(load_security(security, &guard, &identity, err));
    TRY(check_exposure(listen, security, guard, err));
    server->has_tls = identity != NULL;
    take_security(server, TAKE_PTR(guard), TAKE_PTR(identity));
    return ERR_OK;
}

/* Without a token nobody could be let in from elsewhere any more, or anybody could. */
enum err_code http_server_reload(struct http_server *server, const struct http_security *security,
                                 struct err *err)
{
    CLEANUP(guard_freep) struct guard *guard = NULL;
    CLEANUP(tls_freep) struct tls_identity *identity = NULL;
    const struct guard *older = atomic_load(&server->service.guard.guard);
    char until[32];

    TRY(load_security(security, &guard, &identity, err));
    if (guard_has_tokens(older) && !guard_has_tokens(guard)) {
        err_set(err, ERR_CONFIG, "\"tokens\" is not set any more, and was");
        return err_hint(err, "to serve without tokens, restart");
    }
    if (server->has_tls != (identity != NULL)) {
        err_set(err, ERR_CONFIG, "\"tls_cert\" turns TLS %s, which needs a restart",
                server->has_tls ? "off" : "on");
        return err_field(err, "tls_cert");
    }
    if (guard_has_tokens(guard))
        log_info("tokens read", "n=%d before=%d", guard_n_tokens(guard), guard_n_tokens(older));
    take_security(server, TAKE_PTR(guard), TAKE_PTR(identity));
    if (server->has_tls)
        log_info("TLS certificate read", "until=%s",
                 format_day(atomic_load(&server->service.gauges[HTTP_TLS_UNTIL_S]), until,
                            sizeof(until)));
    return ERR_OK;
}

/* Start and stop ------------------------------------------------------------------------------ */

static enum err_code open_socket(struct http_server *server, const char *listen, struct err *err)
{
    char address[LISTEN_ADDRESS_MAX];

    TRY(listen_open(listen, &server->listen_fd, &server->is_inherited, address, err));
    snprintf(server->address, sizeof(server->address), "%s%s",
             options_listen_path(listen) != NULL ? ""
             : server->has_tls                   ? "https://"
                                                 : "http://",
             address);
    server->socket_path = options_listen_path(server->address);
    if (server->socket_path != NULL && lstat(server->socket_path, &server->socket_file) != 0)
        server->socket_path = NULL; /* somebody was quicker: it is not ours to remove */
    return ERR_OK;
}

enum err_code http_server_start(const struct http_options *options, struct http_server **ret_server,
                                struct err *err)
{
    CLEANUP(http_server_freep)
    struct http_server *server = aligned_alloc(CACHE_LINE, sizeof(*server));
    struct connection_limits limits;

    if (server == NULL)
        return err_nomem(err);
    memset(server, 0, sizeof(*server));
    server->listen_fd = -1;
    guard_post_init(&server->service.guard);
    server->service.reads_in_place = MHD_get_version()[0] == '0';
    if (getrandom(&server->service.request_id_base, sizeof(uint64_t), 0) != sizeof(uint64_t))
        return err_errno(err, errno, "cannot get random bytes");
    start_limits(options, &limits);
    server->service.registry = options->registry;
    server->service.predicts = options->predicts;
    http_server_set_limits(server, options->body_limit_bytes, options->rows_limit);
    TRY(stats_new(&server->service.stats, err));
    TRY(desk_new(options->dsn, &server->service.desk, err));
    if (options->predicts)
        TRY(lookup_new(&options->lookup, &server->service.lookup, err));
    TRY(handlers_init(&server->service, err));
    server->has_handlers = true;
    TRY(bulk_new(options->n_threads, &server->service.bulk, err));
    TRY(start_security(server, options->listen, &options->security, err));
    TRY(open_socket(server, options->listen, err));
    TRY(connections_new(&limits, server->has_tls, &server->service.connections, err));
    TRY(start_library(server, (unsigned)options->n_threads, limits.all, err));
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

void http_server_set_connections(struct http_server *server, const struct connection_limits *limits)
{
    connections_set_limits(server->service.connections, limits);
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
    int64_t linger_ms =
        atomic_load(&server->service.n_connections) == 0 ? DRAIN_SETTLE_MS : DRAIN_LINGER_MS;

    return atomic_load(&server->service.n_requests) == 0 && clock_ms() - began_ms >= linger_ms;
}

/* As long as the socket listens: after that the path may be that of the daemon that comes next. It
 * already is where somebody has removed the file; as long as ours is bound, no other has its
 * number.
 */
static void remove_path(struct http_server *server)
{
    const struct stat *ours = &server->socket_file;
    struct stat now;

    if (server->socket_path != NULL && lstat(server->socket_path, &now) == 0 &&
        now.st_dev == ours->st_dev && now.st_ino == ours->st_ino)
        unlink(server->socket_path);
    server->socket_path = NULL;
}

bool http_server_drain(struct http_server *server, int timeout_ms)
{
    const struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};
    int64_t began_ms, deadline_ms = deadline_in(timeout_ms);

    remove_path(server);
    server->listen_fd = unlisten(server->mhd, server->is_inherited);
    atomic_store(&server->service.draining, true);
    began_ms = clock_ms();
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
    lookup_stop(server->service.lookup);
    if (server->mhd != NULL)
        MHD_stop_daemon(server->mhd);
    connections_free(server->service.connections);
    guard_post_release(&server->service.guard);
    for (int i = 0; server->has_tls && i < TLS_KEPT; i++)
        tls_use(NULL);
    remove_path(server);
    bulk_free(server->service.bulk);
    desk_free(server->service.desk);
    lookup_free(server->service.lookup);
    if (server->has_handlers)
        handlers_release(&server->service);
    stats_free(server->service.stats);
    if (server->listen_fd >= 0)
        close(server->listen_fd);
    free(server);
}
