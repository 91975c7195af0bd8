/*
 * An open-loop load: requests at a fixed mean rate, whatever the server does.
 *
 *     paced PORT FILE CONNECTIONS RATE SECONDS
 *
 * Posts FILE to /predict of 127.0.0.1. The times between requests are exponential, from a fixed
 * seed, so that every server gets the same ones. A latency counts from the moment a request was
 * due, also while it waited for a connection: a server that stalls cannot hide it. Prints
 * {"requests": …, "failed": …, "p50_us": …, "p99_us": …}.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024
#define ANSWER_MAX      (1 << 16)

struct connection {
    int fd;
    int64_t due_ns; /* of the request under way */
    size_t n;
    char answer[ANSWER_MAX];
};

static struct connection *connections;
static struct connection *idle[CONNECTIONS_MAX];
static int n_idle;
static char request[1 << 20];
static size_t n_request;
static int64_t *latencies_ns;
static size_t n_done, n_failed;

static void fail(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* xorshift64* (Vigna), to a number in (0, 1]. */
static double draw(void)
{
    static uint64_t state = 88172645463325252U;

    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return ((double)(state * UINT64_C(2685821657736338717) >> 11) + 1) / 9007199254740992.0;
}

static void read_request(const char *path)
{
    static char body[sizeof(request) / 2];
    FILE *file = fopen(path, "rb");
    size_t n_body;

    if (file == NULL)
        fail(path);
    n_body = fread(body, 1, sizeof(body), file);
    fclose(file);
    n_request = (size_t)snprintf(request, sizeof(request),
                                 "POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                                 "Content-Length: %zu\r\n\r\n",
                                 n_body);
    memcpy(request + n_request, body, n_body);
    n_request += n_body;
}

static void open_connection(struct connection *connection, int port, int epoll)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    int on = 1;

    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 ||
        connect(connection->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        fail("connect");
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    fcntl(connection->fd, F_SETFL, O_NONBLOCK);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0)
        fail("epoll_ctl");
    idle[n_idle++] = connection;
}

/* A request is far smaller than a socket's buffer. */
static void send_request(int64_t due_ns)
{
    struct connection *connection = idle[--n_idle];

    connection->due_ns = due_ns;
    connection->n = 0;
    if (write(connection->fd, request, n_request) != (ssize_t)n_request)
        fail("write");
}

/* Has the whole answer come? */
static bool is_complete(const struct connection *connection)
{
    static const char name[] = "\r\nContent-Length: ";
    const char *end = strstr(connection->answer, "\r\n\r\n");
    const char *length = strcasestr(connection->answer, name);

    if (end == NULL)
        return false;
    if (length == NULL || length > end)
        fail("an answer without Content-Length");
    return connection->n ==
           (size_t)(end + 4 - connection->answer) + strtoul(length + sizeof(name) - 1, NULL, 10);
}

static void receive(struct connection *connection)
{
    ssize_t n = read(connection->fd, connection->answer + connection->n,
                     sizeof(connection->answer) - 1 - connection->n);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0)
        fail("read");
    connection->n += (size_t)n;
    connection->answer[connection->n] = '\0';
    if (!is_complete(connection))
        return;
    n_failed += strncmp(connection->answer, "HTTP/1.1 200 ", 13) != 0;
    latencies_ns[n_done++] = now_ns() - connection->due_ns;
    idle[n_idle++] = connection;
}

static void wait_until(int epoll, int64_t due_ns)
{
    struct epoll_event events[64];
    int64_t left_ns = due_ns - now_ns();
    struct timespec timeout = {.tv_sec = left_ns / 1000000000, .tv_nsec = left_ns % 1000000000};
    int n = epoll_pwait2(epoll, events, 64, left_ns > 0 ? &timeout : &(struct timespec){0}, NULL);

    for (int i = 0; i < n; i++)
        receive(events[i].data.ptr);
}

static void run(int epoll, double rate, size_t n_requests)
{
    int64_t due_ns = now_ns() + 10000000;
    double at = (double)due_ns;

    for (size_t sent = 0; sent < n_requests;) {
        if (now_ns() >= due_ns && n_idle > 0) {
            send_request(due_ns);
            sent++;
            at -= log(draw()) * 1e9 / rate;
            due_ns = (int64_t)at;
        } else {
            wait_until(epoll, n_idle > 0 ? due_ns : now_ns() + 1000000000);
        }
    }
    for (int64_t end_ns = now_ns() + 5000000000; n_done < n_requests && now_ns() < end_ns;)
        wait_until(epoll, end_ns);
    n_failed += n_requests - n_done;
}

static int compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

static double quantile_us(double share)
{
    return n_done == 0 ? 0 : (double)latencies_ns[(size_t)(share * (double)(n_done - 1))] / 1e3;
}

int main(int argc, char **argv)
{
    int n_connections, epoll = epoll_create1(EPOLL_CLOEXEC);
    size_t n_requests;

    if (argc != 6 || atoi(argv[3]) < 1 || atoi(argv[3]) > CONNECTIONS_MAX) {
        fprintf(stderr, "usage: %s PORT FILE CONNECTIONS RATE SECONDS\n", argv[0]);
        return 2;
    }
    prctl(PR_SET_TIMERSLACK, 1);
    n_connections = atoi(argv[3]);
    n_requests = (size_t)(atof(argv[4]) * atof(argv[5]));
    connections = calloc((size_t)n_connections, sizeof(*connections));
    latencies_ns = calloc(n_requests + 1, sizeof(*latencies_ns));
    if (epoll < 0 || connections == NULL || latencies_ns == NULL)
        fail("start");
    read_request(argv[2]);
    for (int i = 0; i < n_connections; i++)
        open_connection(&connections[i], atoi(argv[1]), epoll);
    run(epoll, atof(argv[4]), n_requests);
    qsort(latencies_ns, n_done, sizeof(*latencies_ns), compare);
    printf("{\"requests\": %zu, \"failed\": %zu, \"p50_us\": %.1f, \"p99_us\": %.1f}\n", n_done,
           n_failed, quantile_us(0.5), quantile_us(0.99));
    return EXIT_SUCCESS;
}
