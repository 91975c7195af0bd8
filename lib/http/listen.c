#include "http/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/systemd.h"
#include "config/options.h"

/* getaddrinfo's answer for the first address of a host. */
static enum err_code resolve(const char *host, int port, struct addrinfo **ret_info,
                             struct err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    char service[16];
    int failure;

    snprintf(service, sizeof(service), "%d", port);
    failure = getaddrinfo(host[0] != '\0' ? host : NULL, service, &hints, ret_info);
    if (failure == 0)
        return ERR_OK;
    err_set(err, ERR_NOT_FOUND, "cannot listen on \"%s\": %s", host, gai_strerror(failure));
    return err_hint(err, "listen takes an address of this machine, like 127.0.0.1:8080");
}

static enum err_code bind_error(const char *listen_option, int error_number, struct err *err)
{
    err_errno(err, error_number, "cannot listen on \"%s\"", listen_option);
    switch (error_number) {
    case EADDRINUSE:
        return err_hint(err, "another program has this port (perhaps another pgboostd): choose "
                             "another with --listen; port 0 is any free one");
    case EACCES:
        return err_hint(err, "ports below 1024 need privileges: choose a higher one");
    case EADDRNOTAVAIL:
        return err_hint(err, "this address is not one of this machine's");
    default:
        return ERR_IO;
    }
}

static enum err_code describe(int socket_fd, char *address, struct err *err)
{
    struct sockaddr_storage name;
    socklen_t size = sizeof(name);
    char host[256], service[16];
    int failure;

    if (getsockname(socket_fd, (struct sockaddr *)&name, &size) != 0)
        return err_errno(err, errno, "cannot tell the listening address");
    failure = getnameinfo((struct sockaddr *)&name, size, host, sizeof(host), service,
                          sizeof(service), NI_NUMERICHOST | NI_NUMERICSERV);
    if (failure != 0)
        return err_set(err, ERR_IO, "cannot tell the listening address: %s", gai_strerror(failure));
    snprintf(address, LISTEN_ADDRESS_MAX, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host,
             service);
    return ERR_OK;
}

static void close_socket(int *socket_fd)
{
    if (*socket_fd >= 0)
        close(*socket_fd);
}

/* systemd's, which goes on listening while the daemon is restarted. */
static enum err_code inherit(int socket_fd, int *ret_socket, char *address, struct err *err)
{
    CLEANUP(close_socket) int fd = socket_fd;

    TRY(describe(fd, address, err));
    *ret_socket = fd;
    fd = -1;
    return ERR_OK;
}

/* A socket that a server which was killed left behind is nobody's. A file of another kind refuses
 * connections in the same words, and is somebody's. */
static void remove_stale(const struct sockaddr_un *name)
{
    CLEANUP(close_socket)
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct stat file;

    if (lstat(name->sun_path, &file) != 0 || !S_ISSOCK(file.st_mode))
        return;
    if (probe >= 0 && connect(probe, (const struct sockaddr *)name, sizeof(*name)) != 0 &&
        errno == ECONNREFUSED)
        unlink(name->sun_path);
}

static enum err_code path_error(const char *path, int error_number, struct err *err)
{
    err_errno(err, error_number, "cannot listen on \"unix:%s\"", path);
    switch (error_number) {
    case EADDRINUSE:
        return err_hint(err, "another program listens there (perhaps another pgboostd), or it is a "
                             "file of another kind, which stays");
    case EACCES:
    case ENOENT:
    case EROFS:
        return err_hint(err, "its folder has to be there, and the daemon's user to be allowed to "
                             "write to it");
    default:
        return ERR_IO;
    }
}

static enum err_code check_path(const char *path, struct err *err)
{
    size_t most = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

    if (strlen(path) <= most)
        return ERR_OK;
    return err_set(err, ERR_CONFIG, "\"listen\": a socket's path has %zu bytes at most", most);
}

static enum err_code open_path(const char *path, int *ret_socket, char *address, struct err *err)
{
    CLEANUP(close_socket) int socket_fd = -1;
    struct sockaddr_un name = {.sun_family = AF_UNIX};

    TRY(check_path(path, err));
    strcpy(name.sun_path, path);
    remove_stale(&name);
    socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* the mode of the socket before bind is that of the file, less the umask: it only widens */
    if (socket_fd < 0 || fchmod(socket_fd, 0660) != 0 ||
        bind(socket_fd, (const struct sockaddr *)&name, sizeof(name)) != 0 ||
        chmod(path, 0660) != 0 || listen(socket_fd, SOMAXCONN) != 0)
        return path_error(path, errno, err);
    snprintf(address, LISTEN_ADDRESS_MAX, "unix:%s", path);
    *ret_socket = socket_fd;
    socket_fd = -1;
    return ERR_OK;
}

static bool is_loopback(const struct sockaddr *address)
{
    const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    const struct in_addr *four = &((const struct sockaddr_in *)(const void *)address)->sin_addr;

    if (address->sa_family == AF_INET)
        return ntohl(four->s_addr) >> 24 == IN_LOOPBACKNET;
    return address->sa_family == AF_INET6 &&
           (IN6_IS_ADDR_LOOPBACK(six) ||
            (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == IN_LOOPBACKNET));
}

enum err_code listen_is_exposed(const char *listen_option, bool *ret_exposed, struct err *err)
{
    struct addrinfo *info;
    char host[256];
    int port;

    if (options_listen_path(listen_option) != NULL) {
        *ret_exposed = false;
        return check_path(options_listen_path(listen_option), err);
    }
    TRY(options_split_listen(listen_option, host, sizeof(host), &port, err));
    TRY(resolve(host, port, &info, err));
    *ret_exposed = !is_loopback(info->ai_addr);
    freeaddrinfo(info);
    return ERR_OK;
}

enum err_code listen_open(const char *listen_option, int *ret_socket, bool *ret_inherited,
                          char *address, struct err *err)
{
    CLEANUP(close_socket) int socket_fd = -1;
    struct addrinfo *info;
    char host[256];
    int port, one = 1, failure = 0, inherited = systemd_take_socket();

    *ret_inherited = inherited >= 0;
    if (inherited >= 0)
        return inherit(inherited, ret_socket, address, err);
    if (options_listen_path(listen_option) != NULL)
        return open_path(options_listen_path(listen_option), ret_socket, address, err);
    TRY(options_split_listen(listen_option, host, sizeof(host), &port, err));
    TRY(resolve(host, port, &info, err));
    socket_fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* SO_REUSEADDR: a restart need not wait for the last connections' TIME_WAIT to pass. */
    if (socket_fd < 0 || setsockopt(socket_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
        bind(socket_fd, info->ai_addr, info->ai_addrlen) != 0 || listen(socket_fd, SOMAXCONN) != 0)
        failure = errno;
    freeaddrinfo(info);
    if (failure != 0)
        return bind_error(listen_option, failure, err);
    TRY(describe(socket_fd, address, err));
    *ret_socket = socket_fd;
    socket_fd = -1;
    return ERR_OK;
}
