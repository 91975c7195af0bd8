#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pg/internal.h"
#include "pg/relation.h"

#define X60 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void names_are_read_as_in_sql(void **state)
{
    static const struct {
        const char *text, *schema, *name;
    } cases[] = {
        {"flights", "public", "flights"},
        {"Demo.FLIGHTS", "demo", "flights"},
        {"\"Demo\".\"FLIGHTS\"", "Demo", "FLIGHTS"},
        {" demo . flights ", "demo", "flights"},
        {"\"a.b\".c", "a.b", "c"},
        {"demo.\"x\"\";drop table y--\"", "demo", "x\";drop table y--"},
        {"\"\"\"\"", "public", "\""},
        {"demo.\"\"\"\"\"\"", "demo", "\"\""},
        {"my-table", "public", "my-table"}, /* to_regclass takes it too */
        {"Äß.ö", "Äß", "ö"},                /* only ASCII is folded */
        {X60 "123", "public", X60 "123"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct relation_name name;
        struct err err = {0};

        assert_int_equal(relation_name_parse(cases[i].text, &name, &err), ERR_OK);
        assert_string_equal(name.schema, cases[i].schema);
        assert_string_equal(name.name, cases[i].name);
    }
}

static void what_is_no_name_is_refused(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "empty"},
        {"   ", "empty"},
        {".", "empty"},
        {"demo.", "empty"},
        {".flights", "empty"},
        {"\"\"", "empty"},
        {"a.b.c", "more than two parts"},
        {"\";drop table", "quote does not end"},
        {"\"a\"\"", "quote does not end"}, /* the last quote is inside */
        {"a b", "more after the name"},
        {"\"a\"b", "more after the name"},
        {"a\"b\"", "more after the name"},
        {X60 "1234", "63 bytes"},
        {"\xff\xfe", "UTF-8"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct relation_name name;
        struct err err = {0};

        assert_int_equal(relation_name_parse(cases[i].text, &name, &err), ERR_INVALID);
        assert_non_null(strstr(err.message, cases[i].why));
        assert_string_not_equal(err.hint, "");
    }
}

static void every_type_has_a_name_that_reads_back(void **state)
{
    enum pg_type type;

    (void)state;
    for (int i = 0; i < PG_TYPES; i++) {
        assert_true(pg_type_from_name(pg_type_name((enum pg_type)i), &type));
        assert_int_equal(type, i);
    }
    assert_false(pg_type_from_name("int", &type));
    assert_string_equal(pg_type_name(PG_TEXT_TYPE), "text");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_read_as_in_sql),
        cmocka_unit_test(what_is_no_name_is_refused),
        cmocka_unit_test(every_type_has_a_name_that_reads_back),
    };

    return cmocka_run_group_tests_name("pg/relation", tests, NULL, NULL);
}
