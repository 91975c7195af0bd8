#include "http/routes.h"

#include <string.h>

#include "http/admin.h"
#include "http/handlers.h"
#include "http/metrics.h"
#include "http/openapi.h"
#include "http/protocols.h"
#include "http/ready.h"

typedef enum err_code (*handle_fn)(struct exchange *exchange, struct err *err);
typedef enum err_code (*ask_fn)(struct exchange *exchange, struct pg *pg, struct err *err);

enum trait {
    READS_JSON = 1 << 0,
    READS_CSV = 1 << 1, /* as well */
    CHANGES = 1 << 2,
    TAKES_LONG = 1 << 3,
    PLAIN_ERRORS = 1 << 4, /* see reply.h */
};

struct route {
    const char *method, *path;
    handle_fn handle; /* on the serving thread … */
    ask_fn ask;       /* … or on the desk's */
    unsigned traits;
    const char *help;
};

/* The busiest first. A path stands with one method; "allow" is what a 405 says. */
static const struct route routes[] = {
    {"POST", "/predict", handle_predict, NULL, READS_JSON | READS_CSV,
     "predictions of a project's live model"},
    {"GET", "/projects", handle_projects, NULL, 0, "every project and its live model"},
    {"GET", "/projects/{name}", handle_project, NULL, 0, "one project and its live model"},
    {"POST", "/projects/{name}/train", NULL, ask_train, READS_JSON | CHANGES, "queue a run"},
    {"POST", "/projects/{name}/deploy", NULL, ask_deploy, READS_JSON | CHANGES,
     "make a model live"},
    {"GET", "/runs/{id}", NULL, ask_run, 0, "one run and how far it is"},
    {"POST", "/runs/{id}/cancel", NULL, ask_cancel, READS_JSON | CHANGES, "stop a run"},
    {"GET", "/healthz", handle_healthz, NULL, 0, "is the daemon alive?"},
    {"GET", "/readyz", handle_readyz, NULL, 0, "can it answer, and is it degraded?"},
    {"GET", "/metrics", handle_metrics, NULL, TAKES_LONG, "counts and times, for Prometheus"},
    {"GET", "/v2", handle_v2, NULL, PLAIN_ERRORS, "Open Inference Protocol: the server"},
    {"GET", "/v2/health/live", handle_v2_live, NULL, PLAIN_ERRORS, "likewise: is it alive?"},
    {"GET", "/v2/health/ready", handle_v2_ready, NULL, PLAIN_ERRORS, "likewise: can it answer?"},
    {"GET", "/v2/models/{name}", handle_v2_model, NULL, PLAIN_ERRORS,
     "likewise: what a project's live model takes and gives"},
    {"GET", "/v2/models/{name}/ready", handle_v2_model_ready, NULL, PLAIN_ERRORS,
     "likewise: has it one?"},
    {"POST", "/v2/models/{name}/infer", handle_v2_infer, NULL, READS_JSON | PLAIN_ERRORS,
     "likewise: predictions"},
    {"POST", "/invocations", handle_invocations, NULL, READS_JSON | READS_CSV,
     "MLflow's: predictions of ?project=NAME"},
    {"GET", "/openapi.json", handle_openapi, NULL, 0, "these routes, for programs"},
    {"GET", "/", handle_root, NULL, 0, "this list"},
};

static bool method_matches(const struct route *route, const char *method)
{
    return strcmp(route->method, method) == 0 ||
           (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

const struct route *route_find(const char *method, const char *path, const char **ret_segment,
                               size_t *ret_length, const char **ret_allow)
{
    for (size_t i = 0; i < N_ELEMENTS(routes); i++) {
        const struct route *route = &routes[i];

        if (!target_match(route->path, path, ret_segment, ret_length))
            continue;
        if (method_matches(route, method))
            return route;
        *ret_allow = strcmp(route->method, "GET") == 0 ? "GET, HEAD" : route->method;
        return NULL;
    }
    return NULL;
}

bool route_reads_csv(const struct route *route)
{
    return (route->traits & READS_CSV) != 0;
}

bool route_reads_json(const struct route *route)
{
    return (route->traits & READS_JSON) != 0;
}

bool route_changes(const struct route *route)
{
    return (route->traits & CHANGES) != 0;
}

const struct route *route_at(size_t i)
{
    return i < N_ELEMENTS(routes) ? &routes[i] : NULL;
}

const char *route_help(const struct route *route)
{
    return route->help;
}

bool route_answers_plain_errors(const struct route *route)
{
    return (route->traits & PLAIN_ERRORS) != 0;
}

bool route_takes_long(const struct route *route)
{
    return (route->traits & TAKES_LONG) != 0;
}

const char *route_method(const struct route *route)
{
    return route->method;
}

const char *route_path(const struct route *route)
{
    return route->path;
}

bool route_asks(const struct route *route)
{
    return route->ask != NULL;
}

enum err_code route_ask(const struct route *route, struct exchange *exchange, struct pg *pg,
                        struct err *err)
{
    return route->ask(exchange, pg, err);
}

enum err_code route_handle(const struct route *route, struct exchange *exchange, struct err *err)
{
    return route->handle(exchange, err);
}

void routes_list(struct buf *text)
{
    for (size_t i = 0; i < N_ELEMENTS(routes); i++)
        buf_printf(text, "%-5s %-26s %s\n", routes[i].method, routes[i].path, routes[i].help);
}
