/* The members of an object in any order, and what messages say of names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/members.h"
#include "model/value.h"

static enum err_code read_members(const char *json, struct member *members, int n,
                                  enum unknown_members unknown, struct err *err)
{
    CLEANUP(buf_release) struct buf scratch = {0};
    struct json_reader reader;

    memset(err, 0, sizeof(*err));
    json_reader_init(&reader, json, strlen(json));
    assert_int_equal(json_next(&reader, err), JSON_OBJECT_BEGIN);
    return members_read(&reader, members, n, unknown, &scratch, err);
}

static void test_members_are_found_in_any_order(void **state)
{
    struct member members[] = {{.name = "a"}, {.name = "b"}, {.name = "c"}, {.name = "d"}};
    struct err err;

    (void)state;
    assert_int_equal(
        read_members("{\"x\":{\"a\":1},\"c\":null,\"\\u0062\":[1,{\"a\":2}],\"a\":\"v\"}", members,
                     4, IGNORE_UNKNOWN, &err),
        ERR_OK);
    assert_int_equal(members[0].token, JSON_STRING);
    assert_int_equal(members[1].token, JSON_ARRAY_BEGIN);
    assert_int_equal(members[2].token, JSON_NULL);
    assert_true(members[2].named);
    assert_int_equal(members[3].token, JSON_NULL);
    assert_false(members[3].named);
    assert_int_equal(json_next(&members[0].value, &err), JSON_STRING);
    assert_memory_equal(members[0].value.text, "v", 1);
    assert_int_equal(json_next(&members[1].value, &err), JSON_ARRAY_BEGIN);
    assert_int_equal(json_next(&members[1].value, &err), JSON_NUMBER);
    assert_memory_equal(members[1].value.text, "1", 1);
}

static void test_members_refused(void **state)
{
    static const struct {
        const char *json, *field, *message, *hint;
    } cases[] = {
        {"{\"first\":1,\"first\":2}", "/first", "\"first\" is given twice", ""},
        {"{\"first\":null,\"\\u0066irst\":2}", "/first", "\"first\" is given twice", ""},
        {"{\"firsd\":1}", "/firsd", "unknown member \"firsd\"", "did you mean \"first\"?"},
        {"{\"a/b~c\":1}", "/a~1b~0c", "unknown member \"a/b~c\"", ""},
        {"{\"\":1}", "/", "unknown member \"\"", ""},
        {"{\"first\":1", "",
         "line 1, column 11: expected \",\" or \"}\", found the end of the text", ""},
    };
    struct member members[] = {{.name = "first"}, {.name = "second"}};
    struct err err;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        assert_int_equal(read_members(cases[i].json, members, 2, REFUSE_UNKNOWN, &err),
                         ERR_INVALID);
        assert_string_equal(err.field, cases[i].field);
        assert_string_equal(err.message, cases[i].message);
        assert_string_equal(err.hint, cases[i].hint);
    }
}

static void test_pointers(void **state)
{
    CLEANUP(buf_release) struct buf pointer = {0};
    char name[2 * NAME_SHOWN_MAX];

    (void)state;
    value_pointer_append(&pointer, "a~/b~1xyz", 6);
    value_pointer_append(&pointer, "", 0);
    assert_string_equal(buf_text(&pointer), "/a~0~1b~01/");
    buf_clear(&pointer);
    memset(name, '/', sizeof(name));
    value_pointer_append(&pointer, name, sizeof(name));
    assert_int_equal(pointer.length, 1 + 2 * NAME_SHOWN_MAX);
}

/* A long name is cut before the character that does not fit. */
static void test_long_names_are_cut_at_a_character(void **state)
{
    char name[2 * NAME_SHOWN_MAX];

    (void)state;
    memset(name, 'a', sizeof(name));
    assert_int_equal(value_name_length(name, sizeof(name)), NAME_SHOWN_MAX);
    assert_int_equal(value_name_length(name, 5), 5);
    memcpy(name + NAME_SHOWN_MAX - 2, "\xe2\x82\xac", 3); /* the euro sign, its last byte outside */
    assert_int_equal(value_name_length(name, sizeof(name)), NAME_SHOWN_MAX - 2);
    memcpy(name + NAME_SHOWN_MAX - 3, "\xe2\x82\xac", 3);
    memset(name + NAME_SHOWN_MAX, 'a', 1);
    assert_int_equal(value_name_length(name, sizeof(name)), NAME_SHOWN_MAX);
}

static void test_stored_errors_are_corrupt(void **state)
{
    struct err err;

    (void)state;
    err_set(&err, ERR_INVALID, "bad");
    assert_int_equal(value_corrupt(ERR_INVALID, &err), ERR_CORRUPT);
    assert_int_equal(err.code, ERR_CORRUPT);
    err_nomem(&err);
    assert_int_equal(value_corrupt(ERR_NOMEM, &err), ERR_NOMEM);
    assert_int_equal(err.code, ERR_NOMEM);
    assert_int_equal(value_corrupt(ERR_OK, &err), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_are_found_in_any_order),
        cmocka_unit_test(test_members_refused),
        cmocka_unit_test(test_pointers),
        cmocka_unit_test(test_long_names_are_cut_at_a_character),
        cmocka_unit_test(test_stored_errors_are_corrupt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
