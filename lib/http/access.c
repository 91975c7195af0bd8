#include "http/access.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/exchange.h"
#include "http/routes.h"

void access_begin(struct exchange *exchange)
{
    exchange->began_us = clock_us();
    exchange->project_id = exchange->model_id = 0;
}

/* What says in both kinds of line which request it was. Its id is in quotes, so that one of digits
 * is a text in JSON as every other is. */
static const char *describe(const struct exchange *exchange, int64_t us, char *out, size_t size)
{
    const struct route *route = exchange->route;
    char path[128];
    int length;

    length = snprintf(out, size, "%s%s%spath=%s status=%d ms=%" PRId64 ".%03d body=%" PRIu64,
                      exchange->request_id[0] != '\0' ? "request=\"" : "", exchange->request_id,
                      exchange->request_id[0] != '\0' ? "\" " : "",
                      log_text(route != NULL ? route_path(route) : "", path, sizeof(path)),
                      exchange->reply.status != 0 ? exchange->reply.status : MHD_HTTP_OK, us / 1000,
                      (int)(us % 1000), exchange->n_body_bytes);
    if (exchange->project_id != 0 && length > 0 && (size_t)length < size)
        length += snprintf(out + length, size - (size_t)length, " project_id=%" PRId64,
                           exchange->project_id);
    if (exchange->model_id != 0 && length > 0 && (size_t)length < size)
        snprintf(out + length, size - (size_t)length, " model=%" PRId64, exchange->model_id);
    return out;
}

static void log_failed(const struct exchange *exchange, int64_t us)
{
    static struct log_burst burst;
    char which[360];
    int n_left_out;

    if (log_burst_take(&burst, clock_ms(), &n_left_out))
        log_err_with(LOG_WARNING, "request failed", &exchange->err, "%s left_out=%d",
                     describe(exchange, us, which, sizeof(which)), n_left_out);
}

static void log_slow(const struct exchange *exchange, int64_t us)
{
    static struct log_burst burst;
    char which[360];
    int n_left_out;

    if (log_burst_take(&burst, clock_ms(), &n_left_out))
        log_warning("slow request", "%s left_out=%d", describe(exchange, us, which, sizeof(which)),
                    n_left_out);
}

void access_note(struct exchange *exchange)
{
    struct http_service *service = exchange->service;
    int status = exchange->reply.status != 0 ? exchange->reply.status : MHD_HTTP_OK;
    int64_t us = clock_us() - exchange->began_us;
    int64_t slow_us = atomic_load_explicit(&service->slow_us, memory_order_relaxed);

    stats_note(service->stats, exchange->route, exchange->project_id, status, us);
    if (status >= 500)
        log_failed(exchange, us);
    else if (slow_us > 0 && us >= slow_us)
        log_slow(exchange, us);
}
