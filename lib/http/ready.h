/*
 * GET /readyz: can the daemon answer, how well, and if not, why?
 *
 * 200 as soon as the models were loaded, also without Postgres: a load balancer that sends requests
 * elsewhere would make it worse. 503 before that, and while it stops. The body says what is
 * degraded and why. Never waits for Postgres.
 */
#ifndef PGBOOST_HTTP_READY_H
#define PGBOOST_HTTP_READY_H

#include "http/exchange.h"

MUST_CHECK enum err_code handle_readyz(struct exchange *exchange, struct err *err);

#endif
