/*
 * Sending a statement.
 *
 * In non-blocking mode libpq moves the unsent rest of its buffer after every write that did not
 * take all of it. For a model of 200 MiB that is quadratic: 21 s over a Unix socket where 1.4 s do.
 * So large parameters are sent in blocking mode, and a thread cuts the connection at the deadline.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "pg/internal.h"

#define PARAMS_MAX  64
#define LARGE_BYTES ((size_t)1 << 20)

/* Parameters as libpq takes them. */
struct arguments {
    const char *values[PARAMS_MAX];
    int lengths[PARAMS_MAX], formats[PARAMS_MAX];
    bool large;
};

struct watchdog {
    pthread_t thread;
    int socket, stop[2]; /* closing stop[1] ends the thread */
    int64_t deadline_ms;
    bool fired; /* read after the thread has ended */
};

static void *watch(void *context)
{
    struct watchdog *dog = context;
    struct pollfd fd = {.fd = dog->stop[0], .events = POLLIN};
    int n;

    do
        n = poll(&fd, 1, deadline_left_ms(dog->deadline_ms));
    while (n < 0 && errno == EINTR);
    if (n == 0) {
        dog->fired = true;
        shutdown(dog->socket, SHUT_RDWR);
    }
    return NULL;
}

static enum err_code watchdog_start(struct watchdog *dog, struct err *err)
{
    int error;

    if (pipe2(dog->stop, O_CLOEXEC) != 0)
        return err_errno(err, errno, "cannot open a pipe");
    error = pthread_create(&dog->thread, NULL, watch, dog);
    if (error != 0) {
        close(dog->stop[0]);
        close(dog->stop[1]);
        return err_errno(err, error, "cannot start a thread");
    }
    return ERR_OK;
}

static void watchdog_stop(struct watchdog *dog)
{
    close(dog->stop[1]);
    pthread_join(dog->thread, NULL);
    close(dog->stop[0]);
}

static enum err_code set_arguments(struct arguments *arguments, int n_params,
                                   const struct pg_param *params, struct err *err)
{
    if (n_params > PARAMS_MAX)
        return err_set(err, ERR_LIMIT, "a statement with %d parameters", n_params);
    arguments->large = false;
    for (int i = 0; i < n_params; i++) {
        if (params[i].n_bytes > INT32_MAX)
            return err_set(err, ERR_LIMIT, "a parameter of %zu bytes", params[i].n_bytes);
        arguments->values[i] = params[i].value;
        arguments->lengths[i] = (int)params[i].n_bytes;
        arguments->formats[i] = params[i].binary;
        arguments->large |= params[i].n_bytes >= LARGE_BYTES;
    }
    return ERR_OK;
}

static enum err_code send_arguments(struct pg *pg, const char *sql, int n_params,
                                    const struct arguments *arguments, bool binary_results,
                                    struct err *err)
{
    if (!PQsendQueryParams(pg->conn, sql, n_params, NULL, arguments->values, arguments->lengths,
                           arguments->formats, binary_results))
        return pg_lost(pg, err);
    return ERR_OK;
}

static enum err_code send_large(struct pg *pg, const char *sql, int n_params,
                                const struct arguments *arguments, bool binary_results,
                                int64_t deadline_ms, struct err *err)
{
    struct watchdog dog = {.socket = PQsocket(pg->conn), .deadline_ms = deadline_ms};
    enum err_code code;

    TRY(watchdog_start(&dog, err));
    PQsetnonblocking(pg->conn, 0);
    code = send_arguments(pg, sql, n_params, arguments, binary_results, err);
    watchdog_stop(&dog);
    PQsetnonblocking(pg->conn, 1);
    return dog.fired ? pg_timed_out(pg, err) : code;
}

enum err_code pg_send(struct pg *pg, const char *sql, int n_params, const struct pg_param *params,
                      bool binary_results, int64_t deadline_ms, struct err *err)
{
    struct arguments arguments;

    TRY(set_arguments(&arguments, n_params, params, err));
    if (arguments.large)
        return send_large(pg, sql, n_params, &arguments, binary_results, deadline_ms, err);
    TRY(send_arguments(pg, sql, n_params, &arguments, binary_results, err));
    return pg_flush(pg, deadline_ms, err);
}

enum err_code pg_send_prepared(struct pg *pg, const char *name, int n_params,
                               const struct pg_param *params, int64_t deadline_ms, struct err *err)
{
    struct arguments arguments;

    TRY(set_arguments(&arguments, n_params, params, err));
    if (!PQsendQueryPrepared(pg->conn, name, n_params, arguments.values, arguments.lengths,
                             arguments.formats, 1))
        return pg_lost(pg, err);
    return pg_flush(pg, deadline_ms, err);
}

enum err_code pg_flush(struct pg *pg, int64_t deadline_ms, struct err *err)
{
    for (;;) {
        int left = PQflush(pg->conn);

        if (left == 0)
            return ERR_OK;
        if (left < 0)
            return pg_lost(pg, err);
        /* The server may want to be read before it reads on. */
        TRY(pg_wait_socket(pg, POLLIN | POLLOUT, deadline_ms, err));
        if (!PQconsumeInput(pg->conn))
            return pg_lost(pg, err);
    }
}
