#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pg/internal.h"

static void position_counts_characters(void **state)
{
    static const struct {
        const char *sql;
        int position, line;
    } cases[] = {
        {"", 1, 1},        {"SELECT 1", 1, 1}, {"a\nb", 2, 1},
        {"a\nb", 3, 2},    {"é\nb", 3, 2}, /* é is one character, two bytes */
        {"😀é\n\nx", 5, 3}, {"a\nb", 99, 2},    {"\n\n\n", 4, 4},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++)
        assert_int_equal(script_line_of_position(cases[i].sql, cases[i].position), cases[i].line);
}

static void statements_are_counted_as_psql_does(void **state)
{
    static const struct {
        const char *sql;
        int index, line;
    } cases[] = {
        {"a;\nb;\nc", 0, 1},
        {"a;\nb;\nc", 1, 2},
        {"a;\nb;\nc", 2, 3},
        {"\n\n  a", 0, 3},
        {"-- x; y\na;\nb", 1, 3},
        {"/* ; /* ; */ ; */ a;\nb", 1, 2},
        {";;;\na;\n;;b", 1, 3}, /* empty statements give no result */
        {"SELECT ';';\nb", 1, 2},
        {"SELECT 'it''s;';\nb", 1, 2},
        {"SELECT ';\n;';\nb", 1, 3},
        {"SELECT \"a;b\";\nb", 1, 2},
        {"SELECT E'\\';';\nb", 1, 2},
        {"SELECT 'a\\';\nb", 1, 2}, /* a backslash is nothing special without E */
        {"SELECT $$;$$;\nb", 1, 2},
        {"SELECT $t$ $$;$$ ;\n$t$;\nb", 1, 3},
        {"SELECT $1; \nb", 1, 2},
        {"SELECT a$b; \nb", 1, 2},
        {"CREATE RULE r AS (x; y);\nb", 1, 2},
        {"a;\n'not closed", 1, 2},
        {"a", 7, 1},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++)
        if (script_line_of_statement(cases[i].sql, cases[i].index) != cases[i].line)
            fail_msg("statement %d of \"%s\": line %d", cases[i].index, cases[i].sql,
                     script_line_of_statement(cases[i].sql, cases[i].index));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(position_counts_characters),
        cmocka_unit_test(statements_are_counted_as_psql_does),
    };

    return cmocka_run_group_tests_name("pg/script", tests, NULL, NULL);
}
