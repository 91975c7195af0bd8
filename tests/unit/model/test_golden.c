/* Golden rows: what is written passes, and whatever is changed afterwards is noticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "tiny_model.h"

static struct tiny tiny;

static int setup(void **state)
{
    (void)state;
    tiny_make(&tiny, TINY_REGRESSION, 0.5F);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tiny_release(&tiny);
    return 0;
}

static enum err_code check(const char *json, struct err *err)
{
    memset(err, 0, sizeof(*err));
    return golden_check(json, strlen(json), tiny.encoder, tiny.forest, err);
}

/* Appends text with its first `from` replaced. */
static void put_replaced(struct buf *out, const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);

    assert_non_null(at);
    buf_append(out, text, (size_t)(at - text));
    buf_puts(out, to);
    buf_puts(out, at + strlen(from));
}

static void test_written_rows_pass(void **state)
{
    struct err err;

    (void)state;
    assert_int_equal(check(buf_text(&tiny.golden), &err), ERR_OK);
}

static void test_written_form(void **state)
{
    cJSON *root = NULL, *row;
    struct err err;

    (void)state;
    assert_int_equal(json_parse(tiny.golden.data, tiny.golden.length, "golden", &root, &err),
                     ERR_OK);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(root, "inputs")),
                     TINY_N_ROWS);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(root, "margins")),
                     TINY_N_ROWS);
    row = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(root, "rows"), 6);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(row, "encoded")),
                     TINY_N_FEATURES);
    row = cJSON_GetObjectItemCaseSensitive(row, "raw");
    assert_int_equal(cJSON_GetArraySize(row), 7); /* features only: no target, no key */
    assert_string_equal(cJSON_GetObjectItemCaseSensitive(row, "carrier")->valuestring, "q\"\\");
    assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(row, "seats")));
    assert_true(cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(row, "on/off~")));
    cJSON_Delete(root);
}

#define MISSING "null, null, null, null, null, null, null, null, null, null, null"
#define LATE    "2e3, 2.0, null, null, null, null, 13, 0, null, null, null"

/* Worked out on paper from tiny_trees; keys, spaces and numbers as jsonb writes them. */
static void test_hand_worked_rows_pass(void **state)
{
    static const char *const cases[] = {
        "{\"rows\": [], \"inputs\": [[" MISSING "], [" LATE "]], \"margins\": [[1.125], [12.75]]}",
        "{\"inputs\": [[" MISSING "]], \"margins\": [[1125e-3]], \"more\": {\"x\": [1]}}",
        "{\"inputs\": [[" MISSING "]], \"margins\": [[1.1250000000000000000001]], \"rows\": null}",
        "{\"rows\": [{\"raw\": {\"carrier\": \"AA\", \"on/off~\": true, \"distance\":"
        " 340282350000000000000000000000000000000000, \"scheduled at\":"
        " \"2013-01-01T05:00:00+00:00\", \"seats\": null}, \"encoded\":"
        " [340282346638528859811704183484516925440, 2, 0, 1, 1, 2, 5, 1, null, null, null]}],"
        " \"inputs\": [[" MISSING "]], \"margins\": [[1.125]]}",
    };
    struct err err;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++)
        assert_int_equal(check(cases[i], &err), ERR_OK);
}

/* jsonb drops the sign of zero. */
static void test_zero_has_no_sign(void **state)
{
    static const char *const json = "{\"inputs\": [[" MISSING "]], \"margins\": [[-0.0]]}";
    struct err err;

    (void)state;
    forest_set_base_margin(tiny.forest, -0.625F);
    assert_int_equal(check(json, &err), ERR_OK);
    forest_set_base_margin(tiny.forest, 0.5F);
    assert_int_equal(check(json, &err), ERR_CORRUPT);
}

static void test_mismatches(void **state)
{
    static const struct {
        const char *json, *message;
    } cases[] = {
        /* the next float32 above 1.125, and the one below */
        {"{\"inputs\":[[" MISSING "]],\"margins\":[[1.1250001]]}",
         "row 0: output 0 is not the margin that was recorded"},
        {"{\"inputs\":[[" MISSING "],[" LATE "],[" MISSING "]],\"margins\":[[1.125],[12.75],"
         "[1.1249999]]}",
         "row 2: output 0 is not the margin that was recorded"},
        {"{\"inputs\":[[" MISSING "]],\"margins\":[[null]]}",
         "row 0: output 0 is not the margin that was recorded"},
        {"{\"inputs\":[[" MISSING "]],\"margins\":[[1.125]],\"rows\":[{\"raw\":{\"seats\":5},"
         "\"encoded\":[" MISSING "]}]}",
         "raw row 0: feature \"seats\" is not encoded as it was recorded"},
        {"{\"inputs\":[[" MISSING "]],\"margins\":[[1.125]],\"rows\":[{\"raw\":{},"
         "\"encoded\":[" LATE "]}]}",
         "raw row 0: feature \"distance\" is not encoded as it was recorded"},
        {"{\"inputs\":[[" MISSING "]],\"margins\":[[1.125]],\"rows\":[{\"raw\":{\"seats\":true},"
         "\"encoded\":[" MISSING "]}]}",
         "raw row 0: column \"seats\": expected a whole number from -2147483648 to 2147483647, "
         "found "
         "true"},
        {"{\"inputs\":[[" MISSING
         "]],\"margins\":[[1.125]],\"rows\":[{\"raw\":{\"seats\":\"secret\"},"
         "\"encoded\":[" MISSING "]}]}", /* which stays out of the message */
         "raw row 0: column \"seats\": expected a whole number from -2147483648 to 2147483647, "
         "found another value"},
        {"{\"inputs\":[[" MISSING "]],\"margins\":[[1.125]],\"rows\":[{\"raw\":{\"chairs\":1},"
         "\"encoded\":[" MISSING "]}]}",
         "raw row 0: the encoder has no column \"chairs\""},
    };
    struct err err;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        assert_int_equal(check(cases[i].json, &err), ERR_CORRUPT);
        assert_int_equal(err.code, ERR_CORRUPT);
        assert_string_equal(err.message, cases[i].message);
    }
}

static void test_broken_documents(void **state)
{
    static const char *const cases[] = {
        "",
        "[]",
        "{}",
        "{\"inputs\":[],\"margins\":[]}",
        "{\"inputs\":[],\"margins\":[],\"rows\":[]}",
        "{\"inputs\":[[" MISSING "]],\"margins\":[]}",
        "{\"inputs\":[],\"margins\":[[1.125]]}",
        "{\"inputs\":[[" MISSING "]]}",
        "{\"inputs\":{},\"margins\":[[1.125]]}",
        "{\"inputs\":[1],\"margins\":[[1.125]]}",
        "{\"inputs\":[[1,2]],\"margins\":[[1.125]]}",
        "{\"inputs\":[[" MISSING ",null]],\"margins\":[[1.125]]}",
        "{\"inputs\":[[" MISSING "]],\"margins\":[[1.125,1]]}",
        "{\"inputs\":[[" MISSING "]],\"margins\":[[]]}",
        "{\"inputs\":[[" MISSING "]],\"margins\":[[\"1.125\"]]}",
        "{\"inputs\":[[" MISSING "]],\"margins\":[[1e39]]}",
        "{\"inputs\":[[" MISSING "]],\"margins\":[[1.125]],\"rows\":{}}",
        "{\"inputs\":[[" MISSING "]],\"margins\":[[1.125]],\"rows\":[1]}",
        "{\"inputs\":[[" MISSING "]],\"margins\":[[1.125]],\"rows\":[{}]}",
        "{\"inputs\":[[" MISSING "]],\"margins\":[[1.125]],\"rows\":[{\"raw\":{}}]}",
        "{\"inputs\":[[" MISSING "]],\"margins\":[[1.125]],\"rows\":[{\"encoded\":[" MISSING "]}]}",
        "{\"inputs\":[[" MISSING "]],\"margins\":[[1.125]]} 1",
        "{\"inputs\":[[" MISSING "]],\"margins\":[[1.125]],\"margins\":[[1.125]]}",
    };
    struct err err;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        assert_int_equal(check(cases[i], &err), ERR_CORRUPT);
        assert_int_equal(err.code, ERR_CORRUPT);
        assert_int_equal(golden_check(cases[i], strlen(cases[i]), tiny.encoder, tiny.forest, NULL),
                         ERR_CORRUPT);
    }
}

/* Rows written with this encoder, checked with one whose category has another name. */
static void test_renamed_category(void **state)
{
    CLEANUP(buf_release) struct buf json = {0};
    CLEANUP(encoder_freep) struct encoder *other = NULL;
    struct err err;

    (void)state;
    put_replaced(&json, buf_text(&tiny.encoder_json), "\"AA\"", "\"AB\"");
    assert_int_equal(encoder_from_json(json.data, json.length, &other, &err), ERR_OK);
    assert_int_equal(golden_check(tiny.golden.data, tiny.golden.length, other, tiny.forest, &err),
                     ERR_CORRUPT);
    assert_string_equal(err.message,
                        "raw row 4: feature \"carrier\" is not encoded as it was recorded");
}

/* What was cut off anywhere is an error, and never read beyond. */
static void test_truncated(void **state)
{
    (void)state;
    for (size_t length = 0; length < tiny.golden.length; length++) {
        CLEANUP(free_ptr) char *copy = malloc(length > 0 ? length : 1);
        struct err err;

        memcpy(copy, tiny.golden.data, length);
        assert_int_equal(golden_check(copy, length, tiny.encoder, tiny.forest, &err), ERR_CORRUPT);
    }
}

static void test_frame_without_a_column(void **state)
{
    static const char *const names[] = {"distance", "carrier"};
    static const enum pg_type types[] = {PG_FLOAT8, PG_TEXT_TYPE};
    static const enum pg_type other_types[] = {PG_FLOAT4, PG_TEXT_TYPE};
    CLEANUP(buf_release) struct buf json = {0};
    struct cell cells[] = {{.kind = CELL_DOUBLE, .is_null = true},
                           {.kind = CELL_TEXT, .is_null = true}};
    const enum pg_type *const cases[] = {types, other_types};
    static const char *const messages[] = {
        "the rows have no column \"scheduled at\" of type timestamptz",
        "the rows have no column \"distance\" of type float8",
    };
    const uint32_t row = 0;
    struct err err;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(frame_freep) struct frame *frame = NULL;

        cells[0].kind = cell_kind_of(cases[i][0]);
        assert_int_equal(frame_new(names, cases[i], 2, &frame, &err), ERR_OK);
        assert_int_equal(frame_append(frame, cells, &err), ERR_OK);
        assert_int_equal(golden_write(tiny.encoder, NULL, NULL, 0, 1, frame, &row, 1, &json, &err),
                         ERR_CONFLICT);
        assert_string_equal(err.message, messages[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_rows_pass),
        cmocka_unit_test(test_written_form),
        cmocka_unit_test(test_hand_worked_rows_pass),
        cmocka_unit_test(test_zero_has_no_sign),
        cmocka_unit_test(test_mismatches),
        cmocka_unit_test(test_broken_documents),
        cmocka_unit_test(test_renamed_category),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_frame_without_a_column),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
