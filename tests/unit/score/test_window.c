/* Rows as they came by COPY → rows of the table: worked out on paper, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../model/tiny_model.h"
#include "score/window.h"

#define N_FIELDS 8 /* a key of eight bytes, and the model's seven columns */

struct fixture {
    struct tiny tiny;
    struct model *model;
    struct score_plan plan;
    struct window window;
    struct scorer scorer;
    struct pg_field fields[N_FIELDS];
    struct err err;
};

static void fixture_init(struct fixture *fixture)
{
    struct err *err = &fixture->err;

    *fixture = (struct fixture){0};
    tiny_make(&fixture->tiny, TINY_REGRESSION, 0.5F);
    tiny_must(model_open(&fixture->tiny.row, &fixture->model, err), err);
    fixture->plan = (struct score_plan){
        .model = fixture->model, .n_keys = 1, .n_columns = 7, .target = {.n_columns = 2}};
    tiny_must(window_init(&fixture->window, &fixture->plan, err), err);
    tiny_must(scorer_init(&fixture->scorer, &fixture->plan, err), err);
}

static void fixture_release(struct fixture *fixture)
{
    scorer_release(&fixture->scorer);
    window_release(&fixture->window);
    model_free(fixture->model);
    tiny_release(&fixture->tiny);
}

/* A row of missing values. */
static struct pg_field *row_of_key(struct fixture *fixture, const char key[static 8])
{
    memset(fixture->fields, 0, sizeof(fixture->fields));
    fixture->fields[0] = (struct pg_field){(const uint8_t *)key, 8};
    return fixture->fields + 1;
}

static void add(struct fixture *fixture)
{
    assert_int_equal(window_add(&fixture->window, fixture->fields, NULL), ERR_OK);
}

static struct pg_field bytes(const char *data, uint32_t n_bytes)
{
    return (struct pg_field){(const uint8_t *)data, n_bytes};
}

static void rows_of_the_table(void **state)
{
    /* 1.125: 0.5 + 1 - 0.5 + 0.125, all missing; 4.875: 0.5 + 4 + 0.25 + 0.125 */
    static const char expected[] = "\0\2"
                                   "\0\0\0\10"
                                   "key one "
                                   "\0\0\0\4"
                                   "\x3f\x90\0\0"
                                   "\0\2"
                                   "\0\0\0\10"
                                   "key two "
                                   "\0\0\0\4"
                                   "\x40\x9c\0\0";
    struct fixture fixture;
    struct pg_field *columns;

    (void)state;
    fixture_init(&fixture);
    row_of_key(&fixture, "key one ");
    add(&fixture);
    columns = row_of_key(&fixture, "key two ");
    columns[0] = bytes("\x40\x9f\x40\0\0\0\0\0", 8); /* distance 2000 */
    columns[1] = bytes("AA", 2);
    columns[3] = bytes("\0", 1); /* on/off~ */
    add(&fixture);
    assert_int_equal(scorer_predict(&fixture.scorer, &fixture.window, &fixture.err), ERR_OK);
    assert_int_equal(fixture.window.tuples.length, sizeof(expected) - 1);
    assert_memory_equal(fixture.window.tuples.data, expected, sizeof(expected) - 1);
    fixture_release(&fixture);
}

static void what_stands_behind_them(void **state)
{
    static const char expected[] = "\0\4"
                                   "\0\0\0\10"
                                   "key one "
                                   "\0\0\0\4"
                                   "\x3f\x90\0\0"
                                   "\0\0\0\10"
                                   "\0\0\0\0\0\0\0\7"
                                   "\0\0\0\10"
                                   "\0\0\0\0\0\0\1\2";
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    fixture.plan.has[EXTRA_MODEL_ID] = fixture.plan.has[EXTRA_SCORED_AT] = true;
    fixture.plan.target.n_columns = 4;
    fixture.plan.scored_us = 258;
    row_of_key(&fixture, "key one ");
    add(&fixture);
    assert_int_equal(scorer_predict(&fixture.scorer, &fixture.window, &fixture.err), ERR_OK);
    assert_int_equal(fixture.window.tuples.length, sizeof(expected) - 1);
    assert_memory_equal(fixture.window.tuples.data, expected, sizeof(expected) - 1);
    fixture_release(&fixture);
}

static void full_by_rows_or_by_bytes(void **state)
{
    static char text[1 << 20];
    struct fixture fixture;
    struct pg_field *columns;

    (void)state;
    fixture_init(&fixture);
    row_of_key(&fixture, "key one ");
    for (size_t i = 0; i < fixture.window.n_most; i++) {
        assert_false(window_is_full(&fixture.window));
        add(&fixture);
    }
    assert_true(window_is_full(&fixture.window));
    window_clear(&fixture.window);
    assert_false(window_is_full(&fixture.window));
    columns = row_of_key(&fixture, "key two ");
    columns[1] = bytes(text, sizeof(text));
    add(&fixture);
    assert_true(window_is_full(&fixture.window)); /* a long row has a window to itself */
    assert_int_equal(scorer_predict(&fixture.scorer, &fixture.window, &fixture.err), ERR_OK);
    fixture_release(&fixture);
}

static void bytes_that_are_no_value(void **state)
{
    struct fixture fixture;
    struct pg_field *columns;

    (void)state;
    fixture_init(&fixture);
    columns = row_of_key(&fixture, "key one ");
    columns[0] = bytes("\x40\x9f", 2);
    add(&fixture);
    assert_int_equal(scorer_predict(&fixture.scorer, &fixture.window, &fixture.err), ERR_CORRUPT);
    assert_non_null(strstr(fixture.err.message, "column \"distance\""));
    fixture_release(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_the_table),
        cmocka_unit_test(what_stands_behind_them),
        cmocka_unit_test(full_by_rows_or_by_bytes),
        cmocka_unit_test(bytes_that_are_no_value),
    };

    return cmocka_run_group_tests_name("score/window", tests, NULL, NULL);
}
