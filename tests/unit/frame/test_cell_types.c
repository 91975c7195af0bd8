/* Intervals, times, money, bits, points, ranges, arrays, vectors, documents: their three forms. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cell_pairs.h"

static void describe_number(double value, struct buf *out)
{
    if (isnan(value))
        buf_puts(out, "nan");
    else
        buf_printf(out, "%.17g", value);
}

/* What a cell holds, for comparisons to the bit. */
static const char *describe(const struct cell *cell, struct buf *out)
{
    buf_clear(out);
    if (cell->is_null) {
        buf_puts(out, "null");
    } else if (cell->kind == CELL_DOUBLE) {
        describe_number(cell->double_value, out);
    } else if (cell->kind == CELL_LIST) {
        buf_putc(out, '[');
        for (size_t i = 0; i < cell->n_items; i++) {
            buf_puts(out, i > 0 ? " " : "");
            describe_number(cell->items[i], out);
        }
        buf_putc(out, ']');
    } else if (cell->kind == CELL_TEXTS) {
        for (size_t i = 0; i < cell->n_items; i++) {
            buf_puts(out, i > 0 ? "|" : "");
            if (cell->texts[i].text == NULL)
                buf_puts(out, "NULL");
            else
                buf_append(out, cell->texts[i].text, cell->texts[i].n_bytes);
        }
    } else {
        buf_append(out, cell->text, cell->n_bytes);
    }
    return buf_text(out);
}

static enum err_code read_json(enum pg_type type, const char *json, struct cell_scratch *scratch,
                               struct cell *ret_cell, struct err *err)
{
    struct json_reader reader;
    enum json_token token;

    json_reader_init(&reader, json, strlen(json));
    token = json_next(&reader, err);
    if (cell_from_json(type, NULL, &reader, token, scratch, ret_cell, err) != ERR_OK)
        return err->code;
    assert_int_equal(json_next(&reader, err), JSON_END); /* the value was read to its end */
    return ERR_OK;
}

static void binary_text_and_json_are_one_value(void **state)
{
    CLEANUP(cell_scratch_release) struct cell_scratch scratch = {0};
    CLEANUP(buf_release) struct buf out = {0};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cell_pairs); i++) {
        enum pg_type type = cell_pairs[i].type;
        uint8_t bytes[256];
        uint32_t n_bytes = from_hex(cell_pairs[i].hex, bytes);
        struct cell cell;
        struct err err = {0};

        assert_int_equal(cell_from_binary(type, bytes, n_bytes, &scratch, &cell, &err), ERR_OK);
        assert_int_equal(cell.kind, cell_kind_of(type));
        assert_string_equal(describe(&cell, &out), cell_pairs[i].value);
        if (cell_from_text(type, NULL, cell_pairs[i].text, strlen(cell_pairs[i].text), &scratch,
                           &cell, &err))
            fail_msg("%s: %s", cell_pairs[i].text, err.message);
        assert_string_equal(describe(&cell, &out), cell_pairs[i].value);
        if (read_json(type, cell_pairs[i].json, &scratch, &cell, &err))
            fail_msg("%s: %s", cell_pairs[i].json, err.message);
        assert_string_equal(describe(&cell, &out), cell_pairs[i].value);
    }
}

static void what_is_printed_reads_back(void **state)
{
    CLEANUP(cell_scratch_release) struct cell_scratch scratch = {0}, other = {0};
    CLEANUP(buf_release) struct buf out = {0}, printed = {0};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cell_pairs); i++) {
        enum pg_type type = cell_pairs[i].type;
        struct cell cell, again;
        struct err err = {0};

        assert_int_equal(cell_from_text(type, NULL, cell_pairs[i].text, strlen(cell_pairs[i].text),
                                        &scratch, &cell, &err),
                         ERR_OK);
        buf_clear(&printed);
        cell_to_json(type, &cell, &printed);
        if (read_json(type, buf_text(&printed), &other, &again, &err))
            fail_msg("%s: %s", buf_text(&printed), err.message);
        assert_string_equal(describe(&again, &out), cell_pairs[i].value);
        if (cell.is_null)
            continue;
        buf_clear(&printed);
        cell_to_text(type, &cell, &printed);
        if (cell_from_text(type, NULL, buf_text(&printed), printed.length, &other, &again, &err))
            fail_msg("%s: %s", buf_text(&printed), err.message);
        assert_string_equal(describe(&again, &out), cell_pairs[i].value);
    }
}

/* What cells do not hold is printed in its simplest form. */
static void printed_forms(void **state)
{
    static const struct {
        enum pg_type type;
        const char *in, *text, *json;
    } cases[] = {
        {PG_INTERVAL, "1 year", "8766:00:00", "\"8766:00:00\""},
        {PG_INTERVAL, "-1 days +00:00:00.25", "-23:59:59.75", "\"-23:59:59.75\""},
        {PG_INTERVAL, "-infinity", "-infinity", "\"-infinity\""},
        {PG_TIME, "04:05:06.700", "04:05:06.7", "\"04:05:06.7\""},
        {PG_MONEY, "-$1,234.50", "-1234.5", "-1234.5"},
        {PG_BIT, "0101", "0101", "\"0101\""},
        {PG_POINT, "(1.5,Infinity)", "(1.5,Infinity)", "\"(1.5,Infinity)\""},
        {PG_INT_RANGE, "[1,5]", "[1,6)", "\"[1,6)\""},
        {PG_INT_RANGE, "[1,9223372036854775807)", "[1,9223372036854775807)",
         "\"[1,9223372036854775807)\""},
        {PG_NUM_RANGE, "(1.50,2]", "[1.5,2)", "\"[1.5,2)\""},
        {PG_NUM_RANGE, "[3,3]", "[3,3]", "\"[3,3]\""},
        {PG_NUM_RANGE, "empty", "(,)", "\"(,)\""},
        {PG_DATE_RANGE, "[2013-01-01,]", "[2013-01-01,)", "\"[2013-01-01,)\""},
        {PG_TSTZ_RANGE, "[\"2013-01-01 05:00+02\",)", "[\"2013-01-01 03:00:00+00\",)",
         "\"[\\\"2013-01-01 03:00:00+00\\\",)\""},
        {PG_BOOL_ARRAY, "{t,f,NULL}", "{t,f,NULL}", "[true,false,null]"},
        {PG_INT8_ARRAY, "{9223372036854775807}", "{9223372036854775807}", "[9223372036854775807]"},
        {PG_FLOAT4_ARRAY, "{0.1,-Infinity,NaN}", "{0.1,-Infinity,NULL}",
         "[0.1,\"-Infinity\",null]"},
        {PG_TEXT_ARRAY, "{a,NULL,\"NULL\",\"\",\"a b\",\"\\\"\\\\\",\"{\",x}",
         "{a,NULL,\"NULL\",\"\",\"a b\",\"\\\"\\\\\",\"{\",x}",
         "[\"a\",null,\"NULL\",\"\",\"a b\",\"\\\"\\\\\",\"{\",\"x\"]"},
        {PG_VECTOR, "[0.1,2]", "[0.1,2]", "\"[0.1,2]\""},
        {PG_JSON, "{\"a\" : [1]}", "{\"a\" : [1]}", "{\"a\" : [1]}"},
    };
    CLEANUP(cell_scratch_release) struct cell_scratch scratch = {0};
    CLEANUP(buf_release) struct buf out = {0};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct cell cell;
        struct err err = {0};

        if (cell_from_text(cases[i].type, NULL, cases[i].in, strlen(cases[i].in), &scratch, &cell,
                           &err))
            fail_msg("%s: %s", cases[i].in, err.message);
        buf_clear(&out);
        cell_to_text(cases[i].type, &cell, &out);
        assert_string_equal(buf_text(&out), cases[i].text);
        buf_clear(&out);
        cell_to_json(cases[i].type, &cell, &out);
        assert_string_equal(buf_text(&out), cases[i].json);
    }
}

/* What Postgres would not print but people write. value NULL: refused. */
static void other_texts(void **state)
{
    static const struct {
        enum pg_type type;
        const char *text, *value;
    } cases[] = {
        {PG_TIME, "04:05", "14700"},
        {PG_TIME, "24:00:00.1", NULL},
        {PG_TIME, "4:05", NULL},
        {PG_TIME, "04:05:06+00", NULL},
        {PG_INTERVAL, "90 minutes", "5400"},
        {PG_INTERVAL, "1 day 2 hours", "93600"},
        {PG_INTERVAL, "-1:30:00", "-5400"},
        {PG_INTERVAL, "infinity", "inf"},
        {PG_INTERVAL, "", NULL},
        {PG_INTERVAL, "5", NULL},
        {PG_INTERVAL, "1 fortnight", NULL},
        {PG_INTERVAL, "1 day ago", NULL},
        {PG_INTERVAL, "1:2:3", NULL},
        {PG_INTERVAL, "12345678901234 days", NULL},
        {PG_INTERVAL, "190000001 years", NULL},
        {PG_INTERVAL, "-190000000 years -1 seconds", NULL},
        {PG_MONEY, "12.5", "12.5"},
        {PG_MONEY, "$1,,0", NULL},
        {PG_MONEY, "$", NULL},
        {PG_MONEY, "($1.00)", NULL},
        {PG_BIT, "102", NULL},
        {PG_POINT, "( 1 , 2 )", "[1 2]"},
        {PG_POINT, "1,2", NULL},
        {PG_POINT, "(1,2,3)", NULL},
        {PG_POINT, "(1,2) ", NULL},
        {PG_INT_RANGE, "(1,5]", "[2 6]"},
        {PG_INT_RANGE, "[1,1)", "[nan nan]"},
        {PG_INT_RANGE, "(1,2)", "[nan nan]"},
        {PG_DATE_RANGE, "(2013-01-01,2013-01-02)", "[nan nan]"},
        {PG_INT_RANGE, "EMPTY", "[nan nan]"},
        {PG_INT_RANGE, "[1,9223372036854775807]", "[1 9.2233720368547758e+18]"},
        {PG_INT_RANGE, "[6,1)", NULL},
        {PG_INT_RANGE, "[1.5,2)", NULL},
        {PG_INT_RANGE, "[1,2", NULL},
        {PG_INT_RANGE, "1,2", NULL},
        {PG_INT_RANGE, "[1,2)x", NULL},
        {PG_INT_RANGE, "[\"\",2)", NULL},
        {PG_DATE_RANGE, "[2013-01-01,2013-01-01]", "[410313600000000 410400000000000]"},
        {PG_DATE_RANGE, "[2013-13-01,)", NULL},
        {PG_INT4_ARRAY, " { 1 , null } ", "[1 nan]"},
        {PG_INT4_ARRAY, "{\"1\"}", "[1]"},
        {PG_INT4_ARRAY, "[1:1][-2:-1]={{1,2}}", "null"},
        {PG_INT4_ARRAY, "{1,{2}}", "null"},
        {PG_INT4_ARRAY, "{1.5}", NULL},
        {PG_INT4_ARRAY, "{2147483648}", NULL},
        {PG_INT4_ARRAY, "{1,}", NULL},
        {PG_INT4_ARRAY, "{,1}", NULL},
        {PG_INT4_ARRAY, "{1", NULL},
        {PG_INT4_ARRAY, "{1}}", NULL},
        {PG_INT4_ARRAY, "{{1}", NULL},
        {PG_INT4_ARRAY, "[1:2]{1,2}", NULL},
        {PG_INT4_ARRAY, "1", NULL},
        {PG_INT4_ARRAY, "", NULL},
        {PG_TEXT_ARRAY, "{a b , \"c\\\\\\\"d\"}", "a b|c\\\"d"},
        {PG_TEXT_ARRAY, "{\"a\\\"}", NULL},
        {PG_TEXT_ARRAY, "{a\"b}", NULL},
        {PG_TEXT_ARRAY, "{a\\b}", NULL},
        {PG_VECTOR, "[ 1, 2 ]", "[1 2]"},
        {PG_VECTOR, "[]", "[]"},
        {PG_VECTOR, "{1,2}", NULL},
        {PG_VECTOR, "[1,NULL]", NULL},
        {PG_VECTOR, "[1,[2]]", NULL},
        {PG_JSON, "[1,{\"a\":null}]", "[1,{\"a\":null}]"},
        {PG_JSON, " [ 1 ]\n", "[ 1 ]"},
        {PG_JSON, "[1", NULL},
        {PG_JSON, "", NULL},
        {PG_JSON, "{\"a\":\"\\u0000\"}", "null"},
        {PG_JSON, "{\"\\u0000\":1}", "null"},
        {PG_JSON, "\"\\\\u0000\"", "\"\\\\u0000\""},
        {PG_JSON, "1e400", "1e400"},
        {PG_JSON, "[1e10001]", "null"},
    };
    CLEANUP(cell_scratch_release) struct cell_scratch scratch = {0};
    CLEANUP(buf_release) struct buf out = {0};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct cell cell = {0};
        struct err err = {0};
        enum err_code code = cell_from_text(cases[i].type, NULL, cases[i].text,
                                            strlen(cases[i].text), &scratch, &cell, &err);

        if ((code == ERR_OK) != (cases[i].value != NULL))
            fail_msg("%s: %s", cases[i].text, code == ERR_OK ? "taken" : err.message);
        if (code == ERR_OK) {
            assert_string_equal(describe(&cell, &out), cases[i].value);
            continue;
        }
        assert_int_equal(code, ERR_INVALID);
        assert_memory_equal(err.message, "expected ", strlen("expected "));
    }
}

/* value NULL: the message is `message`. */
static void json_values(void **state)
{
    static const struct {
        enum pg_type type;
        const char *json, *value, *message;
    } cases[] = {
        {PG_INTERVAL, "null", "null", NULL},
        {PG_INTERVAL, "3600", NULL, "expected an interval like 1 day 02:03:04, found a number"},
        {PG_TIME, "true", NULL, "expected a time like 04:05:06, found true"},
        {PG_MONEY, "1.25", "1.25", NULL},
        {PG_MONEY, "\"-$1.25\"", "-1.25", NULL},
        {PG_POINT, "[1,2]", NULL, "expected a point like (1,2), found an array"},
        {PG_FLOAT8_ARRAY, "[1.5,null,\"-Infinity\",\"NaN\"]", "[1.5 nan -inf nan]", NULL},
        {PG_FLOAT8_ARRAY, "[]", "[]", NULL},
        {PG_FLOAT8_ARRAY, "\"{1,2}\"", "[1 2]", NULL},
        {PG_FLOAT8_ARRAY, "[[1,2],[3]]", "null", NULL},
        {PG_FLOAT8_ARRAY, "[1,true]", NULL, "element 2: expected a number, found true"},
        {PG_FLOAT8_ARRAY, "[{}]", NULL, "element 1: expected a number, found an object"},
        {PG_FLOAT8_ARRAY, "[1e400]", NULL,
         "element 1: the number 1e400 is beyond what a double can hold"},
        {PG_FLOAT8_ARRAY, "{}", NULL,
         "expected an array of numbers like [1, 2.5], found an object"},
        {PG_FLOAT8_ARRAY, "1", NULL, "expected an array of numbers like [1, 2.5], found a number"},
        {PG_FLOAT4_ARRAY, "[1.00000005960464477540]", "[1.0000001192092896]", NULL},
        {PG_BOOL_ARRAY, "[true,\"f\"]", "[1 0]", NULL},
        {PG_TEXT_ARRAY, "[\"a\",\"\\u00e9\\n\",null,\"\\\"\"]", "a|é\n|NULL|\"", NULL},
        {PG_TEXT_ARRAY, "\"{\\\"a\\\",b,\\\"\\\\\\\\\\\"}\"", "a|b|\\", NULL},
        {PG_TEXT_ARRAY, "[[\"a\"]]", "null", NULL},
        {PG_TEXT_ARRAY, "[1]", NULL, "element 1: expected a string, found a number"},
        {PG_TEXT_ARRAY, "[\"\\u0000\"]", NULL, "element 1: a string holds \\u0000"},
        {PG_VECTOR, "[1,null]", NULL, "element 2: expected a number, found null"},
        {PG_VECTOR, "[1,[2]]", NULL, "element 2: expected a number, found an array"},
        {PG_JSON, "{ \"a\" : [1,\"x\"] }", "{ \"a\" : [1,\"x\"] }", NULL},
        {PG_JSON, "\"{\\\"a\\\": 1}\"", "{\"a\": 1}", NULL}, /* Postgres's text form */
        {PG_JSON, "\"{a}\"", "\"{a}\"", NULL},               /* a string that is no document */
        {PG_JSON, "\"1\"", "\"1\"", NULL},
        {PG_JSON, "true", "true", NULL},
        {PG_JSON, "null", "null", NULL},
        {PG_JSON, "[\"\\u0000\"]", "null", NULL},
        {PG_TEXT_TYPE, "[\"a\"]", NULL, "expected a string, found an array"},
    };
    CLEANUP(cell_scratch_release) struct cell_scratch scratch = {0};
    CLEANUP(buf_release) struct buf out = {0};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct cell cell;
        struct err err = {0};
        enum err_code code = read_json(cases[i].type, cases[i].json, &scratch, &cell, &err);

        if (cases[i].value != NULL) {
            if (code != ERR_OK)
                fail_msg("%s: %s", cases[i].json, err.message);
            assert_string_equal(describe(&cell, &out), cases[i].value);
            continue;
        }
        assert_int_equal(code, ERR_INVALID);
        assert_string_equal(err.message, cases[i].message);
    }
}

static void damaged_binary_is_refused(void **state)
{
    static const struct {
        enum pg_type type;
        const char *hex;
    } cases[] = {
        {PG_TIME, "00"},
        {PG_INTERVAL, "0000000000000000000000000000"},
        {PG_INTERVAL, "0000000000000000000000000000000000"},
        {PG_MONEY, ""},
        {PG_BIT, "00000009ff"},
        {PG_BIT, "00000008ff00"},
        {PG_BIT, "ffffffff"},
        {PG_POINT, "3ff00000000000004000000000"},
        {PG_INT_RANGE, ""},
        {PG_INT_RANGE, "0200000004000000010000000400"},
        {PG_INT_RANGE, "0200000003000001"},
        {PG_INT_RANGE, "02ffffffffffffffff"},
        {PG_INT_RANGE, "0100"},
        {PG_INT_RANGE, "0200000004000000020000000400000001"}, /* the wrong way round */
        {PG_TIME, "000000141dd76001"},
        {PG_TIME, "ffffffffffffffff"},
        {PG_TIMESTAMP, "7ffffffffffffffe"},
        {PG_INT4_ARRAY, "0000000100000000"},
        {PG_INT4_ARRAY, "000000070000000000000017"},
        {PG_INT4_ARRAY, "ffffffff0000000000000017"},
        {PG_INT4_ARRAY, "000000010000000000000017ffffffff00000001"},
        {PG_INT4_ARRAY, "0000000100000000000000170000000200000001000000040000000"
                        "1"}, /* one of two */
        {PG_INT4_ARRAY, "000000010000000000000017000000010000000100000002000"
                        "1"}, /* an int2 */
        {PG_INT4_ARRAY, "00000000000000000000001700"},
        {PG_TEXT_ARRAY, "000000010000000000000019000000010000000100000002"
                        "61"},
        {PG_VECTOR, "000200003f800000"},
        {PG_VECTOR, "ffff0000"},
    };
    CLEANUP(cell_scratch_release) struct cell_scratch scratch = {0};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        uint8_t bytes[64];
        uint32_t n_bytes = from_hex(cases[i].hex, bytes);
        struct cell cell = {.int_value = 17};
        struct err err = {0};

        assert_int_equal(cell_from_binary(cases[i].type, bytes, n_bytes, &scratch, &cell, &err),
                         ERR_CORRUPT);
        assert_int_equal(cell.int_value, 17);
    }
}

static void long_lists_are_refused(void **state)
{
    CLEANUP(cell_scratch_release) struct cell_scratch scratch = {0};
    CLEANUP(buf_release) struct buf text = {0}, json = {0}, bits = {0};
    struct cell cell;
    struct err err = {0};

    (void)state;
    for (int i = 0; i < CELL_ITEMS_MAX; i++) {
        buf_puts(&text, i == 0 ? "{1" : ",1");
        buf_puts(&json, i == 0 ? "[\"\\n\"" : ",\"\\n\"");
        buf_putc(&bits, '1');
    }
    buf_putc(&text, '}');
    buf_putc(&json, ']');
    assert_int_equal(
        cell_from_text(PG_INT4_ARRAY, NULL, text.data, text.length, &scratch, &cell, &err), ERR_OK);
    assert_int_equal(cell.n_items, CELL_ITEMS_MAX);
    assert_int_equal(read_json(PG_TEXT_ARRAY, json.data, &scratch, &cell, &err), ERR_OK);
    assert_int_equal(cell.n_items, CELL_ITEMS_MAX);
    assert_int_equal(cell.texts[0].text[0], '\n');
    assert_int_equal(cell.texts[CELL_ITEMS_MAX - 1].text[0], '\n');
    text.data[text.length - 1] = ',';
    buf_puts(&text, "1}");
    json.data[json.length - 1] = ',';
    buf_puts(&json, "null]");
    buf_putc(&bits, '1');
    assert_int_equal(
        cell_from_text(PG_INT4_ARRAY, NULL, text.data, text.length, &scratch, &cell, &err),
        ERR_LIMIT);
    assert_string_equal(err.message, "a list of more than 16000 elements");
    assert_int_equal(read_json(PG_TEXT_ARRAY, json.data, &scratch, &cell, &err), ERR_LIMIT);
    assert_int_equal(cell_from_text(PG_BIT, NULL, bits.data, bits.length, &scratch, &cell, &err),
                     ERR_LIMIT);
}

/* One level more than a document may have, and more than a reader follows. */
static void deep_documents_are_missing(void **state)
{
    static const int depths[] = {CELL_JSON_DEPTH, CELL_JSON_DEPTH + 1, JSON_DEPTH_MAX + 1};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(depths); i++) {
        CLEANUP(buf_release) struct buf text = {0};
        struct cell cell;
        struct err err = {0};

        for (int k = 0; k < depths[i]; k++)
            buf_putc(&text, '[');
        for (int k = 0; k < depths[i]; k++)
            buf_putc(&text, ']');
        assert_int_equal(cell_from_binary(PG_JSON, (const uint8_t *)text.data,
                                          (uint32_t)text.length, NULL, &cell, &err),
                         ERR_OK);
        assert_int_equal(cell.is_null, i > 0);
        assert_int_equal(cell_from_text(PG_JSON, NULL, text.data, text.length, NULL, &cell, &err),
                         ERR_OK);
        assert_int_equal(cell.is_null, i > 0);
    }
}

/* The scratch of one value serves the next: nothing is allocated once it has grown. */
static void scratch_is_reused(void **state)
{
    static const char json[] = "[\"\\u00e9\",\"b\"]", text[] = "{1,2,3}";
    CLEANUP(cell_scratch_release) struct cell_scratch scratch = {0};
    struct cell_scratch before;
    struct cell cell;
    struct err err = {0};

    (void)state;
    for (int round = 0; round < 3; round++) {
        assert_int_equal(read_json(PG_TEXT_ARRAY, json, &scratch, &cell, &err), ERR_OK);
        assert_int_equal(
            cell_from_text(PG_INT4_ARRAY, NULL, text, strlen(text), &scratch, &cell, &err), ERR_OK);
        if (round > 0) {
            assert_ptr_equal(scratch.items, before.items);
            assert_ptr_equal(scratch.texts, before.texts);
            assert_ptr_equal(scratch.bytes.data, before.bytes.data);
        }
        before = scratch;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binary_text_and_json_are_one_value),
        cmocka_unit_test(what_is_printed_reads_back),
        cmocka_unit_test(printed_forms),
        cmocka_unit_test(other_texts),
        cmocka_unit_test(json_values),
        cmocka_unit_test(damaged_binary_is_refused),
        cmocka_unit_test(long_lists_are_refused),
        cmocka_unit_test(deep_documents_are_missing),
        cmocka_unit_test(scratch_is_reused),
    };

    return cmocka_run_group_tests_name("frame/cell_types", tests, NULL, NULL);
}
