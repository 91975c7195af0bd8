/*
 * The live models in memory: readers take the current one without a lock and never wait.
 *
 * One immutable snapshot (every project, sorted by name, with its model or none) hangs on one
 * pointer, swapped by the daemon's control thread under userspace RCU (liburcu-bp); models are
 * shared between snapshots by reference count and freed when the last snapshot with them is gone.
 *
 * Readers: registry_read_lock → registry_find … → registry_read_unlock; anything found is valid in
 * between. Writer: one thread. Refuses: talking to Postgres on a reader's thread.
 */
#ifndef PGBOOST_REGISTRY_REGISTRY_H
#define PGBOOST_REGISTRY_REGISTRY_H

#include "model/model.h"

struct registry;

struct registry_project {
    const char *name, *task, *relation, *target, *metric, *score, *deployed_at;
    int64_t id, deploy_version;
    int64_t wanted_model_id;   /* live by the catalog; 0: none */
    const struct model *model; /* NULL: none, or the wanted one could not be loaded */
    const char *problem;       /* why model is not the wanted one; NULL: it is */
};

MUST_CHECK enum err_code registry_new(struct registry **ret_registry, struct err *err);
void registry_free(struct registry *registry);
DEFINE_FREEP(struct registry *, registry_free)

/* Brings the registry to what the catalog says, loading (SHA-256, golden rows) what is new. A model
 * that cannot be loaded leaves the project's previous one live, with `problem` set; this function
 * succeeds all the same, logging it once a version. Fails only when the catalog cannot be read: the
 * registry is then as it was. Never goes back to a lower deploy_version. */
MUST_CHECK enum err_code registry_refresh(struct registry *registry, struct pg *pg,
                                          int *ret_n_changed, struct err *err);

void registry_read_lock(void);
void registry_read_unlock(void);
const struct registry_project *registry_find(const struct registry *registry, const char *name,
                                             size_t length); /* NULL: no such project */
/* A live model by id, of a project; NULL when it is not in memory. */
int registry_n_projects(const struct registry *registry);
const struct registry_project *registry_at(const struct registry *registry, int i);

/* Was the catalog ever read? Since when (clock_ms) could it not be? 0: it can. */
bool registry_loaded(const struct registry *registry);
void registry_set_degraded(struct registry *registry, const char *why); /* NULL: all is well */
/* Copies the reason; false when all is well. */
bool registry_degraded(const struct registry *registry, char *ret_why, size_t size);

#endif
