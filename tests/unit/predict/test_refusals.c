/* What predict_json refuses: the code, where it was, and a sentence without the value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "asking_group.h"
#include "base/utf8.h"

struct refusal {
    const char *body;
    enum err_code code;
    const char *field, *message, *hint;
};

#define EXAMPLE "a request looks like {\"project\": \"…\", \"features\": {\"column\": value, …}}"

static void check_all(const struct refusal *refusals, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct refusal *r = &refusals[i];
        enum err_code code = ask(&asking, r->body);

        if (code != r->code || asking.err.code != r->code ||
            strcmp(asking.err.field, r->field) != 0 ||
            strcmp(asking.err.message, r->message) != 0 || strcmp(asking.err.hint, r->hint) != 0)
            fail_msg("%s\n  gave %s \"%s\" \"%s\" \"%s\"", r->body, err_name(code),
                     asking.err.field, asking.err.message, asking.err.hint);
        assert_int_equal(asking.reply.length, 0);
    }
}

#define P "\"project\":\"regression\""

#define NOT_JSON "the body is not JSON: "
#define TABLE                                                                                      \
    "a request looks like {\"project\": \"…\", \"features\": {…}} or "                         \
    "{…, \"columns\": [\"column\", …], \"rows\": [[value, …], …]}"

static void test_bodies(void **state)
{
    static const struct refusal refusals[] = {
        {"", ERR_INVALID, "", "the body is empty", EXAMPLE},
        {" ", ERR_INVALID, "",
         NOT_JSON "line 1, column 2: expected a value, found the end of the text", EXAMPLE},
        {"distance=5", ERR_INVALID, "", NOT_JSON "line 1, column 1: expected a value, found \"d\"",
         EXAMPLE},
        {"{" P ",}", ERR_INVALID, "", NOT_JSON "line 1, column 25: expected a key, found \"}\"",
         EXAMPLE},
        {"{" P ",\"features\":{}} x", ERR_INVALID, "",
         NOT_JSON "line 1, column 40: expected the end of the text, found \"x\"", EXAMPLE},
        {"{" P ",\"features\":{\"distance\":NaN}}", ERR_INVALID, "",
         NOT_JSON "line 1, column 48: expected a value, found \"N\"",
         "JSON has no NaN and no Infinity"},
        {"[]", ERR_INVALID, "", "expected an object, found an array", EXAMPLE},
        {"null", ERR_INVALID, "", "expected an object, found null", EXAMPLE},
        {"{}", ERR_INVALID, "/features", "\"features\" is missing", EXAMPLE},
        {"{\"features\":{}}", ERR_INVALID, "/project", "\"project\" is missing", EXAMPLE},
        {"{\"project\":null,\"features\":{}}", ERR_INVALID, "/project", "\"project\" is missing",
         EXAMPLE},
        {"{\"project\":1,\"features\":{}}", ERR_INVALID, "/project",
         "expected a project's name as a string, found a number", ""},
        {"{" P "," P ",\"features\":{}}", ERR_INVALID, "/project", "\"project\" is given twice",
         EXAMPLE},
        {"{" P ",\"features\\u0000\":{}}", ERR_INVALID, "/features", "unknown member \"features\"",
         "did you mean \"features\"?"},
        {"{" P ",\"feature\":{}}", ERR_INVALID, "/feature", "unknown member \"feature\"",
         "did you mean \"features\"?"},
        {"{" P ",\"features\":{},\"a/b~\\u0063\":1}", ERR_INVALID, "/a~1b~0c",
         "unknown member \"a/b~c\"", EXAMPLE},
        {"{" P ",\"features\":null}", ERR_INVALID, "/features", "\"features\" is missing", EXAMPLE},
        {"{" P ",\"rows\":[]}", ERR_INVALID, "/columns", "\"columns\" is missing", TABLE},
        {"{" P ",\"columns\":[]}", ERR_INVALID, "/rows", "\"rows\" is missing", TABLE},
        {"{" P ",\"features\":{},\"rows\":[]}", ERR_INVALID, "/rows",
         "\"features\" and \"rows\" exclude each other", ""},
        {"{" P ",\"features\":{},\"columns\":[]}", ERR_INVALID, "/columns",
         "\"features\" and \"columns\" exclude each other", ""},
    };

    (void)state;
    check_all(refusals, N_ELEMENTS(refusals));
}

static void test_options(void **state)
{
    static const struct refusal refusals[] = {
        {"{" P ",\"key\":{\"id\":1}}", ERR_CONFLICT, "/key", "rows are looked up by a daemon alone",
         "ask pgboostd, or send the row's columns as \"features\""},
        {"{" P ",\"keys\":[]}", ERR_CONFLICT, "/keys", "rows are looked up by a daemon alone",
         "ask pgboostd, or send the row's columns as \"features\""},
        {"{" P ",\"key\":1,\"keys\":[]}", ERR_INVALID, "/keys",
         "\"key\" and \"keys\" exclude each other", ""},
        {"{" P ",\"keys\":[],\"rows\":[]}", ERR_INVALID, "/rows",
         "\"keys\" and \"rows\" exclude each other", ""},
        {"{" P ",\"features\":{},\"where\":{}}", ERR_INVALID, "/where",
         "POST /predict has no member \"where\"", ""},
        {"{" P ",\"features\":{},\"explain\":1}", ERR_INVALID, "/explain",
         "expected true or false, found a number", ""},
        {"{" P ",\"features\":{},\"interval\":0.9}", ERR_CONFLICT, "/interval",
         "model 7 has no intervals: no residuals are stored with it",
         "train the project again: imported models and those of older versions have none"},
        {"{" P ",\"features\":{},\"interval\":0}", ERR_INVALID, "/interval",
         "expected a number between 0 and 1, such as 0.9", ""},
        {"{" P ",\"features\":{},\"interval\":1}", ERR_INVALID, "/interval",
         "expected a number between 0 and 1, such as 0.9", ""},
        {"{" P ",\"features\":{},\"interval\":-1}", ERR_INVALID, "/interval",
         "expected a number between 0 and 1, such as 0.9", ""},
        {"{" P ",\"features\":{},\"interval\":1e400}", ERR_INVALID, "/interval",
         "expected a number between 0 and 1, such as 0.9", ""},
        {"{" P ",\"features\":{},\"interval\":\"x\"}", ERR_INVALID, "/interval",
         "expected a number between 0 and 1, such as 0.9, found a string", ""},
        {"{" P ",\"features\":{},\"interval\":true}", ERR_INVALID, "/interval",
         "expected a number between 0 and 1, such as 0.9, found true", ""},
        {"{\"project\":\"binary\",\"features\":{},\"interval\":0.9}", ERR_INVALID, "/interval",
         "an interval is of a number, and model 7 chooses between labels",
         "leave it out: \"probabilities\" say how sure the model is"},
        {"{" P ",\"features\":{},\"encoded\":\"true\"}", ERR_INVALID, "/encoded",
         "expected true or false, found a string", ""},
        {"{" P ",\"features\":{},\"model_id\":\"7\"}", ERR_INVALID, "/model_id",
         "expected a model's number, found a string", ""},
        {"{" P ",\"features\":{},\"model_id\":0}", ERR_INVALID, "/model_id",
         "expected a model's number: a whole number above 0", ""},
        {"{" P ",\"features\":{},\"model_id\":-7}", ERR_INVALID, "/model_id",
         "expected a model's number: a whole number above 0", ""},
        {"{" P ",\"features\":{},\"model_id\":7.5}", ERR_INVALID, "/model_id",
         "expected a model's number: a whole number above 0", ""},
        {"{" P ",\"features\":{},\"model_id\":9223372036854775808}", ERR_INVALID, "/model_id",
         "expected a model's number: a whole number above 0", ""},
        {"{" P ",\"features\":{},\"model_id\":9223372036854775807}", ERR_NOT_FOUND, "",
         "there is no model 9223372036854775807", ""},
        {"{\"project\":\"flights\",\"features\":{}}", ERR_NOT_FOUND, "", "there is no such project",
         ""},
        {"{\"project\":\"regression\\u0000\",\"features\":{}}", ERR_NOT_FOUND, "",
         "there is no such project", ""},
        {"{\"project\":\"resting\",\"features\":{}}", ERR_CONFLICT, "",
         "project \"resting\" has no live model", ""},
    };

    (void)state;
    check_all(refusals, N_ELEMENTS(refusals));
}

#define WITHOUT "model 7 was trained without a column "
#define NEW     " it is new in the relation, train again: pgboost train tiny \"p\""

static void test_shapes_of_rows(void **state)
{
    static const struct refusal refusals[] = {
        {"{" P ",\"features\":1}", ERR_INVALID, "/features",
         "expected an object or an array of objects, found a number", ""},
        {"{" P ",\"features\":[{},[]]}", ERR_INVALID, "/features/1",
         "expected an object, found an array", ""},
        {"{" P ",\"features\":[null]}", ERR_INVALID, "/features/0",
         "expected an object, found null", ""},
        {"{" P ",\"columns\":{},\"rows\":[]}", ERR_INVALID, "/columns",
         "expected an array of column names, found an object", ""},
        {"{" P ",\"columns\":[\"seats\",1],\"rows\":[]}", ERR_INVALID, "/columns/1",
         "expected a column's name, found a number", ""},
        {"{" P ",\"columns\":[\"seats\",\"id\",\"Distanse\"],\"rows\":[]}", ERR_INVALID,
         "/columns/2", WITHOUT "\"Distanse\"", "did you mean \"distance\"? If" NEW},
        {"{" P ",\"columns\":[\"id\",\"seats\",\"i\\u0064\"],\"rows\":[]}", ERR_INVALID,
         "/columns/2", "column \"id\" is given twice", ""},
        {"{" P ",\"columns\":[\"distance\",\"carrier\",\"scheduled at\",\"on/off~\",\"seats\","
         "\"ratio\",\"price\",\"delay\",\"id\",\"id\"],\"rows\":[]}",
         ERR_INVALID, "/columns/9", "column \"id\" is given twice", ""},
        {"{" P ",\"columns\":[\"seats\"],\"rows\":{}}", ERR_INVALID, "/rows",
         "expected an array of rows, found an object", ""},
        {"{" P ",\"columns\":[\"seats\"],\"rows\":[[1],{}]}", ERR_INVALID, "/rows/1",
         "expected an array of values, one for each of \"columns\", found an object", ""},
        {"{" P ",\"columns\":[\"seats\",\"ratio\"],\"rows\":[[1,2],[1]]}", ERR_INVALID, "/rows/1",
         "expected 2 values, as many as \"columns\", found 1", ""},
        {"{" P ",\"columns\":[\"seats\",\"ratio\"],\"rows\":[[1,2],[1,2,3]]}", ERR_INVALID,
         "/rows/1", "expected 2 values, as many as \"columns\", found more", ""},
    };

    (void)state;
    check_all(refusals, N_ELEMENTS(refusals));
}

static void test_columns(void **state)
{
    static const struct refusal refusals[] = {
        {"{" P ",\"features\":{\"seat\":1}}", ERR_INVALID, "/features/seat", WITHOUT "\"seat\"",
         "did you mean \"seats\"? If" NEW},
        {"{" P ",\"features\":[{},{\"~x/\\u0079\":1}]}", ERR_INVALID, "/features/1/~0x~1y",
         WITHOUT "\"~x/y\"", "leave it out or, if" NEW},
        {"{" P ",\"features\":{\"\":1}}", ERR_INVALID, "/features/", WITHOUT "\"\"",
         "leave it out or, if" NEW},
        {"{" P ",\"features\":{\"seats\":1,\"ratio\":1,\"\\u0073eats\":1}}", ERR_INVALID,
         "/features/seats", "column \"seats\" is given twice", ""},
        {"{" P ",\"features\":[{\"seats\":1},{\"delay\":1,\"delay\":1}]}", ERR_INVALID,
         "/features/1/delay", "column \"delay\" is given twice", ""},
        {"{" P ",\"features\":{\"on/off~\":null,\"on\\/off~\":null}}", ERR_INVALID,
         "/features/on~1off~0", "column \"on/off~\" is given twice", ""},
    };

    (void)state;
    check_all(refusals, N_ELEMENTS(refusals));
}

#define AS_TEXT "a string must be as Postgres prints such a value"
#define LETTERS "abcdefghijabcdefghijabcdefghijabcdefghij"
#define EUROS   "€€€€€€€€€€"
#define DIGITS  "12345678901234567890"
#define INT4    "a whole number from -2147483648 to 2147483647"

static void test_values(void **state)
{
    static const struct refusal refusals[] = {
        {"{" P ",\"features\":{\"distance\":true}}", ERR_INVALID, "/features/distance",
         "expected a number, found true", ""},
        {"{" P ",\"features\":{\"distance\":\"far\"}}", ERR_INVALID, "/features/distance",
         "expected a number, found the string \"far\"", AS_TEXT},
        {"{" P ",\"features\":{\"distance\":\"\"}}", ERR_INVALID, "/features/distance",
         "expected a number, found the string \"\"", AS_TEXT},
        {"{" P ",\"features\":{\"ratio\":\"1,5\\u0007 \\\"x\\\"\"}}", ERR_INVALID,
         "/features/ratio", "expected a number, found the string \"1,5\\u0007 \\\"x\\\"\"",
         AS_TEXT},
        {"{" P ",\"features\":{\"price\":\"" LETTERS LETTERS "\"}}", ERR_INVALID, "/features/price",
         "expected a number, found a string of 80 bytes that begins with \"" LETTERS "\"", AS_TEXT},
        {"{" P ",\"features\":{\"price\":\"x" EUROS EUROS "\"}}", ERR_INVALID, "/features/price",
         "expected a number, found a string of 61 bytes that begins with \"x" EUROS "€€€\"",
         AS_TEXT},
        {"{" P ",\"features\":{\"distance\":[1]}}", ERR_INVALID, "/features/distance",
         "expected a number, found an array", ""},
        {"{" P ",\"features\":{\"distance\":{}}}", ERR_INVALID, "/features/distance",
         "expected a number, found an object", ""},
        {"{" P ",\"features\":{\"distance\":1e400}}", ERR_INVALID, "/features/distance",
         "the number 1e400 is beyond what a double can hold", ""},
        {"{" P ",\"features\":{\"price\":-1e400}}", ERR_INVALID, "/features/price",
         "the number -1e400 is beyond what a double can hold", ""},
        {"{" P ",\"features\":[{},{},{\"seats\":5.5}]}", ERR_INVALID, "/features/2/seats",
         "expected " INT4 ", found 5.5", ""},
        {"{" P ",\"features\":{\"seats\":2147483648}}", ERR_INVALID, "/features/seats",
         "expected " INT4 ", found 2147483648", ""},
        {"{" P ",\"features\":{\"seats\":1" DIGITS DIGITS "}}", ERR_INVALID, "/features/seats",
         "expected " INT4 ", found 1" DIGITS "1234567890123456789…", ""},
        {"{" P ",\"features\":{\"seats\":\"5.0\"}}", ERR_INVALID, "/features/seats",
         "expected " INT4 ", found the string \"5.0\"", AS_TEXT},
        {"{" P ",\"features\":{\"on/off~\":1}}", ERR_INVALID, "/features/on~1off~0",
         "expected true or false, found a number", ""},
        {"{" P ",\"features\":{\"on/off~\":\"maybe\"}}", ERR_INVALID, "/features/on~1off~0",
         "expected true or false, found the string \"maybe\"", AS_TEXT},
        {"{" P ",\"features\":{\"carrier\":1}}", ERR_INVALID, "/features/carrier",
         "expected a string, found a number", ""},
        {"{" P ",\"features\":{\"carrier\":false}}", ERR_INVALID, "/features/carrier",
         "expected a string, found false", ""},
        {"{" P ",\"features\":{\"carrier\":\"U\\u0000A\"}}", ERR_INVALID, "/features/carrier",
         "a string holds \\u0000", "text in Postgres cannot hold it: leave it out"},
        {"{" P ",\"features\":{\"scheduled at\":5}}", ERR_INVALID, "/features/scheduled at",
         "expected a timestamp like 2013-01-01 05:00+00, found a number", "send it as a string"},
        {"{" P ",\"features\":{\"scheduled at\":\"2013-13-01\"}}", ERR_INVALID,
         "/features/scheduled at",
         "expected a timestamp like 2013-01-01 05:00+00, found the string \"2013-13-01\"", AS_TEXT},
        {"{" P ",\"columns\":[\"id\",\"seats\"],\"rows\":[[1,1],[[],null],[{},\"x\"]]}",
         ERR_INVALID, "/rows/2/1", "expected " INT4 ", found the string \"x\"", AS_TEXT},
    };

    (void)state;
    check_all(refusals, N_ELEMENTS(refusals));
}

static void test_limits(void **state)
{
    static const struct refusal refusals[] = {
        {"{" P ",\"features\":[{},{},{},{},{},{}]}", ERR_LIMIT, "/features/5",
         "more than 5 rows in one request", "send them in several requests"},
        {"{" P ",\"columns\":[],\"rows\":[[],[],[],[],[],[]]}", ERR_LIMIT, "/rows/5",
         "more than 5 rows in one request", "send them in several requests"},
    };

    (void)state;
    check_all(refusals, N_ELEMENTS(refusals));
    assert_int_equal(ask(&asking, "{" P ",\"features\":[{},{},{},{},{}]}"), ERR_OK);
}

/* The value of an ignored column may be anything, as deep as JSON may be here: 64 levels, of which
 * the body and its features are two. */
static void test_depth(void **state)
{
    (void)state;
    for (int depth = JSON_DEPTH_MAX - 2; depth <= 100000;
         depth = depth == 62 ? 63 : depth + 99937) {
        CLEANUP(buf_release) struct buf body = {0};
        enum err_code code;

        buf_puts(&body, "{" P ",\"features\":{\"delay\":");
        for (int i = 0; i < depth; i++)
            buf_putc(&body, '[');
        for (int i = 0; i < depth; i++)
            buf_putc(&body, ']');
        buf_puts(&body, "}}");
        code = ask(&asking, buf_text(&body));
        assert_int_equal(code, depth == JSON_DEPTH_MAX - 2 ? ERR_OK : ERR_LIMIT);
    }
}

#define WHOLE                                                                                      \
    "\"columns\":[\"on\\/off~\",\"carrier\",\"id\",\"scheduled "                                   \
    "at\",\"distance\"],\"encoded\":true,"                                                         \
    "\"rows\":[[true,\"q\\\"\\\\\\u00e9\\ud83d\\udeeb\",{\"a\":[1,2.5e-3]},"                       \
    "\"2013-01-01 05:00\",-1.5E+2],[null,\"Ünï\",null,null,\"1\"]],\"model_id\":7"

/* Read twice, and read once. */
static const char *const wholes[] = {"{" WHOLE "," P "}", "{" P "," WHOLE "}"};

static void test_truncated_at_each_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(wholes); i++) {
        assert_int_equal(ask(&asking, wholes[i]), ERR_OK);
        for (size_t length = 0; length < strlen(wholes[i]); length++) {
            assert_int_equal(ask_bytes(&asking, wholes[i], length), ERR_INVALID);
            assert_string_equal(asking.err.field, "");
            assert_int_equal(asking.reply.length, 0);
        }
    }
}

/* An answer that is JSON, or an error of the known kinds. */
static void check_outcome(enum err_code code)
{
    cJSON *root = NULL;

    if (code == ERR_OK)
        assert_int_equal(
            json_parse(asking.reply.data, asking.reply.length, "reply", &root, &asking.err),
            ERR_OK);
    else
        assert_true(code == ERR_INVALID || code == ERR_NOT_FOUND);
    cJSON_Delete(root);
}

static void test_each_byte_changed(void **state)
{
    static const char replacements[] = {'\0', '"', '\\', '{', ']', '0', '-', ' ', (char)0xff, 'e'};

    (void)state;
    for (size_t whole = 0; whole < N_ELEMENTS(wholes); whole++) {
        CLEANUP(free_ptr) char *body = strdup(wholes[whole]);
        size_t length = strlen(body);

        for (size_t i = 0; i < length; i++) {
            for (size_t k = 0; k < sizeof(replacements); k++) {
                body[i] = replacements[k];
                check_outcome(ask_bytes(&asking, body, length));
            }
            body[i] = wholes[whole][i];
        }
    }
}

static void test_the_reply_stays_as_it_was(void **state)
{
    static const struct predict_limits limits = {.max_rows = 1};
    CLEANUP(buf_release) struct buf reply = {0};
    static const char *const body = "{" P ",\"features\":{\"seats\":\"x\"}}";

    (void)state;
    buf_puts(&reply, "before");
    assert_int_equal(
        predict_json(body, strlen(body), &asking.source, &limits, &asking.scratch, &reply, NULL),
        ERR_INVALID);
    assert_string_equal(buf_text(&reply), "before");
}

/* A client's name goes into the message and pointer only as far as it is shown. */
static void test_long_names(void **state)
{
    CLEANUP(buf_release) struct buf body = {0};

    (void)state;
    buf_puts(&body, "{" P ",\"features\":{\"");
    for (int i = 0; i < 100000; i++)
        buf_puts(&body, "/é");
    buf_puts(&body, "\":1}}");
    assert_int_equal(ask(&asking, buf_text(&body)), ERR_INVALID);
    assert_true(strlen(asking.err.message) < 200);
    assert_true(utf8_valid(asking.err.message, strlen(asking.err.message)));
    assert_true(utf8_valid(asking.err.field, strlen(asking.err.field)));
    assert_int_equal(strncmp(asking.err.field, "/features/~1é~1é", 18), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_shapes_of_rows),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_truncated_at_each_byte),
        cmocka_unit_test(test_each_byte_changed),
        cmocka_unit_test(test_the_reply_stays_as_it_was),
        cmocka_unit_test(test_long_names),
    };

    return cmocka_run_group_tests(tests, asking_setup, asking_teardown);
}
