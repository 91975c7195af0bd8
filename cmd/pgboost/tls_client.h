/*
 * TLS by OpenSSL over a connected socket, where the other side's certificate is good for its name.
 * Versions 1.2 and 1.3, as the daemon has them. One thread. OpenSSL writes without MSG_NOSIGNAL, so
 * that the process ignores SIGPIPE from the first of them on.
 */
#ifndef PGBOOST_CMD_TLS_CLIENT_H
#define PGBOOST_CMD_TLS_CLIENT_H

#include <sys/types.h>

#include "base/err.h"

struct tls_client;

/* The handshake, within the socket's timeouts. host: a name or an address that the certificate must
 * be for. ca: a PEM file of what is trusted, an authority or the certificate itself; NULL: what
 * this machine trusts. The socket stays the caller's. ERR_CONFIG: ca cannot be read; ERR_DENIED:
 * the certificate is not trusted; ERR_FAILED: what answers does not speak TLS. */
MUST_CHECK enum err_code tls_client_new(int fd, const char *host, const char *ca,
                                        struct tls_client **ret_client, struct err *err);
void tls_client_free(struct tls_client *client);

/* As send(2) and recv(2): -1 with errno set. */
ssize_t tls_client_send(struct tls_client *client, const void *data, size_t n_bytes);
ssize_t tls_client_recv(struct tls_client *client, void *data, size_t n_bytes);

#endif
