/*
 * Is the server alive? For a watchdog: what it asks is what clients ask.
 *
 * A prediction of a live model goes the whole way from a body to an answer (registry, decoder,
 * encoder, trees), and a connection to the server's own socket must be answered. With TLS, or where
 * tokens are wanted, any answer counts, since it too comes from a serving thread.
 */
#ifndef PGBOOST_HTTP_PROBE_H
#define PGBOOST_HTTP_PROBE_H

#include "registry/registry.h"

/* Predicts for the turn-th project that has a live model (there may be none), all its columns
 * missing. */
MUST_CHECK enum err_code probe_prediction(struct registry *registry, unsigned turn,
                                          struct err *err);

/* One request to whoever listens on this socket; ERR_TIMEOUT, ERR_IO. */
MUST_CHECK enum err_code probe_socket(int listen_fd, int timeout_ms, struct err *err);

#endif
