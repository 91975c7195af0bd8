/* LISTEN and the wait for notifications. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "base/clock.h"
#include "pg/internal.h"

enum err_code pg_listen(struct pg *pg, const char *channel, struct err *err)
{
    CLEANUP(buf_release) struct buf sql = {0};

    if (pg->pooled) /* another's session would hear it */
        return ERR_OK;
    buf_puts(&sql, "LISTEN ");
    TRY(pg_quote_identifier(pg, &sql, channel, err));
    return pg_exec(pg, buf_text(&sql), 0, NULL, NULL, err);
}

void pg_on_notify(struct pg *pg, pg_notify_fn fn, void *context)
{
    pg->on_notify = fn;
    pg->notify_context = context;
}

static bool drain(struct pg *pg, char *payload, size_t payload_size)
{
    bool any = false;
    PGnotify *notification;

    while ((notification = PQnotifies(pg->conn)) != NULL) {
        if (payload != NULL && payload_size > 0)
            snprintf(payload, payload_size, "%s", notification->extra);
        if (pg->on_notify != NULL)
            pg->on_notify(pg->notify_context, notification->relname, notification->extra);
        PQfreemem(notification);
        any = true;
    }
    return any;
}

enum err_code pg_wait(struct pg *pg, int timeout_ms, int interrupt_fd, bool *ret_notified,
                      char *payload, size_t payload_size, struct err *err)
{
    int64_t deadline_ms = deadline_in(timeout_ms);

    TRY(pg_check_usable(pg, err));
    for (;;) {
        struct pollfd fds[] = {
            {.fd = PQsocket(pg->conn), .events = POLLIN},
            {.fd = interrupt_fd, .events = POLLIN}, /* poll skips a negative one */
        };

        /* What came with an earlier statement's answer counts too: look before waiting. */
        if (!PQconsumeInput(pg->conn))
            return pg_lost(pg, err);
        if (drain(pg, payload, payload_size)) {
            *ret_notified = true;
            return ERR_OK;
        }
        if (poll(fds, N_ELEMENTS(fds), deadline_left_ms(deadline_ms)) < 0 && errno != EINTR)
            return err_errno(err, errno, "cannot wait for Postgres");
        if (fds[0].revents == 0 && (fds[1].revents != 0 || deadline_left_ms(deadline_ms) == 0)) {
            *ret_notified = false;
            return ERR_OK;
        }
    }
}
