/*
 * One question to a daemon over HTTP: a GET, its answer's status and body.
 */
#ifndef PGBOOST_CMD_ASK_DAEMON_H
#define PGBOOST_CMD_ASK_DAEMON_H

#include "base/buf.h"

/* address: as the daemon's option `listen`, or the path of a Unix socket ("/run/…"). The body is
 * appended. ERR_UNREACHABLE: nobody answers there; ERR_FAILED: the answer is not HTTP;
 * ERR_LIMIT: it is longer than a MiB. */
MUST_CHECK enum err_code ask_daemon(const char *address, const char *path, int *ret_status,
                                    struct buf *body, struct err *err);

#endif
