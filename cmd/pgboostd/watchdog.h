/*
 * The watchdog: tells systemd that predictions are still made, on a thread of its own, four times
 * as often as it wants to hear it. Without a period nothing is started. What fails is logged;
 * systemd then restarts the daemon once the period is over.
 */
#ifndef PGBOOSTD_WATCHDOG_H
#define PGBOOSTD_WATCHDOG_H

#include "http/server.h"

struct watchdog;

/* *ret_watchdog NULL: nobody waits for one. The server must outlive it. */
MUST_CHECK enum err_code watchdog_start(struct http_server *server, struct watchdog **ret_watchdog,
                                        struct err *err);
void watchdog_free(struct watchdog *watchdog);

#endif
