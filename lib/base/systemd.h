/*
 * What a service and systemd tell each other: readiness by a datagram, sockets by inheritance, the
 * watchdog's period. The protocols are sd_notify(3), sd_listen_fds(3) and sd_watchdog_enabled(3);
 * all of it does nothing where systemd has not started the process.
 */
#ifndef PGBOOST_BASE_SYSTEMD_H
#define PGBOOST_BASE_SYSTEMD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* "READY=1", "STATUS=…", lines of several; to $NOTIFY_SOCKET. Whether it arrives is not known. */
void systemd_notify(const char *state);

/* RELOADING=1 with the moment, as newer systemd wants it; READY=1 ends it. */
void systemd_notify_reloading(void);

/* The first socket that this process was started with, close-on-exec and non-blocking from now on;
 * -1: none. The caller owns it. A second call finds none. */
int systemd_take_socket(void);

/* How often WATCHDOG=1 must be sent at the latest, in milliseconds; 0: nobody waits for it. */
int64_t systemd_watchdog_ms(void);

#endif
