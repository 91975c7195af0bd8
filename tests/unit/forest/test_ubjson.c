/* The UBJSON reader by itself, on bytes written by hand (the UBJSON specification, draft 12). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "forest/ubjson.h"

#define BYTES(text) text, sizeof(text) - 1

static void test_integers_of_every_width(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        int64_t value;
    } rows[] = {
        {BYTES("i\x7f"), 127},
        {BYTES("i\x80"), -128},
        {BYTES("U\xff"), 255},
        {BYTES("C"
               "A"),
         65},
        {BYTES("I\x80\x00"), -32768},
        {BYTES("I\x01\x02"), 258},
        {BYTES("l\xff\xff\xff\xfe"), -2},
        {BYTES("l\x7f\xff\xff\xff"), INT32_MAX},
        {BYTES("L\x00\x00\x00\x01\x00\x00\x00\x00"), INT64_C(1) << 32},
        {BYTES("L\x80\x00\x00\x00\x00\x00\x00\x00"), INT64_MIN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ubj_reader reader;
        int64_t value = 0;

        ubj_reader_init(&reader, rows[i].bytes, rows[i].n);
        assert_int_equal(ubj_read_int(&reader, &value, NULL), ERR_OK);
        assert_true(value == rows[i].value);
        assert_true(ubj_at_end(&reader));
    }
}

static void test_arrays_of_integers(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        enum err_code code;
        size_t n_items;
        int32_t items[3];
    } rows[] = {
        {BYTES("[]"), ERR_OK, 0, {0}},
        {BYTES("[#i\x00"), ERR_OK, 0, {0}},
        {BYTES("[$l#L\x00\x00\x00\x00\x00\x00\x00\x00"), ERR_OK, 0, {0}},
        {BYTES("[i\x01U\x02l\x00\x00\x00\x03]"), ERR_OK, 3, {1, 2, 3}},
        {BYTES("[#i\x02i\xffi\xfe"), ERR_OK, 2, {-1, -2}},
        {BYTES("[$I#i\x02\x00\x01\xff\xff"), ERR_OK, 2, {1, -1}},
        {BYTES("[$L#i\x01\xff\xff\xff\xff\x80\x00\x00\x00"), ERR_OK, 1, {INT32_MIN}},
        {BYTES("[$L#i\x01\x00\x00\x00\x00\x80\x00\x00\x00"), ERR_CORRUPT, 0, {0}},
        {BYTES("[$i#i\x03\x01\x02"), ERR_CORRUPT, 0, {0}},
        {BYTES("[$i#i\xff"), ERR_CORRUPT, 0, {0}},
        {BYTES("[$i#L\x7f\xff\xff\xff\xff\xff\xff\xff"), ERR_CORRUPT, 0, {0}},
        {BYTES("[$L#L\x20\x00\x00\x00\x00\x00\x00\x01"), ERR_CORRUPT, 0, {0}},
        {BYTES("[$Z#l\x7f\xff\xff\xff"), ERR_CORRUPT, 0, {0}},
        {BYTES("[$[#i\x01"), ERR_CORRUPT, 0, {0}},
        {BYTES("[$i"), ERR_CORRUPT, 0, {0}},
        {BYTES("[i\x01"), ERR_CORRUPT, 0, {0}},
        {BYTES("[[]]"), ERR_CORRUPT, 0, {0}},
        {BYTES("[Z]"), ERR_CORRUPT, 0, {0}},
        {BYTES("[$d#i\x01\x00\x00\x00\x00"), ERR_CORRUPT, 0, {0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(arena_release) struct arena arena = {0};
        struct ubj_reader reader;
        struct ubj_ints ints = {0};

        ubj_reader_init(&reader, rows[i].bytes, rows[i].n);
        assert_int_equal(ubj_read_ints(&reader, &arena, &ints, NULL), rows[i].code);
        assert_int_equal(ints.n, rows[i].n_items);
        if (ints.n > 0)
            assert_memory_equal(ints.items, rows[i].items, ints.n * sizeof(int32_t));
        if (rows[i].code == ERR_OK) {
            assert_true(ubj_at_end(&reader));
            assert_int_equal(reader.depth, 0);
        }
    }
}

static void test_arrays_of_floats(void **state)
{
    static const char bytes[] = "[$d#i\x02\x3f\xc0\x00\x00\x7f\xc0\x00\x01"
                                "[D\x3f\xf0\x00\x00\x00\x00\x00\x00]";
    CLEANUP(arena_release) struct arena arena = {0};
    struct ubj_reader reader;
    struct ubj_floats floats = {0};
    uint32_t bits;

    (void)state;
    ubj_reader_init(&reader, BYTES(bytes));
    assert_int_equal(ubj_read_floats(&reader, &arena, &floats, NULL), ERR_OK);
    assert_int_equal(floats.n, 2);
    assert_true(floats.items[0] == 1.5f);
    memcpy(&bits, &floats.items[1], sizeof(bits));
    assert_int_equal(bits, 0x7fc00001); /* a NaN keeps its bits */
    assert_int_equal(ubj_read_floats(&reader, &arena, &floats, NULL), ERR_OK);
    assert_int_equal(floats.n, 1);
    assert_true(floats.items[0] == 1.0f);
    assert_true(ubj_at_end(&reader));
}

/* Whatever XGBoost adds in a later version is stepped over. */
static void test_skip(void **state)
{
    static const char bytes[] = "{U\x01"
                                "a[$U#i\x03"
                                "abc"
                                "U\x01"
                                "b{U\x01"
                                "cSi\x02hi"
                                "U\x01"
                                "dZ}"
                                "U\x01"
                                "e[TFN[$d#i\x00{}]"
                                "U\x01"
                                "fHi\x03"
                                "1e9"
                                "U\x01"
                                "gC!}Z";
    struct ubj_reader reader;

    (void)state;
    ubj_reader_init(&reader, BYTES(bytes));
    assert_int_equal(ubj_skip(&reader, NULL), ERR_OK);
    assert_int_equal(reader.end - reader.at, 1);
    assert_int_equal(reader.depth, 0);
    assert_int_equal(ubj_skip(&reader, NULL), ERR_OK);
    assert_int_equal(ubj_skip(&reader, NULL), ERR_CORRUPT); /* nothing left */
}

static enum err_code read_number(struct ubj_reader *reader, const struct ubj_member *member,
                                 void *context, struct err *err)
{
    return ubj_read_int(reader, (int64_t *)((char *)context + member->offset), err);
}

static void test_objects_by_table(void **state)
{
    static const struct ubj_member members[] = {
        {"one", read_number, true, 0},
        {"two", read_number, false, sizeof(int64_t)},
    };
    static const struct {
        const char *bytes;
        size_t n;
        enum err_code code;
        int64_t one, two;
        const char *message;
    } rows[] = {
        {BYTES("{i\x03onei\x01i\x03twoi\x02}"), ERR_OK, 1, 2, NULL},
        {BYTES("{i\x03twoi\x02i\x03xxxSi\x01yi\x03onei\x01}"), ERR_OK, 1, 2, NULL},
        {BYTES("{i\x03onei\x05}"), ERR_OK, 5, 0, NULL},
        {BYTES("{i\x03twoi\x05}"), ERR_CORRUPT, 0, 5, "\"one\" is missing"},
        {BYTES("{i\x03onei\x01i\x03onei\x01}"), ERR_CORRUPT, 1, 0, "\"one\" comes twice"},
        {BYTES("{i\x03one"), ERR_CORRUPT, 0, 0, "it ends early, at byte 6"},
        {BYTES("{i\x09one"), ERR_CORRUPT, 0, 0, "it ends early (a length of 9)"},
        {BYTES("{#i\x01"), ERR_CORRUPT, 0, 0, "expected a number"},
        {BYTES("["), ERR_CORRUPT, 0, 0, "expected an object"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ubj_reader reader;
        struct err err = {0};
        int64_t values[2] = {0};

        ubj_reader_init(&reader, rows[i].bytes, rows[i].n);
        assert_int_equal(ubj_read_object(&reader, members, 2, values, &err), rows[i].code);
        assert_true(values[0] == rows[i].one && values[1] == rows[i].two);
        if (rows[i].message != NULL && strstr(err.message, rows[i].message) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", err.message, rows[i].message);
    }
}

static void test_nesting_is_bounded(void **state)
{
    char bytes[2 * (UBJ_DEPTH_MAX + 1)];
    struct ubj_reader reader;

    (void)state;
    memset(bytes, '[', UBJ_DEPTH_MAX);
    memset(bytes + UBJ_DEPTH_MAX, ']', UBJ_DEPTH_MAX);
    ubj_reader_init(&reader, bytes, 2 * UBJ_DEPTH_MAX);
    assert_int_equal(ubj_skip(&reader, NULL), ERR_OK);
    memset(bytes, '[', UBJ_DEPTH_MAX + 1);
    memset(bytes + UBJ_DEPTH_MAX + 1, ']', UBJ_DEPTH_MAX + 1);
    ubj_reader_init(&reader, bytes, sizeof(bytes));
    assert_int_equal(ubj_skip(&reader, NULL), ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers_of_every_width), cmocka_unit_test(test_arrays_of_integers),
        cmocka_unit_test(test_arrays_of_floats),        cmocka_unit_test(test_skip),
        cmocka_unit_test(test_objects_by_table),        cmocka_unit_test(test_nesting_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
