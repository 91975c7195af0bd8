/*
 * The live models in files, for a start without Postgres.
 *
 * A folder holds `live`, the catalog's list of projects, and a file for each model in it. Each file
 * ends with the SHA-256 of what is before, is written beside its place and moved there, and belongs
 * to one catalog: what is damaged, cut short or another's is refused. The list is written after
 * the models in it are on the disk. The format is this machine's.
 *
 * Threads: models may be put and got by several at once, the list by the registry's writer alone
 * while nobody puts one.
 *
 * Inside lib/registry only, but for its tests.
 */
#ifndef PGBOOST_REGISTRY_CACHE_H
#define PGBOOST_REGISTRY_CACHE_H

#include "catalog/catalog.h"

struct cache;

/* state_dir must be there; `catalog` tells the catalogs apart whose models share it. ERR_CONFIG:
 * somebody else made the folder in it, or may write there. */
MUST_CHECK enum err_code cache_new(const char *state_dir, const char *catalog,
                                   struct cache **ret_cache, struct err *err);
void cache_free(struct cache *cache);
DEFINE_FREEP(struct cache *, cache_free)

/* On the disk with the next cache_put_live. On failure there is no file of the model any more. */
MUST_CHECK enum err_code cache_put_model(struct cache *cache, const struct model_row *row,
                                         struct err *err);
bool cache_has_model(const struct cache *cache, int64_t model_id);
/* Models that are not in it are deleted. */
MUST_CHECK enum err_code cache_put_live(struct cache *cache, const struct live_rows *rows,
                                        struct err *err);

/* ERR_NOT_FOUND: there is none. ERR_CORRUPT. *ret_saved_at (may be NULL): when it was written,
 * seconds since 1970. */
MUST_CHECK enum err_code cache_get_live(struct cache *cache, struct live_rows *ret_rows,
                                        int64_t *ret_saved_at, struct err *err);
MUST_CHECK enum err_code cache_get_model(struct cache *cache, int64_t model_id,
                                         struct model_rows *ret_row, struct err *err);

#endif
