/*
 * One question to a daemon over HTTP: a GET, its answer's status and body.
 */
#ifndef PGBOOST_CMD_ASK_DAEMON_H
#define PGBOOST_CMD_ASK_DAEMON_H

#include "base/buf.h"

/* address: as the daemon's option `listen`, or the path of a Unix socket ("/run/…"). With https://
 * before it, or a file of certificates to trust (ca; NULL: those of this machine), over TLS. The
 * body is appended. ERR_UNREACHABLE: nobody answers there; ERR_FAILED: the answer is not HTTP;
 * ERR_LIMIT: it is longer than a MiB; of TLS as tls_client.h has them. */
MUST_CHECK enum err_code ask_daemon(const char *address, const char *ca, const char *path,
                                    int *ret_status, struct buf *body, struct err *err);

#endif
