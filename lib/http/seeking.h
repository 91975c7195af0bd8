/*
 * A request whose rows are being read from Postgres, its connection suspended: from the handler
 * that found them named by key, through the pool of look-ups, to the answer. Inside lib/http only.
 *
 * The model that is live when the rows have come answers: where that is another than when they were
 * asked for, which may take other columns, they are asked for again.
 */
#ifndef PGBOOST_HTTP_SEEKING_H
#define PGBOOST_HTTP_SEEKING_H

#include "http/exchange.h"

/* Takes waiting, also on failure, and sets exchange->seeking. ERR_CONFLICT: the project's
 * definition names no key. */
MUST_CHECK enum err_code seeking_new(struct exchange *exchange, struct predict_waiting *waiting,
                                     const struct registry_view *view, struct err *err);

/* Once the connection is suspended. The exchange is answered and resumed when the rows have come.
 * False: they cannot be asked for, exchange->err says why, and seeking is gone. */
bool seeking_put(struct seeking *seeking);

#endif
