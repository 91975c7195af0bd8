#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "lookup/batch.h"
#include "lookup/hosts.h"
#include "lookup/plan.h"
#include "schedule/backoff.h"

#define GATHER_MAX  256         /* keys of one statement, of asks for one key each */
#define PLANS_MAX   64          /* of one connection, which is then opened anew */
#define IDLE_MS     (60 * 1000) /* of a connection that nobody needs */
#define LIFETIME_MS (10 * 60 * 1000)
#define AWAY_MS     (30 * 1000) /* of one that is not to the first server: back when that is */
/* Of what a broken connection or a changed relation spoils, while there is time. */
#define TRIES 5

/* A server, and when it may be tried again. */
struct host {
    struct backoff backoff;
    int64_t retry_at_ms;
};

struct lookup {
    struct lookup_options options;
    struct hosts hosts;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t came;
    struct host *states; /* [hosts.n] */
    struct err failure;  /* why the last connection could not be opened */
    struct rng rng;
    struct lookup_ask *first, **last;
    struct lookup_counts counts;
    bool ending;
    int n_workers;
    struct worker *workers;
};

/* The plan of one signature on one connection. */
struct known {
    char *signature;
    size_t signature_length;
    struct lookup_plan *plan;
};

struct worker {
    struct lookup *lookup;
    pthread_t thread;
    struct pg *pg; /* NULL: not connected */
    int host;
    int64_t opened_ms;
    int n_known;
    unsigned n_plans; /* ever made on this connection */
    struct known known[PLANS_MAX];
    struct batch batch;
};

/* Connections --------------------------------------------------------------------------------- */

static void forget_plans(struct worker *worker)
{
    for (; worker->n_known > 0; worker->n_known--) {
        struct known *known = &worker->known[worker->n_known - 1];

        free(known->signature);
        plan_free(known->plan);
    }
}

/* Adds to one of the counts. */
static void count(struct lookup *lookup, int *n, int by)
{
    pthread_mutex_lock(&lookup->lock);
    *n += by;
    pthread_mutex_unlock(&lookup->lock);
}

static void disconnect(struct worker *worker)
{
    if (worker->pg != NULL)
        count(worker->lookup, &worker->lookup->counts.n_connections, -1);
    forget_plans(worker);
    pg_close(TAKE_PTR(worker->pg));
    worker->n_plans = 0;
}

/* One plan for all parameters alike, since a statement is there for many of them; nothing that pays
 * for long statements alone. */
static enum err_code prepare_connection(struct pg *pg, struct err *err)
{
    return pg_exec(pg,
                   "SELECT pg_catalog.set_config(name, value, false) FROM (VALUES "
                   "('plan_cache_mode', 'force_generic_plan'), ('jit', 'off'), "
                   "('max_parallel_workers_per_gather', '0'), ('bytea_output', 'hex')) "
                   "AS setting(name, value)",
                   0, NULL, NULL, err);
}

static enum err_code open_host(struct worker *worker, int host, struct err *err)
{
    struct lookup *lookup = worker->lookup;
    const struct pg_options options = {
        .dsn = lookup->hosts.dsns[host],
        .application_name = "pgboostd (look-ups)",
        .connect_timeout_ms = (int)lookup->options.timeout_ms,
        .statement_timeout_ms = (int)lookup->options.timeout_ms,
        .read_only = true,
    };
    CLEANUP(pg_closep) struct pg *pg = NULL;

    TRY(pg_connect(&options, &pg, err));
    if (!pg_pooled(pg)) /* whose sessions are everybody's */
        TRY(prepare_connection(pg, err));
    worker->pg = TAKE_PTR(pg);
    worker->host = host;
    worker->opened_ms = clock_ms();
    count(lookup, &lookup->counts.n_connections, 1);
    return ERR_OK;
}

/* The first server that may be tried, from `from` on; -1: none at present, and err says why. */
static int next_host(struct lookup *lookup, int from, struct err *err)
{
    int found = -1;

    pthread_mutex_lock(&lookup->lock);
    for (int i = from; i < lookup->hosts.n && found < 0; i++)
        if (lookup->states[i].retry_at_ms <= clock_ms())
            found = i;
    if (found < 0)
        *err = lookup->failure;
    pthread_mutex_unlock(&lookup->lock);
    return found;
}

/* The first failure may be the connection's alone; from the second on the server is left alone. */
static void note_failure(struct lookup *lookup, int host, const struct err *err)
{
    struct host *state = &lookup->states[host];
    int64_t delay_ms;
    bool news;

    pthread_mutex_lock(&lookup->lock);
    news = state->backoff.n_failures == 0;
    delay_ms = backoff_fail(&state->backoff, &lookup->rng);
    state->retry_at_ms = news ? 0 : clock_ms() + delay_ms;
    lookup->failure = *err;
    pthread_mutex_unlock(&lookup->lock);
    if (news)
        log_err(LOG_WARNING, "a server cannot be asked for rows", err);
}

static void note_success(struct lookup *lookup, int host)
{
    pthread_mutex_lock(&lookup->lock);
    backoff_succeed(&lookup->states[host].backoff);
    pthread_mutex_unlock(&lookup->lock);
}

static bool is_usable(const struct worker *worker)
{
    int64_t age_ms = clock_ms() - worker->opened_ms;

    return worker->pg != NULL && !pg_broken(worker->pg) && worker->n_known < PLANS_MAX &&
           age_ms < (worker->host > 0 ? AWAY_MS : LIFETIME_MS);
}

/* A failure is told as one of reaching Postgres, whatever it was: the request is not at fault. */
static enum err_code be_connected(struct worker *worker, struct err *err)
{
    struct lookup *lookup = worker->lookup;

    if (is_usable(worker))
        return ERR_OK;
    disconnect(worker);
    for (int host = next_host(lookup, 0, err); host >= 0; host = next_host(lookup, host + 1, err)) {
        if (open_host(worker, host, err) == ERR_OK) {
            note_success(lookup, host);
            return ERR_OK;
        }
        note_failure(lookup, host, err);
    }
    err->code = ERR_UNREACHABLE;
    return ERR_UNREACHABLE;
}

/* Plans --------------------------------------------------------------------------------------- */

static enum err_code make_plan(struct worker *worker, struct lookup_ask *ask,
                               struct lookup_plan **ret_plan, struct err *err)
{
    struct lookup_spec spec = {0};
    enum err_code code = ask->describe(ask, &spec, err);

    if (code == ERR_OK)
        code = plan_new(worker->pg, &spec, ask->form == LOOKUP_WHERE, worker->n_plans++, ret_plan,
                        err);
    arena_release(&spec.arena);
    return code;
}

static enum err_code find_plan(struct worker *worker, struct lookup_ask *ask,
                               const struct lookup_plan **ret_plan, struct err *err)
{
    struct known *known;

    for (int i = 0; i < worker->n_known; i++) {
        known = &worker->known[i];
        if (known->signature_length != ask->signature_length ||
            memcmp(known->signature, ask->signature, ask->signature_length) != 0)
            continue;
        *ret_plan = known->plan;
        return ERR_OK;
    }
    known = &worker->known[worker->n_known];
    known->signature = malloc(ask->signature_length + 1);
    if (known->signature == NULL)
        return err_nomem(err);
    memcpy(known->signature, ask->signature, ask->signature_length);
    known->signature_length = ask->signature_length;
    if (make_plan(worker, ask, &known->plan, err) != ERR_OK) {
        free(known->signature);
        return err->code;
    }
    worker->n_known++;
    *ret_plan = known->plan;
    return ERR_OK;
}

/* Asks ---------------------------------------------------------------------------------------- */

static bool gathers(const struct lookup_ask *ask)
{
    return ask->form == LOOKUP_KEY;
}

static bool goes_with(const struct lookup_ask *a, const struct lookup_ask *b)
{
    return gathers(a) && gathers(b) && a->signature_length == b->signature_length &&
           memcmp(a->signature, b->signature, a->signature_length) == 0;
}

static void refuse(struct lookup_ask *ask, const struct err *err)
{
    if (ask->err != err)
        *ask->err = *err;
    ask->done(ask, NULL);
}

static void refuse_all(struct lookup_ask *group, const struct err *err)
{
    while (group != NULL) {
        struct lookup_ask *next = group->next; /* the ask is gone when it is done */

        refuse(group, err);
        group = next;
    }
}

/* What is wrong with the one key of an ask is what is wrong with the ask. */
static void deliver_key(struct lookup_ask *ask, const struct lookup_rows *rows)
{
    const struct lookup_row *row = &rows->items[0];

    if (row->code == ERR_OK) {
        ask->done(ask, rows);
        return;
    }
    err_set(ask->err, row->code, "%s", row->problem);
    err_field(ask->err, "/key%s", row->field);
    if (row->code == ERR_DATA)
        err_hint(ask->err, "the columns of \"key\" must tell rows apart");
    ask->done(ask, NULL);
}

static void deliver(struct lookup_ask *group, const struct lookup_plan *plan,
                    const struct batch *batch)
{
    struct lookup_rows rows = {.plan = plan, .n = batch->n, .items = batch->rows};

    if (!gathers(group)) {
        group->done(group, &rows);
        return;
    }
    rows.n = 1;
    while (group != NULL) {
        struct lookup_ask *next = group->next;

        deliver_key(group, &rows);
        rows.items++;
        group = next;
    }
}

static enum err_code read_group(struct worker *worker, struct lookup_ask *group,
                                const struct lookup_plan **ret_plan, struct err *err)
{
    struct batch *batch = &worker->batch;
    int64_t deadline_ms = deadline_in(worker->lookup->options.timeout_ms);

    batch_clear(batch);
    TRY(be_connected(worker, err));
    TRY(find_plan(worker, group, ret_plan, err));
    if (group->form == LOOKUP_WHERE)
        return batch_run_where(batch, *ret_plan, worker->pg, group, err);
    for (const struct lookup_ask *ask = group; ask != NULL; ask = ask->next)
        TRY(batch_add(batch, *ret_plan, ask, err));
    return batch_run(batch, *ret_plan, worker->pg, deadline_ms, err);
}

/* Is it worth another try, on another connection or with a plan that is made anew? */
static bool may_try_again(struct worker *worker, bool is_first, const struct err *err)
{
    struct err unused;

    if (worker->pg == NULL)
        return err->code == ERR_UNREACHABLE && next_host(worker->lookup, 0, &unused) >= 0;
    if (pg_broken(worker->pg)) {
        if (err->code == ERR_TIMEOUT)
            note_failure(worker->lookup, worker->host, err); /* it does not answer at all */
        disconnect(worker);
        return err->code == ERR_UNREACHABLE;
    }
    if (!is_first || !batch_is_stale(err))
        return false;
    disconnect(worker); /* the statement's name is taken there */
    return true;
}

static bool is_late(const struct lookup_ask *ask)
{
    return deadline_left_ms(ask->deadline_ms) == 0;
}

/* Before it is delivered, as the asks are gone then. */
static void note_served(struct lookup *lookup, const struct lookup_ask *group, enum err_code code,
                        const struct batch *batch)
{
    const struct lookup_row *row = batch->rows;
    int64_t now_us = clock_us();

    pthread_mutex_lock(&lookup->lock);
    lookup->counts.n_busy--;
    for (; group != NULL; group = group->next, row++)
        counts_note(&lookup->counts,
                    counts_result(code == ERR_OK && gathers(group) ? row->code : code),
                    now_us - group->began_us);
    pthread_mutex_unlock(&lookup->lock);
}

static void note_try(struct lookup *lookup, int try)
{
    pthread_mutex_lock(&lookup->lock);
    lookup->counts.n_busy += try == 0;
    lookup->counts.n_batches += try == 0;
    lookup->counts.n_retries += try > 0;
    pthread_mutex_unlock(&lookup->lock);
}

static void serve(struct worker *worker, struct lookup_ask *group)
{
    const struct lookup_plan *plan = NULL;
    enum err_code code = ERR_FAILED;
    struct err err = {0};

    for (int try = 0; try < TRIES; try++) {
        note_try(worker->lookup, try);
        code = read_group(worker, group, &plan, &err);
        if (code == ERR_OK || !may_try_again(worker, try == 0, &err) || is_late(group))
            break;
    }
    note_served(worker->lookup, group, code, &worker->batch);
    if (code == ERR_OK)
        deliver(group, plan, &worker->batch);
    else
        refuse_all(group, &err);
    batch_clear(&worker->batch);
}

/* The queue ----------------------------------------------------------------------------------- */

/* Takes the ask that *at points to out of the queue. The lock is held. */
static struct lookup_ask *unlink_ask(struct lookup *lookup, struct lookup_ask **at)
{
    struct lookup_ask *ask = *at;

    *at = ask->next;
    if (lookup->last == &ask->next)
        lookup->last = at;
    ask->next = NULL;
    lookup->counts.n_waiting--;
    return ask;
}

/* The first ask and those that go with it. The lock is held, and somebody waits. */
static struct lookup_ask *gather(struct lookup *lookup)
{
    struct lookup_ask *group = unlink_ask(lookup, &lookup->first), **end = &group->next;
    int n = 1;

    for (struct lookup_ask **at = &lookup->first; *at != NULL && n < GATHER_MAX;) {
        if (!goes_with(group, *at)) {
            at = &(*at)->next;
            continue;
        }
        *end = unlink_ask(lookup, at);
        end = &(*end)->next;
        n++;
    }
    return group;
}

/* Those that waited too long. The lock is held. */
static struct lookup_ask *take_overdue(struct lookup *lookup)
{
    struct lookup_ask *overdue = NULL, **end = &overdue;

    while (lookup->first != NULL && deadline_left_ms(lookup->first->deadline_ms) == 0) {
        *end = unlink_ask(lookup, &lookup->first);
        counts_note(&lookup->counts, LOOKUP_OVERDUE, clock_us() - (*end)->began_us);
        end = &(*end)->next;
    }
    return overdue;
}

static void wait_for_asks(struct lookup *lookup, bool *ret_idle)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += IDLE_MS / 1000;
    *ret_idle = false;
    while (lookup->first == NULL && !lookup->ending && !*ret_idle)
        *ret_idle = pthread_cond_timedwait(&lookup->came, &lookup->lock, &until) != 0;
}

static void refuse_overdue(struct lookup_ask *overdue)
{
    struct err err;

    if (overdue == NULL)
        return;
    err_set(&err, ERR_UNREACHABLE, "Postgres was too busy to read the row in time");
    err_hint(&err, "come back in a moment; the options lookup_timeout and lookup_pool_size bound "
                   "this");
    refuse_all(overdue, &err);
}

/* False: the pool ends. */
static bool work_once(struct worker *worker)
{
    struct lookup *lookup = worker->lookup;
    struct lookup_ask *overdue, *group = NULL;
    bool idle, ending;

    pthread_mutex_lock(&lookup->lock);
    wait_for_asks(lookup, &idle);
    overdue = take_overdue(lookup);
    ending = lookup->ending;
    if (!ending && lookup->first != NULL)
        group = gather(lookup);
    pthread_mutex_unlock(&lookup->lock);
    refuse_overdue(overdue);
    if (group != NULL)
        serve(worker, group);
    else if (idle)
        disconnect(worker);
    return !ending;
}

static void *work(void *context)
{
    struct worker *worker = context;

    while (work_once(worker))
        ;
    disconnect(worker);
    batch_release(&worker->batch);
    return NULL;
}

bool lookup_put(struct lookup *lookup, struct lookup_ask *ask, struct err *err)
{
    bool taken;

    ask->next = NULL;
    ask->began_us = clock_us();
    ask->deadline_ms = deadline_in(lookup->options.timeout_ms);
    pthread_mutex_lock(&lookup->lock);
    taken = !lookup->ending && lookup->counts.n_waiting < lookup->options.queue_max;
    if (taken) {
        *lookup->last = ask;
        lookup->last = &ask->next;
        lookup->counts.n_waiting++;
        pthread_cond_signal(&lookup->came);
    } else {
        lookup->counts.n_by_result[LOOKUP_QUEUE_FULL]++;
    }
    pthread_mutex_unlock(&lookup->lock);
    if (taken)
        return true;
    err_set(err, ERR_UNREACHABLE, "too many requests wait for rows of Postgres");
    err_hint(err, "come back in a moment; the option lookup_queue bounds this");
    return false;
}

void lookup_count(struct lookup *lookup, struct lookup_counts *ret_counts)
{
    pthread_mutex_lock(&lookup->lock);
    *ret_counts = lookup->counts;
    pthread_mutex_unlock(&lookup->lock);
}

/* Life ---------------------------------------------------------------------------------------- */

static enum err_code start_workers(struct lookup *lookup, struct err *err)
{
    int n = lookup->options.n_connections;

    lookup->workers = calloc((size_t)n, sizeof(*lookup->workers));
    if (lookup->workers == NULL)
        return err_nomem(err);
    for (; lookup->n_workers < n; lookup->n_workers++) {
        struct worker *worker = &lookup->workers[lookup->n_workers];
        int failure;

        worker->lookup = lookup;
        failure = pthread_create(&worker->thread, NULL, work, worker);
        if (failure != 0)
            return err_errno(err, failure, "cannot start a thread for look-ups");
    }
    return ERR_OK;
}

static void init_waiting(struct lookup *lookup)
{
    pthread_condattr_t monotonic;

    pthread_mutex_init(&lookup->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&lookup->came, &monotonic);
    pthread_condattr_destroy(&monotonic);
    lookup->last = &lookup->first;
}

enum err_code lookup_new(const struct lookup_options *options, struct lookup **ret_lookup,
                         struct err *err)
{
    CLEANUP(lookup_freep) struct lookup *lookup = calloc(1, sizeof(*lookup));

    if (lookup == NULL)
        return err_nomem(err);
    init_waiting(lookup);
    lookup->options = *options;
    rng_init(&lookup->rng, (uint64_t)clock_us());
    TRY(hosts_split(options->dsn, &lookup->hosts, err));
    lookup->states = calloc((size_t)lookup->hosts.n, sizeof(*lookup->states));
    if (lookup->states == NULL)
        return err_nomem(err);
    for (int i = 0; i < lookup->hosts.n; i++)
        lookup->states[i].backoff = (struct backoff){.first_ms = 100, .most_ms = 5000};
    TRY(start_workers(lookup, err));
    *ret_lookup = TAKE_PTR(lookup);
    return ERR_OK;
}

void lookup_stop(struct lookup *lookup)
{
    struct err err;

    if (lookup == NULL)
        return;
    pthread_mutex_lock(&lookup->lock);
    lookup->ending = true;
    pthread_cond_broadcast(&lookup->came);
    pthread_mutex_unlock(&lookup->lock);
    for (; lookup->n_workers > 0; lookup->n_workers--)
        pthread_join(lookup->workers[lookup->n_workers - 1].thread, NULL);
    err_set(&err, ERR_UNREACHABLE, "the daemon is stopping");
    refuse_all(TAKE_PTR(lookup->first), &err);
    lookup->last = &lookup->first;
}

void lookup_free(struct lookup *lookup)
{
    if (lookup == NULL)
        return;
    lookup_stop(lookup);
    pthread_cond_destroy(&lookup->came);
    pthread_mutex_destroy(&lookup->lock);
    hosts_release(&lookup->hosts);
    free(lookup->states);
    free(lookup->workers);
    free(lookup);
}
