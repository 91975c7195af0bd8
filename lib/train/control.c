#include "train/control.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

#define HEARTBEAT_MS 3000
#define PROGRESS_MS  250
/* A worker stops itself this long before its lease can have ended on the database's clock. */
#define LEASE_MARGIN_MS 5000

enum hold { HOLD_OURS, HOLD_CANCELLED, HOLD_LOST };

struct control {
    char *dsn;
    struct pg *pg;
    struct lease lease;
    pthread_t thread;
    bool has_thread;
    int stop_pipe[2]; /* written once: the heartbeat ends */
    atomic_int hold;
    int64_t progress_at_ms;
    char stage[32];
};

static enum err_code control_connect(const struct control *control, struct pg **ret_pg,
                                     struct err *err)
{
    struct pg_options options = {.dsn = control->dsn, .application_name = "pgboost-worker"};

    return pg_connect(&options, ret_pg, err);
}

/* One heartbeat, reconnecting when needed; the connection is kept in *pg. */
static enum err_code beat(struct control *control, struct pg **pg, bool *ret_cancel,
                          struct err *err)
{
    if (*pg != NULL && pg_broken(*pg)) {
        pg_close(*pg);
        *pg = NULL;
    }
    if (*pg == NULL)
        TRY(control_connect(control, pg, err));
    return catalog_heartbeat(*pg, &control->lease, ret_cancel, err);
}

/* Waits for the next beat; true when the heartbeat is to end. */
static bool wait_stopped(const struct control *control, int timeout_ms)
{
    fd_set fds;
    struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};

    FD_ZERO(&fds);
    FD_SET(control->stop_pipe[0], &fds);
    return select(control->stop_pipe[0] + 1, &fds, NULL, NULL, &timeout) > 0;
}

static void *heartbeat_main(void *argument)
{
    struct control *control = argument;
    CLEANUP(pg_closep) struct pg *pg = NULL;
    int64_t held_until = deadline_in(LEASE_SECONDS * 1000 - LEASE_MARGIN_MS);

    do {
        int64_t started = clock_ms();
        bool cancel = false;
        struct err err = {0};
        enum err_code code = beat(control, &pg, &cancel, &err);

        if (code == ERR_OK) {
            held_until = started + LEASE_SECONDS * 1000 - LEASE_MARGIN_MS;
            if (cancel)
                atomic_store(&control->hold, HOLD_CANCELLED);
        } else if (code == ERR_CONFLICT || clock_ms() > held_until) {
            atomic_store(&control->hold, HOLD_LOST);
            log_err(LOG_ERROR, "the lease is lost", &err);
            return NULL;
        } else {
            log_err(LOG_WARNING, "heartbeat failed", &err);
        }
    } while (!wait_stopped(control, HEARTBEAT_MS));
    return NULL;
}

static enum err_code start_heartbeat(struct control *control, struct err *err)
{
    sigset_t all, before;
    int error;

    if (pipe2(control->stop_pipe, O_CLOEXEC) != 0)
        return err_set(err, ERR_IO, "cannot create a pipe");
    /* signals are for the main thread */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&control->thread, NULL, heartbeat_main, control);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        return err_errno(err, error, "cannot start the heartbeat");
    control->has_thread = true;
    return ERR_OK;
}

enum err_code control_claim(const char *dsn, const char *worker, int64_t run_id,
                            struct control **ret_control, struct err *err)
{
    CLEANUP(control_freep) struct control *control = calloc(1, sizeof(*control));
    bool claimed = false;

    if (control == NULL)
        return err_nomem(err);
    control->stop_pipe[0] = control->stop_pipe[1] = -1;
    control->dsn = strdup(dsn != NULL ? dsn : "");
    if (control->dsn == NULL)
        return err_nomem(err);
    TRY(control_connect(control, &control->pg, err));
    TRY(catalog_check_version(control->pg, err));
    TRY(catalog_claim_run(control->pg, run_id, worker, &claimed, &control->lease, err));
    if (claimed)
        TRY(start_heartbeat(control, err));
    *ret_control = claimed ? TAKE_PTR(control) : NULL;
    return ERR_OK;
}

void control_free(struct control *control)
{
    if (control == NULL)
        return;
    if (control->has_thread) {
        if (write(control->stop_pipe[1], "", 1) == 1)
            pthread_join(control->thread, NULL);
    }
    for (int i = 0; i < 2; i++)
        if (control->stop_pipe[i] >= 0)
            close(control->stop_pipe[i]);
    lease_release(&control->lease);
    pg_close(control->pg);
    free(control->dsn);
    free(control);
}

const struct lease *control_lease(const struct control *control)
{
    return &control->lease;
}

enum err_code control_check(struct control *control, struct err *err)
{
    switch ((enum hold)atomic_load(&control->hold)) {
    case HOLD_CANCELLED:
        return err_set(err, ERR_CANCELLED, "cancelled on request");
    case HOLD_LOST:
        return err_set(err, ERR_CONFLICT, "the lease of run %lld is lost",
                       (long long)control->lease.run_id);
    default:
        return ERR_OK;
    }
}

enum err_code control_pg(struct control *control, struct pg **ret_pg, struct err *err)
{
    if (control->pg != NULL && pg_broken(control->pg)) {
        pg_close(control->pg);
        control->pg = NULL;
    }
    if (control->pg == NULL)
        TRY(control_connect(control, &control->pg, err));
    *ret_pg = control->pg;
    return ERR_OK;
}

static enum err_code write_progress(struct control *control, const char *json, struct err *err)
{
    struct pg *pg;

    TRY(control_pg(control, &pg, err));
    return catalog_progress(pg, &control->lease, json, err);
}

void control_progress(struct control *control, const char *stage, int64_t done, int64_t total,
                      double best, int rounds)
{
    CLEANUP(buf_release) struct buf json = {0};
    struct err err;
    bool new_stage = strcmp(control->stage, stage) != 0;

    if (!new_stage && clock_ms() < control->progress_at_ms)
        return;
    control->progress_at_ms = clock_ms() + PROGRESS_MS;
    snprintf(control->stage, sizeof(control->stage), "%s", stage);
    buf_puts(&json, "{\"stage\":");
    json_put_text(&json, stage);
    buf_printf(&json, ",\"done\":%lld,\"total\":%lld,\"rounds\":%d,\"best\":", (long long)done,
               (long long)total, rounds);
    json_put_double(&json, best);
    buf_putc(&json, '}');
    if (buf_check(&json, NULL) == ERR_OK &&
        write_progress(control, buf_text(&json), &err) != ERR_OK)
        log_err(LOG_WARNING, "progress was not written", &err);
}

enum err_code control_fail(struct control *control, const struct err *error, struct err *err)
{
    struct pg *pg;

    TRY(control_pg(control, &pg, err));
    return catalog_fail_run(pg, &control->lease, error->code == ERR_CANCELLED, error, err);
}
