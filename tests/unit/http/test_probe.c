#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/probe.h"

static int listen_somewhere(void)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    assert_int_equal(listen(fd, 5), 0);
    return fd;
}

static void *answer_one(void *cls)
{
    int fd = accept(*(int *)cls, NULL, NULL);
    char request[256];

    assert_true(recv(fd, request, sizeof(request), 0) > 0);
    assert_int_equal(send(fd, "HTTP/1.1 200", 12, 0), 12);
    close(fd);
    return NULL;
}

static void test_answered(void **state)
{
    int fd = listen_somewhere();
    pthread_t thread;
    struct err err;

    (void)state;
    pthread_create(&thread, NULL, answer_one, &fd);
    assert_int_equal(probe_socket(fd, 5000, &err), ERR_OK);
    pthread_join(thread, NULL);
    close(fd);
}

/* The kernel takes the connection; nobody behind it does. */
static void test_not_answered(void **state)
{
    int fd = listen_somewhere();
    struct err err;

    (void)state;
    assert_int_equal(probe_socket(fd, 50, &err), ERR_TIMEOUT);
    close(fd);
    assert_int_equal(probe_socket(fd, 50, &err), ERR_IO);
}

static void test_no_models(void **state)
{
    struct registry *registry;

    (void)state;
    assert_int_equal(registry_new(&registry, NULL), ERR_OK);
    assert_int_equal(probe_prediction(registry, 7, NULL), ERR_OK);
    registry_free(registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answered),
        cmocka_unit_test(test_not_answered),
        cmocka_unit_test(test_no_models),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
