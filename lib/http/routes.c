#include "http/routes.h"

#include <string.h>

#include "http/handlers.h"

struct route {
    const char *method, *path;
    enum err_code (*handle)(struct exchange *exchange, struct err *err);
    bool reads_json, reads_csv;
    const char *help;
};

/* The busiest first. A path stands with one method; "allow" is what a 405 says. */
static const struct route routes[] = {
    {"POST", "/predict", handle_predict, true, true, "predictions of a project's live model"},
    {"GET", "/projects", handle_projects, false, false, "every project and its live model"},
    {"GET", "/projects/{name}", handle_project, false, false, "one project and its live model"},
    {"GET", "/healthz", handle_healthz, false, false, "is the daemon alive?"},
    {"GET", "/readyz", handle_readyz, false, false, "can it answer, and is it degraded?"},
    {"GET", "/", handle_root, false, false, "this list"},
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
    return route->reads_csv;
}

bool route_reads_json(const struct route *route)
{
    return route->reads_json;
}

enum err_code route_handle(const struct route *route, struct exchange *exchange, struct err *err)
{
    return route->handle(exchange, err);
}

void routes_list(struct buf *text)
{
    for (size_t i = 0; i < N_ELEMENTS(routes); i++)
        buf_printf(text, "%-5s %-18s %s\n", routes[i].method, routes[i].path, routes[i].help);
}
