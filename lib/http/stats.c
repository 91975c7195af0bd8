#include "http/stats.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#define INDEX_SIZE (2 * STATS_SERIES_MAX) /* a power of two */

const int64_t stats_bounds_us[STATS_BUCKETS] = {50,     100,     250,     500,     1000,    2500,
                                                5000,   10000,   25000,   50000,   100000,  250000,
                                                500000, 1000000, 2500000, 5000000, 10000000};

/* The busiest first. */
const int stats_statuses[STATS_STATUSES] = {200, 400, 404, 409, 413, 503, 202, 204, 401, 403, 405,
                                            406, 408, 415, 421, 422, 429, 431, 500, 501, 504, 505};

/* One thread writes, others read: no update needs to be atomic as a whole. */
struct counter {
    _Atomic uint64_t n;
};

struct series {
    const struct route *route;
    int64_t project_id;
    struct counter n_by_status[STATS_STATUSES + 1];
    struct counter n_by_bucket[STATS_BUCKETS + 1];
    struct counter sum_us;
    struct series *next; /* in the shard's list, set before the series is shown */
};

/* What one thread counts. Only that thread looks at the index; readers walk the list. */
struct shard {
    struct shard *next;
    _Atomic(struct series *) first;
    struct series *last_used;
    size_t n_series;
    struct series *index[INDEX_SIZE];
};

struct stats {
    pthread_key_t key; /* struct shard of each thread; they are the stats' and outlive the thread */
    pthread_mutex_t lock;
    struct shard *shards;
};

static uint64_t read_counter(const struct counter *counter)
{
    return atomic_load_explicit(&counter->n, memory_order_relaxed);
}

static void add(struct counter *counter, uint64_t n)
{
    atomic_store_explicit(&counter->n, read_counter(counter) + n, memory_order_relaxed);
}

/* Shards -------------------------------------------------------------------------------------- */

static struct shard *thread_shard(struct stats *stats)
{
    struct shard *shard = pthread_getspecific(stats->key);

    if (shard != NULL)
        return shard;
    shard = calloc(1, sizeof(*shard));
    if (shard == NULL || pthread_setspecific(stats->key, shard) != 0) {
        free(shard);
        return NULL;
    }
    pthread_mutex_lock(&stats->lock);
    shard->next = stats->shards;
    stats->shards = shard;
    pthread_mutex_unlock(&stats->lock);
    return shard;
}

/* The place of a series in the index, or where it would be. */
static struct series **find_place(struct shard *shard, const struct route *route,
                                  int64_t project_id)
{
    uint64_t hash = ((uint64_t)project_id ^ ((uint64_t)(uintptr_t)route >> 3)) *
                    UINT64_C(0x9e3779b97f4a7c15); /* Fibonacci hashing */
    size_t at = (hash >> 32) & (INDEX_SIZE - 1);

    while (shard->index[at] != NULL &&
           (shard->index[at]->route != route || shard->index[at]->project_id != project_id))
        at = (at + 1) & (INDEX_SIZE - 1);
    return &shard->index[at];
}

/* On lines of its own: another thread's series must not lie beside it. */
static struct series *series_new(const struct route *route, int64_t project_id)
{
    size_t size = (sizeof(struct series) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    struct series *series = aligned_alloc(CACHE_LINE, size);

    if (series == NULL)
        return NULL;
    memset(series, 0, size);
    series->route = route;
    series->project_id = project_id;
    return series;
}

static struct series *find_series(struct shard *shard, const struct route *route,
                                  int64_t project_id)
{
    struct series **place = find_place(shard, route, project_id);

    if (*place != NULL)
        return *place;
    if (shard->n_series >= STATS_SERIES_MAX && project_id != 0)
        return find_series(shard, route, 0);
    if (shard->n_series >= INDEX_SIZE - 1) /* routes are few */
        return NULL;
    *place = series_new(route, project_id);
    if (*place == NULL)
        return NULL;
    shard->n_series++;
    (*place)->next = atomic_load_explicit(&shard->first, memory_order_relaxed);
    atomic_store_explicit(&shard->first, *place, memory_order_release);
    return *place;
}

/* Noting -------------------------------------------------------------------------------------- */

static size_t bucket_of(int64_t us)
{
    size_t bucket = 0;

    while (bucket < STATS_BUCKETS && us > stats_bounds_us[bucket])
        bucket++;
    return bucket;
}

static size_t status_of(int status)
{
    size_t i = 0;

    while (i < STATS_STATUSES && stats_statuses[i] != status)
        i++;
    return i;
}

void stats_note(struct stats *stats, const struct route *route, int64_t project_id, int status,
                int64_t us)
{
    struct shard *shard = thread_shard(stats);
    struct series *series = shard != NULL ? shard->last_used : NULL;

    if (shard == NULL)
        return;
    if (series == NULL || series->route != route || series->project_id != project_id)
        series = shard->last_used = find_series(shard, route, project_id);
    if (series == NULL)
        return;
    add(&series->n_by_status[status_of(status)], 1);
    add(&series->n_by_bucket[bucket_of(us)], 1);
    add(&series->sum_us, us > 0 ? (uint64_t)us : 0);
}

/* Collecting ---------------------------------------------------------------------------------- */

void stats_series_list_release(struct stats_series_list *list)
{
    free(list->items);
    *list = (struct stats_series_list){0};
}

static void copy_series(const struct series *series, struct stats_series *copy)
{
    copy->route = series->route;
    copy->project_id = series->project_id;
    for (size_t i = 0; i <= STATS_STATUSES; i++)
        copy->n_by_status[i] = read_counter(&series->n_by_status[i]);
    for (size_t i = 0; i <= STATS_BUCKETS; i++)
        copy->n_by_bucket[i] = read_counter(&series->n_by_bucket[i]);
    copy->sum_us = read_counter(&series->sum_us);
}

static void add_series(struct stats_series *to, const struct stats_series *from)
{
    for (size_t i = 0; i <= STATS_STATUSES; i++)
        to->n_by_status[i] += from->n_by_status[i];
    for (size_t i = 0; i <= STATS_BUCKETS; i++)
        to->n_by_bucket[i] += from->n_by_bucket[i];
    to->sum_us += from->sum_us;
}

static int compare_series(const void *left, const void *right)
{
    const struct stats_series *a = left, *b = right;

    if (a->route != b->route)
        return (uintptr_t)a->route < (uintptr_t)b->route ? -1 : 1;
    return (a->project_id > b->project_id) - (a->project_id < b->project_id);
}

static bool append_series(struct stats_series_list *list, size_t *capacity,
                          const struct series *series)
{
    if (list->n == *capacity) {
        size_t more = *capacity * 2 + 16;
        struct stats_series *items = realloc(list->items, more * sizeof(*items));

        if (items == NULL)
            return false;
        list->items = items;
        *capacity = more;
    }
    copy_series(series, &list->items[list->n++]);
    return true;
}

static bool append_shards(const struct shard *shards, struct stats_series_list *list)
{
    size_t capacity = 0;

    for (const struct shard *shard = shards; shard != NULL; shard = shard->next)
        for (const struct series *series =
                 atomic_load_explicit(&shard->first, memory_order_acquire);
             series != NULL; series = series->next)
            if (!append_series(list, &capacity, series))
                return false;
    return true;
}

/* Sorted: what is alike lies side by side. */
static void merge(struct stats_series_list *list)
{
    size_t n = 0;

    for (size_t i = 0; i < list->n; i++) {
        if (n > 0 && compare_series(&list->items[n - 1], &list->items[i]) == 0)
            add_series(&list->items[n - 1], &list->items[i]);
        else
            list->items[n++] = list->items[i];
    }
    list->n = n;
}

enum err_code stats_collect(struct stats *stats, struct stats_series_list *ret_list,
                            struct err *err)
{
    CLEANUP(stats_series_list_release) struct stats_series_list list = {0};
    struct shard *shards;

    pthread_mutex_lock(&stats->lock);
    shards = stats->shards; /* what comes later stands in front of it */
    pthread_mutex_unlock(&stats->lock);
    if (!append_shards(shards, &list))
        return err_nomem(err);
    if (list.n > 0)
        qsort(list.items, list.n, sizeof(*list.items), compare_series);
    merge(&list);
    *ret_list = list;
    list = (struct stats_series_list){0};
    return ERR_OK;
}

/* Life ---------------------------------------------------------------------------------------- */

enum err_code stats_new(struct stats **ret_stats, struct err *err)
{
    struct stats *stats = calloc(1, sizeof(*stats));
    int failure;

    if (stats == NULL)
        return err_nomem(err);
    failure = pthread_key_create(&stats->key, NULL);
    if (failure != 0) {
        free(stats);
        return err_errno(err, failure, "cannot make a thread's own counters");
    }
    pthread_mutex_init(&stats->lock, NULL);
    *ret_stats = stats;
    return ERR_OK;
}

static void shard_free(struct shard *shard)
{
    struct series *next, *series = atomic_load(&shard->first);

    for (; series != NULL; series = next) {
        next = series->next;
        free(series);
    }
    free(shard);
}

void stats_free(struct stats *stats)
{
    struct shard *next;

    if (stats == NULL)
        return;
    for (struct shard *shard = stats->shards; shard != NULL; shard = next) {
        next = shard->next;
        shard_free(shard);
    }
    pthread_key_delete(stats->key);
    pthread_mutex_destroy(&stats->lock);
    free(stats);
}
