/*
 * The watcher: counts the rows of relations whose projects train after so many new ones
 * (retrain.after_rows), on a thread and connections of its own, since a view may take long.
 *
 * Of any number of daemons one counts at a time, each relation once a minute at most, and slow ones
 * so seldom that counting takes a twentieth of the time at most.
 */
#ifndef PGBOOSTD_WATCHER_H
#define PGBOOSTD_WATCHER_H

#include "base/err.h"

struct watcher;

/* The texts must outlive it. */
MUST_CHECK enum err_code watcher_start(const char *dsn, const char *read_dsn, int64_t poll_ms,
                                       struct watcher **ret_watcher, struct err *err);

/* Breaks off what it is at. */
void watcher_free(struct watcher *watcher);
DEFINE_FREEP(struct watcher *, watcher_free)

#endif
