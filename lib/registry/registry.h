/*
 * The live models in memory: readers take the current ones without a lock and never wait.
 *
 * One immutable view (every project with its model or none) hangs on one pointer, swapped by the
 * daemon's control thread under userspace RCU (liburcu-bp); models are shared between views and
 * freed when the last view that shows them is gone.
 *
 * Readers, any thread: registry_read_lock → registry_find … → registry_read_unlock; the view and
 * all that is found in it are valid in between and do not change. A reader must not wait for
 * anything while it holds the lock: the writer does. Writer: one thread (refresh, free).
 *
 * Refuses: talking to Postgres on a reader's thread; models that are not live.
 */
#ifndef PGBOOST_REGISTRY_REGISTRY_H
#define PGBOOST_REGISTRY_REGISTRY_H

#include "model/model.h"

struct registry;
struct registry_view; /* what was live at one moment */

struct registry_project {
    const char *name, *task, *relation, *target, *metric;
    const char *score, *deployed_at; /* of the wanted model; NULL: none */
    const char *serving;             /* the relation that rows are looked up in */
    const char *key;                 /* of it, JSON: a column or an array of them; NULL: none */
    const char *time;                /* a column of it; NULL: none */
    const char *cache_seconds;       /* for how long its rows may be kept; NULL: not at all */
    int64_t id, deploy_version;
    int64_t wanted_model_id;   /* live by the catalog; 0: none */
    const char *row_version;   /* of the wanted model's row, as in model_row; NULL: none */
    const struct model *model; /* NULL: none, or the wanted one could not be loaded */
    const char *problem;       /* why model is not the wanted one; NULL: it is */
};

MUST_CHECK enum err_code registry_new(struct registry **ret_registry, struct err *err);
void registry_free(struct registry *registry);
DEFINE_FREEP(struct registry *, registry_free)

/* How many threads load models at the same time, the caller's among them; 1 until it is set. */
void registry_set_threads(struct registry *registry, int n_threads);

/* Brings the registry to what the catalog says, loading (SHA-256, golden rows) what is new: from
 * the cache where it has the very row, from Postgres by several rows at a time where not. A model
 * that cannot be loaded leaves the project's previous one live, with `problem` set; this function
 * succeeds all the same, logging it once a version. Fails only when the catalog cannot be read: the
 * registry is then as it was. Never goes back to a lower deploy_version.
 * *ret_n_changed (may be NULL): at least so many projects are new, gone or different; 0: none. */
MUST_CHECK enum err_code registry_refresh(struct registry *registry, struct pg *pg,
                                          int *ret_n_changed, struct err *err);

/* From now on what refresh reads is kept in files under state_dir, for a start without Postgres, or
 * with less to read from it; `catalog` is a text that tells one catalog from another. What cannot
 * be written is logged. */
MUST_CHECK enum err_code registry_keep_cache(struct registry *registry, const char *state_dir,
                                             const char *catalog, struct err *err);

/* Brings to the disk what refresh has read, when that is not there yet: apart from refresh, as it
 * may take a while and nobody needs to wait for it. Tried again at every call until it is written.
 */
void registry_save(struct registry *registry, struct pg *pg);

/* Brings the registry to what the cache says, as refresh does with the catalog. ERR_NOT_FOUND:
 * there is none. *ret_saved_at: when it was written, seconds since 1970. */
MUST_CHECK enum err_code registry_load_cache(struct registry *registry, int64_t *ret_saved_at,
                                             struct err *err);

const struct registry_view *registry_read_lock(const struct registry *registry);
void registry_read_unlock(void);
int registry_n_projects(const struct registry_view *view);
const struct registry_project *registry_at(const struct registry_view *view, int i);
/* NULL: no such project. */
const struct registry_project *registry_find(const struct registry_view *view, const char *name,
                                             size_t length);

/* Was the catalog ever read? */
bool registry_loaded(const struct registry *registry);

/* Why the catalog cannot be read at present; NULL: it can. */
void registry_set_degraded(struct registry *registry, const char *why);
/* Copies the reason; false when all is well. */
bool registry_degraded(struct registry *registry, char *ret_why, size_t size);

#endif
