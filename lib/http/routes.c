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
    PREDICTS = 1 << 3,
    OPEN = 1 << 4,           /* to who has no token */
    BY_PROJECT = 1 << 5,     /* a token of some projects may ask it, and sees those */
    TAKES_LONG = 1 << 6,     /* and is no work for a serving thread */
    PLAIN_ERRORS = 1 << 7,   /* see reply.h */
    ANSWERS_TEXT = 1 << 8,   /* rather than JSON */
    TELLS_READY = 1 << 9,    /* 503 is an answer of its own, no error */
    NEEDS_PROJECT = 1 << 10, /* in the query */
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
    {"GET", "/readyz", handle_readyz, NULL, OPEN | TELLS_READY,
     "can it answer, and is it degraded?"},
    {"GET", "/metrics", handle_metrics, NULL, TAKES_LONG | ANSWERS_TEXT,
     "counts and times, for Prometheus"},
    {"GET", "/v2", handle_v2, NULL, BY_PROJECT | PLAIN_ERRORS,
     "Open Inference Protocol: the server"},
    {"GET", "/v2/health/live", handle_v2_live, NULL, OPEN | PLAIN_ERRORS, "likewise: is it alive?"},
    {"GET", "/v2/health/ready", handle_v2_ready, NULL, OPEN | PLAIN_ERRORS | TELLS_READY,
     "likewise: can it answer?"},
    {"GET", "/v2/models/{name}", handle_v2_model, NULL, BY_PROJECT | PLAIN_ERRORS,
     "likewise: what a project's live model takes and gives"},
    {"GET", "/v2/models/{name}/ready", handle_v2_model_ready, NULL, BY_PROJECT | PLAIN_ERRORS,
     "likewise: has it one?"},
    {"POST", "/v2/models/{name}/infer", handle_v2_infer, NULL,
     READS_JSON | PREDICTS | BY_PROJECT | PLAIN_ERRORS, "likewise: predictions"},
    {"POST", "/invocations", handle_invocations, NULL,
     READS_JSON | READS_CSV | PREDICTS | BY_PROJECT | NEEDS_PROJECT,
     "MLflow's: predictions of ?project=NAME"},
    {"GET", "/openapi.json", handle_openapi, NULL, BY_PROJECT, "these routes, for programs"},
    {"GET", "/", handle_root, NULL, BY_PROJECT | ANSWERS_TEXT, "this list"},
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

bool routes_answer_plain_errors(const char *path)
{
    const char *segment;
    size_t length;

    for (size_t i = 0; i < N_ELEMENTS(routes); i++)
        if (target_match(routes[i].path, path, &segment, &length))
            return route_answers_plain_errors(&routes[i]);
    return false;
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

bool route_answers_text(const struct route *route)
{
    return (route->traits & ANSWERS_TEXT) != 0;
}

bool route_tells_ready(const struct route *route)
{
    return (route->traits & TELLS_READY) != 0;
}

bool route_needs_project(const struct route *route)
{
    return (route->traits & NEEDS_PROJECT) != 0;
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

bool route_is_open(const struct route *route)
{
    return (route->traits & OPEN) != 0;
}

bool route_names_project(const struct route *route)
{
    return strstr(route->path, "{name}") != NULL;
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
        buf_printf(text, "%-5s %-26s %s\n", routes[i].method, routes[i].path, routes[i].help);
}
