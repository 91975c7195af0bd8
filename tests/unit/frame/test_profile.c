#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "frame/profile.h"

static struct frame *numbers(const double *values, size_t n)
{
    const char *name = "x";
    enum pg_type type = PG_FLOAT8;
    struct frame *frame = NULL;

    assert_int_equal(frame_new(&name, &type, 1, &frame, NULL), ERR_OK);
    for (size_t i = 0; i < n; i++) {
        struct cell cell = {
            .kind = CELL_DOUBLE, .is_null = isnan(values[i]), .double_value = values[i]};

        assert_int_equal(frame_append(frame, &cell, NULL), ERR_OK);
    }
    return frame;
}

static struct frame *texts(const char *const *values, size_t n)
{
    const char *name = "t";
    enum pg_type type = PG_TEXT_TYPE;
    struct frame *frame = NULL;

    assert_int_equal(frame_new(&name, &type, 1, &frame, NULL), ERR_OK);
    for (size_t i = 0; i < n; i++) {
        struct cell cell = {.kind = CELL_TEXT, .is_null = values[i] == NULL};

        if (values[i] != NULL) {
            cell.text = values[i];
            cell.n_bytes = strlen(values[i]);
        }
        assert_int_equal(frame_append(frame, &cell, NULL), ERR_OK);
    }
    return frame;
}

static void test_numbers(void **state)
{
    static const double values[] = {3, 1, NAN, 2, 2, 42, INFINITY};
    CLEANUP(frame_freep) struct frame *frame = numbers(values, N_ELEMENTS(values));
    struct column_profile profile;

    (void)state;
    assert_int_equal(profile_column(frame, &frame->columns[0], &profile, NULL), ERR_OK);
    assert_int_equal(profile.n_missing, 1);
    assert_int_equal(profile.n_distinct, 5);
    assert_true(profile.min == 1 && profile.max == INFINITY);
    assert_true(profile.median == 2.5); /* of 1 2 2 3 42 ∞ */
    assert_true(profile.mean == 10);    /* of the finite ones */
    assert_true(profile.low == 1 && profile.high == 42);
    assert_int_equal(profile.bins[0], 4); /* 1 2 2 3, bins of 2.05 */
    assert_int_equal(profile.bins[PROFILE_BINS - 1], 1);
}

/* The range is beyond a double. */
static void test_huge_numbers(void **state)
{
    static const double values[] = {-1.7e308, 1.7e308, 0, -INFINITY};
    CLEANUP(frame_freep) struct frame *frame = numbers(values, N_ELEMENTS(values));
    struct column_profile profile;

    (void)state;
    assert_int_equal(profile_column(frame, &frame->columns[0], &profile, NULL), ERR_OK);
    assert_int_equal(profile.bins[0], 1);
    assert_int_equal(profile.bins[PROFILE_BINS / 2], 1);
    assert_int_equal(profile.bins[PROFILE_BINS - 1], 1);
}

static void test_nothing(void **state)
{
    static const double values[] = {NAN, NAN};
    CLEANUP(frame_freep) struct frame *frame = numbers(values, N_ELEMENTS(values));
    CLEANUP(buf_release) struct buf json = {0};
    struct column_profile profile;

    (void)state;
    assert_int_equal(profile_column(frame, &frame->columns[0], &profile, NULL), ERR_OK);
    profile_to_json(frame, &frame->columns[0], &profile, &json);
    assert_string_equal(buf_text(&json),
                        "\"column\":\"x\",\"type\":\"float8\",\"rows\":2,\"missing\":2,"
                        "\"distinct\":0,\"min\":null,\"max\":null,\"mean\":null,\"median\":null");
}

static void test_texts_most_frequent_first(void **state)
{
    static const char *const values[] = {"b", "a", NULL, "a", "c", "c", "c"};
    CLEANUP(frame_freep) struct frame *frame = texts(values, N_ELEMENTS(values));
    CLEANUP(buf_release) struct buf json = {0};
    struct column_profile profile;

    (void)state;
    assert_int_equal(profile_column(frame, &frame->columns[0], &profile, NULL), ERR_OK);
    profile_to_json(frame, &frame->columns[0], &profile, &json);
    assert_string_equal(
        buf_text(&json),
        "\"column\":\"t\",\"type\":\"text\",\"rows\":7,\"missing\":1,\"distinct\":3,"
        "\"top\":[{\"value\":\"c\",\"count\":3},{\"value\":\"a\",\"count\":2},"
        "{\"value\":\"b\",\"count\":1}]");
}

/* The rarest of eleven falls off, whichever place it came in. */
static void test_ten_are_kept(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"};

    (void)state;
    for (size_t rare = 0; rare < N_ELEMENTS(names); rare++) {
        const char *values[2 * N_ELEMENTS(names)];
        struct column_profile profile;
        struct frame *frame;
        size_t n = 0;

        for (size_t i = 0; i < N_ELEMENTS(names); i++)
            for (int k = 0; k < (i == rare ? 1 : 2); k++)
                values[n++] = names[i];
        frame = texts(values, n);
        assert_int_equal(profile_column(frame, &frame->columns[0], &profile, NULL), ERR_OK);
        assert_int_equal(profile.n_top, PROFILE_TOP);
        for (int i = 0; i < profile.n_top; i++) {
            assert_int_equal(profile.top[i].count, 2);
            assert_int_not_equal(profile.top[i].code, rare);
        }
        frame_free(frame);
    }
}

static void test_fingerprint(void **state)
{
    static const double a[] = {1, 2, NAN, 4}, shuffled[] = {4, NAN, 2, 1}, other[] = {1, 2, NAN, 5},
                        twice[] = {1, 2, NAN, 4, 4};
    CLEANUP(frame_freep) struct frame *first = numbers(a, N_ELEMENTS(a));
    CLEANUP(frame_freep) struct frame *second = numbers(shuffled, N_ELEMENTS(shuffled));
    CLEANUP(frame_freep) struct frame *third = numbers(other, N_ELEMENTS(other));
    CLEANUP(frame_freep) struct frame *fourth = numbers(twice, N_ELEMENTS(twice));
    char hex[4][FINGERPRINT_SIZE];

    (void)state;
    assert_int_equal(frame_fingerprint(first, hex[0], NULL), ERR_OK);
    assert_int_equal(frame_fingerprint(second, hex[1], NULL), ERR_OK);
    assert_int_equal(frame_fingerprint(third, hex[2], NULL), ERR_OK);
    assert_int_equal(frame_fingerprint(fourth, hex[3], NULL), ERR_OK);
    assert_int_equal(strlen(hex[0]), 32);
    assert_string_equal(hex[0], hex[1]);
    assert_string_not_equal(hex[0], hex[2]);
    assert_string_not_equal(hex[0], hex[3]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),      cmocka_unit_test(test_huge_numbers),
        cmocka_unit_test(test_nothing),      cmocka_unit_test(test_texts_most_frequent_first),
        cmocka_unit_test(test_ten_are_kept), cmocka_unit_test(test_fingerprint),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
