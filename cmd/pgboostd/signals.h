/*
 * Signals as something a loop can wait for.
 *
 * A thread of its own takes SIGTERM, SIGINT, SIGHUP and SIGCHLD with sigwait, so that nothing runs
 * in a signal handler, and a second SIGTERM or SIGINT stops the process at once whatever the others
 * are waiting for.
 */
#ifndef PGBOOSTD_SIGNALS_H
#define PGBOOSTD_SIGNALS_H

#include "pg/pg.h"

enum { SIGNALS_STOP = 1, SIGNALS_RELOAD = 2, SIGNALS_CHILD = 4 };

struct signals;

/* Before the process has any other thread: all of them inherit the mask. stop is raised when the
 * process is asked to stop, and outlives the signals. */
MUST_CHECK enum err_code signals_new(const struct pg_stop *stop, struct signals **ret_signals,
                                     struct err *err);
void signals_free(struct signals *signals);
DEFINE_FREEP(struct signals *, signals_free)

/* Readable when something came that was not taken yet. */
int signals_fd(const struct signals *signals);

/* What came since the last call, as bits. */
unsigned signals_take(struct signals *signals);

#endif
