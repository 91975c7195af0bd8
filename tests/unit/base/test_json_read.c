/* The strict reader: what it lets through, what it refuses and where it says the fault is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json_scan.h"

/* One letter a token, so that a text's tokens are a word. */
static void tokens_of(const char *text, size_t length, char *out, size_t size, struct err *err)
{
    static const char letters[] = "!.{}[]kstTFN";
    struct json_reader reader;
    enum json_token token;
    size_t n = 0;

    json_reader_init(&reader, text, length);
    do {
        token = json_next(&reader, err);
        assert_true(n + 1 < size);
        out[n++] = token == JSON_NUMBER ? '1' : letters[token];
    } while (token != JSON_ERROR && token != JSON_END);
    out[n] = '\0';
}

static void accepts(void **state)
{
    static const struct {
        const char *text, *tokens;
    } cases[] = {
        {"{}", "{}."},
        {" [ ] \r\n\t", "[]."},
        {"null", "N."},
        {"\"\"", "s."},
        {"-0", "1."},
        {"0.5e-7", "1."},
        {"1E+400", "1."}, /* a number as text has no bounds */
        {"[true,false,null]", "[TFN]."},
        {"{\"a\":1,\"b\":{\"c\":[]}}", "{k1k{k[]}}."},
        {"{\"\":\"\"}", "{ks}."},
        {"{\"a\":1,\"a\":2}", "{k1k1}."}, /* duplicates are the caller's to find */
        {"[1,[2,[3,{}]]]", "[1[1[1{}]]]."},
        {"\"\\u0000 \\ud83d\\ude00 \\\" \\\\ \\/ \\b\\f\\n\\r\\t\"", "s."},
        {"\"\x7f\"", "s."}, /* DEL may stand as it is */
        {"\"\xf0\x9f\x98\x80 \xed\x9f\xbf \xee\x80\x80 \xf4\x8f\xbf\xbf\"", "s."},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        char tokens[64];
        struct err err = {0};

        tokens_of(cases[i].text, strlen(cases[i].text), tokens, sizeof(tokens), &err);
        if (strcmp(tokens, cases[i].tokens) != 0)
            fail_msg("%s: %s (%s)", cases[i].text, tokens, err.message);
    }
}

static void refuses(void **state)
{
    static const struct {
        const char *text, *message; /* its start */
    } cases[] = {
        {"", "line 1, column 1: expected a value, found the end of the text"},
        {" \n ", "line 2, column 2: expected a value, found the end of the text"},
        {"{", "line 1, column 2: expected a key or \"}\", found the end"},
        {"[", "line 1, column 2: expected a value, found the end"},
        {"[x", "line 1, column 2: expected a value or \"]\", found \"x\""},
        {"[1,]", "line 1, column 4: expected a value, found \"]\""},
        {"[,1]", "line 1, column 2: expected a value or \"]\", found \",\""},
        {"[1 2]", "line 1, column 4: expected \",\" or \"]\", found \"2\""},
        {"[1}", "line 1, column 3: expected \",\" or \"]\", found \"}\""},
        {"{\"a\":1,}", "line 1, column 8: expected a key, found \"}\""},
        {"{\"a\" 1}", "line 1, column 6: expected \":\" after a key, found \"1\""},
        {"{\"a\":}", "line 1, column 6: expected a value, found \"}\""},
        {"{\"a\":1 \"b\":2}", "line 1, column 8: expected \",\" or \"}\", found a quote"},
        {"{a:1}", "line 1, column 2: expected a key or \"}\", found \"a\""},
        {"{1:1}", "line 1, column 2: expected a key"},
        {"1 2", "line 1, column 3: expected the end of the text, found \"2\""},
        {"{}\n{}", "line 2, column 1: expected the end of the text, found \"{\""},
        {"01", "line 1, column 1: expected a number without leading zeros"},
        {"-01", "line 1, column 2: expected a number without leading zeros"},
        {"-", "line 1, column 2: expected a digit"},
        {"+1", "line 1, column 1: expected a value, found \"+\""},
        {".5", "line 1, column 1: expected a value"},
        {"1.", "line 1, column 3: expected a digit"},
        {"1.e5", "line 1, column 3: expected a digit"},
        {"1e", "line 1, column 3: expected a digit"},
        {"1e+", "line 1, column 4: expected a digit"},
        {"0x10", "line 1, column 2: expected the end"},
        {"NaN", "line 1, column 1: expected a value, found \"N\""},
        {"Infinity", "line 1, column 1: expected a value"},
        {"-Infinity", "line 1, column 2: expected a digit"},
        {"nul", "line 1, column 1: expected a value"},
        {"True", "line 1, column 1: expected a value"},
        {"truex", "line 1, column 5: expected the end"},
        {"'a'", "line 1, column 1: expected a value, found \"'\""},
        {"// x\n1", "line 1, column 1: expected a value, found \"/\""},
        {"\"abc", "line 1, column 5: expected the closing quote"},
        {"\"a\nb\"", "line 1, column 3: expected an escape"},
        {"\"a\tb\"", "line 1, column 3: expected an escape"},
        {"\"\\x\"", "line 1, column 2: expected a valid escape"},
        {"\"\\", "line 1, column 2: expected a valid escape"},
        {"\"\\u12g4\"", "line 1, column 2: expected a valid escape"},
        {"\"\\u123", "line 1, column 2: expected a valid escape"},
        {"\"\\ud800\"", "line 1, column 2: expected a valid escape"},
        {"\"\\udc00\"", "line 1, column 2: expected a valid escape"},
        {"\"\\ud800\\ud800\"", "line 1, column 2: expected a valid escape"},
        {"\"\\ud800x\"", "line 1, column 2: expected a valid escape"},
        {"\"\x80\"", "line 1, column 2: expected valid UTF-8, found byte 0x80"},
        {"\"\xc0\xaf\"", "line 1, column 2: expected valid UTF-8"},
        {"\"\xed\xa0\x80\"", "line 1, column 2: expected valid UTF-8"},
        {"\"\xf4\x90\x80\x80\"", "line 1, column 2: expected valid UTF-8"},
        {"\"\xe2\x82\"", "line 1, column 2: expected valid UTF-8"},
        {"\xef\xbb\xbf{}", "line 1, column 1: expected a value, found a byte order mark"},
        {"\x01", "line 1, column 1: expected a value, found byte 0x01"},
        {"\xc2\xa0"
         "1",
         "line 1, column 1: expected a value, found byte 0xc2"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        char tokens[64];
        struct err err = {0};

        tokens_of(cases[i].text, strlen(cases[i].text), tokens, sizeof(tokens), &err);
        if (tokens[strlen(tokens) - 1] != '!' || err.code != ERR_INVALID ||
            strncmp(err.message, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("%s: %s %s", cases[i].text, tokens, err.message);
    }
}

static void a_nul_byte_is_no_end(void **state)
{
    char tokens[8];
    struct err err = {0};

    (void)state;
    tokens_of("1\0", 2, tokens, sizeof(tokens), &err);
    assert_string_equal(tokens, "1!");
    tokens_of("\"a\0\"", 4, tokens, sizeof(tokens), &err);
    assert_string_equal(tokens, "!");
    tokens_of(NULL, 0, tokens, sizeof(tokens), &err);
    assert_string_equal(tokens, "!");
}

static void stays_in_error(void **state)
{
    static const char *const texts[] = {"[1,]",  "{\"a\":1,}", "{\"a\" 1}",
                                        "[1 2]", "{} x",       "\"\\q\""};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        struct json_reader reader;
        struct err first = {0}, again = {0};

        json_reader_init(&reader, texts[i], strlen(texts[i]));
        while (json_next(&reader, &first) != JSON_ERROR)
            assert_int_equal(first.code, ERR_OK);
        assert_int_equal(json_next(&reader, &again), JSON_ERROR);
        assert_string_equal(again.message, first.message);
        assert_int_equal(json_skip(&reader, JSON_ERROR, &again), ERR_INVALID);
    }
}

static void depth_is_bounded(void **state)
{
    char text[2 * JSON_DEPTH_MAX + 3], tokens[256];
    struct err err = {0};

    (void)state;
    memset(text, '[', JSON_DEPTH_MAX);
    memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    tokens_of(text, (size_t)2 * JSON_DEPTH_MAX, tokens, sizeof(tokens), &err);
    assert_int_equal(tokens[strlen(tokens) - 1], '.');
    memset(text, '[', sizeof(text));
    tokens_of(text, sizeof(text), tokens, sizeof(tokens), &err);
    assert_int_equal(strlen(tokens), JSON_DEPTH_MAX + 1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_string_equal(err.message, "line 1, column 65: nested deeper than 64 levels");
}

static void skips(void **state)
{
    static const char text[] = "[{\"a\":[1,{}],\"b\":2}, [[]], \"x\", 7]";
    struct json_reader reader;
    struct err err;

    (void)state;
    json_reader_init(&reader, text, strlen(text));
    assert_int_equal(json_next(&reader, &err), JSON_ARRAY_BEGIN);
    for (int i = 0; i < 3; i++)
        assert_int_equal(json_skip(&reader, json_next(&reader, &err), &err), ERR_OK);
    assert_int_equal(json_next(&reader, &err), JSON_NUMBER);
    assert_int_equal(reader.length, 1);
    assert_int_equal(reader.text[0], '7');
    assert_int_equal(json_next(&reader, &err), JSON_ARRAY_END);
    assert_int_equal(json_next(&reader, &err), JSON_END);

    json_reader_init(&reader, "[[1,]", 5);
    assert_int_equal(json_next(&reader, &err), JSON_ARRAY_BEGIN);
    assert_int_equal(json_skip(&reader, json_next(&reader, &err), &err), ERR_INVALID);
}

static void unescapes(void **state)
{
    static const struct {
        const char *text, *decoded;
        size_t length;
    } cases[] = {
        {"\"a\\n\\\"b\\/\\\\\"", "a\n\"b/\\", 6},
        {"\"\\b\\f\\r\\t\"", "\b\f\r\t", 4},
        {"\"\\u0041\\u00e9\\u20AC\\ud83d\\uDE00\"", "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10},
        {"\"x\\u0000y\"", "x\0y", 3},
        {"\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"", "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf",
         11},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct json_reader reader;
        char out[64];

        json_reader_init(&reader, cases[i].text, strlen(cases[i].text));
        assert_int_equal(json_next(&reader, NULL), JSON_STRING);
        assert_true(reader.escaped);
        assert_int_equal(json_unescape(&reader, out), cases[i].length);
        assert_memory_equal(out, cases[i].decoded, cases[i].length + 1);
    }
}

/* As json_next would, or not at all. */
static void takes_an_expected_key(void **state)
{
    static const struct {
        const char *text; /* the key is asked for after the first `skip` tokens */
        int skip;
        const char *quoted;
        bool taken;
    } cases[] = {
        {"{\"a\":1}", 1, "\"a\"", true},
        {"{ \"a\" : 1}", 1, "\"a\"", true},
        {"{\"a\":1 , \"b\":2}", 3, "\"b\"", true},
        {"{\"a\\\"\":1}", 1, "\"a\\\"\"", true},
        {"{\"\":1}", 1, "\"\"", true},
        {"{\"ab\":1}", 1, "\"a\"", false},
        {"{\"\\u0061\":1}", 1, "\"a\"", false},
        {"{\"a\" 1}", 1, "\"a\"", false},
        {"{\"a\"", 1, "\"a\"", false},
        {"{\"a", 1, "\"a\"", false},
        {"{}", 1, "\"a\"", false},
        {"{\"b\":1}", 0, "\"b\"", false},
        {"{\"a\":\"b\"}", 2, "\"b\"", false},     /* a value */
        {"[\"b\"]", 1, "\"b\"", false},           /* an item */
        {"[1,\"b\":2]", 2, "\"b\"", false},       /* likewise */
        {"{\"a\":1 \"b\":2}", 3, "\"b\"", false}, /* no comma */
        {"{\"a\":1,}", 3, "\"b\"", false},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct json_reader reader, before;

        json_reader_init(&reader, cases[i].text, strlen(cases[i].text));
        for (int k = 0; k < cases[i].skip; k++)
            json_next(&reader, NULL);
        before = reader;
        if (json_take_key(&reader, cases[i].quoted, strlen(cases[i].quoted)) != cases[i].taken)
            fail_msg("%s", cases[i].text);
        if (!cases[i].taken) {
            assert_memory_equal(&reader, &before, sizeof(reader));
            continue;
        }
        assert_int_equal(json_next(&before, NULL), JSON_KEY);
        assert_true(reader.at == before.at && reader.state == before.state);
    }
}

/* Names of every length, around the words that are compared at once. */
static void takes_keys_of_any_length(void **state)
{
    char text[64], quoted[64];

    (void)state;
    for (int n = 0; n <= 40; n++) {
        size_t length = (size_t)snprintf(quoted, sizeof(quoted), "\"%.*s\"", n,
                                         "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
        size_t n_bytes = (size_t)snprintf(text, sizeof(text), "{%s:1}", quoted);

        for (size_t other = 0; other <= length; other++) { /* length: the name as it is */
            struct json_reader reader;

            json_reader_init(&reader, text, n_bytes);
            json_next(&reader, NULL);
            if (other < length)
                quoted[other] ^= 1;
            assert_int_equal(json_take_key(&reader, quoted, length), other == length);
            if (other < length)
                quoted[other] ^= 1;
        }
    }
}

/* The second number of an array, in memory that ends with the text: a byte too many is seen. */
static void check_number(const char *text, size_t length, uint64_t digits, int n_digits,
                         int n_behind, enum json_token after)
{
    char *exact = malloc(length);
    struct json_reader reader;

    memcpy(exact, text, length);
    json_reader_init(&reader, exact, length);
    assert_int_equal(json_next(&reader, NULL), JSON_ARRAY_BEGIN);
    assert_int_equal(json_next(&reader, NULL), JSON_NUMBER);
    assert_int_equal(json_next(&reader, NULL), JSON_NUMBER);
    assert_int_equal(reader.number.cut, n_digits > NUMBER_DIGITS);
    if (!reader.number.cut) {
        assert_true(reader.number.digits == digits);
        assert_int_equal(reader.number.exponent, -n_behind);
    }
    assert_int_equal(json_next(&reader, NULL), after);
    free(exact);
}

static void reads_digits_by_eights(void **state)
{
    static const char digits[] = "8171936405128640937261508";

    (void)state;
    for (int n = 1; n <= 25; n++) {
        for (int n_behind = 0; n_behind < n; n_behind++) {
            for (int n_more = 0; n_more < 10; n_more++) {
                char text[64];
                uint64_t value = 0;
                int length = snprintf(text, sizeof(text), "[1,%.*s%s%.*s%.*s", n - n_behind, digits,
                                      n_behind > 0 ? "." : "", n_behind, digits + n - n_behind,
                                      n_more, "]         ");

                for (int i = 0; i < n; i++)
                    value = value * 10 + (uint64_t)(digits[i] - '0');
                check_number(text, (size_t)length, value, n, n_behind,
                             n_more > 0 ? JSON_ARRAY_END : JSON_ERROR);
            }
        }
    }
}

/* Whatever byte stands behind the digits ends them. */
static void digits_end_at_any_other_byte(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        for (size_t at = 1; at < 8; at++) {
            char text[17] = "1234567812345678";
            struct json_reader reader;
            size_t n = c >= '0' && c <= '9' ? 16 : at;

            if (c == '.' || c == 'e' || c == 'E')
                continue;
            text[at] = (char)c;
            json_reader_init(&reader, text, 16);
            assert_int_equal(json_next(&reader, NULL), JSON_NUMBER);
            assert_int_equal(reader.length, n);
        }
    }
}

static void takes_a_number(void **state)
{
    static const struct {
        const char *text; /* after its first token */
        bool taken;
    } cases[] = {
        {"{\"a\":12.5e3}", true}, {"{\"a\": -0 }", true}, {"{\"a\":\"1\"}", false},
        {"{\"a\":01}", false},    {"{\"a\":-}", false},   {"{\"a\":1.}", false},
        {"{\"a\":null}", false},  {"{\"a\":", false},     {"{\"a\":]", false},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct json_reader reader, before;

        json_reader_init(&reader, cases[i].text, strlen(cases[i].text));
        assert_int_equal(json_next(&reader, NULL), JSON_OBJECT_BEGIN);
        assert_false(json_take_number(&reader)); /* a name comes first */
        assert_int_equal(json_next(&reader, NULL), JSON_KEY);
        before = reader;
        assert_int_equal(json_take_number(&reader), cases[i].taken);
        if (cases[i].taken)
            assert_int_equal(json_next(&before, NULL), JSON_NUMBER);
        assert_memory_equal(&reader, &before, sizeof(reader));
        assert_false(json_take_number(&reader) && cases[i].taken); /* a comma comes first */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts),
        cmocka_unit_test(refuses),
        cmocka_unit_test(a_nul_byte_is_no_end),
        cmocka_unit_test(stays_in_error),
        cmocka_unit_test(takes_an_expected_key),
        cmocka_unit_test(takes_keys_of_any_length),
        cmocka_unit_test(reads_digits_by_eights),
        cmocka_unit_test(digits_end_at_any_other_byte),
        cmocka_unit_test(takes_a_number),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(skips),
        cmocka_unit_test(unescapes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
