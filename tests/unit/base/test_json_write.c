/* Writing JSON: texts that any reader takes, numbers that read back to the same bits. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/random.h"

static void strings(void **state)
{
    static const struct {
        const char *text;
        size_t length;
        const char *json;
    } cases[] = {
        {"", 0, "\"\""},
        {"plain", 5, "\"plain\""},
        {"\"\\/", 3, "\"\\\"\\\\/\""},
        {"\b\f\n\r\t\x01\x1f\x7f", 8, "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\""},
        {"a\0b", 3, "\"a\\u0000b\""},
        {"\xc3\xa9\xf0\x9f\x98\x80", 6, "\"\xc3\xa9\xf0\x9f\x98\x80\""},
        {"\xff"
         "a\xc3",
         3,
         "\"\xef\xbf\xbd"
         "a\xef\xbf\xbd\""},
        {"\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        CLEANUP(buf_release) struct buf out = {0};

        json_put_string(&out, cases[i].text, cases[i].length);
        assert_string_equal(buf_text(&out), cases[i].json);
    }
}

static void words(void **state)
{
    CLEANUP(buf_release) struct buf out = {0};

    (void)state;
    json_put_text(&out, NULL);
    json_put_text(&out, "x");
    json_put_bool(&out, true);
    json_put_bool(&out, false);
    assert_string_equal(buf_text(&out), "null\"x\"truefalse");
}

/* Oracle: numpy's shortest repr of float32, up to the form of the exponent. */
static void floats(void **state)
{
    static const struct {
        float value;
        const char *json;
    } cases[] = {
        {0, "0"},
        {-0.0F, "-0"},
        {1, "1"},
        {-12.25F, "-12.25"},
        {0.1F, "0.1"},
        {1.0F / 3, "0.33333334"},
        {16777216, "16777216"},
        {123456792, "123456792"},
        {1e9F, "1e+09"},
        {1e20F, "1e+20"},
        {FLT_MAX, "3.4028235e+38"},
        {FLT_MIN, "1.1754944e-38"},
        {1.401298464e-45F, "1e-45"},
        {NAN, "null"},
        {INFINITY, "null"},
        {-INFINITY, "null"},
        {8.5899346e9F, "8.589935e+09"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        CLEANUP(buf_release) struct buf out = {0};

        json_put_float(&out, cases[i].value);
        assert_string_equal(buf_text(&out), cases[i].json);
    }
}

static void doubles(void **state)
{
    static const struct {
        double value;
        const char *json;
    } cases[] = {
        {0, "0"},
        {-0.0, "-0"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1e15, "1e+15"},
        {9007199254740992, "9007199254740992"},
        {12345678901234568, "12345678901234568"},
        {123456789012345680000.0, "1.2345678901234568e+20"},
        {999999999999999, "999999999999999"},
        {1.0 / 3, "0.3333333333333333"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {5e-324, "4.94065645841247e-324"},
        {NAN, "null"},
        {-INFINITY, "null"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        CLEANUP(buf_release) struct buf out = {0};

        json_put_double(&out, cases[i].value);
        assert_string_equal(buf_text(&out), cases[i].json);
    }
}

static void every_number_reads_back(void **state)
{
    CLEANUP(buf_release) struct buf out = {0};
    struct rng rng;

    (void)state;
    rng_init(&rng, 1);
    for (int i = 0; i < 200000; i++) {
        uint64_t bits = rng_next(&rng);
        uint32_t half = (uint32_t)bits;
        float f, f_back;
        double d, d_back;

        memcpy(&f, &half, sizeof(f));
        memcpy(&d, &bits, sizeof(d));
        if (isfinite(f)) {
            buf_clear(&out);
            json_put_float(&out, f);
            f_back = strtof(buf_text(&out), NULL);
            assert_memory_equal(&f, &f_back, sizeof(f));
        }
        if (isfinite(d)) {
            buf_clear(&out);
            json_put_double(&out, d);
            d_back = strtod(buf_text(&out), NULL);
            assert_memory_equal(&d, &d_back, sizeof(d));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings),
        cmocka_unit_test(words),
        cmocka_unit_test(floats),
        cmocka_unit_test(doubles),
        cmocka_unit_test(every_number_reads_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
