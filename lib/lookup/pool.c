#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "lookup/batch.h"
#include "lookup/cache.h"
#include "lookup/link.h"

#define GATHER_MAX 256         /* keys of one statement, of asks for one key each */
#define IDLE_MS    (60 * 1000) /* of a connection that nobody needs */
/* Of what a broken connection or a changed relation spoils, while there is time. */
#define TRIES 5

struct lookup {
    struct lookup_options options;
    struct servers servers;
    struct row_cache *cache;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t came;
    struct lookup_ask *first, **last;
    struct lookup_counts counts;
    bool ending;
    int n_workers;
    struct worker *workers;
};

struct worker {
    struct lookup *lookup;
    pthread_t thread;
    struct link link;
    bool is_counted; /* its connection, among the open ones */
    struct batch batch;
    int64_t asked_us; /* when what is in batch was asked for */
    uint64_t era;     /* of the cache, then */
};

/* Plans --------------------------------------------------------------------------------------- */

/* What became of it, unless it is put again. */
static void settle(struct lookup_ask *ask, enum lookup_result result, int64_t now_us)
{
    ask->result = result;
    ask->took_us = now_us - ask->began_us;
}

static void refuse(struct lookup_ask *ask, const struct err *err)
{
    if (ask->err != err)
        *ask->err = *err;
    ask->done(ask, NULL);
}

/* What the first ask of the group wants that can say so. Those that cannot are refused, each for
 * itself: the model of one may be gone, and it is asked again for the next one. */
static enum err_code describe(struct lookup_ask **group, struct lookup_spec *spec, struct err *err)
{
    while (*group != NULL) {
        struct lookup_ask *ask = *group;

        *spec = (struct lookup_spec){0};
        if (ask->describe(ask, spec, err) == ERR_OK)
            return ERR_OK;
        arena_release(&spec->arena);
        *group = ask->next; /* the ask is gone when it is done */
        settle(ask, counts_result(err->code), clock_us());
        refuse(ask, err);
    }
    return err->code;
}

static enum err_code find_plan(struct link *link, struct lookup_ask **group,
                               struct link_plan **ret_plan, struct err *err)
{
    const struct lookup_ask *ask = *group;
    struct lookup_spec spec;
    enum err_code code;

    *ret_plan = link_find(link, ask->signature, ask->signature_length);
    if (*ret_plan != NULL)
        return ERR_OK;
    TRY(describe(group, &spec, err));
    ask = *group;
    code = link_make(link, ask->signature, ask->signature_length, &spec, ask->form == LOOKUP_WHERE,
                     ret_plan, err);
    arena_release(&spec.arena);
    return code;
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

static void refuse_all(struct lookup_ask *group, const struct err *err)
{
    while (group != NULL) {
        struct lookup_ask *next = group->next; /* the ask is gone when it is done */

        refuse(group, err);
        group = next;
    }
}

/* What is wrong with the one key of an ask is what is wrong with the ask. */
static void deliver_key(struct worker *worker, struct lookup_ask *ask,
                        const struct lookup_rows *rows)
{
    const struct lookup_row *row = &rows->items[0];

    if (row->code == ERR_OK) {
        if (ask->keep_ms > 0)
            row_cache_keep(worker->lookup->cache, ask, rows, row, worker->asked_us, worker->era);
        ask->done(ask, rows);
        return;
    }
    err_set(ask->err, row->code, "%s", row->problem);
    err_field(ask->err, "/key%s", row->field);
    if (row->code == ERR_DATA)
        err_hint(ask->err, "the columns of \"key\" must tell rows apart");
    ask->done(ask, NULL);
}

static void deliver(struct worker *worker, struct lookup_ask *group, const struct lookup_plan *plan)
{
    const struct batch *batch = &worker->batch;
    struct lookup_rows rows = {.plan = plan, .n = batch->n, .items = batch->rows};

    if (!gathers(group)) {
        group->done(group, &rows);
        return;
    }
    rows.n = 1;
    while (group != NULL) {
        struct lookup_ask *next = group->next;

        deliver_key(worker, group, &rows);
        rows.items++;
        group = next;
    }
}

/* All of it has as long as the first of them whose time is over. */
static int64_t deadline_of(const struct lookup_ask *group)
{
    int64_t deadline_ms = group->deadline_ms;

    for (; group != NULL; group = group->next)
        if (group->deadline_ms < deadline_ms)
            deadline_ms = group->deadline_ms;
    return deadline_ms;
}

static enum err_code read_group(struct worker *worker, struct lookup_ask **group,
                                struct link_plan **ret_plan, struct err *err)
{
    struct batch *batch = &worker->batch;
    int64_t deadline_ms = deadline_of(*group);
    const struct lookup_plan *plan;

    batch_clear(batch);
    *ret_plan = NULL;
    TRY(link_open(&worker->link, deadline_ms, err));
    TRY(find_plan(&worker->link, group, ret_plan, err));
    plan = (*ret_plan)->plan;
    batch->is_fresh = link_is_fresh(*ret_plan);
    worker->asked_us = clock_us();
    worker->era = row_cache_era(worker->lookup->cache);
    if ((*group)->form == LOOKUP_WHERE)
        return batch_run_where(batch, plan, worker->link.pg, *group, err);
    for (const struct lookup_ask *ask = *group; ask != NULL; ask = ask->next)
        TRY(batch_add(batch, plan, ask, err));
    return batch_run(batch, plan, worker->link.pg, deadline_ms, err);
}

/* What is wrong with the connection: is it worth another one? */
static bool may_connect_again(struct link *link, const struct err *err)
{
    struct err unused;

    if (link->pg == NULL)
        return err->code == ERR_UNREACHABLE && servers_next(link->servers, 0, &unused) >= 0;
    if (err->code == ERR_TIMEOUT)
        servers_failed(link->servers, link->server, err); /* it does not answer at all */
    link_close(link);
    return err->code == ERR_UNREACHABLE;
}

static bool has_link(const struct worker *worker)
{
    return worker->link.pg != NULL && !pg_broken(worker->link.pg);
}

/* Is it worth another try, on another connection or, once, with a plan that is made anew? */
static bool may_try_again(struct worker *worker, struct link_plan *plan, const struct err *err)
{
    struct batch *batch = &worker->batch;

    if (!has_link(worker))
        return may_connect_again(&worker->link, err);
    if (plan == NULL || !batch_is_stale(err, link_is_fresh(plan)))
        return false;
    link_forget(&worker->link, plan);
    if (batch->is_anew)
        return false;
    batch->is_anew = true;
    return true;
}

/* Rows that are kept are of before, where a plan had to be made anew and now fits, or cannot be
 * made any more. It is no reason that one row fails as a plan does: a client may ask for it at
 * will. */
static void forget_rows_of_before(struct worker *worker, const struct lookup_ask *ask,
                                  const struct link_plan *plan, enum err_code code)
{
    const struct batch *batch = &worker->batch;

    if (batch->is_anew && (plan != NULL ? code == ERR_OK && !batch->looks_stale : has_link(worker)))
        row_cache_forget(worker->lookup->cache, ask->signature, ask->signature_length);
}

/* The lock is held. */
static void count_connection(struct worker *worker)
{
    bool is_open = worker->link.pg != NULL;

    worker->lookup->counts.n_connections += is_open - worker->is_counted;
    worker->is_counted = is_open;
}

static void disconnect(struct worker *worker)
{
    link_close(&worker->link);
    pthread_mutex_lock(&worker->lookup->lock);
    count_connection(worker);
    pthread_mutex_unlock(&worker->lookup->lock);
}

/* Before it is delivered, as the asks are gone then. */
static void note_served(struct worker *worker, struct lookup_ask *group, enum err_code code)
{
    struct lookup *lookup = worker->lookup;
    const struct lookup_row *row = worker->batch.rows;
    int64_t now_us = clock_us();

    for (; group != NULL; group = group->next, row++)
        settle(group, counts_result(code == ERR_OK && gathers(group) ? row->code : code), now_us);
    pthread_mutex_lock(&lookup->lock);
    lookup->counts.n_busy--;
    count_connection(worker);
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

/* So that Postgres has some of the time as well. */
static bool is_overdue(const struct lookup *lookup, const struct lookup_ask *ask)
{
    return deadline_left_ms(ask->deadline_ms) <= lookup->options.timeout_ms / 8;
}

/* Those that waited too long. The lock is held. */
static struct lookup_ask *take_overdue(struct lookup *lookup)
{
    struct lookup_ask *overdue = NULL, **end = &overdue;

    for (struct lookup_ask **at = &lookup->first; *at != NULL;) {
        if (!is_overdue(lookup, *at)) {
            at = &(*at)->next;
            continue;
        }
        *end = unlink_ask(lookup, at);
        settle(*end, LOOKUP_OVERDUE, clock_us());
        end = &(*end)->next;
    }
    return overdue;
}

/* A batch has as long as the ask that has least: where that was not enough, the others go on. */
static void put_back(struct lookup *lookup, struct lookup_ask **group)
{
    pthread_mutex_lock(&lookup->lock);
    for (struct lookup_ask **at = group; *at != NULL && gathers(*at);) {
        struct lookup_ask *ask = *at;

        if (is_overdue(lookup, ask)) {
            at = &ask->next;
            continue;
        }
        *at = ask->next;
        ask->next = NULL;
        *lookup->last = ask;
        lookup->last = &ask->next;
        lookup->counts.n_waiting++;
        pthread_cond_signal(&lookup->came);
    }
    pthread_mutex_unlock(&lookup->lock);
}

static void serve(struct worker *worker, struct lookup_ask *group)
{
    struct link_plan *plan = NULL;
    enum err_code code = ERR_FAILED;
    struct err err = {0};

    worker->batch.is_anew = false;
    for (int try = 0; try < TRIES && group != NULL; try++) {
        note_try(worker->lookup, try);
        code = read_group(worker, &group, &plan, &err);
        if (code == ERR_OK || group == NULL || deadline_left_ms(deadline_of(group)) == 0 ||
            !may_try_again(worker, plan, &err))
            break;
    }
    if (group != NULL)
        forget_rows_of_before(worker, group, plan, code);
    if (code == ERR_TIMEOUT)
        put_back(worker->lookup, &group);
    note_served(worker, group, code);
    if (code == ERR_OK)
        deliver(worker, group, plan->plan);
    else
        refuse_all(group, &err);
    batch_clear(&worker->batch);
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

/* From a row that is kept, if there is one. */
static bool answer_at_once(struct lookup *lookup, struct lookup_ask *ask)
{
    struct kept_row *kept;
    struct lookup_row row = {.code = ERR_OK, .field = ""};
    struct lookup_rows rows = {.n = 1, .items = &row};

    if (ask->keep_ms <= 0 || !gathers(ask))
        return false;
    kept = row_cache_find(lookup->cache, ask);
    if (kept == NULL)
        return false;
    row.kept = kept;
    ask->result = LOOKUP_KEPT;
    ask->took_us = LOOKUP_UNTIMED;
    ask->done(ask, &rows);
    row_cache_let_go(lookup->cache, kept);
    return true;
}

static void stop_err(struct err *err)
{
    err_set(err, ERR_UNREACHABLE, "the daemon is stopping");
}

static bool turn_away(struct lookup_ask *ask, bool ending, struct err *err)
{
    ask->result = ending ? LOOKUP_STOPPED : LOOKUP_QUEUE_FULL;
    ask->took_us = LOOKUP_UNTIMED;
    if (ending) {
        stop_err(err);
    } else {
        err_set(err, ERR_UNREACHABLE, "too many requests wait for rows of Postgres");
        err_hint(err, "come back in a moment; the option lookup_queue bounds this");
    }
    return false;
}

bool lookup_put(struct lookup *lookup, struct lookup_ask *ask, struct err *err)
{
    bool taken, ending;

    if (answer_at_once(lookup, ask))
        return true;
    ask->next = NULL;
    if (ask->deadline_ms == 0) {
        ask->began_us = clock_us();
        ask->deadline_ms = deadline_in(lookup->options.timeout_ms);
    }
    pthread_mutex_lock(&lookup->lock);
    ending = lookup->ending;
    taken = !ending && lookup->counts.n_waiting < lookup->options.queue_max;
    if (taken) {
        *lookup->last = ask;
        lookup->last = &ask->next;
        lookup->counts.n_waiting++;
        pthread_cond_signal(&lookup->came);
    }
    pthread_mutex_unlock(&lookup->lock);
    return taken || turn_away(ask, ending, err);
}

void lookup_ended(struct lookup *lookup, const struct lookup_ask *ask)
{
    pthread_mutex_lock(&lookup->lock);
    counts_note(&lookup->counts, ask->result, ask->took_us);
    pthread_mutex_unlock(&lookup->lock);
}

void lookup_count(struct lookup *lookup, struct lookup_counts *ret_counts)
{
    pthread_mutex_lock(&lookup->lock);
    *ret_counts = lookup->counts;
    pthread_mutex_unlock(&lookup->lock);
    row_cache_count(lookup->cache, &ret_counts->cache);
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
        link_init(&worker->link, &lookup->servers, lookup->options.timeout_ms);
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
    TRY(servers_init(&lookup->servers, options->dsn, err));
    TRY(row_cache_new(options->cache_bytes, &lookup->cache, err));
    TRY(start_workers(lookup, err));
    *ret_lookup = TAKE_PTR(lookup);
    return ERR_OK;
}

void lookup_stop(struct lookup *lookup)
{
    struct lookup_ask *waiting;
    struct err err;

    if (lookup == NULL)
        return;
    pthread_mutex_lock(&lookup->lock);
    lookup->ending = true;
    pthread_cond_broadcast(&lookup->came);
    pthread_mutex_unlock(&lookup->lock);
    for (; lookup->n_workers > 0; lookup->n_workers--)
        pthread_join(lookup->workers[lookup->n_workers - 1].thread, NULL);
    pthread_mutex_lock(&lookup->lock);
    waiting = TAKE_PTR(lookup->first);
    lookup->last = &lookup->first;
    lookup->counts.n_waiting = 0;
    pthread_mutex_unlock(&lookup->lock);
    for (struct lookup_ask *ask = waiting; ask != NULL; ask = ask->next)
        settle(ask, LOOKUP_STOPPED, clock_us());
    stop_err(&err);
    refuse_all(waiting, &err);
}

void lookup_free(struct lookup *lookup)
{
    if (lookup == NULL)
        return;
    lookup_stop(lookup);
    pthread_cond_destroy(&lookup->came);
    pthread_mutex_destroy(&lookup->lock);
    servers_release(&lookup->servers);
    row_cache_free(lookup->cache);
    free(lookup->workers);
    free(lookup);
}
