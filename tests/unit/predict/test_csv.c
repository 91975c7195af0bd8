/* CSV as the columns and rows of a JSON body. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "predict/csv.h"

#define MAX_ROWS 3

/* The text in memory of exactly its length, so that reading beyond it is found. */
static enum err_code convert(const char *text, size_t length, struct buf *json, struct err *err)
{
    CLEANUP(free_ptr) char *copy = malloc(length > 0 ? length : 1);

    memcpy(copy, text, length);
    return csv_to_table(copy, length, MAX_ROWS, json, err);
}

static void test_tables(void **state)
{
    static const struct {
        const char *csv, *json;
    } cases[] = {
        {"a\n1\n", "\"columns\":[\"a\"],\"rows\":[[\"1\"]]"},
        {"a\n1", "\"columns\":[\"a\"],\"rows\":[[\"1\"]]"},
        {"a\r\n1\r\n", "\"columns\":[\"a\"],\"rows\":[[\"1\"]]"},
        {"a", "\"columns\":[\"a\"],\"rows\":[]"},
        {"\xef\xbb\xbf"
         "a\n",
         "\"columns\":[\"a\"],\"rows\":[]"},
        {"a,b\n1,\n,2\n", "\"columns\":[\"a\",\"b\"],\"rows\":[[\"1\",null],[null,\"2\"]]"},
        {"a,b\n\"\",\"1,2\"\n", "\"columns\":[\"a\",\"b\"],\"rows\":[[\"\",\"1,2\"]]"},
        {"a\n\"x\"\"y\"\n", "\"columns\":[\"a\"],\"rows\":[[\"x\\\"y\"]]"},
        {"a\n\"x\ny\r\nz\"\n", "\"columns\":[\"a\"],\"rows\":[[\"x\\ny\\r\\nz\"]]"},
        {"a\nx\ry\n", "\"columns\":[\"a\"],\"rows\":[[\"x\\ry\"]]"},
        {"a\n\n\n", "\"columns\":[\"a\"],\"rows\":[[null],[null]]"},
        {"a,b\n1\n", "\"columns\":[\"a\",\"b\"],\"rows\":[[\"1\"]]"}, /* the reader refuses it */
        {" a ,b\n", "\"columns\":[\" a \",\"b\"],\"rows\":[]"},
        {"a\n\xc3\xa9\n", "\"columns\":[\"a\"],\"rows\":[[\"\xc3\xa9\"]]"},
        {"a\n1\n2\n3\n4\n5\n", "\"columns\":[\"a\"],\"rows\":[[\"1\"],[\"2\"],[\"3\"],[\"4\"]]"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        CLEANUP(buf_release) struct buf json = {0};
        struct err err;

        assert_int_equal(convert(cases[i].csv, strlen(cases[i].csv), &json, &err), ERR_OK);
        assert_string_equal(buf_text(&json), cases[i].json);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *csv, *says;
    } cases[] = {
        {"", "the body is empty"},
        {"\xef\xbb\xbf", "the body is empty"},
        {"a\n\xff", "the body is not UTF-8"},
        {"\"a", "the body is not CSV: line 1: a quote that is not closed"},
        {"a\n\"1\"\"", "the body is not CSV: line 2: a quote that is not closed"},
        {"a\n\"1\" \n",
         "the body is not CSV: line 2: expected a comma or the end of the line behind a closing "
         "quote"},
        {"a\n\"x\ny\"\nz\"\n",
         "the body is not CSV: line 4: a quote inside of a value that does not begin with one"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        CLEANUP(buf_release) struct buf json = {0};
        struct err err = {0};

        assert_int_equal(convert(cases[i].csv, strlen(cases[i].csv), &json, &err), ERR_INVALID);
        assert_string_equal(err.message, cases[i].says);
    }
}

/* Whatever bytes: an error, or strict JSON. */
static void test_each_byte_changed(void **state)
{
    static const char whole[] = "a,\"b\"\r\n1,\"x\"\"y\"\n\xc3\xa9,\n\"\",2\n";
    static const char replacements[] = {'"', ',', '\n', '\r', '\0', (char)0xc3, 'x', '\\'};

    (void)state;
    for (size_t i = 0; i < sizeof(whole) - 1; i++) {
        for (size_t k = 0; k < sizeof(replacements); k++) {
            CLEANUP(buf_release) struct buf json = {0}, out = {0};
            char text[sizeof(whole)];
            struct err err;

            memcpy(text, whole, sizeof(whole));
            text[i] = replacements[k];
            buf_putc(&json, '{');
            if (convert(text, sizeof(whole) - 1, &json, &err) != ERR_OK)
                continue;
            buf_putc(&json, '}');
            assert_int_equal(json_compact(json.data, json.length, &out, &err), ERR_OK);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_each_byte_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
