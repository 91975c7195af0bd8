/*
 * Rows that were looked up by one key, kept for as long as a project allows
 * ("cache_seconds"): what an ask says → the row that it was answered with.
 *
 * An entry is found by the ask's signature, which changes with the model and what the definition
 * says of look-ups, and by the key as JSON without spaces and needless escapes: the same key in
 * another form ({"id": 7} or 7, members in another order) is read anew, and is the same. Clients
 * choose the keys, so that their hash has a secret. Rows that are not there are not kept. Bounded
 * by bytes; beyond, the row not asked for longest goes. For lib/lookup only; any thread.
 */
#ifndef PGBOOST_LOOKUP_CACHE_H
#define PGBOOST_LOOKUP_CACHE_H

#include "lookup/lookup.h"

/* A row of its own, in one piece of memory. */
struct kept_row {
    struct kept_row *next;          /* of the same slot */
    struct kept_row *newer, *older; /* by when they were asked for */
    int n_holders;                  /* the cache and those who read it; the cache's lock */
    uint64_t hash;
    int64_t read_us; /* clock_us: when it was asked of Postgres */
    bool has_age;
    double age_seconds; /* then */
    size_t n_bytes, n_name_bytes, n_signature_bytes;
    const uint8_t *name; /* signature and key */
    int n_columns;
    struct pg_field fields[]; /* [n_columns] */
};

struct row_cache;

MUST_CHECK enum err_code row_cache_new(size_t max_bytes, struct row_cache **ret_cache,
                                       struct err *err);
void row_cache_free(struct row_cache *cache); /* when nobody holds a row */
DEFINE_FREEP(struct row_cache *, row_cache_free)

/* The row for this ask, read within its keep_ms; NULL: it must be read. Then row_cache_let_go. */
struct kept_row *row_cache_find(struct row_cache *cache, const struct lookup_ask *ask);
void row_cache_let_go(struct row_cache *cache, struct kept_row *row);

/* How often rows were forgotten, to be asked before a row is read. */
uint64_t row_cache_era(struct row_cache *cache);

/* Keeps a copy of the row that is there, read at read_us in that era; where memory runs out, or
 * some were forgotten since, nothing. */
void row_cache_keep(struct row_cache *cache, const struct lookup_ask *ask,
                    const struct lookup_rows *rows, const struct lookup_row *row, int64_t read_us,
                    uint64_t era);

/* Those of a signature: its relation is another. */
void row_cache_forget(struct row_cache *cache, const char *signature, size_t length);

void row_cache_count(struct row_cache *cache, struct row_cache_counts *ret_counts);

#endif
