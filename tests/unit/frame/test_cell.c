/* A value that came by COPY and the same value as text or JSON are one value, to the bit. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "frame/cell.h"

/* What PostgreSQL 15 sends (typesend), prints (::text) and writes as JSON (to_jsonb); digits beyond
 * a line are written with an exponent. JSON NULL: as the text. */
static const struct {
    enum pg_type type;
    const char *hex, *text, *json;
} pairs[] = {
    {PG_BOOL, "01", "true", "true"},
    {PG_BOOL, "00", "false", "false"},
    {PG_INT2, "8000", "-32768", "-32768"},
    {PG_INT2, "7fff", "32767", "32767"},
    {PG_INT2, "0000", "0", "0"},
    {PG_INT4, "80000000", "-2147483648", "-2147483648"},
    {PG_INT4, "7fffffff", "2147483647", "2147483647"},
    {PG_INT4, "ffffffff", "-1", "-1"},
    {PG_INT8, "8000000000000000", "-9223372036854775808", "-9223372036854775808"},
    {PG_INT8, "7fffffffffffffff", "9223372036854775807", "9223372036854775807"},
    {PG_INT8, "0020000000000001", "9007199254740993", "9007199254740993"},
    {PG_FLOAT4, "3dcccccd", "0.1", "0.1"},
    {PG_FLOAT4, "4b800000", "1.6777216e+07", "16777216"},
    {PG_FLOAT4, "7f7fffff", "3.4028235e+38", "340282350000000000000000000000000000000"},
    {PG_FLOAT4, "00000001", "1e-45", "0.000000000000000000000000000000000000000000001"},
    {PG_FLOAT4, "00800000", "1.1754944e-38", "0.000000000000000000000000000000000000011754944"},
    {PG_FLOAT4, "bf000000", "-0.5", "-0.5"},
    {PG_FLOAT4, "4996b438", "1.234567e+06", "1234567"},
    {PG_FLOAT4, "497423f0", "999999", "999999"},
    {PG_FLOAT4, "7f800000", "Infinity", "\"Infinity\""},
    {PG_FLOAT4, "7fc00000", "NaN", "\"NaN\""},
    {PG_FLOAT4, "4b000000", "8.388608e+06", "8388608"},
    {PG_FLOAT4, "35800000", "9.536743e-07", "0.0000009536743"},
    {PG_FLOAT8, "3fb999999999999a", "0.1", "0.1"},
    {PG_FLOAT8, "44b52d02c7e14af6", "9.999999999999999e+22", "99999999999999990000000"},
    {PG_FLOAT8, "4340000000000000", "9.007199254740992e+15", "9007199254740992"},
    {PG_FLOAT8, "0000000000000001", "5e-324", "5e-324"},
    {PG_FLOAT8, "7fefffffffffffff", "1.7976931348623157e+308", "1.7976931348623157e308"},
    {PG_FLOAT8, "0010000000000000", "2.2250738585072014e-308", "2.2250738585072014e-308"},
    {PG_FLOAT8, "3d30000000000000", "5.684341886080802e-14", "0.00000000000005684341886080802"},
    {PG_FLOAT8, "42dc12218377de66", "123456789012345.6", "123456789012345.6"},
    {PG_FLOAT8, "430c6bf526340000", "1e+15", "1000000000000000"},
    {PG_FLOAT8, "430c6bf52633fff8", "999999999999999", "999999999999999"},
    {PG_FLOAT8, "3ee4f8b588e368f1", "1e-05", "0.00001"},
    {PG_FLOAT8, "3f1a36e2eb1c432d", "0.0001", "0.0001"},
    {PG_FLOAT8, "fff0000000000000", "-Infinity", "\"-Infinity\""},
    {PG_FLOAT8, "7ff8000000000000", "NaN", "\"NaN\""},
    {PG_FLOAT8, "c0934a0000000000", "-1234.5", "-1234.5"},
    {PG_NUMERIC, "0000000000000000", "0", NULL},
    {PG_NUMERIC, "0000000000000002", "0.00", NULL},
    {PG_NUMERIC, "000200000000000200011388", "1.50", NULL},
    {PG_NUMERIC, "000400014000000504d2162e000003e8", "-12345678.00001", NULL},
    {PG_NUMERIC, "00010002000000000001", "100000000", NULL},
    {PG_NUMERIC, "0004000300000000232f07c8156203e1", "9007199254740993", NULL},
    {PG_NUMERIC, "000b00030000001b232f07c8156203e1000000000000000000000000000a",
     "9007199254740993.000000000000000000000000001", NULL},
    {PG_NUMERIC, "000b00030000001b232f07c8156203e0270f270f270f270f270f270f2706",
     "9007199254740992.999999999999999999999999999", NULL},
    {PG_NUMERIC, "0001ffff0000000103e8", "0.1", NULL},
    {PG_NUMERIC, "0001ffaf000001440005", "5e-324", NULL},
    {PG_NUMERIC, "0005ffaf000001540002125f0b0623f60917", "2.4703282292062327e-324", NULL},
    {PG_NUMERIC, "0005ffaf000001540002125f0b0623f60918", "2.4703282292062328e-324", NULL},
    {PG_NUMERIC, "0005004d0000000000011f28246112fe0c56", "1.7976931348623158e308", NULL},
    {PG_NUMERIC, "0005004d0000000000011f28246112fe0c57", "1.7976931348623159e308", NULL},
    {PG_NUMERIC, "00010064400000000001", "-1e400", NULL},
    {PG_NUMERIC, "00000000c0000000", "NaN", NULL},
    {PG_NUMERIC, "00000000d0000020", "Infinity", NULL},
    {PG_NUMERIC, "00000000f0000020", "-Infinity", NULL},
    {PG_NUMERIC, "0001ff9c000001900001", "1e-400", NULL},
    {PG_NUMERIC, "0006000200000009000109291a8504d2162e2328", "123456789.123456789", NULL},
    {PG_DATE, "00000000", "2000-01-01", "\"2000-01-01\""},
    {PG_DATE, "ffffffff", "1999-12-31", "\"1999-12-31\""},
    {PG_DATE, "0000115a", "2012-02-29", "\"2012-02-29\""},
    {PG_DATE, "fff4dbf9", "0001-01-01", "\"0001-01-01\""},
    {PG_DATE, "fff4dbf8", "0001-12-31 BC", "\"0001-12-31 BC\""},
    {PG_DATE, "ffda97a7", "4714-11-24 BC", "\"4714-11-24 BC\""},
    {PG_DATE, "065ce7ee", "294276-12-31", "\"294276-12-31\""},
    {PG_DATE, "065ce7ef", "294277-01-01", "\"294277-01-01\""},
    {PG_DATE, "7fda970c", "5874897-12-31", "\"5874897-12-31\""},
    {PG_DATE, "7fffffff", "infinity", "\"infinity\""},
    {PG_DATE, "80000000", "-infinity", "\"-infinity\""},
    {PG_TIMESTAMP, "00017531c5421400", "2013-01-01 05:00:00", "\"2013-01-01T05:00:00\""},
    {PG_TIMESTAMP, "ffffffffffffffff", "1999-12-31 23:59:59.999999",
     "\"1999-12-31T23:59:59.999999\""},
    {PG_TIMESTAMP, "00000000000186a0", "2000-01-01 00:00:00.1", "\"2000-01-01T00:00:00.1\""},
    {PG_TIMESTAMP, "ff1af9e8fb46d000", "0044-03-15 12:00:00 BC", "\"0044-03-15T12:00:00 BC\""},
    {PG_TIMESTAMP, "fd0f7cc1411fa000", "4714-11-24 00:00:00 BC", "\"4714-11-24T00:00:00 BC\""},
    {PG_TIMESTAMP, "7fffff5bb3b29fff", "294276-12-31 23:59:59.999999",
     "\"294276-12-31T23:59:59.999999\""},
    {PG_TIMESTAMP, "7fffffffffffffff", "infinity", "\"infinity\""},
    {PG_TIMESTAMP, "8000000000000000", "-infinity", "\"-infinity\""},
    {PG_TIMESTAMPTZ, "00017531c5421400", "2013-01-01 05:00:00+00", "\"2013-01-01T05:00:00+00:00\""},
    {PG_TIMESTAMPTZ, "fffffffffff85ee0", "1999-12-31 23:59:59.5+00",
     "\"1999-12-31T23:59:59.5+00:00\""},
    {PG_TIMESTAMPTZ, "ff1af9e8fb46d000", "0044-03-15 12:00:00+00 BC",
     "\"0044-03-15T12:00:00+00:00 BC\""},
    {PG_TIMESTAMPTZ, "7fffffffffffffff", "infinity", "\"infinity\""},
};

static uint32_t from_hex(const char *hex, uint8_t *bytes)
{
    uint32_t n = 0;

    for (; hex[2 * n] != '\0'; n++) {
        const char digits[] = {hex[2 * n], hex[2 * n + 1], '\0'};

        bytes[n] = (uint8_t)strtol(digits, NULL, 16);
    }
    return n;
}

static void assert_same(const struct cell *a, const struct cell *b, const char *what)
{
    bool same = a->kind == b->kind && a->is_null == b->is_null;

    if (same && !a->is_null && a->kind == CELL_TEXT)
        same = a->n_bytes == b->n_bytes && memcmp(a->text, b->text, a->n_bytes) == 0;
    else if (same && !a->is_null && a->kind == CELL_FLOAT4)
        same = memcmp(&a->float_value, &b->float_value, sizeof(float)) == 0;
    else if (same && !a->is_null && a->kind == CELL_BOOL)
        same = a->bool_value == b->bool_value;
    else if (same && !a->is_null)
        same = memcmp(&a->int_value, &b->int_value, sizeof(int64_t)) == 0;
    if (!same)
        fail_msg("not the same: %s", what);
}

static void read_json(enum pg_type type, const char *json, struct cell *ret_cell)
{
    struct err err = {0};
    enum err_code code;

    if (json[0] == '"')
        code = cell_from_text(type, NULL, json + 1, strlen(json) - 2, NULL, ret_cell, &err);
    else if (json[0] == 't' || json[0] == 'f')
        code = cell_from_bool(type, json[0] == 't', ret_cell, &err);
    else
        code = cell_from_number(type, json, strlen(json), ret_cell, &err);
    if (code != ERR_OK)
        fail_msg("%s as JSON: %s", json, err.message);
}

static void binary_text_and_json_are_one_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(pairs); i++) {
        uint8_t bytes[64];
        uint32_t n_bytes = from_hex(pairs[i].hex, bytes);
        struct cell binary, text, json;
        struct err err = {0};

        assert_int_equal(cell_from_binary(pairs[i].type, bytes, n_bytes, NULL, &binary, &err),
                         ERR_OK);
        assert_int_equal(cell_from_text(pairs[i].type, NULL, pairs[i].text, strlen(pairs[i].text),
                                        NULL, &text, &err),
                         ERR_OK);
        assert_same(&binary, &text, pairs[i].text);
        if (pairs[i].json != NULL) {
            read_json(pairs[i].type, pairs[i].json, &json);
            assert_same(&binary, &json, pairs[i].json);
        }
    }
}

/* numeric is held as a double and is printed as one: it need only read back. */
static void what_is_printed_is_what_postgres_prints(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(pairs); i++) {
        CLEANUP(buf_release) struct buf text = {0}, json = {0};
        struct cell cell, again;
        struct err err = {0};

        assert_int_equal(cell_from_text(pairs[i].type, NULL, pairs[i].text, strlen(pairs[i].text),
                                        NULL, &cell, &err),
                         ERR_OK);
        cell_to_text(pairs[i].type, &cell, &text);
        cell_to_json(pairs[i].type, &cell, &json);
        if (cell.is_null) {
            assert_string_equal(buf_text(&text), "");
            assert_string_equal(buf_text(&json), "null");
            continue;
        }
        if (pairs[i].type != PG_NUMERIC)
            assert_string_equal(buf_text(&text), pairs[i].text);
        if (pairs[i].json != NULL && pairs[i].json[0] == '"')
            assert_string_equal(buf_text(&json), pairs[i].json);
        read_json(pairs[i].type, buf_text(&json), &again);
        if (pairs[i].type != PG_NUMERIC || isfinite(cell.double_value))
            assert_same(&cell, &again, buf_text(&json));
    }
}

static void wrong_lengths_are_corrupt(void **state)
{
    static const struct {
        enum pg_type type;
        const char *hex;
    } cases[] = {
        {PG_BOOL, ""},
        {PG_BOOL, "0101"},
        {PG_INT2, "00"},
        {PG_INT4, "000000"},
        {PG_INT8, "00000000"},
        {PG_FLOAT4, "0000000000000000"},
        {PG_FLOAT8, "00000000"},
        {PG_DATE, "0000000000000000"},
        {PG_TIMESTAMP, "00000000"},
        {PG_TIMESTAMPTZ, ""},
        {PG_NUMERIC, "00010000000000"},       /* header cut */
        {PG_NUMERIC, "0001000000000000"},     /* digit missing */
        {PG_NUMERIC, "000000000000000000"},   /* a byte too many */
        {PG_NUMERIC, "00010000000000002710"}, /* digit 10000 */
        {PG_NUMERIC, "00010000800000000001"}, /* no such sign */
        {PG_NUMERIC, "ffff0000000000000001"}, /* 65535 digits */
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct cell cell = {.int_value = 17};
        struct err err = {0};
        uint8_t bytes[64];
        uint32_t n_bytes = from_hex(cases[i].hex, bytes);

        assert_int_equal(cell_from_binary(cases[i].type, bytes, n_bytes, NULL, &cell, &err),
                         ERR_CORRUPT);
        assert_int_equal(cell.int_value, 17);
    }
}

static void text_keeps_its_bytes_and_char_loses_its_padding(void **state)
{
    static const struct {
        enum pg_type type;
        const char *in, *out;
    } cases[] = {
        {PG_TEXT_TYPE, "", ""},
        {PG_TEXT_TYPE, " UA  ", " UA  "},
        {PG_BPCHAR, " UA  ", " UA"},
        {PG_BPCHAR, "    ", ""},
        {PG_BPCHAR, "a\t", "a\t"}, /* blanks only */
        {PG_ENUM, "ok ", "ok "},
        {PG_OTHER, "{1,2}", "{1,2}"},
        {PG_TEXT_TYPE, "d\xc3\xa9j\xc3\xa0 \xf0\x9f\x98\x80",
         "d\xc3\xa9j\xc3\xa0 \xf0\x9f\x98\x80"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        CLEANUP(buf_release) struct buf text = {0};
        struct cell binary, cell;
        struct err err = {0};

        assert_int_equal(cell_from_binary(cases[i].type, (const uint8_t *)cases[i].in,
                                          (uint32_t)strlen(cases[i].in), NULL, &binary, &err),
                         ERR_OK);
        assert_int_equal(cell_from_text(cases[i].type, NULL, cases[i].in, strlen(cases[i].in), NULL,
                                        &cell, &err),
                         ERR_OK);
        assert_same(&binary, &cell, cases[i].in);
        cell_to_text(cases[i].type, &cell, &text);
        assert_string_equal(buf_text(&text), cases[i].out);
    }
}

/* As PostgreSQL 15 takes or refuses them, but that blanks around are refused, and that a float too
 * small or (float4) too large for its type is not. */
static void text_forms(void **state)
{
    static const struct {
        enum pg_type type;
        const char *text;
        bool taken;
        double value; /* NAN: missing */
    } cases[] = {
        {PG_BOOL, "t", true, 1},
        {PG_BOOL, "TRUE", true, 1},
        {PG_BOOL, "tru", true, 1},
        {PG_BOOL, "yes", true, 1},
        {PG_BOOL, "on", true, 1},
        {PG_BOOL, "1", true, 1},
        {PG_BOOL, "f", true, 0},
        {PG_BOOL, "n", true, 0},
        {PG_BOOL, "of", true, 0},
        {PG_BOOL, "0", true, 0},
        {PG_BOOL, "o", false, 0}, /* on or off? */
        {PG_BOOL, "truest", false, 0},
        {PG_BOOL, "2", false, 0},
        {PG_BOOL, "", false, 0},
        {PG_BOOL, " t", false, 0},
        {PG_INT2, "+12", true, 12},
        {PG_INT2, "0012", true, 12},
        {PG_INT2, "-0", true, 0},
        {PG_INT2, "32768", false, 0},
        {PG_INT2, "-32769", false, 0},
        {PG_INT4, "2147483648", false, 0},
        {PG_INT8, "9223372036854775808", false, 0},
        {PG_INT8, "-9223372036854775809", false, 0},
        {PG_INT8, "99999999999999999999999999", false, 0},
        {PG_INT4, "1.0", false, 0},
        {PG_INT4, "1e3", false, 0},
        {PG_INT4, "", false, 0},
        {PG_INT4, "-", false, 0},
        {PG_INT4, "12 ", false, 0},
        {PG_INT4, "0x10", false, 0},
        {PG_FLOAT8, ".5", true, 0.5},
        {PG_FLOAT8, "5.", true, 5},
        {PG_FLOAT8, "+1e+2", true, 100},
        {PG_FLOAT8, "1E-2", true, 0.01},
        {PG_FLOAT8, "nan", true, NAN},
        {PG_FLOAT8, "inf", true, HUGE_VAL},
        {PG_FLOAT8, "+Infinity", true, HUGE_VAL},
        {PG_FLOAT8, "-INF", true, -HUGE_VAL},
        {PG_FLOAT8, "1e400", false, 0},
        {PG_FLOAT8, "0e999999999999999999", true, 0},
        {PG_FLOAT8, "1e-400", true, 0},
        {PG_FLOAT8, "", false, 0},
        {PG_FLOAT8, ".", false, 0},
        {PG_FLOAT8, "e5", false, 0},
        {PG_FLOAT8, "1e", false, 0},
        {PG_FLOAT8, "1e+", false, 0},
        {PG_FLOAT8, "1.2.3", false, 0},
        {PG_FLOAT8, "0x1p3", false, 0},
        {PG_FLOAT8, "1,5", false, 0},
        {PG_FLOAT8, "-nan", false, 0},
        {PG_FLOAT8, "infinit", false, 0},
        {PG_FLOAT4, "1e39", true, HUGE_VAL}, /* the encoder clamps */
        {PG_FLOAT4, "1e400", false, 0},
        {PG_FLOAT4, "NaN", true, NAN},
        {PG_FLOAT4, "-inf", true, -HUGE_VAL},
        {PG_NUMERIC, "1e400", true, HUGE_VAL},
        {PG_NUMERIC, "-1e400", true, -HUGE_VAL},
        {PG_NUMERIC, "$1.00", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct cell cell;
        struct err err = {0};
        enum err_code code = cell_from_text(cases[i].type, NULL, cases[i].text,
                                            strlen(cases[i].text), NULL, &cell, &err);
        double value;

        if ((code == ERR_OK) != cases[i].taken)
            fail_msg("%s \"%s\"", pg_type_name(cases[i].type), cases[i].text);
        if (!cases[i].taken) {
            assert_int_equal(code, ERR_INVALID);
            assert_non_null(strstr(err.message, cell_expected(cases[i].type)));
            continue;
        }
        value = cell.kind == CELL_BOOL     ? cell.bool_value
                : cell.kind == CELL_INT    ? (double)cell.int_value
                : cell.kind == CELL_FLOAT4 ? (double)cell.float_value
                                           : cell.double_value;
        if (isnan(cases[i].value) ? !cell.is_null : cell.is_null || value != cases[i].value)
            fail_msg("%s \"%s\" is %g", pg_type_name(cases[i].type), cases[i].text, value);
    }
}

static void json_numbers(void **state)
{
    static const struct {
        enum pg_type type;
        const char *json;
        bool taken;
        double value;
    } cases[] = {
        {PG_INT4, "1.0", true, 1},
        {PG_INT4, "1e3", true, 1000},
        {PG_INT4, "1200e-2", true, 12},
        {PG_INT4, "-0", true, 0},
        {PG_INT4, "0.0e99999999999", true, 0},
        {PG_INT4, "1.5", false, 0},
        {PG_INT4, "1e-1", false, 0},
        {PG_INT4, "2147483648", false, 0},
        {PG_INT4, "1e99999999999", false, 0},
        {PG_INT8, "9.223372036854775807e18", true, 9223372036854775807.0},
        {PG_INT8, "9223372036854775808", false, 0},
        {PG_INT8, "-9223372036854775808", true, -9223372036854775808.0},
        {PG_FLOAT8, "1e400", false, 0},
        {PG_FLOAT8, "-1e400", false, 0},
        {PG_FLOAT8, "1.7976931348623158e308", true, 1.7976931348623157e308},
        {PG_NUMERIC, "1e400", false, 0},
        {PG_FLOAT4, "1e39", true, HUGE_VAL},
        {PG_FLOAT4, "1e400", false, 0},
        {PG_BOOL, "1", false, 0},
        {PG_TEXT_TYPE, "1", false, 0},
        {PG_DATE, "1", false, 0},
        {PG_TIMESTAMPTZ, "0", false, 0},
        {PG_OTHER, "1", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct cell cell;
        struct err err = {0};
        enum err_code code =
            cell_from_number(cases[i].type, cases[i].json, strlen(cases[i].json), &cell, &err);
        double value;

        if (code != (cases[i].taken ? ERR_OK : ERR_INVALID))
            fail_msg("%s %s", pg_type_name(cases[i].type), cases[i].json);
        if (!cases[i].taken)
            continue;
        value = cell.kind == CELL_INT      ? (double)cell.int_value
                : cell.kind == CELL_FLOAT4 ? (double)cell.float_value
                                           : cell.double_value;
        if (value != cases[i].value)
            fail_msg("%s %s is %g", pg_type_name(cases[i].type), cases[i].json, value);
    }
}

/* 1 + 2^-24 + 2^-60 is above the middle of two floats, but on it once it has been a double. */
static void float4_is_rounded_once(void **state)
{
    static const char text[] = "1.0000000596046447753915248";
    struct cell cell;
    struct err err = {0};

    (void)state;
    assert_int_equal(cell_from_text(PG_FLOAT4, NULL, text, strlen(text), NULL, &cell, &err),
                     ERR_OK);
    assert_true(cell.float_value == 0x1.000002p0F);
    assert_true((float)strtod(text, NULL) == 1.0F);
}

/* 2^53 + 1 is half way; what decides stands a thousand digits later. */
static void digits_far_behind_decide(void **state)
{
    CLEANUP(buf_release) struct buf text = {0};
    struct cell cell;
    struct err err = {0};

    (void)state;
    buf_puts(&text, "9007199254740993.");
    for (int i = 0; i < 1000; i++)
        buf_putc(&text, '0');
    assert_int_equal(cell_from_text(PG_NUMERIC, NULL, text.data, text.length, NULL, &cell, &err),
                     ERR_OK);
    assert_true(cell.double_value == 9007199254740992.0);
    buf_putc(&text, '1');
    assert_int_equal(cell_from_text(PG_NUMERIC, NULL, text.data, text.length, NULL, &cell, &err),
                     ERR_OK);
    assert_true(cell.double_value == 9007199254740994.0);
    assert_int_equal(cell_from_number(PG_INT8, text.data, text.length, &cell, &err), ERR_INVALID);
}

static void booleans_only_for_boolean_columns(void **state)
{
    struct cell cell;
    struct err err = {0};

    (void)state;
    for (int type = 0; type < PG_TYPES; type++)
        assert_int_equal(cell_from_bool((enum pg_type)type, true, &cell, &err),
                         type == PG_BOOL ? ERR_OK : ERR_INVALID);
}

static void text_as_json_is_escaped(void **state)
{
    CLEANUP(buf_release) struct buf json = {0};
    const struct cell cell = {.kind = CELL_TEXT, .text = "\"\n", .n_bytes = 2};

    (void)state;
    cell_to_json(PG_TEXT_TYPE, &cell, &json);
    assert_string_equal(buf_text(&json), "\"\\\"\\n\"");
}

/* As the nearest double, by libc's reading of the same digits. */
static void numerics_of_few_digits(void **state)
{
    struct rng rng;

    (void)state;
    rng_init(&rng, 7);
    for (int round = 0; round < 200000; round++) {
        int n = 1 + (int)rng_below(&rng, 5), weight = (int)rng_below(&rng, 13) - 6;
        bool negative = rng_below(&rng, 2) != 0;
        uint8_t bytes[18] = {0, (uint8_t)n, (uint8_t)(weight >> 8), (uint8_t)weight};
        char text[64] = "-";
        int length = negative;
        double value = 0;

        bytes[4] = negative ? 0x40 : 0;
        for (int i = 0; i < n; i++) {
            int digit = 1 + (int)rng_below(&rng, 9999);

            bytes[8 + 2 * i] = (uint8_t)(digit >> 8);
            bytes[9 + 2 * i] = (uint8_t)digit;
            length += sprintf(text + length, "%04d", digit);
        }
        sprintf(text + length, "e%d", 4 * (weight - n + 1));
        assert_int_equal(numeric_to_double(bytes, 8 + 2 * (uint32_t)n, &value, NULL), ERR_OK);
        if (value != strtod(text, NULL))
            fail_msg("%s is read as %.17g", text, value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binary_text_and_json_are_one_value),
        cmocka_unit_test(what_is_printed_is_what_postgres_prints),
        cmocka_unit_test(wrong_lengths_are_corrupt),
        cmocka_unit_test(text_keeps_its_bytes_and_char_loses_its_padding),
        cmocka_unit_test(text_forms),
        cmocka_unit_test(json_numbers),
        cmocka_unit_test(float4_is_rounded_once),
        cmocka_unit_test(digits_far_behind_decide),
        cmocka_unit_test(numerics_of_few_digits),
        cmocka_unit_test(booleans_only_for_boolean_columns),
        cmocka_unit_test(text_as_json_is_escaped),
    };

    return cmocka_run_group_tests_name("frame/cell", tests, NULL, NULL);
}
