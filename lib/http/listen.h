/*
 * The listening socket, made here rather than by the HTTP library so that its errors can be worded.
 */
#ifndef PGBOOST_HTTP_LISTEN_H
#define PGBOOST_HTTP_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define LISTEN_ADDRESS_MAX 300

/* Binds and listens, or takes over the socket that systemd holds, whatever the option says; then
 * *ret_inherited, and others hold the socket too.
 * address[LISTEN_ADDRESS_MAX]: the address as it is now, with the actual port. The caller closes
 * *ret_socket. Errors as http_server_start has them. A Unix socket is for the user and the group of
 * the process; one that nobody listens on any more is replaced,
 * a file of another kind never. */
MUST_CHECK enum err_code listen_open(const char *listen_option, int *ret_socket,
                                     bool *ret_inherited, char *address, struct err *err);

/* Can other machines reach it? Resolves the name, and binds nothing. */
MUST_CHECK enum err_code listen_is_exposed(const char *listen_option, bool *ret_exposed,
                                           struct err *err);

#endif
