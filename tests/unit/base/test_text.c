/* UTF-8, nearest names and the map of strings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/nearest.h"
#include "base/strmap.h"
#include "base/utf8.h"

/* Encodes by arithmetic alone, also what UTF-8 forbids. */
static int encode(uint32_t code, int length, char *out)
{
    static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (int i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (char)(length == 1 ? code : marks[length] | code);
    return length;
}

static int shortest(uint32_t code)
{
    return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

/* Every code point up to what four bytes hold, in every length that can hold it. */
static void utf8_every_code_point(void **state)
{
    static const uint32_t holds[] = {0, 0x80, 0x800, 0x10000, 0x200000};

    (void)state;
    for (uint32_t code = 0; code < 0x200000; code++) {
        for (int length = 1; length <= 4; length++) {
            char text[4];
            bool valid =
                length == shortest(code) && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);

            if (code >= holds[length])
                continue;
            encode(code, length, text);
            if (utf8_length(text, (size_t)length) != (valid ? length : 0))
                fail_msg("U+%X in %d bytes", code, length);
            if (valid && length > 1 && utf8_length(text, (size_t)length - 1) != 0)
                fail_msg("U+%X cut", code);
        }
    }
}

static void utf8_texts(void **state)
{
    (void)state;
    assert_true(utf8_valid("", 0));
    assert_true(utf8_valid("a\0b", 3));
    assert_true(utf8_valid("na\xc3\xafve \xf0\x9f\x98\x80", 11));
    assert_false(utf8_valid("a\x80", 2));
    assert_false(utf8_valid("\xe2\x82\xac\xe2\x82", 5));
    assert_false(utf8_valid("\xf8\x88\x80\x80\x80", 5));
    assert_false(utf8_valid("\xff", 1));
}

static void nearest(void **state)
{
    static const char *const names[] = {"target", "test.size", "task", "key", "keep"};
    static const struct {
        const char *name, *nearest;
    } cases[] = {
        {"targte", "target"},
        {"TARGET", "target"},
        {"tarteg", "target"},
        {"test.siz", "test.size"},
        {"testsize", "test.size"},
        {"tsk", "task"},
        {"keys", "key"},
        {"kee", "key"},
        {"kep", "key"},
        {"x", NULL},
        {"relation", NULL},
        {"", NULL},
        {"tgt", NULL},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        const char *got = nearest_name(cases[i].name, names, N_ELEMENTS(names));

        if ((got == NULL) != (cases[i].nearest == NULL) ||
            (got != NULL && strcmp(got, cases[i].nearest) != 0))
            fail_msg("%s: %s", cases[i].name, got == NULL ? "nothing" : got);
    }
    assert_null(nearest_name("target", names, 0));
}

static void strmap_keeps_order_and_bytes(void **state)
{
    CLEANUP(strmap_release) struct strmap map = {0};

    (void)state;
    assert_int_equal(strmap_find(&map, "a", 1), STRMAP_NONE);
    assert_int_equal(strmap_add(&map, "a", 1), 0);
    assert_int_equal(strmap_add(&map, "", 0), 1);
    assert_int_equal(strmap_add(&map, "a\0b", 3), 2);
    assert_int_equal(strmap_add(&map, "a", 1), 0);
    assert_int_equal(strmap_find(&map, "a\0c", 3), STRMAP_NONE);
    assert_int_equal(strmap_find(&map, "a\0b", 3), 2);
    assert_int_equal(strmap_find(&map, "", 0), 1);
    assert_int_equal(map.n_keys, 3);
    assert_memory_equal(map.keys[2].text, "a\0b", 4); /* the NUL behind it too */
}

static void strmap_grows(void **state)
{
    enum { N = 100000 };
    CLEANUP(strmap_release) struct strmap map = {0};
    const char *first;
    char text[16];

    (void)state;
    for (uint32_t i = 0; i < N; i++) {
        int length = snprintf(text, sizeof(text), "%u", i * 7);

        assert_int_equal(strmap_add(&map, text, (size_t)length), i);
        if (i == 0)
            first = map.keys[0].text;
    }
    assert_ptr_equal(map.keys[0].text, first); /* texts do not move */
    for (uint32_t i = 0; i < 7 * N; i++) {
        int length = snprintf(text, sizeof(text), "%u", i);

        assert_int_equal(strmap_find(&map, text, (size_t)length), i % 7 == 0 ? i / 7 : STRMAP_NONE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_every_code_point),
        cmocka_unit_test(utf8_texts),
        cmocka_unit_test(nearest),
        cmocka_unit_test(strmap_keeps_order_and_bytes),
        cmocka_unit_test(strmap_grows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
