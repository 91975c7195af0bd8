#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/systemd.h"

static void set_number(const char *name, long number)
{
    char text[32];

    snprintf(text, sizeof(text), "%ld", number);
    setenv(name, text, 1);
}

static void test_notify_abstract(void **state)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    char path[64], got[64] = "";
    ssize_t n;

    (void)state;
    snprintf(path, sizeof(path), "@pgboost-test-%d", (int)getpid());
    memcpy(name.sun_path + 1, path + 1, strlen(path + 1));
    assert_int_equal(bind(fd, (struct sockaddr *)&name,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))),
                     0);
    setenv("NOTIFY_SOCKET", path, 1);
    systemd_notify("READY=1\nSTATUS=x");
    n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);
    assert_int_equal(n, 16);
    assert_string_equal(got, "READY=1\nSTATUS=x");
    setenv("NOTIFY_SOCKET", "relative", 1); /* refused, as sd_notify does */
    systemd_notify("READY=1");
    unsetenv("NOTIFY_SOCKET");
    systemd_notify("READY=1");
    assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), -1);
    close(fd);
}

static void test_watchdog(void **state)
{
    (void)state;
    unsetenv("WATCHDOG_USEC");
    assert_int_equal(systemd_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(systemd_watchdog_ms(), 30000);
    set_number("WATCHDOG_PID", (long)getpid());
    assert_int_equal(systemd_watchdog_ms(), 30000);
    set_number("WATCHDOG_PID", (long)getpid() + 1); /* a child's, or a parent's */
    assert_int_equal(systemd_watchdog_ms(), 0);
    unsetenv("WATCHDOG_PID");
    setenv("WATCHDOG_USEC", "soon", 1);
    assert_int_equal(systemd_watchdog_ms(), 0);
}

/* Puts a socket where systemd would, and back what was there. */
static int take_with(int fd, long pid, const char *n_fds)
{
    int saved = dup(3), taken;

    dup2(fd, 3);
    set_number("LISTEN_PID", pid);
    setenv("LISTEN_FDS", n_fds, 1);
    taken = systemd_take_socket();
    assert_null(getenv("LISTEN_FDS"));
    if (taken == 3) {
        assert_true((fcntl(3, F_GETFD) & FD_CLOEXEC) != 0);
        assert_true((fcntl(3, F_GETFL) & O_NONBLOCK) != 0);
    }
    if (saved >= 0)
        dup2(saved, 3);
    else
        close(3);
    close(saved);
    return taken;
}

static void test_take_socket(void **state)
{
    int low = open("/dev/null", O_RDONLY); /* holds descriptor 3 where it was free */
    int stream = fcntl(socket(AF_INET, SOCK_STREAM, 0), F_DUPFD, 10);
    int datagram = fcntl(socket(AF_INET, SOCK_DGRAM, 0), F_DUPFD, 10);

    (void)state;
    assert_int_equal(take_with(stream, (long)getpid(), "1"), 3);
    assert_int_equal(take_with(stream, (long)getpid() + 1, "1"), -1);
    assert_int_equal(take_with(stream, (long)getpid(), "0"), -1);
    assert_int_equal(take_with(datagram, (long)getpid(), "1"), -1);
    assert_int_equal(systemd_take_socket(), -1);
    close(low);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_notify_abstract),
        cmocka_unit_test(test_watchdog),
        cmocka_unit_test(test_take_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
