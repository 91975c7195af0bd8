/*
 * TLS by GnuTLS inside the HTTP library: the certificate and its key, and their reload.
 *
 * The library asks for the certificate at each handshake through a function without a context, so
 * the one in use is the process's: one server with TLS a process. Versions 1.2 and 1.3.
 */
#ifndef PGBOOST_HTTP_TLS_H
#define PGBOOST_HTTP_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* How MHD_OPTION_HTTPS_PRIORITIES writes it. */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

#define TLS_KEPT 3 /* identities: the one in use, and those that handshakes may have begun with */

struct tls_identity;

/* Certificate (with its chain) and key, as PEM. ERR_CONFIG: a file that cannot be read, a key that
 * is not the certificate's, or that every user of this machine may read. */
MUST_CHECK enum err_code tls_load(const char *certificate, const char *key,
                                  struct tls_identity **ret_identity, struct err *err);
void tls_free(struct tls_identity *identity);
/* Seconds since 1970, from and until when the certificate holds: its chain's shortest. */
void tls_validity(const struct tls_identity *identity, int64_t *ret_from_s, int64_t *ret_until_s);
DEFINE_FREEP(struct tls_identity *, tls_free)

/* For handshakes that begin from now on; takes it. The one before is freed at the next but one, as
 * handshakes under way may use it still. NULL, TLS_KEPT times: frees them all, of a
 * server that has stopped. */
void tls_use(struct tls_identity *identity);

/* For MHD_OPTION_HTTPS_CERT_CALLBACK: a gnutls_certificate_retrieve_function2. */
void *tls_callback(void);

#endif
