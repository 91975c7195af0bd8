#include "lookup/cache.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"

#define FIRST_SLOTS 256

struct row_cache {
    struct hash_secret secret;
    pthread_mutex_t lock; /* of all below */
    size_t max_bytes;
    struct kept_row **slots;
    size_t n_slots; /* a power of two */
    struct kept_row *newest, *oldest;
    struct row_cache_counts counts;
    uint64_t era;
};

/* What an ask is found by. */
struct name {
    struct buf text; /* signature and key */
    size_t signature_length;
    uint64_t hash;
};

enum err_code row_cache_new(size_t max_bytes, struct row_cache **ret_cache, struct err *err)
{
    CLEANUP(row_cache_freep) struct row_cache *cache = calloc(1, sizeof(*cache));

    if (cache == NULL)
        return err_nomem(err);
    pthread_mutex_init(&cache->lock, NULL);
    TRY(hash_secret_init(&cache->secret, err));
    cache->max_bytes = max_bytes;
    cache->slots = calloc(FIRST_SLOTS, sizeof(*cache->slots));
    if (cache->slots == NULL)
        return err_nomem(err);
    cache->n_slots = FIRST_SLOTS;
    *ret_cache = TAKE_PTR(cache);
    return ERR_OK;
}

/* Names --------------------------------------------------------------------------------------- */

static void name_release(struct name *name)
{
    buf_release(&name->text);
}

/* False: there is no memory. request_read has seen the key whole. */
static bool name_ask(const struct row_cache *cache, const struct lookup_ask *ask, struct name *name)
{
    struct json_reader reader = ask->values;
    enum json_token token = json_next(&reader, NULL);

    size_t n_bytes;

    if (token == JSON_ERROR || json_skip(&reader, token, NULL) != ERR_OK)
        return false;
    n_bytes = (size_t)(reader.at - ask->values.at);
    buf_reserve(&name->text, ask->signature_length + n_bytes);
    name->signature_length = ask->signature_length;
    buf_append(&name->text, ask->signature, ask->signature_length);
    if (json_compact(ask->values.at, n_bytes, &name->text, NULL) != ERR_OK)
        return false;
    name->hash = hash64_secret(&cache->secret, name->text.data, name->text.length);
    return true;
}

static bool is_signed(const struct kept_row *row, const char *signature, size_t length)
{
    return row->n_signature_bytes == length && memcmp(row->name, signature, length) == 0;
}

static bool is_named(const struct kept_row *row, const struct name *name)
{
    return row->hash == name->hash && row->n_signature_bytes == name->signature_length &&
           row->n_name_bytes == name->text.length &&
           memcmp(row->name, name->text.data, name->text.length) == 0;
}

/* The table and the order, under the lock ----------------------------------------------------- */

static struct kept_row **slot_of(const struct row_cache *cache, uint64_t hash)
{
    return &cache->slots[(hash ^ hash >> 32) & (cache->n_slots - 1)];
}

/* Where the row stands in its slot, or the end of it. */
static struct kept_row **place_of(const struct row_cache *cache, const struct name *name)
{
    struct kept_row **at = slot_of(cache, name->hash);

    while (*at != NULL && !is_named(*at, name))
        at = &(*at)->next;
    return at;
}

static void leave_order(struct row_cache *cache, struct kept_row *row)
{
    *(row->newer != NULL ? &row->newer->older : &cache->newest) = row->older;
    *(row->older != NULL ? &row->older->newer : &cache->oldest) = row->newer;
    row->newer = row->older = NULL;
}

static void be_newest(struct row_cache *cache, struct kept_row *row)
{
    row->older = cache->newest;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = row;
    cache->newest = row;
}

static void let_go(struct kept_row *row)
{
    if (--row->n_holders == 0)
        free(row);
}

static void take_out(struct row_cache *cache, struct kept_row *row)
{
    struct kept_row **at = slot_of(cache, row->hash);

    while (*at != row)
        at = &(*at)->next;
    *at = row->next;
    leave_order(cache, row);
    cache->counts.n_bytes -= row->n_bytes;
    cache->counts.n_rows--;
    let_go(row);
}

/* Where memory does not suffice, the slots become longer. */
static void grow(struct row_cache *cache)
{
    size_t n_slots = cache->n_slots * 2;
    struct kept_row **slots = calloc(n_slots, sizeof(*slots));

    if (slots == NULL)
        return;
    free(cache->slots);
    cache->slots = slots;
    cache->n_slots = n_slots;
    for (struct kept_row *row = cache->newest; row != NULL; row = row->older) {
        struct kept_row **slot = slot_of(cache, row->hash);

        row->next = *slot;
        *slot = row;
    }
}

static void put_in(struct row_cache *cache, struct kept_row *row)
{
    struct kept_row **slot;

    while (cache->oldest != NULL && cache->counts.n_bytes + row->n_bytes > cache->max_bytes)
        take_out(cache, cache->oldest);
    if (cache->counts.n_rows >= cache->n_slots)
        grow(cache);
    slot = slot_of(cache, row->hash);
    row->next = *slot;
    *slot = row;
    be_newest(cache, row);
    cache->counts.n_bytes += row->n_bytes;
    cache->counts.n_rows++;
}

/* Rows ---------------------------------------------------------------------------------------- */

static size_t bytes_of(const struct lookup_row *row, int n_columns)
{
    struct pg_field field;
    size_t n = 0;

    for (int i = 0; i < n_columns; i++)
        if (lookup_field(row, i, &field))
            n += field.n_bytes;
    return n;
}

static uint8_t *append(uint8_t *at, const void *data, size_t n_bytes)
{
    return (uint8_t *)memcpy(at, data, n_bytes) + n_bytes;
}

static struct kept_row *copy_row(const struct name *name, const struct lookup_rows *rows,
                                 const struct lookup_row *row, int64_t read_us)
{
    int n_columns = rows->plan->n_columns;
    size_t n_bytes = sizeof(struct kept_row) + (size_t)n_columns * sizeof(struct pg_field) +
                     name->text.length + bytes_of(row, n_columns);
    struct kept_row *kept = calloc(1, n_bytes);
    uint8_t *at;

    if (kept == NULL)
        return NULL;
    *kept = (struct kept_row){.n_holders = 1,
                              .hash = name->hash,
                              .read_us = read_us,
                              .n_bytes = n_bytes,
                              .n_name_bytes = name->text.length,
                              .n_signature_bytes = name->signature_length,
                              .n_columns = n_columns};
    kept->has_age = lookup_age(rows, row, &kept->age_seconds);
    kept->name = at = (uint8_t *)(kept->fields + n_columns);
    at = append(at, name->text.data, name->text.length);
    for (int i = 0; i < n_columns; i++) {
        struct pg_field field;

        if (!lookup_field(row, i, &field))
            continue;
        kept->fields[i] = (struct pg_field){at, field.n_bytes};
        at = append(at, field.data, field.n_bytes);
    }
    return kept;
}

uint64_t row_cache_era(struct row_cache *cache)
{
    uint64_t era;

    pthread_mutex_lock(&cache->lock);
    era = cache->era;
    pthread_mutex_unlock(&cache->lock);
    return era;
}

void row_cache_keep(struct row_cache *cache, const struct lookup_ask *ask,
                    const struct lookup_rows *rows, const struct lookup_row *row, int64_t read_us,
                    uint64_t era)
{
    CLEANUP(name_release) struct name name = {0};
    struct kept_row *kept, *old;

    if (!name_ask(cache, ask, &name))
        return;
    kept = copy_row(&name, rows, row, read_us);
    if (kept == NULL || kept->n_bytes > cache->max_bytes) {
        free(kept);
        return;
    }
    pthread_mutex_lock(&cache->lock);
    if (cache->era == era) {
        old = *place_of(cache, &name);
        if (old != NULL)
            take_out(cache, old);
        put_in(cache, TAKE_PTR(kept));
    }
    pthread_mutex_unlock(&cache->lock);
    free(kept);
}

struct kept_row *row_cache_find(struct row_cache *cache, const struct lookup_ask *ask)
{
    CLEANUP(name_release) struct name name = {0};
    struct kept_row *row = NULL;

    if (!name_ask(cache, ask, &name))
        return NULL;
    pthread_mutex_lock(&cache->lock);
    row = *place_of(cache, &name);
    if (row != NULL && clock_us() - row->read_us >= ask->keep_ms * 1000) {
        take_out(cache, row);
        row = NULL;
    }
    if (row != NULL) {
        row->n_holders++;
        leave_order(cache, row);
        be_newest(cache, row);
        cache->counts.n_hits++;
    } else {
        cache->counts.n_misses++;
    }
    pthread_mutex_unlock(&cache->lock);
    return row;
}

void row_cache_let_go(struct row_cache *cache, struct kept_row *row)
{
    pthread_mutex_lock(&cache->lock);
    let_go(row);
    pthread_mutex_unlock(&cache->lock);
}

void row_cache_forget(struct row_cache *cache, const char *signature, size_t length)
{
    struct kept_row *older;

    pthread_mutex_lock(&cache->lock);
    for (struct kept_row *row = cache->newest; row != NULL; row = older) {
        older = row->older;
        if (is_signed(row, signature, length))
            take_out(cache, row);
    }
    cache->era++;
    pthread_mutex_unlock(&cache->lock);
}

void row_cache_count(struct row_cache *cache, struct row_cache_counts *ret_counts)
{
    pthread_mutex_lock(&cache->lock);
    *ret_counts = cache->counts;
    pthread_mutex_unlock(&cache->lock);
}

void row_cache_free(struct row_cache *cache)
{
    if (cache == NULL)
        return;
    while (cache->oldest != NULL)
        take_out(cache, cache->oldest);
    pthread_mutex_destroy(&cache->lock);
    free(cache->slots);
    free(cache);
}
