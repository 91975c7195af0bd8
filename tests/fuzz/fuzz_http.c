/*
 * What a client sends, to a whole server on a Unix socket: heads, bodies, chunks, several requests
 * on one connection. Whatever it is, the server answers in HTTP or not at all, and then the next
 * client as ever.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "http/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ANSWER_MAX  (1 << 16)
#define WAIT_MS     3     /* for an answer to what may be no whole request */
#define WAITS       8     /* of so many inputs that have no whole head, for one */
#define PATIENCE_MS 10000 /* for one to what is */
#define TRIES       5

static struct sockaddr_un where = {.sun_family = AF_UNIX};
static struct http_server *server;
static struct registry *registry;

static void stop(void)
{
    http_server_free(server);
    registry_free(registry);
}

/* Without a catalog: what asks it is told that it cannot be reached. */
static void start(void)
{
    char listen[sizeof(where.sun_path) + 5];
    struct http_options options = {
        .listen = listen,
        .n_threads = 1,
        .body_limit_bytes = 4096,
        .rows_limit = 10,
        .connections =
            {.all = 2000, .head_ms = 1000, .body_ms = 1000, .reply_ms = 1000, .idle_ms = 1000},
        .security = {.rules = {"", "a.example", "https://b.example"},
                     .tls_cert = "",
                     .tls_key = ""},
        .predicts = true,
        .dsn = "host=/nowhere connect_timeout=1",
    };
    struct err err;

    log_set_level(LOG_ERROR);
    snprintf(where.sun_path, sizeof(where.sun_path), "/tmp/pgboost-fuzz-%d", (int)getpid());
    snprintf(listen, sizeof(listen), "unix:%s", where.sun_path);
    if (registry_new(&registry, &err) != ERR_OK)
        abort();
    options.registry = registry;
    if (http_server_start(&options, &server, &err) != ERR_OK) {
        fprintf(stderr, "%s\n", err.message);
        abort();
    }
    atexit(stop);
}

static int dial(int patience_ms)
{
    const struct timeval patience = {patience_ms / 1000, patience_ms % 1000 * 1000};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 ||
        connect(fd, (const struct sockaddr *)&where, sizeof(where)) != 0)
        abort();
    return fd;
}

static bool starts_with(const char *text, size_t length, const char *start)
{
    return length >= strlen(start) && memcmp(text, start, strlen(start)) == 0;
}

/* The others are of clients that go away at once. */
static bool is_awaited(const uint8_t *data, size_t size)
{
    return size % WAITS == 0 || memmem(data, size, "\n\r\n", 3) != NULL ||
           memmem(data, size, "\n\n", 2) != NULL;
}

static void ask(const uint8_t *data, size_t size)
{
    static char answer[ANSWER_MAX];
    bool awaited = is_awaited(data, size);
    size_t n_read = 0;
    int fd = dial(WAIT_MS);
    ssize_t n;

    while (size > 0 && (n = send(fd, data, size, MSG_NOSIGNAL)) > 0) {
        data += n;
        size -= (size_t)n;
    }
    while (awaited && n_read < ANSWER_MAX &&
           (n = recv(fd, answer + n_read, ANSWER_MAX - n_read, 0)) > 0)
        n_read += (size_t)n;
    close(fd);
    if (n_read > 0 && !starts_with(answer, n_read, "HTTP/1.1 "))
        abort();
}

static bool is_alive(char *answer, size_t size)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    int fd = dial(PATIENCE_MS);
    ssize_t n = -1;

    if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) == sizeof(request) - 1)
        n = recv(fd, answer, size - 1, 0);
    answer[n > 0 ? n : 0] = '\0';
    close(fd);
    return n > 0 && starts_with(answer, (size_t)n, "HTTP/1.1 200 ");
}

/* More than once: on a loaded machine this process may be held up for longer than the server's
 * limits allow an honest client, and is then cut as a slow one. */
static void check_alive(void)
{
    char answer[4096];

    for (int try = 0; try < TRIES; try++)
        if (is_alive(answer, sizeof(answer)))
            return;
    fprintf(stderr, "fuzz_http: no good answer to /healthz: \"%s\" (%s)\n", answer,
            strerror(errno));
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (server == NULL)
        start();
    ask(data, size);
    check_alive();
    return 0;
}
