#include "http/openapi.h"

#include <string.h>

#include "base/json.h"
#include "http/routes.h"

static const char head[] =
    "{\"openapi\":\"3.0.3\",\"info\":{\"title\":\"pgboost\",\"version\":\"" PGBOOST_VERSION
    "\",\"description\":\"Predictions of XGBoost models of Postgres views. README.md explains what "
    "the bodies hold.\"},\"paths\":{";

/* What errors look like (RFC 9457); those of the Open Inference Protocol; everything else. */
static const char tail[] =
    "},\"components\":{\"schemas\":{\"Problem\":{\"type\":\"object\",\"required\":[\"type\","
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

/* The {segment} of a path: {"name": …, "in": "path"}. */
static void put_parameters(struct buf *json, const char *path)
{
    const char *begin = strchr(path, '{'), *end = strchr(path, '}');

    if (begin == NULL || end == NULL)
        return;
    buf_puts(json, "\"parameters\":[{\"name\":");
    json_put_string(json, begin + 1, (size_t)(end - begin - 1));
    buf_puts(json, ",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":\"string\"}}],");
}

static void put_body(struct buf *json, const struct route *route)
{
    if (!route_reads_json(route))
        return;
    buf_puts(json, "\"requestBody\":{\"content\":{\"application/json\":{\"schema\":{\"type\":"
                   "\"object\"}}");
    if (route_reads_csv(route))
        buf_puts(json, ",\"text/csv\":{\"schema\":{\"type\":\"string\"}}");
    buf_puts(json, "}},");
}

static void put_operation(struct buf *json, const struct route *route)
{
    bool plain = route_answers_plain_errors(route);

    buf_putc(json, '"');
    put_lower(json, route_method(route));
    buf_puts(json, "\":{\"summary\":");
    json_put_text(json, route_help(route));
    buf_putc(json, ',');
    put_parameters(json, route_path(route));
    put_body(json, route);
    buf_printf(json,
               "\"responses\":{\"2XX\":{\"description\":\"done\"},\"default\":{\"description\":"
               "\"an error\",\"content\":{\"%s\":{\"schema\":{\"$ref\":"
               "\"#/components/schemas/%s\"}}}}}}",
               plain ? "application/json" : "application/problem+json",
               plain ? "Error" : "Problem");
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
