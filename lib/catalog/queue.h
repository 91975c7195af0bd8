/*
 * The queue's inside: one queued run a project, whoever asks. Internal to the catalog; both within
 * a transaction of the caller's.
 */
#ifndef PGBOOST_CATALOG_QUEUE_H
#define PGBOOST_CATALOG_QUEUE_H

#include "catalog/catalog.h"

/* Takes the project's lock; a statement of its own, so that the next ones see what it waited for.
 */
MUST_CHECK enum err_code queue_lock(struct pg *pg, const char *project, int64_t *ret_project_id,
                                    struct err *err);

/* Queues a run, or gives the one that is queued already the project's present definition. */
MUST_CHECK enum err_code queue_locked(struct pg *pg, int64_t project_id, const char *trigger,
                                      bool reserve, int64_t *ret_run_id, bool *ret_existing,
                                      struct err *err);

#endif
