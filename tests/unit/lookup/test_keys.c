/* Keys in JSON, against the types of a key's columns; the servers of a connection string. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lookup/hosts.h"
#include "lookup/keys.h"

/* A plan over columns of these types, named a, b, c …, all of them the key. */
struct fixture {
    struct relation_column columns[4];
    struct relation relation;
    int params[4];
    struct lookup_plan plan;
    struct key_texts texts;
    struct err err;
};

static void fixture_init(struct fixture *fixture, int n, const enum pg_type *types)
{
    static const char *const names[] = {"a", "b", "c", "d"};

    *fixture = (struct fixture){0};
    for (int i = 0; i < n; i++) {
        fixture->columns[i] = (struct relation_column){.name = names[i], .type = types[i]};
        fixture->params[i] = i;
    }
    fixture->relation = (struct relation){.n_columns = n, .columns = fixture->columns};
    fixture->plan = (struct lookup_plan){
        .relation = &fixture->relation, .n_params = n, .params = fixture->params};
}

static enum err_code read_json(struct fixture *fixture, const char *json)
{
    struct json_reader reader;
    enum json_token token;
    enum err_code code;

    memset(&fixture->err, 0, sizeof(fixture->err));
    json_reader_init(&reader, json, strlen(json));
    token = json_next(&reader, &fixture->err);
    code = key_read(&fixture->plan, &reader, token, &fixture->texts, &fixture->err);
    assert_int_equal(json_next(&reader, NULL), JSON_END); /* whatever it held, it is read */
    return code;
}

static const struct {
    enum pg_type type;
    const char *json, *text; /* NULL: refused */
} values[] = {
    {PG_INT8, "9007199254740993", "9007199254740993"},
    {PG_INT8, "\"9007199254740993\"", "9007199254740993"},
    {PG_INT8, "-9223372036854775808", "-9223372036854775808"},
    {PG_INT8, "9223372036854775808", NULL},
    {PG_INT8, "1e3", "1000"},
    {PG_INT8, "1.5", NULL},
    {PG_INT8, "true", NULL},
    {PG_INT8, "null", NULL},
    {PG_INT4, "2147483648", NULL},
    {PG_NUMERIC, "123456789012345678901234567890.10", "123456789012345678901234567890.10"},
    {PG_NUMERIC, "\"0.1\"", "0.1"},
    {PG_NUMERIC, "\"one\"", NULL},
    {PG_NUMERIC, "\"NaN\"", NULL}, /* a missing value, which is equal to nothing */
    {PG_FLOAT8, "0.1", "0.1"},
    {PG_TEXT_TYPE, "\"a \\\"b\\\" \\u00e4\"", "a \"b\" \303\244"},
    {PG_TEXT_TYPE, "\"\"", ""},
    {PG_TEXT_TYPE, "\"a\\u0000b\"", NULL},
    {PG_TEXT_TYPE, "7", NULL},
    {PG_BOOL, "true", "true"},
    {PG_BOOL, "\"f\"", "false"},
    {PG_DATE, "\"2024-02-29\"", "2024-02-29"},
    {PG_DATE, "\"2023-02-29\"", NULL},
    {PG_DATE, "\"infinity\"", NULL},
    {PG_TIMESTAMPTZ, "\"2024-01-01T05:00:00+02:00\"", "2024-01-01 03:00:00+00"},
    {PG_TIMESTAMP, "\"2024-01-01 05:00\"", "2024-01-01 05:00:00"},
    {PG_UUID, "\"c4ca4238-a0b9-2382-0dcc-509a6f75849b\"", "c4ca4238-a0b9-2382-0dcc-509a6f75849b"},
};

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(values); i++) {
        struct fixture fixture;
        enum err_code code;

        fixture_init(&fixture, 1, &values[i].type);
        code = read_json(&fixture, values[i].json);
        if (values[i].text != NULL) {
            assert_int_equal(code, ERR_OK);
            assert_string_equal(key_text(&fixture.plan, &fixture.texts, 0, 0), values[i].text);
        } else {
            assert_int_equal(code, ERR_INVALID);
            assert_string_not_equal(fixture.err.message, "");
        }
        key_texts_release(&fixture.texts);
    }
}

static void test_forms(void **state)
{
    static const char *const same[] = {"{\"a\": 1, \"b\": \"x\"}", "{\"b\": \"x\", \"a\": \"1\"}",
                                       "{\"\\u0062\": \"x\", \"a\": 1}", "[1, \"x\"]"};
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture, 2, (const enum pg_type[]){PG_INT4, PG_TEXT_TYPE});
    for (size_t i = 0; i < N_ELEMENTS(same); i++) {
        assert_int_equal(read_json(&fixture, same[i]), ERR_OK);
        assert_string_equal(key_text(&fixture.plan, &fixture.texts, i, 0), "1");
        assert_string_equal(key_text(&fixture.plan, &fixture.texts, i, 1), "x");
    }
    key_texts_release(&fixture.texts);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *json, *field, *message;
    } refusals[] = {
        {"{\"a\": 1}", "/b", "column \"b\" of the key is missing"},
        {"{}", "/a", "column \"a\" of the key is missing"},
        {"[1]", "/b", "column \"b\" of the key is missing"},
        {"[1, \"x\", 2]", "", "expected 2 values, one for each column of the key"},
        {"{\"a\": 1, \"b\": \"x\", \"a/b\": 1}", "/a~1b",
         "the key has no column \"a/b\": it is of \"a\", \"b\""},
        {"{\"a\": 1, \"a\": 2, \"b\": \"x\"}", "/a", "column \"a\" is given twice"},
        {"{\"a\": {\"b\": [1]}, \"b\": \"x\"}", "/a",
         "expected a whole number from -2147483648 to 2147483647, found an object"},
        {"1", "", "expected an object of the key's columns, found a number"},
        {"null", "", "expected an object of the key's columns, found null"},
    };
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture, 2, (const enum pg_type[]){PG_INT4, PG_TEXT_TYPE});
    for (size_t i = 0; i < N_ELEMENTS(refusals); i++) {
        assert_int_equal(read_json(&fixture, refusals[i].json), ERR_INVALID);
        assert_string_equal(fixture.err.field, refusals[i].field);
        assert_string_equal(fixture.err.message, refusals[i].message);
    }
    /* those that were refused leave nothing behind */
    assert_int_equal(read_json(&fixture, "[5, \"y\"]"), ERR_OK);
    assert_string_equal(key_text(&fixture.plan, &fixture.texts, N_ELEMENTS(refusals), 1), "y");
    key_texts_release(&fixture.texts);
}

static void test_hosts(void **state)
{
    static const struct {
        const char *dsn;
        int n;
        const char *dsns[3];
    } cases[] = {
        {"", 1, {""}},
        {"host=a dbname=d", 1, {"host=a dbname=d"}},
        {"host=a,b dbname=d", 2, {"dbname='d' host='a' ", "dbname='d' host='b' "}},
        {"host=a,b port=1,2", 2, {"host='a' port='1' ", "host='b' port='2' "}},
        {"postgresql://u:p%27q@a:1,b:2/d",
         2,
         {"user='u' password='p\\'q' dbname='d' host='a' port='1' ",
          "user='u' password='p\\'q' dbname='d' host='b' port='2' "}},
        {"host=a,b,c port=7",
         3,
         {"host='a' port='7' ", "host='b' port='7' ", "host='c' port='7' "}},
    };
    struct err err;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct hosts hosts;

        assert_int_equal(hosts_split(cases[i].dsn, &hosts, &err), ERR_OK);
        assert_int_equal(hosts.n, cases[i].n);
        for (int k = 0; k < hosts.n; k++)
            assert_string_equal(hosts.dsns[k], cases[i].dsns[k]);
        hosts_release(&hosts);
    }
    assert_int_equal(hosts_split("password=secret host", &(struct hosts){0}, &err), ERR_CONFIG);
    assert_null(strstr(err.message, "secret"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_hosts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
