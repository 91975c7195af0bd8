/*
 * A worker's hold on its run: the claim, a heartbeat on a connection and thread of its own, and the
 * connection on which results are written.
 *
 * The run is the worker's as long as the heartbeat succeeds. `control_check` is asked between
 * rounds: it fails with ERR_CANCELLED when someone asked to stop, or nobody needs help any more,
 * and with ERR_CONFLICT when the lease may have ended; then whoever holds the run now must not be
 * disturbed, and every write would be refused by its epoch anyway.
 */
#ifndef PGBOOST_TRAIN_CONTROL_H
#define PGBOOST_TRAIN_CONTROL_H

#include <stdbool.h>

#include "catalog/catalog.h"

struct control;

/* Connects, checks the catalog's version and claims run_id, or any run (0). *ret_control NULL:
 * nothing to do. */
MUST_CHECK enum err_code control_claim(const char *dsn, const char *worker, int64_t run_id,
                                       struct control **ret_control, struct err *err);
/* The same for a run that another worker holds and gives trials of away. Its lease is the trial's:
 * the run is looked at only, progress and failure are its holder's to write. */
MUST_CHECK enum err_code control_join(const char *dsn, const char *worker, int64_t run_id,
                                      struct control **ret_control, struct err *err);
/* Stops the heartbeat. The run must have been finished or failed, or its lease just ends. */
void control_free(struct control *control);
DEFINE_FREEP(struct control *, control_free)

const struct lease *control_lease(const struct control *control);

MUST_CHECK enum err_code control_check(struct control *control, struct err *err);

/* The connection for reads and writes of the catalog. When it broke it is made anew, for as long as
 * the lease holds: a restart of Postgres does not end a run. */
MUST_CHECK enum err_code control_pg(struct control *control, struct pg **ret_pg, struct err *err);

/* The connection that reads the relation, NULL when it is closed: a view may be silent for long,
 * and the end of the lease or a wish to cancel breaks it off. Before reader is closed. */
void control_set_reader(struct control *control, struct pg *reader);

/* Where the run is, for people: at most a few times a second reaches the catalog; a failure to
 * write is no failure of the run. best NaN: not known yet. */
void control_progress(struct control *control, const char *stage, int64_t done, int64_t total,
                      double best, int rounds);

/* Of a search, for the progress from here on: trials that were broken off, and how long the rest
 * will take (INFINITY: not known). */
void control_note_search(struct control *control, int n_pruned, double seconds_left);

/* Where a wish to cancel means "with the best so far": allows it. */
void control_set_finishes(struct control *control);
/* Whether someone asked to stop and it is allowed: control_check then lets the run go on. When the
 * catalog has forgotten the wish (catalog_close_search), control_set_granted: the next one means
 * what it says. */
bool control_may_finish(struct control *control);
void control_set_granted(struct control *control);

/* Around the transaction that ends the run: a heartbeat that then finds no lease is no alarm. */
void control_set_ending(struct control *control, bool ending);

/* Ends the run as failed, or cancelled when error's code says so. A database that went away
 * (ERR_UNREACHABLE) gives it back to the queue while it has attempts left. */
MUST_CHECK enum err_code control_fail(struct control *control, const struct err *error,
                                      struct err *err);

#endif
