#include "http/routes.h"

#include <string.h>

#include "http/admin.h"
#include "http/handlers.h"

typedef enum err_code (*handle_fn)(struct exchange *exchange, struct err *err);
typedef enum err_code (*ask_fn)(struct exchange *exchange, struct pg *pg, struct err *err);

enum trait {
    READS_JSON = 1 << 0,
    READS_CSV = 1 << 1, /* as well */
    CHANGES = 1 << 2,
    PREDICTS = 1 << 3,
    OPEN = 1 << 4,       /* to who has no token */
    BY_PROJECT = 1 << 5, /* a token of some projects may ask it, and sees those */
};

struct route {
    const char *method, *path;
    handle_fn handle; /* on the serving thread … */
    ask_fn ask;       /* … or on the desk's */
    unsigned traits;
    const char *help;
};

/* The busiest first. */
static const struct route routes[] = {
    {"POST", "/predict", handle_predict, NULL, READS_JSON | READS_CSV | PREDICTS | BY_PROJECT,
     "predictions of a project's live model"},
    {"POST", "/rank", handle_rank, NULL, READS_JSON | PREDICTS | BY_PROJECT,
     "candidates in the order of their scores"},
    {"GET", "/projects", handle_projects, NULL, BY_PROJECT, "every project and its live model"},
    {"GET", "/projects/{name}", handle_project, NULL, BY_PROJECT, "one project and its live model"},
    {"POST", "/projects/{name}/train", NULL, ask_train, READS_JSON | CHANGES | BY_PROJECT,
     "queue a run"},
    /* not by project: it names any relation to read and any table to write */
    {"POST", "/projects/{name}/score", NULL, ask_score, READS_JSON | CHANGES,
     "predict a relation into a table"},
    {"POST", "/projects/{name}/deploy", NULL, ask_deploy, READS_JSON | CHANGES | BY_PROJECT,
     "make a model live"},
    {"GET", "/runs/{id}", NULL, ask_run, 0, "one run and how far it is"},
    {"POST", "/runs/{id}/cancel", NULL, ask_cancel, READS_JSON | CHANGES, "stop a run"},
    {"GET", "/healthz", handle_healthz, NULL, OPEN, "is the daemon alive?"},
    {"GET", "/readyz", handle_readyz, NULL, OPEN, "can it answer, and is it degraded?"},
    {"GET", "/", handle_root, NULL, BY_PROJECT, "this list"},
};

/* "OPTIONS" of any path that there is; what it answers is in the header Allow. */
static const struct route options_route = {
    .method = "OPTIONS", .path = "*", .handle = handle_options, .traits = OPEN};

enum { GET_IS_ALLOWED = 1, POST_IS_ALLOWED = 2 };

static const char *const allow[] = {
    [0] = "GET, HEAD, POST, OPTIONS", /* of the server as such: OPTIONS * */
    [GET_IS_ALLOWED] = "GET, HEAD, OPTIONS",
    [POST_IS_ALLOWED] = "POST, OPTIONS",
    [GET_IS_ALLOWED | POST_IS_ALLOWED] = "GET, HEAD, POST, OPTIONS",
};

static bool method_matches(const struct route *route, const char *method)
{
    return strcmp(route->method, method) == 0 ||
           (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

const struct route *route_find(const char *method, const char *path, const char **ret_segment,
                               size_t *ret_length, const char **ret_allow)
{
    bool asks = strcmp(method, "OPTIONS") == 0;
    unsigned allowed = 0;

    for (size_t i = 0; i < N_ELEMENTS(routes); i++) {
        const struct route *route = &routes[i];

        if (!target_match(route->path, path, ret_segment, ret_length))
            continue;
        if (method_matches(route, method))
            return route;
        allowed |= strcmp(route->method, "GET") == 0 ? GET_IS_ALLOWED : POST_IS_ALLOWED;
    }
    asks &= allowed != 0 || strcmp(path, "*") == 0;
    if (asks || allowed != 0)
        *ret_allow = allow[allowed];
    return asks ? &options_route : NULL;
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

bool route_is_open(const struct route *route)
{
    return (route->traits & OPEN) != 0;
}

bool route_is_by_project(const struct route *route)
{
    return (route->traits & BY_PROJECT) != 0;
}

unsigned route_scopes(const struct route *route)
{
    if (route->traits & CHANGES)
        return TOKEN_ADMIN;
    return route->traits & PREDICTS ? TOKEN_PREDICT : TOKEN_PREDICT | TOKEN_ADMIN;
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
        buf_printf(text, "%-5s %-23s %s\n", routes[i].method, routes[i].path, routes[i].help);
}
