/*
 * The order of a body's members means nothing, whether its rows are read where they stand or,
 * before what names their model, later: neither for the answer nor for what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "asking_group.h"

#define MEMBERS_MAX 5

#define P        "\"project\":\"regression\""
#define FEATURES "\"features\":{\"distance\":2000,\"carrier\":\"UA\"}"
#define COLUMNS  "\"columns\":[\"carrier\",\"distance\"]"
#define ROWS     "\"rows\":[[\"UA\",1],[null,2000]]"

static const char *const bodies[][MEMBERS_MAX] = {
    {P, FEATURES},
    {P, FEATURES, "\"model_id\":7", "\"encoded\":true"},
    {P, COLUMNS, ROWS, "\"encoded\":true"},
    {P, COLUMNS, ROWS, "\"features\":null", "\"model_id\":7"},
    {P, FEATURES, "\"columns\":null", "\"rows\":null"},
    {"\"project\":\"re\\u0067ression\"", "\"features\":[{\"seats\":1},{}]"},
    /* refused: always by the same words */
    {P, FEATURES, "\"model_id\":8"},
    {P, FEATURES, "\"model_id\":\"7\""},
    {P, FEATURES, "\"encoded\":1"},
    {P, "\"features\":{\"seats\":1.5}", "\"model_id\":8"},
    {P, "\"features\":{\"seats\":1.5}", "\"model_id\":7"},
    {P, "\"features\":{\"seats\":1.5}", "\"encoded\":0"},
    {P, "\"features\":{\"seatz\":1}", "\"explain\":1"},
    {P, "\"features\":[{},{\"seats\":1,\"seats\":1}]"},
    {P, "\"features\":7", "\"key\":{\"id\":7}"},
    {P, FEATURES, COLUMNS, ROWS},
    {P, FEATURES, ROWS},
    {P, COLUMNS, "\"rows\":[[\"UA\"]]"},
    {P, ROWS, "\"columns\":[\"carrier\",\"carrier\"]"},
    {P, ROWS},
    {"\"project\":\"resting\"", FEATURES, "\"model_id\":7"},
    {"\"project\":\"nobody\"", "\"features\":{\"x\":1}", "\"interval\":2"},
    {"\"project\":7", FEATURES},
    {"\"project\":null", "\"features\":[[]]"},
    {P, FEATURES, "\"interval\":0.9"},
};

/* What a body gave: the answer, or all that there is to an error. */
static void note(enum err_code code, struct buf *out)
{
    const struct err *err = &asking.err;

    buf_clear(out);
    if (code == ERR_OK)
        buf_append(out, asking.reply.data, asking.reply.length);
    else
        buf_printf(out, "%s|%s|%s|%s", err_name(code), err->field, err->message, err->hint);
}

static void put_body(const char *const *members, const int *order, int n, struct buf *body)
{
    buf_clear(body);
    for (int i = 0; i < n; i++)
        buf_printf(body, "%s%s", i == 0 ? "{" : ", ", members[order[i]]);
    buf_putc(body, '}');
}

static void swap(int *a, int *b)
{
    int kept = *a;

    *a = *b;
    *b = kept;
}

/* The next permutation by the alphabet; false after the last. */
static bool permute(int *order, int n)
{
    int i = n - 2, k = n - 1;

    while (i >= 0 && order[i] > order[i + 1])
        i--;
    if (i < 0)
        return false;
    while (order[k] < order[i])
        k--;
    swap(&order[i], &order[k]);
    for (int a = i + 1, b = n - 1; a < b; a++, b--)
        swap(&order[a], &order[b]);
    return true;
}

static void test_members_in_any_order(void **state)
{
    CLEANUP(buf_release) struct buf body = {0}, first = {0}, found = {0};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(bodies); i++) {
        int order[MEMBERS_MAX] = {0, 1, 2, 3, 4}, n = 0;

        while (n < MEMBERS_MAX && bodies[i][n] != NULL)
            n++;
        for (bool is_first = true, more = true; more; is_first = false, more = permute(order, n)) {
            put_body(bodies[i], order, n, &body);
            note(ask(&asking, buf_text(&body)), is_first ? &first : &found);
            if (!is_first && strcmp(buf_text(&first), buf_text(&found)) != 0)
                fail_msg("%s\n%s\n%s", buf_text(&body), buf_text(&first), buf_text(&found));
        }
    }
}

/* The order of columns that the last row had is expected of the next one, no more. */
static void test_columns_in_any_order(void **state)
{
    static const char *const columns[MEMBERS_MAX] = {"\"distance\": 2000", "\"carrier\" :\"UA\"",
                                                     "\"on/off~\":true", "\"seats\":7",
                                                     "\"sc\\u0068eduled at\":\"2013-01-01 05:00\""};
    CLEANUP(buf_release) struct buf row = {0}, body = {0}, first = {0}, found = {0};

    (void)state;
    for (int n = MEMBERS_MAX; n > 0; n--) {
        int order[MEMBERS_MAX] = {0, 1, 2, 3, 4};

        for (bool is_first = true, more = true; more; is_first = false, more = permute(order, n)) {
            put_body(columns, order, n, &row);
            buf_clear(&body);
            buf_printf(&body, "{" P ",\"encoded\":true,\"features\":%s}", buf_text(&row));
            note(ask(&asking, buf_text(&body)), is_first ? &first : &found);
            if (!is_first)
                assert_string_equal(buf_text(&first), buf_text(&found));
        }
    }
}

/* A row may be a beginning of the last one, or go on where it ended; the same name twice stays
 * refused where it is the expected one. */
static void test_rows_that_differ(void **state)
{
    (void)state;
    assert_int_equal(
        ask(&asking, "{" P ",\"features\":[{\"seats\":1,\"carrier\":\"UA\",\"distance\":1},"
                     "{\"seats\":1},{\"seats\":1,\"carrier\":\"UA\",\"distance\":1,\"ratio\":1},"
                     "{\"carrier\":\"UA\"},{\"id\":[],\"seats\":2}]}"),
        ERR_OK);
    assert_int_equal(ask(&asking, "{" P ",\"features\":[{\"seats\":1,\"carrier\":\"UA\"},"
                                  "{\"carrier\":\"UA\",\"carrier\":\"UA\"}]}"),
                     ERR_INVALID);
    assert_string_equal(asking.err.field, "/features/1/carrier");
    assert_string_equal(asking.err.message, "column \"carrier\" is given twice");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_in_any_order),
        cmocka_unit_test(test_columns_in_any_order),
        cmocka_unit_test(test_rows_that_differ),
    };

    return cmocka_run_group_tests(tests, asking_setup, asking_teardown);
}
