#include "http/ready.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/json.h"

struct readiness {
    int n_projects, n_models, n_problems;
    bool stopping, degraded;
    char why[512]; /* of degraded */
};

static void measure(struct http_service *service, const struct registry_view *view,
                    struct readiness *ready)
{
    *ready = (struct readiness){.n_projects = registry_n_projects(view)};
    for (int i = 0; i < ready->n_projects; i++) {
        ready->n_models += registry_at(view, i)->model != NULL;
        ready->n_problems += registry_at(view, i)->problem != NULL;
    }
    ready->stopping = atomic_load(&service->draining);
    ready->degraded = registry_degraded(service->registry, ready->why, sizeof(ready->why));
}

static const char *status_of(const struct readiness *ready)
{
    if (ready->stopping)
        return "stopping";
    if (ready->degraded)
        return "degraded";
    return ready->n_models > 0 ? "ready" : "no model is live yet";
}

static void put_reason(struct buf *json, bool *first, const char *about, const char *reason)
{
    buf_puts(json, *first ? "{\"about\":" : ",{\"about\":");
    json_put_text(json, about);
    buf_puts(json, ",\"reason\":");
    json_put_text(json, reason);
    buf_putc(json, '}');
    *first = false;
}

/* What is not as it should be, each with its cause. */
static void put_reasons(struct buf *json, const struct readiness *ready,
                        const struct registry_view *view)
{
    bool first = true;

    if (ready->stopping)
        put_reason(json, &first, "daemon", "it was asked to stop");
    if (ready->degraded)
        put_reason(json, &first, "catalog", ready->why);
    for (int i = 0; i < ready->n_projects; i++) {
        const struct registry_project *project = registry_at(view, i);
        char about[160];

        if (project->problem == NULL)
            continue;
        snprintf(about, sizeof(about), "project %s", project->name);
        put_reason(json, &first, about, project->problem);
    }
}

static void put_daemon(struct buf *json, struct http_service *service)
{
    int64_t started_s = atomic_load(&service->gauges[HTTP_STARTED_S]);

    buf_printf(json,
               ",\"version\":\"" PGBOOST_VERSION "\",\"uptime_s\":%" PRId64
               ",\"predicts\":%s,\"connections\":%d,\"workers\":%" PRId64
               ",\"runs\":{\"queued\":%" PRId64 ",\"running\":%" PRId64 "}",
               started_s > 0 ? (int64_t)time(NULL) - started_s : 0,
               service->predicts ? "true" : "false", atomic_load(&service->n_connections),
               atomic_load(&service->gauges[HTTP_WORKERS]),
               atomic_load(&service->gauges[HTTP_RUNS_QUEUED]),
               atomic_load(&service->gauges[HTTP_RUNS_RUNNING]));
}

static void put_ready(struct buf *json, struct http_service *service,
                      const struct registry_view *view, struct readiness *ready)
{
    measure(service, view, ready);
    buf_printf(json, "{\"status\":\"%s\",\"projects\":%d,\"models\":%d,\"problems\":%d",
               status_of(ready), ready->n_projects, ready->n_models, ready->n_problems);
    buf_puts(json, ",\"degraded\":");
    json_put_text(json, ready->degraded ? ready->why : NULL);
    buf_puts(json, ",\"reasons\":[");
    put_reasons(json, ready, view);
    buf_putc(json, ']');
    put_daemon(json, service);
    buf_putc(json, '}');
}

enum err_code handle_readyz(struct exchange *exchange, struct err *err)
{
    struct http_service *service = exchange->service;
    struct readiness ready;

    if (!registry_loaded(service->registry))
        return err_set(err, ERR_UNREACHABLE, "the models are not loaded yet");
    put_ready(&exchange->reply.body, service, registry_read_lock(service->registry), &ready);
    registry_read_unlock();
    if (ready.stopping)
        exchange->reply.status = MHD_HTTP_SERVICE_UNAVAILABLE;
    return ERR_OK;
}
