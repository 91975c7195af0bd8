#include "registry/registry.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <urcu-bp.h>

#include "base/clock.h"
#include "base/log.h"
#include "registry/cache.h"
#include "registry/view.h"

/* ThreadSanitizer does not see what liburcu's own code orders: that whatever a reader did comes
 * before the end of a grace period which waited for it. With this said, it reports what is used
 * without the lock, or after it. */
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
static char grace_period;
#define NOTE_READ_END()  __tsan_release(&grace_period)
#define NOTE_GRACE_END() __tsan_acquire(&grace_period)
#else
#define NOTE_READ_END()  ((void)0)
#define NOTE_GRACE_END() ((void)0)
#endif

/* What cannot be written, as on a full disk, is tried again so often. */
#define CACHE_RETRY_MS 5000

struct registry {
    struct cache *cache;        /* NULL: nothing is kept */
    bool cache_is_behind;       /* of what was published */
    struct live_rows latest;    /* as the catalog was last read */
    int n_threads;              /* that load models */
    bool cache_fails;           /* and that was logged */
    int64_t cache_retry_at_ms;  /* of what is not news */
    struct registry_view *view; /* never NULL; swapped under RCU */
    atomic_bool loaded;
    pthread_mutex_t degraded_lock; /* guards degraded: read by /readyz, written on a change */
    char degraded[512];            /* "": all is well */
};

enum err_code registry_new(struct registry **ret_registry, struct err *err)
{
    CLEANUP(view_freep) struct registry_view *view = NULL;
    struct registry *registry;

    TRY(view_new_empty(&view, err));
    registry = calloc(1, sizeof(*registry));
    if (registry == NULL)
        return err_nomem(err);
    pthread_mutex_init(&registry->degraded_lock, NULL);
    registry->view = TAKE_PTR(view);
    registry->n_threads = 1;
    *ret_registry = registry;
    return ERR_OK;
}

void registry_free(struct registry *registry)
{
    if (registry == NULL)
        return;
    view_free(registry->view);
    live_rows_release(&registry->latest);
    cache_free(registry->cache);
    pthread_mutex_destroy(&registry->degraded_lock);
    free(registry);
}

void registry_set_threads(struct registry *registry, int n_threads)
{
    registry->n_threads = n_threads;
}

/* Returns once no reader can see the old view any more. */
static void publish(struct registry *registry, struct registry_view *next)
{
    struct registry_view *old = __atomic_exchange_n(&registry->view, next, __ATOMIC_ACQ_REL);

    synchronize_rcu();
    NOTE_GRACE_END();
    view_free(old);
}

/* Where refresh finds models: in the cache those that are in it as the catalog has them, in the
 * catalog the others, which the cache then keeps. */
struct catalog_origin {
    struct cache *cache; /* NULL: none */
    struct pg *pg;
    pthread_mutex_t lock; /* guards pg */
};

/* The row and what it shows of its project. */
static bool is_current(const struct model_row *cached, const struct live_row *row)
{
    return cached->row_version != NULL && row->row_version != NULL && cached->metric != NULL &&
           strcmp(cached->row_version, row->row_version) == 0 &&
           strcmp(cached->project, row->project) == 0 && strcmp(cached->metric, row->metric) == 0;
}

static void find_cached(struct cache *cache, struct load *load, struct model_rows *rows)
{
    struct err failure;

    if (cache == NULL)
        return;
    if (cache_get_model(cache, load->row->model_id, rows, &failure) != ERR_OK) {
        if (failure.code != ERR_NOT_FOUND)
            log_err(LOG_WARNING, "a cached model is read anew", &failure);
        return;
    }
    if (is_current(&rows->items[0], load->row))
        load->found = &rows->items[0];
    else
        model_rows_release(rows);
}

/* What cannot be written now is by registry_save, which says so. */
static void keep(struct cache *cache, const struct model_row *row)
{
    struct err unused;

    if (cache != NULL)
        (void)!cache_put_model(cache, row, &unused);
}

static void find_fetched(struct load *load, const struct model_rows *rows)
{
    for (int i = 0; i < rows->n; i++)
        if (rows->items[i].id == load->row->model_id)
            load->found = &rows->items[i];
    if (load->found == NULL)
        err_set(&load->problem, ERR_NOT_FOUND, "model %" PRId64 " does not exist",
                load->row->model_id);
}

/* Those that are not found yet. */
static void fetch_others(struct catalog_origin *origin, struct load *loads, int n,
                         struct model_rows *rows)
{
    int64_t ids[LOAD_BATCH_MAX];
    struct err failure = {0};
    enum err_code code;
    int n_ids = 0;

    for (int i = 0; i < n; i++)
        if (loads[i].found == NULL)
            ids[n_ids++] = loads[i].row->model_id;
    if (n_ids == 0)
        return;
    pthread_mutex_lock(&origin->lock);
    code = catalog_models_whole(origin->pg, ids, n_ids, rows, &failure);
    pthread_mutex_unlock(&origin->lock);
    for (int i = 0; i < n; i++) {
        if (loads[i].found != NULL)
            continue;
        if (code == ERR_OK)
            find_fetched(&loads[i], rows);
        else
            loads[i].problem = failure;
    }
    for (int i = 0; i < rows->n; i++)
        keep(origin->cache, &rows->items[i]);
}

static void fetch_from_catalog(void *context, struct load *loads, int n, struct load_rows *ret_rows)
{
    struct catalog_origin *origin = context;

    for (int i = 0; i < n; i++)
        find_cached(origin->cache, &loads[i], &ret_rows->each[i]);
    fetch_others(origin, loads, n, &ret_rows->together);
}

static void fetch_from_cache(void *context, struct load *loads, int n, struct load_rows *ret_rows)
{
    for (int i = 0; i < n; i++)
        if (cache_get_model(context, loads[i].row->model_id, &ret_rows->each[i],
                            &loads[i].problem) == ERR_OK)
            loads[i].found = &ret_rows->each[i].items[0];
}

static enum err_code take_over(struct registry *registry, const struct live_rows *rows,
                               const struct model_origin *origin, int *ret_n_changed,
                               struct err *err)
{
    CLEANUP(view_freep) struct registry_view *next = NULL;

    TRY(view_build(registry->view, origin, rows, &next, ret_n_changed, err));
    if (*ret_n_changed > 0)
        publish(registry, TAKE_PTR(next));
    atomic_store(&registry->loaded, true);
    return ERR_OK;
}

enum err_code registry_refresh(struct registry *registry, struct pg *pg, int *ret_n_changed,
                               struct err *err)
{
    CLEANUP(live_rows_release) struct live_rows rows = {0};
    struct catalog_origin from = {
        .cache = registry->cache, .pg = pg, .lock = PTHREAD_MUTEX_INITIALIZER};
    const struct model_origin origin = {
        .fetch = fetch_from_catalog, .context = &from, .n_threads = registry->n_threads};
    int n_changed;

    TRY(catalog_live(pg, &rows, err));
    TRY(take_over(registry, &rows, &origin, &n_changed, err));
    if (n_changed > 0 || registry->latest.items == NULL) {
        registry->cache_is_behind = true;
        registry->cache_retry_at_ms = 0;
    }
    live_rows_release(&registry->latest);
    registry->latest = rows;
    rows = (struct live_rows){0};
    if (ret_n_changed != NULL)
        *ret_n_changed = n_changed;
    return ERR_OK;
}

/* A live model whose file could not be written when it was loaded. */
static enum err_code cache_missing(struct registry *registry, struct pg *pg, int64_t model_id,
                                   struct err *err)
{
    CLEANUP(model_rows_release) struct model_rows row = {0};

    if (model_id == 0 || cache_has_model(registry->cache, model_id))
        return ERR_OK;
    TRY(catalog_models_whole(pg, &model_id, 1, &row, err));
    return row.n > 0 ? cache_put_model(registry->cache, &row.items[0], err) : ERR_OK;
}

/* The list last, so that what is listed is there; but also where a model could not be written, for
 * the sake of the others. */
static enum err_code write_files(struct registry *registry, struct pg *pg,
                                 const struct live_rows *rows, struct err *err)
{
    enum err_code code = ERR_OK;
    struct err unused;

    for (int i = 0; i < rows->n && code == ERR_OK; i++)
        code = cache_missing(registry, pg, rows->items[i].model_id, err);
    if (code == ERR_OK)
        return cache_put_live(registry->cache, rows, err);
    (void)!cache_put_live(registry->cache, rows, &unused);
    return code;
}

/* What cannot be written, as long as a disk is full, is said once. */
static void note_uncached(struct registry *registry, const struct err *err)
{
    if (!registry->cache_fails)
        log_err(LOG_WARNING, "the live models cannot be cached; this is tried again", err);
    registry->cache_fails = true;
}

void registry_save(struct registry *registry, struct pg *pg)
{
    const struct live_rows *rows = &registry->latest;
    struct err err;

    if (registry->cache == NULL || !registry->cache_is_behind ||
        clock_ms() < registry->cache_retry_at_ms)
        return;
    if (write_files(registry, pg, rows, &err) != ERR_OK) {
        note_uncached(registry, &err);
        registry->cache_retry_at_ms = clock_ms() + CACHE_RETRY_MS;
        return;
    }
    if (registry->cache_fails)
        log_info("the live models are cached again", "n=%d", rows->n);
    registry->cache_is_behind = registry->cache_fails = false;
}

enum err_code registry_keep_cache(struct registry *registry, const char *state_dir,
                                  const char *catalog, struct err *err)
{
    return cache_new(state_dir, catalog, &registry->cache, err);
}

enum err_code registry_load_cache(struct registry *registry, int64_t *ret_saved_at, struct err *err)
{
    CLEANUP(live_rows_release) struct live_rows rows = {0};
    const struct model_origin origin = {.fetch = fetch_from_cache,
                                        .context = registry->cache,
                                        .n_threads = registry->n_threads,
                                        .is_last_resort = true};
    int n_changed;

    TRY(cache_get_live(registry->cache, &rows, ret_saved_at, err));
    return take_over(registry, &rows, &origin, &n_changed, err);
}

const struct registry_view *registry_read_lock(const struct registry *registry)
{
    rcu_read_lock();
    return __atomic_load_n(&registry->view, __ATOMIC_ACQUIRE);
}

void registry_read_unlock(void)
{
    NOTE_READ_END();
    rcu_read_unlock();
}

int registry_n_projects(const struct registry_view *view)
{
    return view->n_entries;
}

const struct registry_project *registry_at(const struct registry_view *view, int i)
{
    return &view->entries[i].project;
}

const struct registry_project *registry_find(const struct registry_view *view, const char *name,
                                             size_t length)
{
    const struct registry_entry *entry = view_find(view, name, length);

    return entry != NULL ? &entry->project : NULL;
}

bool registry_loaded(const struct registry *registry)
{
    return atomic_load(&registry->loaded);
}

void registry_set_degraded(struct registry *registry, const char *why)
{
    pthread_mutex_lock(&registry->degraded_lock);
    snprintf(registry->degraded, sizeof(registry->degraded), "%s", why != NULL ? why : "");
    pthread_mutex_unlock(&registry->degraded_lock);
}

bool registry_degraded(struct registry *registry, char *ret_why, size_t size)
{
    bool degraded;

    pthread_mutex_lock(&registry->degraded_lock);
    degraded = registry->degraded[0] != '\0';
    if (degraded)
        snprintf(ret_why, size, "%s", registry->degraded);
    pthread_mutex_unlock(&registry->degraded_lock);
    return degraded;
}
