#include "daemon.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/scheduling.h"
#include "base/systemd.h"
#include "calendar.h"
#include "host.h"
#include "http/server.h"
#include "offline.h"
#include "reload.h"
#include "schedule/backoff.h"
#include "schedule/supervisor.h"
#include "signals.h"
#include "watchdog.h"
#include "watcher.h"

#define CONNECT_TIMEOUT_MS   5000
#define STATEMENT_TIMEOUT_MS 30000
#define REFRESHED_MAX        64 /* relations that were refreshed at the same time */
#define PRUNE_EVERY_MS       (3600 * 1000)
#define MEASURE_EVERY_MS     2000
#define DRAIN_MS             10000 /* for requests under way when asked to stop */
#define WORKERS_STOP_MS      5000  /* for workers to stop by themselves */
#define CATALOG_STOP_MS      2000  /* for a statement under way, and for the last ones */

struct daemon {
    struct options *options;
    const struct option_source *source;
    struct signals *signals;
    struct registry *registry;
    struct http_server *server;
    struct supervisor *supervisor; /* NULL: this daemon does not train */
    struct calendar *calendar;
    struct watchdog *watchdog; /* NULL: systemd does not want one */
    struct watcher *watcher;   /* NULL: this daemon does not train */
    int n_refreshed;
    char *refreshed[REFRESHED_MAX]; /* relations, as notifications named them */
    bool refreshed_more;            /* than were noted */
    int64_t due_in_ms;              /* until a run is due, as last seen */
    struct pg *pg;                  /* NULL: Postgres is away */
    bool awaits_migration;          /* … for the catalog is older than this program */
    struct err away;                /* why, as last seen; ERR_OK: it is there */
    int64_t away_since_ms;
    char cache_of[OFFLINE_MOMENT_MAX]; /* models come from the cache of that moment; "": they do not
                                        */
    int64_t prune_at_ms, measure_at_ms;
    struct backoff backoff;
    struct rng rng;
    bool stopping;
    struct pg_stop stop; /* of what the control loop waits for */
};

/* Refreshed relations ------------------------------------------------------------------------- */

static void note_notification(void *context, const char *channel, const char *payload)
{
    struct daemon *daemon = context;
    char *noted;

    if (strcmp(channel, CATALOG_REFRESH_CHANNEL) != 0)
        return;
    for (int i = 0; i < daemon->n_refreshed; i++)
        if (strcmp(daemon->refreshed[i], payload) == 0)
            return;
    noted = daemon->n_refreshed < REFRESHED_MAX ? strdup(payload) : NULL;
    if (noted != NULL)
        daemon->refreshed[daemon->n_refreshed++] = noted;
    else
        daemon->refreshed_more = true;
}

/* Anyone may notify, and say anything: what is no relation is worth no more than a line of debug.
 * relation NULL: whichever. */
static enum err_code heed_refresh(struct daemon *daemon, const char *relation, struct err *err)
{
    char quoted[160];
    int64_t n_runs = 0;
    enum err_code code = catalog_refreshed(daemon->pg, relation, &n_runs, err);

    if (code != ERR_OK && pg_broken(daemon->pg))
        return code;
    if (code != ERR_OK)
        log_err(LOG_DEBUG, "a refresh cannot be heeded", err);
    else if (n_runs > 0)
        log_info("a refreshed relation makes runs", "relation=%s n=%" PRId64,
                 log_text(relation != NULL ? relation : "any", quoted, sizeof(quoted)), n_runs);
    return ERR_OK;
}

/* Rather a run too many than one too few: where more were named than could be noted, any relation
 * may have been among them. */
static enum err_code heed_refreshes(struct daemon *daemon, struct err *err)
{
    if (daemon->refreshed_more)
        TRY(heed_refresh(daemon, NULL, err));
    daemon->refreshed_more = false;
    for (; daemon->n_refreshed > 0; daemon->n_refreshed--) {
        TRY(heed_refresh(daemon, daemon->refreshed[daemon->n_refreshed - 1], err));
        free(TAKE_PTR(daemon->refreshed[daemon->n_refreshed - 1]));
    }
    return ERR_OK;
}

/* Postgres ------------------------------------------------------------------------------------ */

static enum err_code connect_postgres(struct daemon *daemon, struct err *err)
{
    const struct pg_options options = {
        .dsn = daemon->options->dsn,
        .application_name = "pgboostd",
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .statement_timeout_ms = STATEMENT_TIMEOUT_MS,
        .stop = &daemon->stop,
    };
    CLEANUP(pg_closep) struct pg *pg = NULL;
    enum err_code code;

    daemon->awaits_migration = false;
    TRY(pg_connect(&options, &pg, err));
    code = catalog_check_version(pg, err);
    if (code != ERR_OK) {
        daemon->awaits_migration = catalog_awaits_migration(pg);
        return code;
    }
    /* Before the first look at the catalog, so that nothing falls between the two. */
    TRY(pg_listen(pg, CATALOG_CHANNEL, err));
    TRY(pg_listen(pg, CATALOG_REFRESH_CHANNEL, err));
    pg_on_notify(pg, note_notification, daemon);
    daemon->pg = TAKE_PTR(pg);
    return ERR_OK;
}

static void say_degraded(struct daemon *daemon)
{
    char why[sizeof(daemon->away.message) + 80];

    if (daemon->cache_of[0] != '\0')
        snprintf(why, sizeof(why), "serving the models of %s from the cache: %s", daemon->cache_of,
                 daemon->away.message);
    else
        snprintf(why, sizeof(why), "%s", daemon->away.message);
    registry_set_degraded(daemon->registry, why);
}

/* Postgres that goes down is away in many words, one after the other: it shuts down, cuts the
 * connection, does not listen, does not answer, starts up. */
static bool is_gone(const struct err *err)
{
    return err->code == ERR_TIMEOUT ||
           (err->code == ERR_UNREACHABLE && strncmp(err->sqlstate, "53", 2) != 0);
}

/* What refuses is of the kind that its SQLSTATE's class says: a password, connections used up. */
static bool is_same_kind(const struct err *a, const struct err *b)
{
    if (is_gone(a) || is_gone(b))
        return is_gone(a) && is_gone(b);
    return a->code == b->code && strncmp(a->sqlstate, b->sqlstate, 2) == 0;
}

/* An outage is one event of the log, and another when it becomes one of another kind; /readyz has
 * the latest reason. */
static void note_away(struct daemon *daemon, const struct err *err)
{
    bool is_news = !is_same_kind(&daemon->away, err);

    pg_close(TAKE_PTR(daemon->pg));
    if (daemon->away.code == ERR_OK)
        daemon->away_since_ms = clock_ms();
    daemon->away = *err;
    say_degraded(daemon);
    if (daemon->server != NULL) /* else it starts with that */
        http_server_set_gauge(daemon->server, HTTP_CATALOG_UP, 0);
    if (is_news)
        log_err(LOG_WARNING, "the catalog cannot be reached; predictions go on", err);
}

static void note_back(struct daemon *daemon)
{
    backoff_succeed(&daemon->backoff);
    if (daemon->away.code == ERR_OK)
        return;
    log_info("the catalog is back", "away_ms=%" PRId64, clock_ms() - daemon->away_since_ms);
    daemon->away.code = ERR_OK;
    daemon->cache_of[0] = '\0';
    registry_set_degraded(daemon->registry, NULL);
    http_server_set_gauge(daemon->server, HTTP_CATALOG_UP, 1);
}

/* Workers ------------------------------------------------------------------------------------- */

static void note_end(struct daemon *daemon, const struct worker_end *end)
{
    char reason[160];

    if (!end->well)
        http_server_count(daemon->server, HTTP_WORKERS_DIED);
    log_write(end->well ? LOG_INFO : LOG_WARNING, "worker ended",
              "run=%" PRId64 " worker=%s why=%s", end->run_id, end->name,
              log_text(end->reason, reason, sizeof(reason)));
}

/* Hands the runs of dead workers back; `reason`: they were stopped, through no fault of the runs.
 * One that cannot be reported now is reported later. */
static enum err_code report_ended_workers(struct daemon *daemon, const char *reason,
                                          struct err *err)
{
    struct worker_end end;

    while (supervisor_ended(daemon->supervisor, &end)) {
        bool had_run = false;

        TRY(catalog_worker_died(daemon->pg, end.run_id, end.name,
                                reason != NULL ? reason : end.reason, reason == NULL, &had_run,
                                err));
        note_end(daemon, &end);
        supervisor_forget(daemon->supervisor, end.name, !had_run);
    }
    return ERR_OK;
}

static enum err_code start_workers(struct daemon *daemon, struct err *err)
{
    while (supervisor_has_room(daemon->supervisor, clock_ms())) {
        struct err failure;
        int64_t run_id;
        int n_started;
        /* A worker of ours that has not claimed its run yet leaves it claimable. */
        const int64_t *started = supervisor_runs(daemon->supervisor, &n_started);

        TRY(catalog_claimable_run(daemon->pg, started, n_started, &run_id, err));
        if (run_id == 0)
            return ERR_OK;
        if (supervisor_start(daemon->supervisor, run_id, &failure) != ERR_OK) {
            log_err(LOG_ERROR, "a run waits", &failure);
            continue;
        }
        http_server_count(daemon->server, HTTP_WORKERS_STARTED);
        log_info("worker started", "run=%" PRId64, run_id);
    }
    return ERR_OK;
}

/* Old runs, a batch at a time: while there are more, the next one at the next look. */
static enum err_code keep_house(struct daemon *daemon, struct err *err)
{
    int64_t n = 0;
    enum err_code code;

    if (clock_ms() < daemon->prune_at_ms)
        return ERR_OK;
    code = catalog_prune_runs(daemon->pg, daemon->options->keep_runs_ms, &n, err);
    if (code != ERR_OK && pg_broken(daemon->pg))
        return code;
    if (code != ERR_OK)
        log_err(LOG_WARNING, "old runs stay", err);
    if (n > 0)
        log_info("old runs deleted", "n=%" PRId64, n);
    else
        daemon->prune_at_ms = clock_ms() + PRUNE_EVERY_MS;
    return ERR_OK;
}

/* What /metrics shows of the queue, as it was a few seconds ago at most. */
static enum err_code measure_queue(struct daemon *daemon, struct err *err)
{
    struct queue_state queue;

    if (clock_ms() < daemon->measure_at_ms)
        return ERR_OK;
    TRY(catalog_queue_state(daemon->pg, &queue, err));
    daemon->measure_at_ms = clock_ms() + MEASURE_EVERY_MS;
    http_server_set_gauge(daemon->server, HTTP_RUNS_QUEUED, queue.n_queued);
    http_server_set_gauge(daemon->server, HTTP_RUNS_RUNNING, queue.n_running);
    http_server_set_gauge(daemon->server, HTTP_QUEUE_AGE_S, queue.oldest_s);
    return ERR_OK;
}

/* The loop ------------------------------------------------------------------------------------ */

/* Everything that a notification, a signal or the time may have brought. */
static enum err_code catch_up(struct daemon *daemon, struct err *err)
{
    if (daemon->pg == NULL)
        TRY(connect_postgres(daemon, err));
    else
        TRY(catalog_check_version(daemon->pg, err)); /* nothing old is written into a newer one */
    TRY(registry_refresh(daemon->registry, daemon->pg, NULL, err));
    note_back(daemon);
    TRY(heed_refreshes(daemon, err));
    TRY(calendar_look(daemon->calendar, daemon->pg, &daemon->due_in_ms, err));
    TRY(keep_house(daemon, err));
    TRY(measure_queue(daemon, err));
    if (daemon->supervisor == NULL)
        return ERR_OK;
    TRY(report_ended_workers(daemon, NULL, err));
    TRY(start_workers(daemon, err));
    http_server_set_gauge(daemon->server, HTTP_WORKERS, supervisor_n_running(daemon->supervisor));
    return ERR_OK;
}

/* Until a look is due: for its own sake, for a schedule's, or since runs may have been left waiting
 * while no worker could be started. */
static int64_t next_look_ms(const struct daemon *daemon)
{
    int64_t wait_ms = daemon->options->poll_ms, backs_off_ms = 0;

    if (daemon->supervisor != NULL)
        backs_off_ms = supervisor_backs_off_ms(daemon->supervisor, clock_ms());
    if (backs_off_ms > 0 && backs_off_ms < wait_ms)
        wait_ms = backs_off_ms;
    return daemon->due_in_ms < wait_ms ? daemon->due_in_ms : wait_ms;
}

static enum err_code wait_for_news(struct daemon *daemon, struct err *err)
{
    int64_t wait_ms = next_look_ms(daemon);
    char payload[64];
    bool notified;

    return pg_wait(daemon->pg, (int)wait_ms, signals_fd(daemon->signals), &notified, payload,
                   sizeof(payload), err);
}

static void wait_to_retry(struct daemon *daemon)
{
    struct pollfd signals = {.fd = signals_fd(daemon->signals), .events = POLLIN};

    poll(&signals, 1, (int)backoff_fail(&daemon->backoff, &daemon->rng));
}

struct http_security daemon_security(const struct options *options)
{
    return (struct http_security){
        .rules = {options->tokens, options->hosts, options->origins},
        .tls_cert = options->tls_cert,
        .tls_key = options->tls_key,
        .protected_mode = options->protected_mode == OPTIONS_YES,
    };
}

static struct connection_limits connection_limits(const struct options *options)
{
    return (struct connection_limits){
        .all = (int)options->connections,
        .per_address = (int)options->connections_per_address,
        .head_ms = options->head_timeout_ms,
        .body_ms = options->body_timeout_ms,
        .reply_ms = options->reply_timeout_ms,
        .idle_ms = options->idle_timeout_ms,
    };
}

/* The files that options name are part of them: a bad one leaves all as it was. */
static enum err_code take_security(void *context, const struct options *fresh, struct err *err)
{
    const struct http_security security = daemon_security(fresh);

    return http_server_reload(context, &security, err);
}

static struct supervisor_options supervisor_options(const struct options *options)
{
    int n_threads = (host_n_cores() - 1) / (int)options->workers;

    return (struct supervisor_options){
        .worker = options->worker,
        .dsn = options->dsn,
        .read_dsn = options->read_dsn,
        .state_dir = options->state_dir,
        .spill_above = options->spill_above,
        .memory = options->worker_memory,
        .n_workers = (int)options->workers,
        .n_threads = n_threads > 0 ? n_threads : 1,
    };
}

/* They write into the same log. */
static void tell_workers(struct daemon *daemon)
{
    const struct supervisor_options options = supervisor_options(daemon->options);
    struct err err;

    if (daemon->supervisor != NULL &&
        supervisor_set_environment(daemon->supervisor, &options, &err) != ERR_OK)
        log_err(LOG_WARNING, "workers log as before", &err);
}

static void reload(struct daemon *daemon)
{
    struct connection_limits limits;
    struct err err;

    if (reload_options(daemon->options, daemon->source->argc, daemon->source->argv, take_security,
                       daemon->server, &err) != ERR_OK) {
        log_err(LOG_ERROR, "the options are bad; the old ones stay", &err);
        http_server_count(daemon->server, HTTP_RELOADS_REFUSED);
        return;
    }
    http_server_count(daemon->server, HTTP_RELOADS);
    http_server_set_limits(daemon->server, (size_t)daemon->options->body_limit_bytes,
                           (size_t)daemon->options->rows_limit);
    http_server_set_slow(daemon->server, daemon->options->slow_request_ms);
    limits = connection_limits(daemon->options);
    http_server_set_connections(daemon->server, &limits);
    tell_workers(daemon);
}

static void heed_signals(struct daemon *daemon)
{
    unsigned came = signals_take(daemon->signals);

    daemon->stopping |= (came & SIGNALS_STOP) != 0;
    if (came & SIGNALS_RELOAD) {
        systemd_notify_reloading();
        reload(daemon);
        systemd_notify("READY=1");
    }
}

static void control_loop(struct daemon *daemon)
{
    struct err err;

    for (heed_signals(daemon); !daemon->stopping; heed_signals(daemon)) {
        enum err_code code = catch_up(daemon, &err);

        if (code == ERR_OK) {
            registry_save(daemon->registry, daemon->pg);
            code = wait_for_news(daemon, &err);
        }
        if (code == ERR_OK)
            continue;
        note_away(daemon, &err);
        wait_to_retry(daemon);
    }
}

/* Start --------------------------------------------------------------------------------------- */

static enum err_code start_supervisor(struct daemon *daemon, struct err *err)
{
    const struct supervisor_options options = supervisor_options(daemon->options);

    return supervisor_new(&options, &daemon->supervisor, err);
}

static enum err_code start_server(struct daemon *daemon, struct err *err)
{
    const struct options *options = daemon->options;
    const struct http_options http_options = {
        .listen = options->listen,
        .n_threads = options->threads > 0 ? (int)options->threads : host_n_cores(),
        .body_limit_bytes = (size_t)options->body_limit_bytes,
        .rows_limit = (size_t)options->rows_limit,
        .connections = connection_limits(options),
        .security = daemon_security(options),
        .registry = daemon->registry,
        .predicts = options->role != ROLE_TRAINER,
        .dsn = options->dsn,
        .lookup = {.dsn = options->read_dsn,
                   .n_connections = (int)options->lookup_pool_size,
                   .queue_max = (int)options->lookup_queue,
                   .cache_bytes = (size_t)options->lookup_cache_bytes,
                   .timeout_ms = options->lookup_timeout_ms},
    };

    TRY(http_server_start(&http_options, &daemon->server, err));
    http_server_set_slow(daemon->server, options->slow_request_ms);
    http_server_set_gauge(daemon->server, HTTP_STARTED_S, (int64_t)time(NULL));
    http_server_set_gauge(daemon->server, HTTP_CATALOG_UP, daemon->pg != NULL);
    return ERR_OK;
}

/* From Postgres or, while it is away or not migrated, from the cache. A trainer without it has
 * nothing to do. */
static enum err_code load_models(struct daemon *daemon, struct err *err)
{
    struct err failure = {0};
    enum err_code code = connect_postgres(daemon, &failure);

    if (code == ERR_OK)
        code = registry_refresh(daemon->registry, daemon->pg, NULL, &failure);
    if (code != ERR_OK && daemon->options->role != ROLE_TRAINER)
        code =
            offline_start(daemon->registry, &failure, daemon->awaits_migration, daemon->cache_of);
    if (code != ERR_OK) {
        if (err != NULL)
            *err = failure;
        return code;
    }
    if (failure.code != ERR_OK)
        note_away(daemon, &failure);
    return ERR_OK;
}

static void notify_ready(const struct daemon *daemon)
{
    char state[400];

    snprintf(state, sizeof(state), "READY=1\nSTATUS=listening on %s",
             http_server_address(daemon->server));
    systemd_notify(state);
}

static enum err_code start(struct daemon *daemon, struct err *err)
{
    host_raise_file_limit();
    scheduling_be_quick(); /* before there are threads; workers leave it again */
    TRY(host_make_folder(daemon->options->state_dir, err));
    TRY(registry_new(&daemon->registry, err));
    registry_set_threads(daemon->registry, host_n_cores());
    TRY(calendar_new(&daemon->calendar, err));
    TRY(offline_prepare(daemon->registry, daemon->options, err));
    TRY(load_models(daemon, err));
    if (daemon->pg != NULL && pg_pooled(daemon->pg))
        log_info("Postgres is behind a pooler: nothing is heard, changes are found by polling",
                 "poll_ms=%" PRId64, daemon->options->poll_ms);
    if (daemon->options->role != ROLE_SERVER) {
        TRY(start_supervisor(daemon, err));
        TRY(watcher_start(daemon->options->dsn, daemon->options->read_dsn, daemon->options->poll_ms,
                          &daemon->watcher, err));
    }
    TRY(start_server(daemon, err));
    printf("listening on %s\n", http_server_address(daemon->server));
    fflush(stdout);
    TRY(watchdog_start(daemon->server, &daemon->watchdog, err));
    notify_ready(daemon);
    log_info("started", "version=%s address=%s", PGBOOST_VERSION,
             http_server_address(daemon->server));
    return ERR_OK;
}

/* Stop ---------------------------------------------------------------------------------------- */

static void wait_for_workers(struct daemon *daemon, int timeout_ms)
{
    int64_t deadline_ms = deadline_in(timeout_ms);
    struct pollfd signals = {.fd = signals_fd(daemon->signals), .events = POLLIN};
    struct worker_end end;

    for (;;) {
        signals_take(daemon->signals);
        supervisor_ended(daemon->supervisor, &end); /* collects children */
        if (supervisor_n_running(daemon->supervisor) == 0 || deadline_left_ms(deadline_ms) == 0)
            return;
        poll(&signals, 1, deadline_left_ms(deadline_ms));
    }
}

static void stop_workers(struct daemon *daemon)
{
    struct err err;

    wait_for_workers(daemon, WORKERS_STOP_MS);
    if (supervisor_n_running(daemon->supervisor) > 0) {
        supervisor_signal(daemon->supervisor, SIGKILL);
        wait_for_workers(daemon, WORKERS_STOP_MS);
    }
    /* Without Postgres the leases of their runs end by themselves. */
    if (daemon->pg == NULL)
        return;
    pg_give_up_at(daemon->pg, deadline_in(CATALOG_STOP_MS));
    if (report_ended_workers(daemon, "pgboostd was stopped", &err) != ERR_OK)
        log_err(LOG_WARNING, "the stopped workers' runs cannot be handed back now", &err);
}

static void stop(struct daemon *daemon)
{
    systemd_notify("STOPPING=1\nSTATUS=answering what is under way");
    watchdog_free(TAKE_PTR(daemon->watchdog));
    log_info("stopping", "workers=%d",
             daemon->supervisor != NULL ? supervisor_n_running(daemon->supervisor) : 0);
    watcher_free(TAKE_PTR(daemon->watcher));
    if (daemon->supervisor != NULL)
        supervisor_signal(daemon->supervisor, SIGTERM);
    if (!http_server_drain(daemon->server, DRAIN_MS))
        log_warning("requests were cut off", "waited_ms=%d", DRAIN_MS);
    if (daemon->supervisor != NULL)
        stop_workers(daemon);
    log_info("stopped", "pid=%d", (int)getpid());
}

static void release(struct daemon *daemon)
{
    watchdog_free(daemon->watchdog);
    http_server_free(daemon->server);
    supervisor_free(daemon->supervisor);
    watcher_free(daemon->watcher);
    calendar_free(daemon->calendar);
    while (daemon->n_refreshed > 0)
        free(daemon->refreshed[--daemon->n_refreshed]);
    pg_close(daemon->pg);
    registry_free(daemon->registry);
    signals_free(daemon->signals);
    pg_stop_close(&daemon->stop);
}

enum err_code daemon_run(struct options *options, const struct option_source *source,
                         struct err *err)
{
    CLEANUP(release)
    struct daemon daemon = {
        .options = options,
        .source = source,
        .backoff = {.first_ms = 100, .most_ms = 5000},
    };
    enum err_code code;

    rng_init(&daemon.rng, (uint64_t)getpid());
    reload_log(options);
    TRY(pg_stop_open(&daemon.stop, CATALOG_STOP_MS, err));
    TRY(signals_new(&daemon.stop, &daemon.signals, err));
    code = start(&daemon, err);
    if (code != ERR_OK && (signals_take(daemon.signals) & SIGNALS_STOP) == 0)
        return code;
    if (code != ERR_OK) {
        log_err(LOG_WARNING, "stopped while it started", err);
        return ERR_OK;
    }
    control_loop(&daemon);
    stop(&daemon);
    return ERR_OK;
}
