/* How long is waited: deadlines, and stops that end waits early. */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "pg/internal.h"

/* The server ends an overdue statement itself (57014), which keeps the connection usable; this much
 * later the client gives up on a server that does not answer at all. */
#define SERVER_GRACE_MS 1000

/* Stops ---------------------------------------------------------------------------------------- */

enum err_code pg_stop_open(struct pg_stop *stop, int grace_ms, struct err *err)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (fd < 0)
        return err_errno(err, errno, "cannot make an event descriptor");
    *stop = (struct pg_stop){.grace_ms = grace_ms, .fd = fd, .is_open = true};
    return ERR_OK;
}

void pg_stop_raise(const struct pg_stop *stop)
{
    const uint64_t one = 1;

    if (stop->is_open)
        (void)!write(stop->fd, &one, sizeof(one)); /* fails where it was raised 2^64 times */
}

void pg_stop_close(struct pg_stop *stop)
{
    if (stop->is_open)
        close(stop->fd);
    stop->is_open = false;
}

/* Deadlines ------------------------------------------------------------------------------------ */

static int64_t earlier(int64_t a_ms, int64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

int64_t pg_deadline(const struct pg *pg)
{
    int64_t deadline_ms = pg->statement_timeout_ms < 0
                              ? DEADLINE_NEVER
                              : deadline_in((int64_t)pg->statement_timeout_ms + SERVER_GRACE_MS);

    return earlier(deadline_ms, pg->give_up_ms);
}

void pg_give_up_at(struct pg *pg, int64_t deadline_ms)
{
    pg->give_up_ms = deadline_ms;
    pg->stop = NULL;
}

enum err_code pg_timed_out(struct pg *pg, struct err *err)
{
    pg->broken = true;
    err_set(err, ERR_TIMEOUT, "Postgres at %s did not answer in time", pg->address);
    return err_hint(err, "is the server overloaded or stopped? look at pg_stat_activity");
}

/* Waits ---------------------------------------------------------------------------------------- */

static void note_stop(struct pg *pg)
{
    pg->give_up_ms = earlier(pg->give_up_ms, deadline_in(pg->stop->grace_ms));
    pg->stop = NULL;
}

enum err_code pg_wait_socket(struct pg *pg, short events, int64_t deadline_ms, struct err *err)
{
    for (;;) {
        struct pollfd fds[] = {
            {.fd = PQsocket(pg->conn), .events = events},
            {.fd = pg->stop != NULL ? pg->stop->fd : -1, .events = POLLIN},
        };

        deadline_ms = earlier(deadline_ms, pg->give_up_ms);
        if (fds[0].fd < 0)
            return pg_lost(pg, err);
        if (poll(fds, N_ELEMENTS(fds), deadline_left_ms(deadline_ms)) < 0) {
            if (errno != EINTR)
                return err_errno(err, errno, "cannot wait for Postgres");
            fds[0].revents = fds[1].revents = 0;
        }
        if (fds[1].revents != 0)
            note_stop(pg);
        if (fds[0].revents != 0)
            return ERR_OK;
        if (deadline_left_ms(deadline_ms) == 0)
            return pg_timed_out(pg, err);
    }
}
