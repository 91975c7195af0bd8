/*
 * A worker that this command starts: for one run, where no trainer is there to do it, or for an
 * import.
 *
 * pgboost-worker beside this program, with the connection settings in its environment and what it
 * prints in a file without a name, of which the last line is read when it has ended. In a process
 * group of its own: Ctrl-C detaches from a run and does not end it. A worker that imports ends with
 * this program.
 */
#ifndef PGBOOST_CMD_OWN_WORKER_H
#define PGBOOST_CMD_OWN_WORKER_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/buf.h"
#include "cli.h"

struct own_worker {
    pid_t pid; /* 0: none was started */
    FILE *log;
    char name[96]; /* by which the catalog knows it */
};

MUST_CHECK enum err_code own_worker_start(const struct cli *cli, int64_t run_id,
                                          struct own_worker *worker, struct err *err);

MUST_CHECK enum err_code own_worker_import(const struct cli *cli, const char *project,
                                           const char *file, bool deploy, struct own_worker *worker,
                                           struct err *err);

/* Has it ended? Then pid becomes 0, reason says how, and last_words gets the last line of the log
 * of one that exited by itself. */
bool own_worker_ended(struct own_worker *worker, struct buf *reason, struct buf *last_words);

void own_worker_release(struct own_worker *worker); /* the process goes on */

#endif
