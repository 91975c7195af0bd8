#include "train/control.h"

#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

#define HEARTBEAT_MS 3000
/* A beat that does not come through in time is given up and tried anew, well within the lease. */
#define BEAT_CONNECT_MS   5000
#define BEAT_STATEMENT_MS 5000
#define PROGRESS_MS       250
#define RECONNECT_US      300000
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
    atomic_bool ending; /* the run's end is being written: the lease then ends with it */
    _Atomic int64_t held_until_ms;
    pthread_mutex_t lock; /* of what follows, and of changes of hold */
    int reader_fd;        /* of the connection that reads the relation, -1: none */
    bool finishes;        /* asked to stop, the search ends, and the run with its best model */
    unsigned n_grants;    /* steps of granting that wish: odd while it is being granted */
    int64_t progress_at_ms;
    int n_pruned;
    double seconds_left; /* of the search; INFINITY: not known */
    char stage[32];
};

/* Lost beats cancelled: nobody else may write under a lost lease. With the lock. */
static void set_hold(struct control *control, enum hold hold)
{
    if (atomic_load(&control->hold) != HOLD_LOST)
        atomic_store(&control->hold, (int)hold);
    if (control->reader_fd >= 0)
        shutdown(control->reader_fd, SHUT_RDWR); /* wakes who waits for a row */
}

static void lose(struct control *control)
{
    pthread_mutex_lock(&control->lock);
    set_hold(control, HOLD_LOST);
    pthread_mutex_unlock(&control->lock);
}

static unsigned count_grants(struct control *control)
{
    unsigned n_grants;

    pthread_mutex_lock(&control->lock);
    n_grants = control->n_grants;
    pthread_mutex_unlock(&control->lock);
    return n_grants;
}

/* n_grants: as it was before the catalog was asked. One that was granted meanwhile is no wish any
 * more; if it has come anew, the next beat tells. */
static void heed_cancel(struct control *control, unsigned n_grants)
{
    pthread_mutex_lock(&control->lock);
    if (n_grants == control->n_grants && n_grants % 2 == 0)
        set_hold(control, HOLD_CANCELLED);
    pthread_mutex_unlock(&control->lock);
}

/* One heartbeat, reconnecting when needed; the connection is kept in *pg. It listens, so that a
 * wish to cancel is heard at once where notifications pass. */
static enum err_code beat(struct control *control, struct pg **pg, bool *ret_cancel,
                          struct err *err)
{
    if (*pg != NULL && pg_broken(*pg)) {
        pg_close(*pg);
        *pg = NULL;
    }
    if (*pg == NULL) {
        struct pg_options options = {.dsn = control->dsn,
                                     .application_name = "pgboost-worker (heartbeat)",
                                     .connect_timeout_ms = BEAT_CONNECT_MS,
                                     .statement_timeout_ms = BEAT_STATEMENT_MS};

        TRY(pg_connect(&options, pg, err));
        TRY(pg_listen(*pg, CATALOG_CHANNEL, err));
    }
    return catalog_heartbeat(*pg, &control->lease, ret_cancel, err);
}

/* Waits for the next beat: its time, a notification, or the end (true). */
static bool wait_stopped(const struct control *control, struct pg *pg)
{
    struct pollfd stop = {.fd = control->stop_pipe[0], .events = POLLIN};
    bool notified;

    if (pg == NULL || pg_broken(pg) ||
        pg_wait(pg, HEARTBEAT_MS, stop.fd, &notified, NULL, 0, NULL) != ERR_OK)
        return poll(&stop, 1, HEARTBEAT_MS) > 0;
    return poll(&stop, 1, 0) > 0;
}

static void *heartbeat_main(void *argument)
{
    struct control *control = argument;
    CLEANUP(pg_closep) struct pg *pg = NULL;
    bool failing = false; /* and said so */

    do {
        int64_t started = clock_ms();
        unsigned n_grants = count_grants(control);
        bool cancel = false;
        struct err err = {0};
        enum err_code code = beat(control, &pg, &cancel, &err);

        if (code == ERR_OK) {
            atomic_store(&control->held_until_ms, started + LEASE_SECONDS * 1000 - LEASE_MARGIN_MS);
            failing = false;
            if (cancel)
                heed_cancel(control, n_grants);
        } else if (atomic_load(&control->ending)) {
            continue; /* the run may be over; if it is not, the next beat tells */
        } else if (code == ERR_CONFLICT || clock_ms() > atomic_load(&control->held_until_ms)) {
            lose(control);
            log_err(LOG_ERROR, "the lease is lost", &err);
            return NULL;
        } else if (!failing) {
            failing = true;
            log_err(LOG_WARNING, "heartbeat failed", &err);
        }
    } while (!wait_stopped(control, pg));
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

static enum err_code connect_once(struct control *control, struct err *err)
{
    struct pg_options options = {.dsn = control->dsn, .application_name = "pgboost-worker"};

    return pg_connect(&options, &control->pg, err);
}

typedef enum err_code catalog_claim_fn(struct pg *pg, int64_t run_id, const char *worker,
                                       bool *ret_claimed, struct lease *ret_lease, struct err *err);

static enum err_code take(const char *dsn, const char *worker, int64_t run_id,
                          catalog_claim_fn *claim, struct control **ret_control, struct err *err)
{
    CLEANUP(control_freep) struct control *control = calloc(1, sizeof(*control));
    bool claimed = false;

    if (control == NULL)
        return err_nomem(err);
    control->stop_pipe[0] = control->stop_pipe[1] = control->reader_fd = -1;
    control->seconds_left = INFINITY;
    pthread_mutex_init(&control->lock, NULL);
    control->dsn = strdup(dsn != NULL ? dsn : "");
    if (control->dsn == NULL)
        return err_nomem(err);
    atomic_store(&control->held_until_ms, deadline_in(LEASE_SECONDS * 1000 - LEASE_MARGIN_MS));
    TRY(connect_once(control, err));
    TRY(catalog_check_version(control->pg, err));
    TRY(claim(control->pg, run_id, worker, &claimed, &control->lease, err));
    if (claimed)
        TRY(start_heartbeat(control, err));
    *ret_control = claimed ? TAKE_PTR(control) : NULL;
    return ERR_OK;
}

enum err_code control_claim(const char *dsn, const char *worker, int64_t run_id,
                            struct control **ret_control, struct err *err)
{
    return take(dsn, worker, run_id, catalog_claim_run, ret_control, err);
}

enum err_code control_join(const char *dsn, const char *worker, int64_t run_id,
                           struct control **ret_control, struct err *err)
{
    return take(dsn, worker, run_id, catalog_join_run, ret_control, err);
}

static bool is_holder(const struct control *control)
{
    return control->lease.epoch != 0;
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
    pthread_mutex_destroy(&control->lock);
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
    enum hold hold = (enum hold)atomic_load(&control->hold);

    if (hold == HOLD_LOST || clock_ms() > atomic_load(&control->held_until_ms))
        return err_set(err, ERR_CONFLICT, "the lease of run %lld is lost",
                       (long long)control->lease.run_id);
    if (hold == HOLD_CANCELLED)
        return err_set(err, ERR_CANCELLED, "cancelled on request");
    return ERR_OK;
}

enum err_code control_pg(struct control *control, struct pg **ret_pg, struct err *err)
{
    if (control->pg != NULL && pg_broken(control->pg)) {
        pg_close(control->pg);
        control->pg = NULL;
    }
    while (control->pg == NULL) {
        enum err_code code = connect_once(control, err);

        if (code != ERR_OK && code != ERR_UNREACHABLE && code != ERR_TIMEOUT)
            return code;
        if (code == ERR_OK)
            break;
        if (control_check(control, NULL) != ERR_OK)
            return code;
        usleep(RECONNECT_US);
    }
    *ret_pg = control->pg;
    return ERR_OK;
}

void control_set_reader(struct control *control, struct pg *reader)
{
    pthread_mutex_lock(&control->lock);
    control->reader_fd = reader != NULL ? pg_socket(reader) : -1;
    if (reader != NULL && atomic_load(&control->hold) != HOLD_OURS)
        shutdown(control->reader_fd, SHUT_RDWR); /* it was said before there was a reader */
    pthread_mutex_unlock(&control->lock);
}

/* Progress is not worth waiting for: a connection that broke is left to whoever needs it. */
static void write_progress(struct control *control, const char *json)
{
    struct err err;

    if (control->pg == NULL || pg_broken(control->pg) || !is_holder(control))
        return;
    if (catalog_progress(control->pg, &control->lease, json, &err) == ERR_CONFLICT &&
        !atomic_load(&control->ending))
        lose(control);
}

void control_progress(struct control *control, const char *stage, int64_t done, int64_t total,
                      double best, int rounds)
{
    CLEANUP(buf_release) struct buf json = {0};
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
    if (strcmp(stage, "search") == 0) {
        buf_printf(&json, ",\"pruned\":%d,\"seconds_left\":", control->n_pruned);
        json_put_double(&json, control->seconds_left);
    }
    buf_putc(&json, '}');
    if (buf_check(&json, NULL) == ERR_OK)
        write_progress(control, buf_text(&json));
}

void control_note_search(struct control *control, int n_pruned, double seconds_left)
{
    control->n_pruned = n_pruned;
    control->seconds_left = seconds_left;
}

void control_set_finishes(struct control *control)
{
    control->finishes = true;
}

bool control_may_finish(struct control *control)
{
    bool may;

    pthread_mutex_lock(&control->lock);
    may = control->finishes && is_holder(control) && atomic_load(&control->hold) == HOLD_CANCELLED;
    if (may) {
        control->n_grants++;
        atomic_store(&control->hold, HOLD_OURS);
    }
    pthread_mutex_unlock(&control->lock);
    return may;
}

void control_set_granted(struct control *control)
{
    pthread_mutex_lock(&control->lock);
    control->n_grants++;
    pthread_mutex_unlock(&control->lock);
}

void control_set_ending(struct control *control, bool ending)
{
    atomic_store(&control->ending, ending);
}

enum err_code control_fail(struct control *control, const struct err *error, struct err *err)
{
    struct pg *pg;

    if (!is_holder(control))
        return ERR_OK;
    control_set_ending(control, true);
    TRY(control_pg(control, &pg, err));
    switch (error->code) {
    case ERR_CANCELLED:
        return catalog_fail_run(pg, &control->lease, RUN_CANCELLED, error, err);
    case ERR_UNREACHABLE:
        return catalog_fail_run(pg, &control->lease, RUN_AGAIN, error, err);
    default:
        return catalog_fail_run(pg, &control->lease, RUN_FAILED, error, err);
    }
}
