/*
 * What several functions do within a transaction of their own: locks, queues, deploys. Internal to
 * the catalog.
 */
#ifndef PGBOOST_CATALOG_WITHIN_H
#define PGBOOST_CATALOG_WITHIN_H

#include "catalog/catalog.h"

/* The project's lock. A statement of its own, so that the next ones see what it waited for. */
MUST_CHECK enum err_code within_lock(struct pg *pg, const char *project, int64_t *ret_project_id,
                                     struct err *err);

/* Queues a run, or gives the one that is queued already the project's present definition
 * (pgboost.queue_run). */
MUST_CHECK enum err_code within_queue(struct pg *pg, int64_t project_id, const char *trigger,
                                      bool reserve, int64_t *ret_run_id, bool *ret_existing,
                                      struct err *err);

/* catalog_deploy without its transaction. */
MUST_CHECK enum err_code within_deploy(struct pg *pg, const char *project, int64_t model_id,
                                       const char *strategy, const char *reason, bool *ret_changed,
                                       struct err *err);

#endif
