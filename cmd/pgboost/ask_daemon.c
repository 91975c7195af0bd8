#include "ask_daemon.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "config/options.h"
#include "tls_client.h"

#define ANSWER_MAX      (1 << 20)
#define TIMEOUT_SECONDS 10
#define HTTPS           "https://"

struct channel {
    int fd;
    struct tls_client *tls; /* NULL: without */
};

static void channel_close(struct channel *channel)
{
    tls_client_free(channel->tls);
    close_fd(&channel->fd);
}

static ssize_t channel_send(struct channel *channel, const void *data, size_t n_bytes)
{
    return channel->tls != NULL ? tls_client_send(channel->tls, data, n_bytes)
                                : send(channel->fd, data, n_bytes, MSG_NOSIGNAL);
}

static ssize_t channel_recv(struct channel *channel, void *data, size_t n_bytes)
{
    return channel->tls != NULL ? tls_client_recv(channel->tls, data, n_bytes)
                                : recv(channel->fd, data, n_bytes, 0);
}

static enum err_code unreachable(const char *address, int error_number, struct err *err)
{
    err_set(err, ERR_UNREACHABLE, "no daemon answers at %s: %s", address, strerror(error_number));
    return err_hint(err, "name another with --address, as the daemon's option \"listen\" has it");
}

/* -1 with errno set. */
static int connect_one(int family, const struct sockaddr *name, socklen_t size)
{
    const struct timeval timeout = {.tv_sec = TIMEOUT_SECONDS};
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), error_number;

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) == 0 &&
        connect(fd, name, size) == 0)
        return fd;
    error_number = errno;
    close(fd);
    errno = error_number;
    return -1;
}

static enum err_code connect_unix(const char *path, int *ret_fd, struct err *err)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(name.sun_path))
        return err_set(err, ERR_USAGE, "the path of the socket is too long");
    memcpy(name.sun_path, path, strlen(path));
    *ret_fd = connect_one(AF_UNIX, (const struct sockaddr *)&name, sizeof(name));
    return *ret_fd >= 0 ? ERR_OK : unreachable(path, errno, err);
}

static enum err_code connect_tcp(const char *address, const char *host, int port, int *ret_fd,
                                 struct err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *first;
    char service[16];
    int failure;

    snprintf(service, sizeof(service), "%d", port);
    failure = getaddrinfo(host[0] != '\0' ? host : NULL, service, &hints, &first);
    if (failure != 0)
        return err_set(err, ERR_UNREACHABLE, "no host \"%s\": %s", host, gai_strerror(failure));
    for (const struct addrinfo *info = first; info != NULL && *ret_fd < 0; info = info->ai_next)
        *ret_fd = connect_one(info->ai_family, info->ai_addr, info->ai_addrlen);
    failure = errno;
    freeaddrinfo(first);
    return *ret_fd >= 0 ? ERR_OK : unreachable(address, failure, err);
}

static enum err_code open_channel(const char *address, const char *ca, struct channel *channel,
                                  struct err *err)
{
    bool has_tls = ca != NULL || strncmp(address, HTTPS, strlen(HTTPS)) == 0;
    char host[256];
    int port;

    if (address[0] == '/')
        return connect_unix(address, &channel->fd, err);
    if (strncmp(address, HTTPS, strlen(HTTPS)) == 0)
        address += strlen(HTTPS);
    TRY(options_split_listen(address, host, sizeof(host), &port, err));
    TRY(connect_tcp(address, host, port, &channel->fd, err));
    return has_tls ? tls_client_new(channel->fd, host, ca, &channel->tls, err) : ERR_OK;
}

/* HTTP/1.0: the answer ends with the connection. */
static enum err_code talk(struct channel *channel, const char *address, const char *path,
                          struct buf *answer, struct err *err)
{
    CLEANUP(buf_release) struct buf request = {0};
    char piece[4096];
    ssize_t n;

    buf_printf(&request, "GET %s HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    TRY(buf_check(&request, err));
    if (channel_send(channel, request.data, request.length) != (ssize_t)request.length)
        return unreachable(address, errno, err);
    while ((n = channel_recv(channel, piece, sizeof(piece))) > 0) {
        if (answer->length + (size_t)n > ANSWER_MAX)
            return err_set(err, ERR_LIMIT, "the daemon's answer is too long");
        buf_append(answer, piece, (size_t)n);
    }
    return n < 0 ? unreachable(address, errno, err) : buf_check(answer, err);
}

enum err_code ask_daemon(const char *address, const char *ca, const char *path, int *ret_status,
                         struct buf *body, struct err *err)
{
    CLEANUP(channel_close) struct channel channel = {.fd = -1};
    CLEANUP(buf_release) struct buf answer = {0};
    const char *begin;
    int status;

    TRY(open_channel(address, ca, &channel, err));
    TRY(talk(&channel, address, path, &answer, err));
    begin = strstr(buf_text(&answer), "\r\n\r\n");
    if (begin == NULL || sscanf(buf_text(&answer), "HTTP/1.%*1[01] %d", &status) != 1) {
        err_set(err, ERR_FAILED, "what answers at %s does not speak HTTP", address);
        return err_hint(err, "is it a pgboostd? With TLS it is https://%s", address);
    }
    buf_puts(body, begin + 4);
    *ret_status = status;
    return buf_check(body, err);
}
