/* Trees, compact copies and places of values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

static void parses(void **state)
{
    static const char text[] = "{\"a\": [1, -2.5e3, \"\\u00e9\"], \"A\": null} trailing";
    CLEANUP(cjson_delete_ptr) cJSON *root = NULL;
    struct err err;

    (void)state;
    /* the length ends the text, not a NUL */
    assert_int_equal(json_parse(text, sizeof(text) - 10, "x", &root, &err), ERR_OK);
    assert_int_equal(cJSON_GetArraySize(root), 2);
    assert_true(cJSON_GetArrayItem(root->child, 1)->valuedouble == -2500);
    assert_string_equal(cJSON_GetArrayItem(root->child, 2)->valuestring, "\xc3\xa9");
}

static void refuses(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"{\"a\":1,\"b\":{\"c\":1,\"d\":2,\"c\":3}}",
         "x.json: the key \"c\" appears more than once in one object"},
        {"[{\"\":1,\"\":2}]", "x.json: the key \"\" appears more than once in one object"},
        {"{\"a\":1,\"\\u0061\":2}", "x.json: the key \"a\" appears more than once in one object"},
        {"[\n \"a\\u0000\"]",
         "x.json: line 2, column 4: a string holds \\u0000, which Postgres's text cannot"},
        {"{\"\\\\\\u0000\":1}",
         "x.json: line 1, column 5: a string holds \\u0000, which Postgres's text cannot"},
        {"[1e400]", "x.json: line 1, column 2: a number is too large for a double"},
        {"-1e309", "x.json: line 1, column 1: a number is too large for a double"},
        {"1234567890123456789012345678901234567890123456789012345678901234",
         "x.json: line 1, column 1: a number has more than 63 characters"},
        {"[1,]", "x.json: line 1, column 4: expected a value, found \"]\""},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        cJSON *root = NULL;
        struct err err = {0};

        assert_int_equal(json_parse(cases[i].text, strlen(cases[i].text), "x.json", &root, &err),
                         ERR_INVALID);
        assert_null(root);
        assert_string_equal(err.message, cases[i].message);
    }
}

static void lets_through(void **state)
{
    static const char *const texts[] = {
        "\"\\\\u0000\"",         /* a backslash, then u0000 */
        "{\"a\":1,\"A\":2}",     /* keys differ by case */
        "[1e-400,-0,1e308]",     /* too small is zero, not an error */
        "[{\"a\":1},{\"a\":1}]", /* two objects */
        "123456789012345678901234567890123456789012345678901234567890123",
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        CLEANUP(cjson_delete_ptr) cJSON *root = NULL;
        struct err err = {0};

        if (json_parse(texts[i], strlen(texts[i]), NULL, &root, &err) != ERR_OK)
            fail_msg("%s: %s", texts[i], err.message);
    }
}

/* A quadratic check would take minutes here; the runner's time limit would end it. */
static void many_keys(void **state)
{
    CLEANUP(buf_release) struct buf text = {0};
    CLEANUP(cjson_delete_ptr) cJSON *root = NULL;
    struct err err;

    (void)state;
    buf_putc(&text, '{');
    for (int i = 0; i < 200000; i++)
        buf_printf(&text, "\"%d\":0,", i);
    buf_puts(&text, "\"last\":0}");
    assert_int_equal(json_parse(text.data, text.length, NULL, &root, &err), ERR_OK);
    text.length -= strlen("last\":0}");
    buf_puts(&text, "77\":0}");
    cJSON_Delete(TAKE_PTR(root));
    assert_int_equal(json_parse(text.data, text.length, NULL, &root, &err), ERR_INVALID);
    assert_string_equal(err.message, "the key \"77\" appears more than once in one object");
}

static void compacts(void **state)
{
    static const struct {
        const char *text, *compact; /* NULL: refused */
    } cases[] = {
        {" { } ", "{}"},
        {"[ ]", "[]"},
        {"[ 1 , [ ] , { \"a\" : [ { } , null ] , \"b\" : true } , false ]",
         "[1,[],{\"a\":[{},null],\"b\":true},false]"},
        {"[1.0, 1E+5, 0.1000000000000000055511151231257827, -0]",
         "[1.0,1E+5,0.1000000000000000055511151231257827,-0]"},
        {"\"\\u0061\\/\\n\\u00e9\\u0000\"", "\"a/\\n\xc3\xa9\\u0000\""},
        {"{\"\\u0061\" : 1}", "{\"a\":1}"},
        {"[1,]", NULL},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        CLEANUP(buf_release) struct buf out = {0};
        struct err err = {0};
        enum err_code code = json_compact(cases[i].text, strlen(cases[i].text), &out, &err);

        assert_int_equal(code, cases[i].compact == NULL ? ERR_INVALID : ERR_OK);
        if (cases[i].compact != NULL)
            assert_string_equal(buf_text(&out), cases[i].compact);
    }
}

static void locates(void **state)
{
    static const char text[] = "{\n \"a\": [\n 1,\n {\"x/y~\": true}\n ],\n \"\\u0062\": {\n"
                               " \"c\": \"v\"}\n}";
    static const struct {
        const char *pointer;
        int line; /* 0: not there */
    } cases[] = {
        {"", 1},   {"/a", 2},   {"/a/0", 3}, {"/a/1", 4}, {"/a/1/x~1y~0", 4},
        {"/b", 6}, {"/b/c", 7}, {"/b/d", 0}, {"/a/2", 0}, {"/b/c/d", 0},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        int line = 0, column = 0;
        bool found = json_locate(text, strlen(text), cases[i].pointer, &line, &column);

        if (found != (cases[i].line > 0) || line != cases[i].line)
            fail_msg("%s: line %d", cases[i].pointer, line);
    }
    assert_false(json_locate("[1,", 3, "/5", &(int){0}, &(int){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses),    cmocka_unit_test(refuses),  cmocka_unit_test(lets_through),
        cmocka_unit_test(many_keys), cmocka_unit_test(compacts), cmocka_unit_test(locates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
