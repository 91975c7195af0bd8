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

#define ANSWER_MAX      (1 << 20)
#define TIMEOUT_SECONDS 10

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

static enum err_code connect_tcp(const char *address, int *ret_fd, struct err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *info;
    char host[256], service[16];
    int port, failure;

    TRY(options_split_listen(address, host, sizeof(host), &port, err));
    snprintf(service, sizeof(service), "%d", port);
    failure = getaddrinfo(host[0] != '\0' ? host : NULL, service, &hints, &info);
    if (failure != 0)
        return err_set(err, ERR_UNREACHABLE, "no host \"%s\": %s", host, gai_strerror(failure));
    *ret_fd = connect_one(info->ai_family, info->ai_addr, info->ai_addrlen);
    failure = errno;
    freeaddrinfo(info);
    return *ret_fd >= 0 ? ERR_OK : unreachable(address, failure, err);
}

/* HTTP/1.0: the answer ends with the connection. */
static enum err_code talk(int fd, const char *address, const char *path, struct buf *answer,
                          struct err *err)
{
    CLEANUP(buf_release) struct buf request = {0};
    char piece[4096];
    ssize_t n;

    buf_printf(&request, "GET %s HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    TRY(buf_check(&request, err));
    if (send(fd, request.data, request.length, MSG_NOSIGNAL) != (ssize_t)request.length)
        return unreachable(address, errno, err);
    while ((n = recv(fd, piece, sizeof(piece), 0)) > 0) {
        if (answer->length + (size_t)n > ANSWER_MAX)
            return err_set(err, ERR_LIMIT, "the daemon's answer is too long");
        buf_append(answer, piece, (size_t)n);
    }
    return n < 0 ? unreachable(address, errno, err) : buf_check(answer, err);
}

enum err_code ask_daemon(const char *address, const char *path, int *ret_status, struct buf *body,
                         struct err *err)
{
    CLEANUP(close_fd) int fd = -1;
    CLEANUP(buf_release) struct buf answer = {0};
    const char *begin;
    int status;

    TRY(address[0] == '/' ? connect_unix(address, &fd, err) : connect_tcp(address, &fd, err));
    TRY(talk(fd, address, path, &answer, err));
    begin = strstr(buf_text(&answer), "\r\n\r\n");
    if (begin == NULL || sscanf(buf_text(&answer), "HTTP/1.%*1[01] %d", &status) != 1) {
        err_set(err, ERR_FAILED, "what answers at %s does not speak plain HTTP", address);
        return err_hint(err, "is it a pgboostd, and without TLS?");
    }
    buf_puts(body, begin + 4);
    *ret_status = status;
    return buf_check(body, err);
}
