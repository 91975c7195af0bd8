#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../pg/fake_server.h"
#include "frame/frame.h"

static const char *const names[] = {"late", "delay", "distance", "fare", "carrier", "at"};
static const enum pg_type types[] = {PG_BOOL,      PG_INT4,   PG_FLOAT4,
                                     PG_TEXT_TYPE, PG_BPCHAR, PG_TIMESTAMPTZ};
#define N_COLUMNS ((int)N_ELEMENTS(types))

/* Row i, null in column i % 7 (6: in none). */
static void make_row(size_t i, struct cell cells[N_COLUMNS], char text[16])
{
    int length = snprintf(text, 16, "c%zu", i % 10);

    for (int c = 0; c < N_COLUMNS; c++)
        cells[c] = (struct cell){.kind = cell_kind_of(types[c]), .is_null = i % 7 == (size_t)c};
    cells[0].bool_value = i % 2;
    cells[1].int_value = -(int64_t)i;
    cells[2].float_value = (float)i / 2;
    cells[3].text = cells[4].text = text;
    cells[3].n_bytes = cells[4].n_bytes = (size_t)length;
    cells[5].int_value = (int64_t)i * 1000000;
}

static void rows_come_back_across_growth(void **state)
{
    const size_t n_rows = 5000;
    CLEANUP(frame_freep) struct frame *frame = NULL;
    struct err err = {0};
    struct cell cells[N_COLUMNS], cell;
    char text[16];

    (void)state;
    assert_int_equal(frame_new(names, types, N_COLUMNS, &frame, &err), ERR_OK);
    assert_int_equal(frame_bytes(frame), 0);
    for (size_t i = 0; i < n_rows; i++) {
        make_row(i, cells, text);
        assert_int_equal(frame_append(frame, cells, &err), ERR_OK);
    }
    assert_int_equal(frame->n_rows, n_rows);
    assert_int_equal(frame->columns[0].n_nulls, 715); /* 0, 7, …, 4998 */
    assert_int_equal(frame->columns[4].dictionary.n_keys, 10);
    for (size_t i = 0; i < n_rows; i++) {
        make_row(i, cells, text);
        for (int c = 0; c < N_COLUMNS; c++) {
            column_cell(&frame->columns[c], i, &cell);
            assert_int_equal(cell.kind, cells[c].kind);
            assert_int_equal(cell.is_null, cells[c].is_null);
            assert_int_equal(column_is_null(&frame->columns[c], i), cells[c].is_null);
            if (cell.is_null)
                continue;
            if (cell.kind == CELL_TEXT)
                assert_string_equal(cell.text, text);
            else if (cell.kind == CELL_BOOL)
                assert_int_equal(cell.bool_value, cells[c].bool_value);
            else if (cell.kind == CELL_FLOAT4)
                assert_true(cell.float_value == cells[c].float_value);
            else
                assert_int_equal(cell.int_value, cells[c].int_value);
        }
    }
}

static void columns_are_found_by_name(void **state)
{
    CLEANUP(frame_freep) struct frame *frame = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(frame_new(names, types, N_COLUMNS, &frame, &err), ERR_OK);
    assert_int_equal(frame_find(frame, "at"), 5);
    assert_int_equal(frame_find(frame, "At"), -1);
    assert_int_equal(frame_find(frame, ""), -1);
}

static void codes_follow_first_appearance(void **state)
{
    static const char *const texts[] = {"UA", "AA", "UA", "", "AA"};
    static const uint32_t codes[] = {0, 1, 0, 2, 1};
    static const char *const name[] = {"carrier"};
    static const enum pg_type type[] = {PG_TEXT_TYPE};
    CLEANUP(frame_freep) struct frame *frame = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(frame_new(name, type, 1, &frame, &err), ERR_OK);
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        const struct cell cell = {.kind = CELL_TEXT, .text = texts[i], .n_bytes = strlen(texts[i])};

        assert_int_equal(frame_append(frame, &cell, &err), ERR_OK);
    }
    assert_memory_equal(frame->columns[0].codes, codes, sizeof(codes));
    assert_int_equal(frame->columns[0].dictionary.n_keys, 3);
    assert_int_equal(frame->columns[0].n_nulls, 0); /* an empty text is a value */
}

/* A relation of an int4 and a text, and a server that sends it in n_rows rows. */
struct source {
    struct fake_server server;
    struct relation_column columns[2];
    struct relation relation;
    struct pg *pg;
    struct err err;
};

static void put_row(struct buf *data, uint32_t number, uint32_t n_bytes, const char *text)
{
    fake_put_int(data, 2, 2);
    fake_put_int(data, n_bytes, 4);
    fake_put_int(data, number, (int)n_bytes);
    fake_put_int(data, text != NULL ? (uint32_t)strlen(text) : UINT32_MAX, 4);
    buf_puts(data, text != NULL ? text : "");
}

static void put_copy(struct buf *answer, struct buf *data)
{
    fake_put_int(data, UINT16_MAX, 2);
    fake_put_message(answer, '1', NULL, 0);
    fake_put_message(answer, '2', NULL, 0);
    fake_put_message(answer, 'n', NULL, 0);
    fake_put_message(answer, 'H', "\1\0\2\0\1\0\1", 7);
    fake_put_message(answer, 'd', data->data, data->length);
    fake_put_message(answer, 'c', NULL, 0);
    fake_put_complete(answer, "COPY");
    fake_put_ready(answer);
}

static void open_source(struct source *source, struct buf *data)
{
    const struct pg_options options = {.dsn = source->server.dsn};

    source->columns[0] = (struct relation_column){.name = "n", .type = PG_INT4, .readable = true};
    source->columns[1] =
        (struct relation_column){.name = "t", .type = PG_TEXT_TYPE, .readable = true};
    source->relation = (struct relation){
        .name = "demo.flights", .kind = 'r', .n_columns = 2, .columns = source->columns};
    fake_accept(&source->server);
    fake_put_done(fake_answer(&source->server), "BEGIN");
    fake_put_done(fake_answer(&source->server), "SELECT 1");
    put_copy(fake_answer(&source->server), data);
    fake_put_done(fake_answer(&source->server), "ROLLBACK");
    assert_true(fake_start(&source->server));
    assert_int_equal(pg_connect(&options, &source->pg, &source->err), ERR_OK);
}

static void close_source(struct source *source)
{
    pg_close(source->pg);
    fake_stop(&source->server);
}

static void put_header(struct buf *data)
{
    buf_append(data, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
}

static const int both[] = {0, 1};

static void reads_what_the_relation_sends(void **state)
{
    CLEANUP(buf_release) struct buf data = {0};
    CLEANUP(frame_freep) struct frame *frame = NULL;
    struct source source = {0};
    struct cell cell;

    (void)state;
    put_header(&data);
    put_row(&data, 17, 4, "UA");
    put_row(&data, UINT32_MAX, 4, NULL);
    open_source(&source, &data);
    assert_int_equal(
        frame_read(source.pg, &source.relation, both, 2, NULL, NULL, NULL, &frame, &source.err),
        ERR_OK);
    assert_int_equal(frame->n_rows, 2);
    assert_string_equal(frame->columns[1].name, "t");
    column_cell(&frame->columns[0], 1, &cell);
    assert_int_equal(cell.int_value, -1);
    column_cell(&frame->columns[1], 0, &cell);
    assert_string_equal(cell.text, "UA");
    assert_true(column_is_null(&frame->columns[1], 1));
    close_source(&source);
}

static enum err_code stop_at(void *context, size_t n_rows, struct err *err)
{
    *(size_t *)context = n_rows;
    return err_set(err, ERR_CANCELLED, "stopped");
}

static void many_rows(struct buf *data, int n_rows)
{
    put_header(data);
    for (int i = 0; i < n_rows; i++) {
        char text[32];

        snprintf(text, sizeof(text), "a text of its own %d", i);
        put_row(data, (uint32_t)i, 4, text);
    }
}

static void progress_stops_a_read(void **state)
{
    CLEANUP(buf_release) struct buf data = {0};
    CLEANUP(frame_freep) struct frame *frame = NULL;
    struct source source = {0};
    size_t seen = 0;

    (void)state;
    many_rows(&data, 20000);
    open_source(&source, &data);
    assert_int_equal(
        frame_read(source.pg, &source.relation, both, 2, NULL, stop_at, &seen, &frame, &source.err),
        ERR_CANCELLED);
    assert_int_equal(seen, 10000);
    assert_null(frame);
    close_source(&source);
}

static void damaged_cell_names_its_column(void **state)
{
    CLEANUP(buf_release) struct buf data = {0};
    CLEANUP(frame_freep) struct frame *frame = NULL;
    struct source source = {0};

    (void)state;
    put_header(&data);
    put_row(&data, 17, 2, "UA"); /* an int4 of two bytes */
    open_source(&source, &data);
    assert_int_equal(
        frame_read(source.pg, &source.relation, both, 2, NULL, NULL, NULL, &frame, &source.err),
        ERR_CORRUPT);
    assert_non_null(strstr(source.err.message, "column \"n\": "));
    assert_null(frame);
    close_source(&source);
}

static void column_without_select_is_denied(void **state)
{
    CLEANUP(buf_release) struct buf data = {0};
    CLEANUP(frame_freep) struct frame *frame = NULL;
    struct source source = {0};

    (void)state;
    put_header(&data);
    open_source(&source, &data);
    source.columns[1].readable = false;
    assert_int_equal(
        frame_read(source.pg, &source.relation, both, 2, NULL, NULL, NULL, &frame, &source.err),
        ERR_DENIED);
    assert_non_null(strstr(source.err.message, "column \"t\""));
    assert_non_null(strstr(source.err.hint, "GRANT SELECT ON demo.flights"));
    close_source(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back_across_growth),
        cmocka_unit_test(columns_are_found_by_name),
        cmocka_unit_test(codes_follow_first_appearance),
        cmocka_unit_test(reads_what_the_relation_sends),
        cmocka_unit_test(progress_stops_a_read),
        cmocka_unit_test(damaged_cell_names_its_column),
        cmocka_unit_test(column_without_select_is_denied),
    };

    return cmocka_run_group_tests_name("frame/frame", tests, NULL, NULL);
}
