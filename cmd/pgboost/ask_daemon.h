/*
 * One question to a daemon over HTTP, by libcurl: a GET, its answer's status and body.
 */
#ifndef PGBOOST_CMD_ASK_DAEMON_H
#define PGBOOST_CMD_ASK_DAEMON_H

#include "base/buf.h"

/* address: as the daemon's option `listen`, or the path of a Unix socket ("/run/…"). With https://
 * before it, or a PEM file of certificates to trust (ca, of an authority or the daemon's own; NULL:
 * those that this machine trusts), over TLS. The body is appended. ERR_UNREACHABLE: nobody answers
 * there; ERR_DENIED: the certificate is not trusted; ERR_CONFIG: ca cannot be read; ERR_FAILED: the
 * answer is not HTTP, or no TLS; ERR_LIMIT: it is longer than a MiB. */
MUST_CHECK enum err_code ask_daemon(const char *address, const char *ca, const char *path,
                                    int *ret_status, struct buf *body, struct err *err);

#endif
