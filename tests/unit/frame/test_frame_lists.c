/* Columns of lists, texts and documents in a frame. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "frame/internal.h"

static const char *const names[] = {"prices", "tags", "details"};
static const enum pg_type types[] = {PG_FLOAT8_ARRAY, PG_TEXT_ARRAY, PG_JSON};
#define N_COLUMNS ((int)N_ELEMENTS(types))

struct row {
    double items[8];
    char words[8][16];
    struct cell_string texts[8];
    char document[32];
};

/* Row i: i % 8 elements, every third NULL; all of the row null when i % 11 is 3. */
static void make_row(size_t i, struct row *row, struct cell cells[N_COLUMNS])
{
    size_t n = i % 8;

    for (int c = 0; c < N_COLUMNS; c++)
        cells[c] = (struct cell){.kind = cell_kind_of(types[c]), .is_null = i % 11 == 3};
    for (size_t k = 0; k < n; k++) {
        int length = snprintf(row->words[k], sizeof(row->words[k]), "w%zu", (i + k) % 50);

        row->items[k] = k % 3 == 2 ? NAN : (double)(i + k) / 4;
        row->texts[k] = (struct cell_string){k % 3 == 2 ? NULL : row->words[k],
                                             k % 3 == 2 ? 0 : (size_t)length};
    }
    cells[0].items = row->items;
    cells[1].texts = row->texts;
    cells[0].n_items = cells[1].n_items = n;
    cells[2].text = row->document;
    cells[2].n_bytes =
        (size_t)snprintf(row->document, sizeof(row->document), "{\"a\":%zu}", i % 100);
}

static void assert_same_row(const struct frame *frame, size_t i)
{
    struct cell cells[N_COLUMNS], cell;
    struct row row;

    make_row(i, &row, cells);
    for (int c = 0; c < N_COLUMNS; c++) {
        column_cell(&frame->columns[c], i, &cell);
        assert_int_equal(cell.kind, cells[c].kind);
        assert_int_equal(cell.is_null, cells[c].is_null);
    }
    if (cells[0].is_null)
        return;
    column_cell(&frame->columns[0], i, &cell);
    assert_int_equal(cell.n_items, cells[0].n_items);
    for (size_t k = 0; k < cell.n_items; k++)
        assert_true(cell.items[k] == row.items[k] || (isnan(cell.items[k]) && k % 3 == 2));
    column_cell(&frame->columns[1], i, &cell);
    assert_int_equal(cell.n_items, cells[1].n_items);
    for (size_t k = 0; k < cell.n_items; k++) {
        if (k % 3 == 2)
            assert_null(cell.texts[k].text);
        else
            assert_string_equal(cell.texts[k].text, row.words[k]);
        assert_int_equal(cell.texts[k].n_bytes, row.texts[k].n_bytes);
    }
    column_cell(&frame->columns[2], i, &cell);
    assert_int_equal(cell.n_bytes, strlen(row.document));
    assert_memory_equal(cell.text, row.document, cell.n_bytes);
}

static void lists_come_back_across_growth(void **state)
{
    const size_t n_rows = 5000;
    CLEANUP(frame_freep) struct frame *frame = NULL;
    struct cell cells[N_COLUMNS];
    struct err err = {0};
    struct row row;

    (void)state;
    assert_int_equal(frame_new(names, types, N_COLUMNS, &frame, &err), ERR_OK);
    for (size_t i = 0; i < n_rows; i++) {
        make_row(i, &row, cells);
        assert_int_equal(frame_append(frame, cells, &err), ERR_OK);
    }
    for (size_t i = 0; i < n_rows; i++)
        assert_same_row(frame, i);
    assert_int_equal(frame->columns[1].dictionary.n_keys, 50);
    /* 3.5 elements a row, of 8 and of 16 bytes, less one row of eleven */
    assert_true(frame_bytes(frame) > n_rows * 3.5 * 24 * 10 / 11);
}

/* Also in a frame whose first rows are null or empty. */
static void empty_is_not_null(void **state)
{
    CLEANUP(frame_freep) struct frame *frame = NULL;
    struct cell cell = {.kind = CELL_LIST, .is_null = true}, read;
    const double one = 1;
    struct err err = {0};

    (void)state;
    assert_int_equal(frame_new(names, types, 1, &frame, &err), ERR_OK);
    assert_int_equal(frame_append(frame, &cell, &err), ERR_OK);
    cell.is_null = false;
    assert_int_equal(frame_append(frame, &cell, &err), ERR_OK);
    cell.items = &one;
    cell.n_items = 1;
    assert_int_equal(frame_append(frame, &cell, &err), ERR_OK);
    column_cell(&frame->columns[0], 0, &read);
    assert_true(read.is_null);
    column_cell(&frame->columns[0], 1, &read);
    assert_false(read.is_null);
    assert_int_equal(read.n_items, 0);
    column_cell(&frame->columns[0], 2, &read);
    assert_int_equal(read.n_items, 1);
    assert_true(read.items[0] == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_come_back_across_growth),
        cmocka_unit_test(empty_is_not_null),
    };

    return cmocka_run_group_tests_name("frame/frame_lists", tests, NULL, NULL);
}
