/*
 * GET /metrics: what there is to count and to measure, in Prometheus' text format 0.0.4.
 *
 * Of requests the sums of stats.h, of models what the registry shows, and beside them what the
 * daemon says of itself (enum http_gauge of server.h). Never waits for Postgres.
 */
#ifndef PGBOOST_HTTP_METRICS_H
#define PGBOOST_HTTP_METRICS_H

#include "http/exchange.h"

MUST_CHECK enum err_code handle_metrics(struct exchange *exchange, struct err *err);

/* A moment as the catalog writes it, "2013-01-31T05:00:00.123Z", in seconds since 1970; false where
 * it is not one. */
bool metrics_parse_time(const char *text, double *ret_seconds);

/* A label's value between its quotes: backslash, quote and line feed are escaped. */
void metrics_put_label(struct buf *text, const char *value);

#endif
