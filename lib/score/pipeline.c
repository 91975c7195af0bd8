#include "score/pipeline.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

#define WINDOWS_PER_THREAD 8
#define PROGRESS_MS        100

enum stage { STAGE_EMPTY, STAGE_FILLED, STAGE_TAKEN, STAGE_PREDICTED };

/* A place of the ring: window number n stands at n % n_slots. */
struct slot {
    struct window window;
    enum stage stage;
};

struct pipeline {
    const struct pipeline_options *options;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct slot *slots;
    int n_slots;
    uint64_t n_filled;  /* windows so far … */
    uint64_t n_taken;   /* … and those of them that somebody predicts or has predicted */
    uint64_t n_written; /* … and those that are behind us */
    bool is_complete;   /* no further one is filled */
    bool has_failed;
    struct err err; /* the first */
    _Atomic int64_t n_rows_written;
    struct buf last_key; /* of the row before: lengths and bytes */
    struct buf key;
};

static struct slot *slot_of(struct pipeline *pipeline, uint64_t number)
{
    return &pipeline->slots[number % (uint64_t)pipeline->n_slots];
}

/* Whoever waits, for a window or for a row, is woken and ends. */
static void fail(struct pipeline *pipeline, const struct err *err)
{
    pthread_mutex_lock(&pipeline->lock);
    if (!pipeline->has_failed) {
        pipeline->err = *err;
        pipeline->has_failed = true;
        shutdown(pg_socket(pipeline->options->reader), SHUT_RDWR);
    }
    pthread_cond_broadcast(&pipeline->changed);
    pthread_mutex_unlock(&pipeline->lock);
}

static void move(struct pipeline *pipeline, struct slot *slot, enum stage stage)
{
    pthread_mutex_lock(&pipeline->lock);
    slot->stage = stage;
    pthread_cond_broadcast(&pipeline->changed);
    pthread_mutex_unlock(&pipeline->lock);
}

/* Predicting ----------------------------------------------------------------------------------- */

/* NULL: there is none any more. */
static struct slot *take(struct pipeline *pipeline)
{
    struct slot *slot = NULL;

    pthread_mutex_lock(&pipeline->lock);
    while (!pipeline->has_failed && pipeline->n_taken == pipeline->n_filled &&
           !pipeline->is_complete)
        pthread_cond_wait(&pipeline->changed, &pipeline->lock);
    if (!pipeline->has_failed && pipeline->n_taken < pipeline->n_filled) {
        slot = slot_of(pipeline, pipeline->n_taken++);
        slot->stage = STAGE_TAKEN;
    }
    pthread_mutex_unlock(&pipeline->lock);
    return slot;
}

static void *predict_main(void *context)
{
    struct pipeline *pipeline = context;
    CLEANUP(scorer_release) struct scorer scorer = {0};
    struct slot *slot = NULL;
    struct err err = {0};
    enum err_code code = scorer_init(&scorer, pipeline->options->plan, &err);

    while (code == ERR_OK && (slot = take(pipeline)) != NULL) {
        code = scorer_predict(&scorer, &slot->window, &err);
        if (code == ERR_OK)
            move(pipeline, slot, STAGE_PREDICTED);
    }
    if (code != ERR_OK)
        fail(pipeline, &err);
    return NULL;
}

/* Writing -------------------------------------------------------------------------------------- */

static struct slot *next_predicted(struct pipeline *pipeline)
{
    struct slot *slot = slot_of(pipeline, pipeline->n_written);
    bool is_there;

    pthread_mutex_lock(&pipeline->lock);
    while (!pipeline->has_failed && slot->stage != STAGE_PREDICTED &&
           !(pipeline->is_complete && pipeline->n_written == pipeline->n_filled))
        pthread_cond_wait(&pipeline->changed, &pipeline->lock);
    is_there = !pipeline->has_failed && slot->stage == STAGE_PREDICTED;
    pthread_mutex_unlock(&pipeline->lock);
    return is_there ? slot : NULL;
}

static bool has_failed(struct pipeline *pipeline)
{
    bool failed;

    pthread_mutex_lock(&pipeline->lock);
    failed = pipeline->has_failed;
    pthread_mutex_unlock(&pipeline->lock);
    return failed;
}

static void *write_main(void *context)
{
    struct pipeline *pipeline = context;
    struct writer *writer = pipeline->options->writer;
    struct slot *slot;
    struct err err = {0};
    enum err_code code = ERR_OK;

    while (code == ERR_OK && (slot = next_predicted(pipeline)) != NULL) {
        code = writer_put(writer, &slot->window, &err);
        atomic_store(&pipeline->n_rows_written,
                     writer->n_rows + (writer->atomic ? writer->n_in_chunk : 0));
        window_clear(&slot->window);
        pipeline->n_written++;
        move(pipeline, slot, STAGE_EMPTY);
    }
    if (code == ERR_OK && !has_failed(pipeline))
        code = writer_end(writer, &err);
    if (code != ERR_OK)
        fail(pipeline, &err);
    return NULL;
}

/* Reading -------------------------------------------------------------------------------------- */

static enum err_code refuse_null(const struct pipeline *pipeline, int key, struct err *err)
{
    const struct relation *relation = pipeline->options->plan->relation;

    err_set(err, ERR_DATA, "relation %s has a row whose key \"%s\" is NULL", relation->name,
            relation->columns[pipeline->options->plan->read[key]].name);
    return err_hint(err, "such a row has no place in a table: leave it out in a view");
}

static enum err_code refuse_same(const struct pipeline *pipeline, struct err *err)
{
    err_set(err, ERR_DATA, "relation %s has several rows of one key",
            pipeline->options->plan->relation->name);
    return err_hint(err, "the key has to tell rows apart: GROUP BY it and look for count(*) > 1");
}

/* Rows come in the order of the key: those of one key stand together. */
static enum err_code check_key(struct pipeline *pipeline, const struct pg_field *fields,
                               struct err *err)
{
    struct buf *key = &pipeline->key, before;

    buf_clear(key);
    for (int i = 0; i < pipeline->options->plan->n_keys; i++) {
        if (fields[i].data == NULL)
            return refuse_null(pipeline, i, err);
        buf_append(key, &fields[i].n_bytes, sizeof(fields[i].n_bytes));
        buf_append(key, fields[i].data, fields[i].n_bytes);
    }
    TRY(buf_check(key, err));
    before = pipeline->last_key;
    if (before.length == key->length && memcmp(before.data, key->data, key->length) == 0)
        return refuse_same(pipeline, err);
    pipeline->last_key = *key;
    *key = before;
    return ERR_OK;
}

/* NULL: another part has failed. */
static struct slot *next_empty(struct pipeline *pipeline)
{
    struct slot *slot = slot_of(pipeline, pipeline->n_filled);
    bool failed;

    pthread_mutex_lock(&pipeline->lock);
    while (!pipeline->has_failed && slot->stage != STAGE_EMPTY)
        pthread_cond_wait(&pipeline->changed, &pipeline->lock);
    failed = pipeline->has_failed;
    pthread_mutex_unlock(&pipeline->lock);
    return failed ? NULL : slot;
}

static enum err_code fill(struct pipeline *pipeline, struct pg_field *fields, struct window *window,
                          bool *ret_done, struct err *err)
{
    while (!window_is_full(window)) {
        TRY(pg_copy_next(pipeline->options->copy, fields, ret_done, err));
        if (*ret_done)
            return ERR_OK;
        TRY(check_key(pipeline, fields, err));
        TRY(window_add(window, fields, err));
    }
    return ERR_OK;
}

static void hand_on(struct pipeline *pipeline, struct slot *slot, bool is_last)
{
    pthread_mutex_lock(&pipeline->lock);
    if (slot->window.n_rows > 0) {
        slot->stage = STAGE_FILLED;
        pipeline->n_filled++;
    }
    pipeline->is_complete = is_last;
    pthread_cond_broadcast(&pipeline->changed);
    pthread_mutex_unlock(&pipeline->lock);
}

static enum err_code tell(struct pipeline *pipeline, int64_t *at_ms, struct err *err)
{
    const struct pipeline_options *options = pipeline->options;

    if (options->progress == NULL || clock_ms() < *at_ms)
        return ERR_OK;
    *at_ms = clock_ms() + PROGRESS_MS;
    return options->progress(options->context, atomic_load(&pipeline->n_rows_written),
                             options->n_expected, err);
}

static enum err_code read_all(struct pipeline *pipeline, struct err *err)
{
    const struct score_plan *plan = pipeline->options->plan;
    size_t n_fields = (size_t)plan->n_keys + (size_t)plan->n_columns;
    CLEANUP(free_ptr) struct pg_field *fields = calloc(n_fields, sizeof(*fields));
    int64_t told_ms = 0;
    bool done = false;

    if (fields == NULL)
        return err_nomem(err);
    while (!done) {
        struct slot *slot = next_empty(pipeline);

        if (slot == NULL)
            return ERR_OK; /* whoever has failed has said why */
        TRY(fill(pipeline, fields, &slot->window, &done, err));
        hand_on(pipeline, slot, done);
        TRY(tell(pipeline, &told_ms, err));
    }
    return ERR_OK;
}

/* The whole ----------------------------------------------------------------------------------- */

static void pipeline_release(struct pipeline *pipeline)
{
    for (int i = 0; i < pipeline->n_slots; i++)
        window_release(&pipeline->slots[i].window);
    free(pipeline->slots);
    buf_release(&pipeline->last_key);
    buf_release(&pipeline->key);
    pthread_cond_destroy(&pipeline->changed);
    pthread_mutex_destroy(&pipeline->lock);
}

static enum err_code pipeline_init(struct pipeline *pipeline, struct err *err)
{
    const struct pipeline_options *options = pipeline->options;

    pthread_mutex_init(&pipeline->lock, NULL);
    pthread_cond_init(&pipeline->changed, NULL);
    atomic_store(&pipeline->n_rows_written, options->writer->n_rows);
    pipeline->slots =
        calloc((size_t)options->threads * WINDOWS_PER_THREAD + 2, sizeof(*pipeline->slots));
    if (pipeline->slots == NULL)
        return err_nomem(err);
    for (; pipeline->n_slots < options->threads * WINDOWS_PER_THREAD + 2; pipeline->n_slots++)
        TRY(window_init(&pipeline->slots[pipeline->n_slots].window, options->plan, err));
    return ERR_OK;
}

/* Signals are for the main thread. */
static enum err_code start(pthread_t *thread, void *(*main)(void *), struct pipeline *pipeline,
                           struct err *err)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(thread, NULL, main, pipeline);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error == 0 ? ERR_OK : err_errno(err, error, "cannot start a thread");
}

/* Threads while this one reads; none is left behind. */
static void work(struct pipeline *pipeline, pthread_t *threads)
{
    int n_threads = pipeline->options->threads + 1, n = 0;
    struct err err = {0};
    enum err_code code = ERR_OK;

    while (code == ERR_OK && n < n_threads) {
        code = start(&threads[n], n == 0 ? write_main : predict_main, pipeline, &err);
        n += code == ERR_OK;
    }
    if (code == ERR_OK)
        code = read_all(pipeline, &err);
    if (code != ERR_OK)
        fail(pipeline, &err);
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
}

enum err_code pipeline_run(const struct pipeline_options *options, struct err *err)
{
    CLEANUP(pipeline_release) struct pipeline pipeline = {.options = options};
    CLEANUP(free_ptr)
    pthread_t *threads = calloc((size_t)options->threads + 1, sizeof(*threads));

    TRY(pipeline_init(&pipeline, err));
    if (threads == NULL)
        return err_nomem(err);
    work(&pipeline, threads);
    if (!pipeline.has_failed)
        return ERR_OK;
    if (err != NULL)
        *err = pipeline.err;
    return pipeline.err.code;
}
