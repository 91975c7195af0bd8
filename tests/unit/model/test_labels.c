/* Classes of a target column, and their stored form. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model/model.h"

/* A frame of one column "y". */
static struct frame *one_column(enum pg_type type, const struct cell *cells, size_t n)
{
    const char *const names[] = {"y"};
    struct frame *frame = NULL;
    struct err err;

    assert_int_equal(frame_new(names, &type, 1, &frame, &err), ERR_OK);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(frame_append(frame, &cells[i], &err), ERR_OK);
    return frame;
}

static struct cell text_cell(const char *text)
{
    return (struct cell){.kind = CELL_TEXT, .text = text, .n_bytes = strlen(text)};
}

/* The labels of a column as JSON, and its rows' classes. */
static void check(enum pg_type type, const struct cell *cells, size_t n, const char *json,
                  const uint32_t *classes)
{
    CLEANUP(frame_freep) struct frame *frame = one_column(type, cells, n);
    CLEANUP(labels_release) struct labels labels = {0};
    CLEANUP(buf_release) struct buf text = {0};
    struct err err;

    assert_int_equal(labels_new(frame, 0, &labels, &err), ERR_OK);
    assert_int_equal(labels_to_json(labels.items, (int)labels.n, &text, &err), ERR_OK);
    assert_string_equal(buf_text(&text), json);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(labels.classes[i], classes[i]);
}

static void test_text_by_bytes(void **state)
{
    const struct cell cells[] = {
        text_cell("on time"),
        text_cell("late"),
        {.kind = CELL_TEXT, .is_null = true},
        text_cell("late"),
        text_cell("\xf0\x9f\x9b\xab"),
        text_cell(""),
        text_cell("a\"b\\"),
        text_cell("lat"),
        text_cell("Z"),
    };
    const uint32_t classes[] = {5, 4, UINT32_MAX, 4, 6, 0, 2, 3, 1};

    (void)state;
    check(PG_TEXT_TYPE, cells, N_ELEMENTS(cells),
          "[{\"text\":\"\",\"json\":\"\"},{\"text\":\"Z\",\"json\":\"Z\"},"
          "{\"text\":\"a\\\"b\\\\\",\"json\":\"a\\\"b\\\\\"},{\"text\":\"lat\",\"json\":\"lat\"},"
          "{\"text\":\"late\",\"json\":\"late\"},{\"text\":\"on time\",\"json\":\"on time\"},"
          "{\"text\":\"\xf0\x9f\x9b\xab\",\"json\":\"\xf0\x9f\x9b\xab\"}]",
          classes);
}

static void test_booleans_false_first(void **state)
{
    const struct cell cells[] = {{.kind = CELL_BOOL, .bool_value = true},
                                 {.kind = CELL_BOOL, .is_null = true},
                                 {.kind = CELL_BOOL, .bool_value = false},
                                 {.kind = CELL_BOOL, .bool_value = true}};
    const uint32_t classes[] = {1, UINT32_MAX, 0, 1};

    (void)state;
    check(PG_BOOL, cells, N_ELEMENTS(cells),
          "[{\"text\":\"false\",\"json\":false},{\"text\":\"true\",\"json\":true}]", classes);
}

static void test_integers_by_value(void **state)
{
    const struct cell cells[] = {{.kind = CELL_INT, .int_value = 10},
                                 {.kind = CELL_INT, .int_value = -9},
                                 {.kind = CELL_INT, .int_value = 9},
                                 {.kind = CELL_INT, .int_value = 10},
                                 {.kind = CELL_INT, .int_value = INT64_MAX}};
    const uint32_t classes[] = {2, 0, 1, 2, 3};

    (void)state;
    check(PG_INT8, cells, N_ELEMENTS(cells),
          "[{\"text\":\"-9\",\"json\":-9},{\"text\":\"9\",\"json\":9},"
          "{\"text\":\"10\",\"json\":10},"
          "{\"text\":\"9223372036854775807\",\"json\":9223372036854775807}]",
          classes);
}

/* -0 and 0 are one class; whichever came first, it is written as 0. */
static void test_doubles_by_value(void **state)
{
    const struct cell cells[] = {{.kind = CELL_DOUBLE, .double_value = 2.5},
                                 {.kind = CELL_DOUBLE, .double_value = -0.0},
                                 {.kind = CELL_DOUBLE, .double_value = -1.5},
                                 {.kind = CELL_DOUBLE, .double_value = 0.0}};
    const uint32_t classes[] = {2, 1, 0, 1};

    (void)state;
    check(PG_FLOAT8, cells, N_ELEMENTS(cells),
          "[{\"text\":\"-1.5\",\"json\":-1.5},{\"text\":\"0\",\"json\":0},"
          "{\"text\":\"2.5\",\"json\":2.5}]",
          classes);
}

static void test_floats_by_value(void **state)
{
    const struct cell cells[] = {{.kind = CELL_FLOAT4, .float_value = 0.1F},
                                 {.kind = CELL_FLOAT4, .float_value = -0.0F},
                                 {.kind = CELL_FLOAT4, .float_value = 0.1F}};
    const uint32_t classes[] = {1, 0, 1};

    (void)state;
    check(PG_FLOAT4, cells, N_ELEMENTS(cells),
          "[{\"text\":\"0\",\"json\":0},{\"text\":\"0.1\",\"json\":0.1}]", classes);
}

static void test_no_rows_and_only_nulls(void **state)
{
    const struct cell null = {.kind = CELL_TEXT, .is_null = true};
    const uint32_t classes[] = {UINT32_MAX};

    (void)state;
    check(PG_TEXT_TYPE, NULL, 0, "[]", NULL);
    check(PG_TEXT_TYPE, &null, 1, "[]", classes);
}

static void test_too_many(void **state)
{
    CLEANUP(free_ptr) struct cell *cells = calloc(MODEL_OUTPUTS_MAX + 1, sizeof(*cells));
    CLEANUP(labels_release) struct labels labels = {0};
    struct err err;

    (void)state;
    for (int i = 0; i <= MODEL_OUTPUTS_MAX; i++) /* in a shuffled order, all distinct */
        cells[i] = (struct cell){.kind = CELL_INT, .int_value = (i * 2731) % 4099};
    for (size_t n = MODEL_OUTPUTS_MAX; n <= MODEL_OUTPUTS_MAX + 1; n++) {
        CLEANUP(frame_freep) struct frame *frame = one_column(PG_INT4, cells, n);
        enum err_code code = labels_new(frame, 0, &labels, &err);

        assert_int_equal(code, n == MODEL_OUTPUTS_MAX ? ERR_OK : ERR_DATA);
    }
    assert_int_equal(labels.n, MODEL_OUTPUTS_MAX); /* untouched by the failure */
    assert_string_equal(err.message, "target \"y\" has more than 4096 distinct values");
}

/* jsonb puts a space after ":" and "," and sorts keys its own way. */
static void test_stored_form_comes_back(void **state)
{
    static const char *const stored =
        "[{\"json\": \"a\\\"b\\\\\", \"text\": \"a\\\"b\\\\\"}, {\"json\": true, \"text\": "
        "\"true\"}, "
        "{\"json\": -1.50, \"text\": \"-1.50\"}, {\"json\": \"\", \"text\": \"\"}, "
        "{\"json\": \"\xf0\x9f\x9b\xab\", \"text\": \"\xf0\x9f\x9b\xab\"}, "
        "{\"json\": false, \"text\": \"false\"}]";
    static const struct label expected[] = {
        {"a\"b\\", "\"a\\\"b\\\\\"", "\"a\\\"b\\\\\""},
        {"true", "true", "\"true\""},
        {"-1.50", "-1.50", "\"-1.50\""},
        {"", "\"\"", "\"\""},
        {"\xf0\x9f\x9b\xab", "\"\xf0\x9f\x9b\xab\"", "\"\xf0\x9f\x9b\xab\""},
        {"false", "false", "\"false\""},
    };
    CLEANUP(arena_release) struct arena arena = {0};
    struct label *labels = NULL;
    struct err err;
    int n = 0;

    (void)state;
    assert_int_equal(labels_from_json(stored, strlen(stored), &arena, &labels, &n, &err), ERR_OK);
    assert_int_equal(n, N_ELEMENTS(expected));
    for (int i = 0; i < n; i++) {
        assert_string_equal(labels[i].text, expected[i].text);
        assert_string_equal(labels[i].json, expected[i].json);
        assert_string_equal(labels[i].json_key, expected[i].json_key);
    }
}

static void test_stored_forms_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "{}",
        "[1]",
        "[{}]",
        "[{\"text\":\"a\"}]",
        "[{\"text\":\"a\",\"json\":null}]",
        "[{\"text\":\"a\",\"json\":[1]}]",
        "[{\"text\":1,\"json\":1}]",
        "[{\"json\":1}]",
        "[{\"text\":\"a\",\"json\":1}",
        "[{\"text\":\"a\",\"json\":1}] 1",
        "[{\"text\":\"a\",\"text\":\"a\",\"json\":1}]",
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        CLEANUP(arena_release) struct arena arena = {0};
        struct label *labels = NULL;
        struct err err;
        int n = -1;

        assert_int_equal(labels_from_json(cases[i], strlen(cases[i]), &arena, &labels, &n, &err),
                         ERR_CORRUPT);
        assert_int_equal(err.code, ERR_CORRUPT);
        assert_int_equal(n, -1);
        assert_null(labels);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_by_bytes),
        cmocka_unit_test(test_booleans_false_first),
        cmocka_unit_test(test_integers_by_value),
        cmocka_unit_test(test_doubles_by_value),
        cmocka_unit_test(test_floats_by_value),
        cmocka_unit_test(test_no_rows_and_only_nulls),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_stored_form_comes_back),
        cmocka_unit_test(test_stored_forms_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
