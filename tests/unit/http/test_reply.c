#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/json.h"
#include "http/reply.h"
#include "http/routes.h"

static void assert_problem(struct reply *reply, int status, const struct err *err,
                           const char *expected)
{
    cJSON *root = NULL;
    struct err broken;

    reply_problem(reply, status, err);
    assert_int_equal(reply->status, status);
    assert_string_equal(reply->content_type, "application/problem+json");
    assert_string_equal(buf_text(&reply->body), expected);
    if (json_parse(buf_text(&reply->body), reply->body.length, "reply", &root, &broken) != ERR_OK)
        fail_msg("%s", broken.message);
    cJSON_Delete(root);
}

static void test_problem(void **state)
{
    struct reply reply = {0};
    struct err err;

    (void)state;
    err_set(&err, ERR_NOT_FOUND, "no project \"%s\"", "x");
    assert_problem(&reply, 404, &err,
                   "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
                   "\"detail\":\"no project \\\"x\\\"\",\"errors\":[]}");
    buf_release(&reply.body);
}

static void test_problem_with_field_and_hint(void **state)
{
    struct reply reply = {0};
    struct err err;

    (void)state;
    err_set(&err, ERR_INVALID, "tab\there, not UTF-8: \xff");
    err_hint(&err, "look at \"é\"");
    err_field(&err, "/features/a~1b");
    assert_problem(&reply, 400, &err,
                   "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,"
                   "\"detail\":\"tab\\there, not UTF-8: \xef\xbf\xbd (look at \\\"é\\\")\","
                   "\"errors\":[{\"field\":\"/features/a~1b\","
                   "\"reason\":\"tab\\there, not UTF-8: \xef\xbf\xbd\"}]}");
    buf_release(&reply.body);
}

/* What a handler wrote before it failed is gone. */
static void test_problem_replaces(void **state)
{
    struct reply reply = {0};
    struct err err;

    (void)state;
    buf_puts(&reply.body, "{\"half\":");
    err_set(&err, ERR_LIMIT, "too much");
    assert_problem(&reply, 413, &err,
                   "{\"type\":\"about:blank\",\"title\":\"Content Too Large\",\"status\":413,"
                   "\"detail\":\"too much\",\"errors\":[]}");
    buf_release(&reply.body);
}

static void test_clear_keeps_memory(void **state)
{
    struct reply reply = {.status = 404, .content_type = "a/b", .allow = "GET", .close = true};
    const char *data;

    (void)state;
    buf_puts(&reply.body, "text");
    data = reply.body.data;
    reply_clear(&reply);
    assert_int_equal(reply.status, 0);
    assert_null(reply.content_type);
    assert_null(reply.allow);
    assert_false(reply.close);
    assert_int_equal(reply.body.length, 0);
    assert_ptr_equal(reply.body.data, data);
    buf_release(&reply.body);
}

static void test_routes(void **state)
{
    const struct {
        const char *method, *path;
        bool found;
        const char *allow; /* NULL: no such path */
    } rows[] = {
        {"POST", "/predict", true, NULL},
        {"GET", "/predict", false, "POST, OPTIONS"},
        {"HEAD", "/predict", false, "POST, OPTIONS"},
        {"GET", "/projects", true, NULL},
        {"HEAD", "/projects", true, NULL},
        {"POST", "/projects", false, "GET, HEAD, OPTIONS"},
        {"GET", "/projects/a", true, NULL},
        {"DELETE", "/projects/a", false, "GET, HEAD, OPTIONS"},
        {"GET", "/projects/", false, NULL},
        {"GET", "/nothing", false, NULL},
        {"OPTIONS", "/", true, "GET, HEAD, OPTIONS"},
        {"GET", "/", true, NULL},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const char *segment = NULL, *allow = NULL;
        size_t length;
        const struct route *route =
            route_find(rows[i].method, rows[i].path, &segment, &length, &allow);

        if ((route != NULL) != rows[i].found)
            fail_msg("%s %s", rows[i].method, rows[i].path);
        if (rows[i].allow == NULL)
            assert_null(allow);
        else
            assert_string_equal(allow, rows[i].allow);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_problem),          cmocka_unit_test(test_problem_with_field_and_hint),
        cmocka_unit_test(test_problem_replaces), cmocka_unit_test(test_clear_keeps_memory),
        cmocka_unit_test(test_routes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
