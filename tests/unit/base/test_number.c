/*
 * Numbers against strtod, strtof and printf, on random texts and values: NUMBERS of each (100,000),
 * by hand NUMBERS=10000000 build/tests/unit/base/test_number.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/number.h"
#include "base/random.h"

static struct rng rng;
static long n_numbers = 100000;

static uint64_t draw(void)
{
    return rng_next(&rng);
}

/* From text ------------------------------------------------------------------------------------ */

/* The number is the reader's own, as requests give it. */
static struct number scan(const char *text)
{
    struct json_reader reader;

    json_reader_init(&reader, text, strlen(text));
    assert_int_equal(json_next(&reader, NULL), JSON_NUMBER);
    assert_int_equal(reader.length, strlen(text));
    return reader.number;
}

static bool same_double(double a, double b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

static bool same_float(float a, float b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

/* Was the conversion to a double sure? */
static bool check_text(const char *text)
{
    struct number number = scan(text);
    bool is_sure;
    double value;
    float small;

    is_sure = number_to_double(&number, &value);
    if (is_sure && !same_double(value, strtod(text, NULL)))
        fail_msg("%s: %a, strtod %a", text, value, strtod(text, NULL));
    if (number_to_float(&number, &small) && !same_float(small, strtof(text, NULL)))
        fail_msg("%s: %a, strtof %a", text, (double)small, (double)strtof(text, NULL));
    return is_sure;
}

/* As people and programs write them: digits and a point. */
static void draw_plain(char *text)
{
    snprintf(text, 64, "%s%.*f", rng_below(&rng, 2) ? "-" : "", (int)rng_below(&rng, 8),
             (double)(draw() >> 40) / (double)(1 + rng_below(&rng, 1000)));
}

/* Any digits, any exponent that is near. */
static void draw_any(char *text)
{
    snprintf(text, 64, "%llu.%llue%d", (unsigned long long)(draw() >> rng_below(&rng, 64)),
             (unsigned long long)(draw() >> (1 + rng_below(&rng, 63))),
             (int)rng_below(&rng, 140) - 70);
}

/* The shortest text of a double or float, and of the middle between two floats: ties. */
static void draw_exact(char *text)
{
    uint64_t bits = draw();
    double value = ldexp((double)(bits >> 11), (int)(bits % 200) - 150);
    double middle = ldexp((double)(bits >> 39 | 1), (int)(bits % 40) - 20);

    switch (bits % 3) {
    case 0:
        snprintf(text, 64, "%.17g", value);
        break;
    case 1:
        snprintf(text, 64, "%.9g", value);
        break;
    default:
        snprintf(text, 64, "%.20g", middle);
    }
}

static void texts_read_as_strtod_reads_them(void **state)
{
    static void (*const draws[])(char *) = {draw_plain, draw_any, draw_exact};
    long n_sure = 0, n_plain_sure = 0;
    char text[128];

    (void)state;
    for (long i = 0; i < n_numbers; i++) {
        bool sure;

        draws[i % 3](text);
        sure = check_text(text);
        n_sure += sure;
        n_plain_sure += i % 3 == 0 && sure;
    }
    assert_true(n_plain_sure == (n_numbers + 2) / 3); /* plain ones always are */
    assert_true(n_sure > n_numbers / 2);
}

static void edges(void **state)
{
    static const struct {
        const char *text;
        bool sure;
    } cases[] = {
        {"0", true},
        {"-0", true},
        {"0.000", true},
        {"9007199254740992", true},
        {"9007199254740993", true}, /* a tie, to even */
        {"9007199254740995", true},
        {"9007199254740993.0", false}, /* the same, where 1/10 is not exact */
        {"1e22", true},
        {"1e23", true},
        {"1e55", true},
        {"1e56", false},
        {"1e-64", true},
        {"1e-65", false},
        {"9999999999999999999", true},
        {"10000000000000000000", false}, /* 20 digits */
        {"3.4028235e38", true},
        {"0.1", true},
        {"179769313486231580000e3", false},
        {"1e999999999999", false},
        {"1e-999999999999", false},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct number number = scan(cases[i].text);
        double value;

        if (number_to_double(&number, &value) != cases[i].sure)
            fail_msg("%s", cases[i].text);
        check_text(cases[i].text);
    }
}

/* What is not a normal float is not sure, and nothing is written. */
static void floats_beyond(void **state)
{
    static const char *const texts[] = {"3.4028236e38", "1e39", "1e-38", "1e-46"};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        struct number number = scan(texts[i]);
        float value = 7;

        if (number_to_float(&number, &value))
            assert_true(same_float(value, strtof(texts[i], NULL)) && isfinite(value));
        else
            assert_true(value == 7);
    }
}

/* To text -------------------------------------------------------------------------------------- */

static double read_float(const char *text)
{
    return (double)strtof(text, NULL);
}

static double read_double(const char *text)
{
    return strtod(text, NULL);
}

/* The text's digits without point and zeros around them, and the exponent of the last. */
static int digits_of(const char *text, uint64_t *ret_digits, int *ret_exponent)
{
    const char *e = strchr(text, 'e');
    uint64_t digits = 0;
    int exponent = e != NULL ? atoi(e + 1) : 0, n = 0;
    bool behind = false;

    for (; *text != '\0' && *text != 'e'; text++) {
        behind |= *text == '.';
        if (*text < '0' || *text > '9')
            continue;
        digits = digits * 10 + (uint64_t)(*text - '0');
        exponent -= behind;
    }
    for (; digits != 0 && digits % 10 == 0; digits /= 10)
        exponent++;
    for (uint64_t rest = digits; rest != 0; rest /= 10)
        n++;
    *ret_digits = digits;
    *ret_exponent = exponent;
    return n;
}

static bool reads_as(double (*read)(const char *), uint64_t digits, int exponent, double value)
{
    char text[64];

    snprintf(text, sizeof(text), "%llue%d", (unsigned long long)digits, exponent);
    return read(text) == value;
}

/* value is not negative. */
static void check_shortest(double (*read)(const char *), double value, const char *text)
{
    uint64_t digits, near;
    int exponent, n, near_exponent;
    char printed[64];

    if (!same_double(read(text), value))
        fail_msg("%s is not %a", text, value);
    n = digits_of(text, &digits, &exponent);
    snprintf(printed, sizeof(printed), "%.*e", n > 0 ? n - 1 : 0, value);
    digits_of(printed, &near, &near_exponent);
    if (read(printed) == value && (near != digits || near_exponent != exponent))
        fail_msg("%s is not the nearest to %a: %s is", text, value, printed);
    if (n < 2)
        return;
    if (reads_as(read, digits / 10, exponent + 1, value) ||
        reads_as(read, digits / 10 + 1, exponent + 1, value))
        fail_msg("%s is not the shortest of %a", text, value);
}

static bool is_json(const char *text, size_t length)
{
    struct json_reader reader;

    json_reader_init(&reader, text, length);
    return json_next(&reader, NULL) == JSON_NUMBER && json_next(&reader, NULL) == JSON_END;
}

/* Every exponent, at the beginning of its range, where the gap to the next value changes, too. */
static uint64_t draw_bits(int n_significand, uint64_t n_exponents, long i)
{
    uint64_t significand = draw() & ((UINT64_C(1) << n_significand) - 1);

    if (i % 4 == 0)
        significand &= 3;
    return (uint64_t)i % n_exponents << n_significand | significand;
}

static void floats_are_shortest(void **state)
{
    (void)state;
    for (long i = 0; i < n_numbers; i++) {
        uint32_t bits = (uint32_t)draw_bits(23, 255, i);
        char text[NUMBER_TEXT_SIZE];
        float value;
        size_t n;

        memcpy(&value, &bits, sizeof(value));
        n = number_put_float(value, text);
        assert_int_equal(n, strlen(text));
        assert_true(is_json(text, strlen(text)));
        if (value < 1e9F && truncf(value) == value) /* as it stands */
            assert_true(strtof(text, NULL) == value && strchr(text, 'e') == NULL);
        else
            check_shortest(read_float, (double)value, text);
        number_put_float(-value, text);
        assert_true(text[0] == '-' && same_float(strtof(text, NULL), -value));
    }
}

static void doubles_are_shortest(void **state)
{
    (void)state;
    for (long i = 0; i < n_numbers; i++) {
        uint64_t bits = draw_bits(52, 2047, i);
        char text[NUMBER_TEXT_SIZE];
        double value;
        size_t n;

        memcpy(&value, &bits, sizeof(value));
        if (i % 2 == 0)
            value = (double)(bits >> 3) / 0x1p61;
        n = number_put_double(value, text);
        assert_int_equal(n, strlen(text));
        assert_true(is_json(text, strlen(text)));
        assert_true(same_double(strtod(text, NULL), value));
        if (value > 1e-35 && value < 1e35 && (value >= 1e15 || trunc(value) != value))
            check_shortest(read_double, value, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_read_as_strtod_reads_them),
        cmocka_unit_test(edges),
        cmocka_unit_test(floats_beyond),
        cmocka_unit_test(floats_are_shortest),
        cmocka_unit_test(doubles_are_shortest),
    };

    if (getenv("NUMBERS") != NULL)
        n_numbers = atol(getenv("NUMBERS"));
    rng_init(&rng, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
