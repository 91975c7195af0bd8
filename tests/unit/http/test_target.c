#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "http/target.h"

#define TEN     "0123456789"
#define FIFTY   TEN TEN TEN TEN TEN
#define LONGEST FIFTY FIFTY FIFTY FIFTY FIFTY "12345" /* 255 bytes */

static void test_decodes(void **state)
{
    const struct {
        const char *segment, *expected;
    } rows[] = {
        {"", ""},
        {"flight_delay", "flight_delay"},
        {"a%20b", "a b"},
        {"a+b", "a+b"}, /* a plus is a blank in forms only */
        {"%22%3bdrop", "\";drop"},
        {"%C3%A9%e2%82%AC", "é€"},
        {"%f0%9f%9a%80", "🚀"},
        {"a%2Fb", "a/b"},
        {"%25", "%"},
        {"%2525", "%25"}, /* once only */
        {LONGEST, LONGEST},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        char out[TARGET_ARGUMENT_MAX];
        struct err err;

        if (target_decode(rows[i].segment, strlen(rows[i].segment), out, &err) != ERR_OK)
            fail_msg("\"%s\": %s", rows[i].segment, err.message);
        assert_string_equal(out, rows[i].expected);
    }
}

static void test_refuses(void **state)
{
    const struct {
        const char *segment;
        enum err_code code;
    } rows[] = {
        {"%", ERR_INVALID},    {"%2", ERR_INVALID},          {"a%g0", ERR_INVALID},
        {"%0g", ERR_INVALID},  {"%00", ERR_INVALID},         {"a%00b", ERR_INVALID},
        {"%ff", ERR_INVALID},  {"%c0%80", ERR_INVALID},      {"%ed%a0%80", ERR_INVALID},
        {"\xc3", ERR_INVALID}, {LONGEST "x", ERR_NOT_FOUND},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        char out[TARGET_ARGUMENT_MAX];
        struct err err;
        enum err_code code = target_decode(rows[i].segment, strlen(rows[i].segment), out, &err);

        if (code != rows[i].code)
            fail_msg("\"%s\": %s", rows[i].segment, err_name(code));
    }
}

/* The length counts, not a NUL: the segment is the middle of a path. */
static void test_decodes_by_length(void **state)
{
    char out[TARGET_ARGUMENT_MAX];
    struct err err;

    (void)state;
    assert_int_equal(target_decode("abc/models", 3, out, &err), ERR_OK);
    assert_string_equal(out, "abc");
    assert_int_equal(target_decode("a%41", 3, out, &err), ERR_INVALID); /* "%4" */
}

static void test_matches(void **state)
{
    const struct {
        const char *pattern, *path;
        bool matches;
        const char *segment; /* NULL: none */
    } rows[] = {
        {"/", "/", true, NULL},
        {"/", "", false, NULL},
        {"/", "//", false, NULL},
        {"/predict", "/predict", true, NULL},
        {"/predict", "/predict/", false, NULL},
        {"/predict", "/Predict", false, NULL},
        {"/predict", "/predic", false, NULL},
        {"/projects/{name}", "/projects", false, NULL},
        {"/projects/{name}", "/projects/", false, NULL},
        {"/projects/{name}", "/projects/a", true, "a"},
        {"/projects/{name}", "/projects/a%2Fb", true, "a%2Fb"},
        {"/projects/{name}", "/projects/a/b", false, NULL},
        {"/projects/{name}", "/projects/a/", false, NULL},
        {"/projects/{name}/runs", "/projects/a/runs", true, "a"},
        {"/projects/{name}/runs", "/projects/a/run", false, NULL},
        {"/projects/{name}/runs", "/projects//runs", false, NULL},
        {"/projects/{name}/runs", "/projects/a", false, NULL},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const char *segment = NULL;
        size_t length = 0;
        bool matches = target_match(rows[i].pattern, rows[i].path, &segment, &length);

        if (matches != rows[i].matches)
            fail_msg("\"%s\" and \"%s\"", rows[i].pattern, rows[i].path);
        if (rows[i].segment == NULL) {
            assert_null(segment);
            continue;
        }
        assert_int_equal(length, strlen(rows[i].segment));
        assert_memory_equal(segment, rows[i].segment, length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decodes),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_decodes_by_length),
        cmocka_unit_test(test_matches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
