#include "base/systemd.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

#define FIRST_FD 3 /* SD_LISTEN_FDS_START */

/* "@…" is a name in the abstract namespace, whose first byte is NUL. */
void systemd_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t length = path != NULL ? strlen(path) : 0;
    int fd;

    if (length == 0 || length >= sizeof(name.sun_path) || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(name.sun_path, path, length);
    if (path[0] == '@')
        name.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&name,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
    close(fd);
}

void systemd_notify_reloading(void)
{
    char state[64];

    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_us());
    systemd_notify(state);
}

/* A variable that holds a whole number; -1: it does not. */
static int64_t number_of(const char *name)
{
    const char *text = getenv(name);
    char *end;
    long long number;

    if (text == NULL || text[0] < '0' || text[0] > '9')
        return -1;
    number = strtoll(text, &end, 10);
    return *end == '\0' ? number : -1;
}

/* Variables are inherited by whoever is started later; these are for one process alone. */
static bool is_for_us(const char *pid_variable)
{
    return number_of(pid_variable) == (int64_t)getpid();
}

int systemd_take_socket(void)
{
    bool ours = is_for_us("LISTEN_PID") && number_of("LISTEN_FDS") > 0;
    int type;
    socklen_t size = sizeof(type);

    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (!ours || getsockopt(FIRST_FD, SOL_SOCKET, SO_TYPE, &type, &size) != 0 ||
        type != SOCK_STREAM || fcntl(FIRST_FD, F_SETFD, FD_CLOEXEC) != 0 ||
        fcntl(FIRST_FD, F_SETFL, O_NONBLOCK) != 0)
        return -1;
    return FIRST_FD;
}

int64_t systemd_watchdog_ms(void)
{
    int64_t us = number_of("WATCHDOG_USEC");

    if (us <= 0 || (getenv("WATCHDOG_PID") != NULL && !is_for_us("WATCHDOG_PID")))
        return 0;
    return us / 1000 > 0 ? us / 1000 : 1;
}
