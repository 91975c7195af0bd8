/*
 * The desk: requests that need the catalog wait here, their connections suspended, for a thread of
 * its own with a connection to Postgres of its own. Serving threads never wait for Postgres.
 *
 * In the way of such a request: exchange.c suspends and puts it here; the desk's thread runs the
 * route's `ask`, which fills the reply or the error, and resumes; exchange.c answers.
 *
 * Bounded: DESK_MAX requests wait, the next one is told to come back, and so is who has waited for
 * 8 s. Inside lib/http only.
 */
#ifndef PGBOOST_HTTP_DESK_H
#define PGBOOST_HTTP_DESK_H

#include <stdbool.h>

#include "base/err.h"

#define DESK_MAX 64

struct desk;
struct exchange;

/* dsn as in pg.h; it is copied. Connects when the first request comes. */
MUST_CHECK enum err_code desk_new(const char *dsn, struct desk **ret_desk, struct err *err);

/* Answers what waits with an error, after the request under way, and takes nothing more. */
void desk_stop(struct desk *desk);

/* After desk_stop, or alone; nobody puts anything any more. */
void desk_free(struct desk *desk);
DEFINE_FREEP(struct desk *, desk_free)

/* Takes a request whose connection is suspended, and resumes it when it has been seen to. False:
 * too many wait, or the desk has stopped; it is the caller's still. */
bool desk_put(struct desk *desk, struct exchange *exchange);

#endif
