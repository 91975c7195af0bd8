#include "http/openapi.h"

#include <string.h>

#include "base/json.h"
#include "http/routes.h"

static const char head[] =
    "{\"openapi\":\"3.0.3\",\"info\":{\"title\":\"pgboost\",\"version\":\"" PGBOOST_VERSION
    "\",\"description\":\"Predictions of XGBoost models of Postgres views. README.md explains what "
    "the bodies hold.\"},\"security\":[{},{\"token\":[]}],\"paths\":{";

/* What errors look like (RFC 9457); those of the Open Inference Protocol; everything else. Tokens
 * are needed where the daemon has any. */
static const char tail[] =
    "},\"components\":{\"securitySchemes\":{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\"}},"
    "\"schemas\":{\"Problem\":{\"type\":\"object\",\"required\":[\"type\","
    "\"title\",\"status\",\"detail\",\"errors\"],\"properties\":{\"type\":{\"type\":\"string\"},"
    "\"title\":{\"type\":\"string\"},\"status\":{\"type\":\"integer\"},\"detail\":{\"type\":"
    "\"string\"},\"errors\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{"
    "\"field\":{\"type\":\"string\"},\"reason\":{\"type\":\"string\"}}}}}},\"Error\":{\"type\":"
    "\"object\",\"required\":[\"error\"],\"properties\":{\"error\":{\"type\":\"string\"}}}}}}";

static void put_lower(struct buf *json, const char *text)
{
    for (; *text != '\0'; text++)
        buf_putc(json, (char)(*text | 0x20));
}

static void put_parameter(struct buf *json, const char *name, size_t length, const char *in,
                          bool required)
{
    buf_puts(json, "{\"name\":");
    json_put_string(json, name, length);
    buf_printf(json, ",\"in\":\"%s\",\"required\":%s,\"schema\":{\"type\":\"string\"}}", in,
               required ? "true" : "false");
}

/* The {segment} of a path, and what the query may say. */
static void put_parameters(struct buf *json, const struct route *route)
{
    const char *path = route_path(route);
    const char *begin = strchr(path, '{'), *end = strchr(path, '}');

    buf_puts(json, "\"parameters\":[");
    if (begin != NULL && end != NULL)
        put_parameter(json, begin + 1, (size_t)(end - begin - 1), "path", true);
    if (route_reads_csv(route))
        put_parameter(json, "project", strlen("project"), "query", route_needs_project(route));
    buf_puts(json, "],");
}

static void put_body(struct buf *json, const struct route *route)
{
    if (!route_reads_json(route))
        return;
    buf_printf(json,
               "\"requestBody\":{\"required\":%s,\"content\":{\"application/json\":{\"schema\":{"
               "\"type\":\"object\"}}",
               route_changes(route) ? "false" : "true"); /* nothing counts as {} there */
    if (route_reads_csv(route))
        buf_puts(json, ",\"text/csv\":{\"schema\":{\"type\":\"string\"}}");
    buf_puts(json, "}},");
}

/* A route answers with one type when all went well. */
static void put_responses(struct buf *json, const struct route *route)
{
    bool plain = route_answers_plain_errors(route);
    const char *content = route_answers_text(route)
                              ? "\"content\":{\"text/plain\":{\"schema\":{\"type\":\"string\"}}}"
                              : "\"content\":{\"application/json\":{\"schema\":{\"type\":"
                                "\"object\"}}}";

    buf_printf(json, "\"responses\":{\"2XX\":{\"description\":\"done\",%s},", content);
    if (route_tells_ready(route))
        buf_printf(json, "\"503\":{\"description\":\"not ready\",%s},", content);
    buf_printf(json,
               "\"default\":{\"description\":\"an error\",\"content\":{\"%s\":{\"schema\":{"
               "\"$ref\":\"#/components/schemas/%s\"}}}}}",
               plain ? "application/json" : "application/problem+json",
               plain ? "Error" : "Problem");
}

static void put_operation(struct buf *json, const struct route *route)
{
    buf_putc(json, '"');
    put_lower(json, route_method(route));
    buf_puts(json, "\":{\"summary\":");
    json_put_text(json, route_help(route));
    buf_putc(json, ',');
    if (route_is_open(route))
        buf_puts(json, "\"security\":[],");
    put_parameters(json, route);
    put_body(json, route);
    put_responses(json, route);
    buf_putc(json, '}');
}

static bool is_first_of_path(size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (strcmp(route_path(route_at(j)), route_path(route_at(i))) == 0)
            return false;
    return true;
}

/* All methods of a path. */
static void put_path(struct buf *json, size_t i)
{
    const char *path = route_path(route_at(i));
    bool first = true;

    json_put_text(json, path);
    buf_puts(json, ":{");
    for (const struct route *route = route_at(i); route != NULL; route = route_at(++i)) {
        if (strcmp(route_path(route), path) != 0)
            continue;
        if (!first)
            buf_putc(json, ',');
        put_operation(json, route);
        first = false;
    }
    buf_putc(json, '}');
}

enum err_code handle_openapi(struct exchange *exchange, struct err *err)
{
    struct buf *json = &exchange->reply.body;

    buf_puts(json, head);
    for (size_t i = 0; route_at(i) != NULL; i++) {
        if (!is_first_of_path(i))
            continue;
        if (i > 0)
            buf_putc(json, ',');
        put_path(json, i);
    }
    buf_puts(json, tail);
    return buf_check(json, err);
}
