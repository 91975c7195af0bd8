/* Frames in order, in memory and beyond it: the same rows at the same places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/random.h"
#include "frame/frame.h"
#include "frame/profile.h"

static const char *const names[] = {"flag", "number", "real", "text", "list", "words", "document"};
static const enum pg_type types[] = {PG_BOOL,         PG_INT8,       PG_FLOAT4, PG_TEXT_TYPE,
                                     PG_FLOAT8_ARRAY, PG_TEXT_ARRAY, PG_JSON};
#define N_COLUMNS ((int)N_ELEMENTS(types))

struct row {
    struct cell cells[N_COLUMNS];
    double items[8];
    struct cell_string words[8];
    char text[16], document[64];
};

/* Row i of the sequence; any of its cells may be null, any list empty. */
static void make_row(uint64_t i, struct row *row)
{
    struct rng rng;
    size_t n_items, n_words;

    rng_init(&rng, i);
    n_items = rng_below(&rng, 9);
    n_words = rng_below(&rng, 9);
    for (int c = 0; c < N_COLUMNS; c++)
        row->cells[c] =
            (struct cell){.kind = cell_kind_of(types[c]), .is_null = rng_below(&rng, 5) == 0};
    snprintf(row->text, sizeof(row->text), "t%d", (int)rng_below(&rng, 50));
    for (size_t k = 0; k < n_items; k++)
        row->items[k] = (double)rng_below(&rng, 1000);
    for (size_t k = 0; k < n_words; k++)
        row->words[k] = k % 3 == 2 ? (struct cell_string){0}
                                   : (struct cell_string){row->text, strlen(row->text) - k % 2};
    snprintf(row->document, sizeof(row->document), "{\"n\":%d}", (int)rng_below(&rng, 100000));
    row->cells[0].bool_value = i % 2;
    row->cells[1].int_value = (int64_t)i;
    row->cells[2].float_value = (float)i / 3;
    row->cells[3].text = row->text;
    row->cells[3].n_bytes = strlen(row->text);
    row->cells[4].items = row->items;
    row->cells[4].n_items = n_items;
    row->cells[5].texts = row->words;
    row->cells[5].n_items = n_words;
    row->cells[6].text = row->document;
    row->cells[6].n_bytes = strlen(row->document);
}

static uint64_t key_of(uint64_t i)
{
    return (i * 2654435761U) % 1000; /* many rows of each key */
}

/* The context counts rows. */
static enum err_code next_key(void *context, const struct cell *cells, uint64_t *ret_key,
                              struct err *err)
{
    uint64_t *i = context;

    (void)cells;
    (void)err;
    *ret_key = key_of((*i)++);
    return ERR_OK;
}

static struct frame *fill(size_t n_rows, bool ordered, size_t spill_above)
{
    uint64_t n_keys = 0;
    const struct frame_order order = {next_key, &n_keys};
    const struct frame_options options = {.order = ordered ? &order : NULL,
                                          .spill = {spill_above, "/tmp"}};
    struct frame *frame = NULL;
    struct err err = {0};
    struct row row;

    assert_int_equal(frame_new(names, types, N_COLUMNS, &frame, &err), ERR_OK);
    frame_set_options(frame, &options);
    for (size_t i = 0; i < n_rows; i++) {
        make_row(i, &row);
        assert_int_equal(frame_append(frame, row.cells, &err), ERR_OK);
    }
    assert_int_equal(frame_finish(frame, &err), ERR_OK);
    assert_int_equal(frame->n_rows, n_rows);
    return frame;
}

static void assert_same_texts(const struct cell *a, const struct cell *b)
{
    for (size_t k = 0; k < a->n_items; k++) {
        assert_int_equal(a->texts[k].n_bytes, b->texts[k].n_bytes);
        assert_int_equal(a->texts[k].text == NULL, b->texts[k].text == NULL);
        if (a->texts[k].text != NULL)
            assert_memory_equal(a->texts[k].text, b->texts[k].text, a->texts[k].n_bytes);
    }
}

static void assert_same_cell(const struct cell *a, const struct cell *b)
{
    assert_int_equal(a->is_null, b->is_null);
    if (a->is_null)
        return;
    switch (a->kind) {
    case CELL_BOOL:
        assert_int_equal(a->bool_value, b->bool_value);
        break;
    case CELL_FLOAT4:
        assert_true(a->float_value == b->float_value);
        break;
    case CELL_TEXT:
    case CELL_JSON:
        assert_int_equal(a->n_bytes, b->n_bytes);
        assert_memory_equal(a->text, b->text, a->n_bytes);
        break;
    case CELL_LIST:
        assert_int_equal(a->n_items, b->n_items);
        if (a->n_items > 0)
            assert_memory_equal(a->items, b->items, a->n_items * sizeof(double));
        break;
    case CELL_TEXTS:
        assert_int_equal(a->n_items, b->n_items);
        assert_same_texts(a, b);
        break;
    default:
        assert_int_equal(a->int_value, b->int_value);
    }
}

static void assert_row(const struct frame *frame, size_t at, uint64_t i)
{
    struct row row;

    make_row(i, &row);
    for (int c = 0; c < N_COLUMNS; c++) {
        struct cell cell;

        column_cell(&frame->columns[c], at, &cell);
        assert_same_cell(&cell, &row.cells[c]);
        assert_int_equal(column_is_null(&frame->columns[c], at), row.cells[c].is_null);
    }
}

/* By key, and where keys are equal as the rows came. */
static void assert_ordered(const struct frame *frame)
{
    CLEANUP(free_ptr) uint64_t *rows = calloc(frame->n_rows, sizeof(*rows));
    size_t at = 0;

    assert_non_null(rows);
    for (uint64_t key = 0; key < 1000; key++)
        for (uint64_t i = 0; i < frame->n_rows; i++)
            if (key_of(i) == key)
                rows[at++] = i;
    assert_int_equal(at, frame->n_rows);
    for (at = 0; at < frame->n_rows; at++) {
        assert_int_equal(frame->keys[at], key_of(rows[at]));
        assert_row(frame, at, rows[at]);
    }
    assert_int_equal(frame_check(frame, NULL), ERR_OK);
}

static void rows_are_put_into_order(void **state)
{
    static const size_t sizes[] = {1, 63, 64, 65, 5000};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(sizes); i++) {
        CLEANUP(frame_freep) struct frame *frame = fill(sizes[i], true, 0);

        assert_null(frame->spilled);
        assert_ordered(frame);
    }
}

/* From runs of one row (their lists are beyond a byte) to a few long ones: always what it would be
 * in memory. */
static void spilled_rows_are_the_same(void **state)
{
    static const struct {
        size_t n_rows, spill_above;
    } cases[] = {
        {2, 1}, {1024, 1}, {1025, 1}, {10000, 1}, {10000, 100000}, {200000, 1 << 20},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        CLEANUP(frame_freep)
        struct frame *spilled = fill(cases[i].n_rows, true, cases[i].spill_above);
        CLEANUP(frame_freep) struct frame *whole = fill(cases[i].n_rows, true, 0);
        char fingerprint[FINGERPRINT_SIZE], expected[FINGERPRINT_SIZE];

        assert_non_null(spilled->spilled);
        if (cases[i].n_rows <= 10000)
            assert_ordered(spilled);
        assert_int_equal(frame_fingerprint(spilled, fingerprint, NULL), ERR_OK);
        assert_int_equal(frame_fingerprint(whole, expected, NULL), ERR_OK);
        assert_string_equal(fingerprint, expected);
        for (int c = 0; c < N_COLUMNS; c++)
            assert_int_equal(spilled->columns[c].n_nulls, whole->columns[c].n_nulls);
    }
}

static void windows_may_be_read_in_any_order(void **state)
{
    enum { N = 20000 };
    CLEANUP(frame_freep) struct frame *spilled = fill(N, true, 1);
    CLEANUP(frame_freep) struct frame *whole = fill(N, true, 0);
    struct rng rng;

    (void)state;
    rng_init(&rng, 5);
    for (int i = 0; i < 2000; i++) {
        size_t row = rng_below(&rng, N), c = rng_below(&rng, N_COLUMNS);
        struct cell a, b;

        column_cell(&spilled->columns[c], row, &a);
        column_cell(&whole->columns[c], row, &b);
        assert_same_cell(&a, &b);
    }
}

static void without_an_order_rows_stay_as_they_came(void **state)
{
    CLEANUP(frame_freep) struct frame *frame = fill(5000, false, 1);

    (void)state;
    assert_non_null(frame->spilled);
    assert_null(frame->keys);
    for (size_t i = 0; i < 5000; i++)
        assert_row(frame, i, i);
}

/* Long lists fill memory before rows do. */
static void elements_count_towards_the_bound(void **state)
{
    static const enum pg_type type = PG_FLOAT8_ARRAY;
    const struct frame_options options = {.spill = {1 << 20, "/tmp"}};
    CLEANUP(frame_freep) struct frame *frame = NULL;
    static double items[10000];
    struct cell cell = {.kind = CELL_LIST, .items = items, .n_items = N_ELEMENTS(items)};

    (void)state;
    assert_int_equal(frame_new(names, &type, 1, &frame, NULL), ERR_OK);
    frame_set_options(frame, &options);
    for (int i = 0; i < 100; i++) {
        items[0] = i;
        assert_int_equal(frame_append(frame, &cell, NULL), ERR_OK);
        assert_true(frame_bytes(frame) < 4 << 20);
    }
    assert_int_equal(frame_finish(frame, NULL), ERR_OK);
    for (size_t i = 0; i < 100; i++) {
        column_cell(&frame->columns[0], i, &cell);
        assert_int_equal(cell.n_items, N_ELEMENTS(items));
        assert_true(cell.items[0] == (double)i);
        assert_true(frame_bytes(frame) < 1 << 20); /* a window is a quarter of the bound */
    }
}

static void a_folder_that_is_not_there_is_said(void **state)
{
    const struct frame_options options = {.spill = {1, "/nonexistent/folder"}};
    CLEANUP(frame_freep) struct frame *frame = NULL;
    enum err_code code = ERR_OK;
    struct err err = {0};
    struct row row;

    (void)state;
    assert_int_equal(frame_new(names, types, N_COLUMNS, &frame, &err), ERR_OK);
    frame_set_options(frame, &options);
    for (uint64_t i = 0; i < 1025 && code == ERR_OK; i++) {
        make_row(i, &row);
        code = frame_append(frame, row.cells, &err);
    }
    assert_int_equal(code, ERR_IO);
    assert_non_null(strstr(err.message, "\"/nonexistent/folder\""));
    assert_non_null(strstr(err.hint, "state_dir"));
}

/* A file that lost its end: what was there is read as nulls, and the frame says so. */
static void a_window_that_cannot_be_read_is_told(void **state)
{
    CLEANUP(frame_freep) struct frame *frame = fill(5000, true, 1);
    struct err err = {0};
    int n_truncated = 0;

    (void)state;
    for (int fd = 3; fd < 64; fd++) {
        char path[64], target[256];
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        n = readlink(path, target, sizeof(target) - 1);
        if (n <= 0)
            continue;
        target[n] = '\0';
        if (strstr(target, "(deleted)") != NULL && strncmp(target, "/tmp/", 5) == 0)
            n_truncated += ftruncate(fd, 100) == 0;
    }
    assert_int_equal(n_truncated, 1);
    assert_int_equal(frame_check(frame, &err), ERR_OK);
    assert_true(column_is_null(&frame->columns[1], 4999));
    assert_int_equal(frame_check(frame, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.message, "too short"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_put_into_order),
        cmocka_unit_test(spilled_rows_are_the_same),
        cmocka_unit_test(windows_may_be_read_in_any_order),
        cmocka_unit_test(without_an_order_rows_stay_as_they_came),
        cmocka_unit_test(elements_count_towards_the_bound),
        cmocka_unit_test(a_folder_that_is_not_there_is_said),
        cmocka_unit_test(a_window_that_cannot_be_read_is_told),
    };

    return cmocka_run_group_tests_name("frame/frame_spill", tests, NULL, NULL);
}
