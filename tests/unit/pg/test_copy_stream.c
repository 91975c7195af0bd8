/* The reader of a COPY stream: cut anywhere, damaged anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pg/copy_stream.h"

#define N_COLUMNS 2

/* Header with an extension of 3 bytes; rows ("ab", NULL) and ("", "xyz"); trailer. */
static const char sample[] = "PGCOPY\n\377\r\n\0"
                             "\0\0\0\0\0\0\0\3ext"
                             "\0\2\0\0\0\2ab\377\377\377\377"
                             "\0\2\0\0\0\0\0\0\0\3xyz"
                             "\377\377";
#define SAMPLE_BYTES (sizeof(sample) - 1)
#define HEADER_BYTES 22
#define ROW_1        HEADER_BYTES
#define ROW_2        (ROW_1 + 12)
#define TRAILER      (ROW_2 + 13)

/* What came out: each field as "text" or NULL, a row a line; then how it ended. */
struct outcome {
    struct buf rows;
    int n_rows;
    enum err_code code;
    struct err err;
};

static void note_row(struct outcome *outcome, const struct pg_field *fields)
{
    for (int i = 0; i < N_COLUMNS; i++) {
        if (fields[i].data == NULL)
            buf_puts(&outcome->rows, "NULL");
        else
            buf_printf(&outcome->rows, "\"%.*s\"", (int)fields[i].n_bytes,
                       (const char *)fields[i].data);
        buf_puts(&outcome->rows, i == N_COLUMNS - 1 ? "\n" : " ");
    }
    outcome->n_rows++;
}

/* Everything that the stream holds now; false: it is damaged. */
static bool drain(struct copy_stream *stream, struct outcome *outcome)
{
    for (;;) {
        struct pg_field fields[N_COLUMNS];

        switch (copy_stream_next(stream, fields, &outcome->err)) {
        case COPY_ROW:
            note_row(outcome, fields);
            break;
        case COPY_MORE:
        case COPY_END:
            return true;
        case COPY_CORRUPT:
            outcome->code = ERR_CORRUPT;
            return false;
        }
    }
}

/* The bytes in messages of n_first, then of n_each; each in memory of its own, gone when the next
 * one has come. */
static void read_cut(const char *bytes, size_t n_bytes, size_t n_first, size_t n_each,
                     struct outcome *outcome)
{
    struct copy_stream stream = {.n_columns = N_COLUMNS};
    char *last = NULL;
    size_t at = 0, n = n_first;
    bool good = true;

    *outcome = (struct outcome){0};
    for (; good && at < n_bytes; at += n, n = n_each) {
        char *message;

        n = n < n_bytes - at ? n : n_bytes - at;
        message = malloc(n > 0 ? n : 1);
        memcpy(message, bytes + at, n);
        assert_int_equal(copy_stream_feed(&stream, message, n, &outcome->err), ERR_OK);
        free(last);
        last = message;
        good = drain(&stream, outcome);
    }
    if (good)
        outcome->code = copy_stream_finish(&stream, &outcome->err);
    free(last);
    copy_stream_release(&stream);
}

static void read_whole(const char *bytes, size_t n_bytes, struct outcome *outcome)
{
    read_cut(bytes, n_bytes, n_bytes, 1, outcome);
}

static void assert_same(const struct outcome *a, const struct outcome *b)
{
    assert_string_equal(buf_text(&a->rows), buf_text(&b->rows));
    assert_int_equal(a->code, b->code);
    assert_string_equal(a->err.message, b->err.message);
}

static void the_same_rows_wherever_it_is_cut(void **state)
{
    (void)state;
    for (size_t n_first = 0; n_first <= SAMPLE_BYTES; n_first++) {
        for (size_t n_each = 1; n_each <= SAMPLE_BYTES; n_each++) {
            struct outcome outcome;

            read_cut(sample, SAMPLE_BYTES, n_first, n_each, &outcome);
            assert_string_equal(buf_text(&outcome.rows), "\"ab\" NULL\n\"\" \"xyz\"\n");
            assert_int_equal(outcome.code, ERR_OK);
            buf_release(&outcome.rows);
        }
    }
}

static void damage_is_named(void **state)
{
    static const struct {
        size_t at;
        char byte;
        int n_rows; /* before it shows */
        const char *said;
    } cases[] = {
        {0, 'X', 0, "it does not begin with PGCOPY"},
        {10, 1, 0, "it does not begin with PGCOPY"}, /* the signature's NUL */
        {11, 1, 0, "its header has flags of an unknown format"},
        {12, 1, 0, "its header has flags of an unknown format"},
        {15, 1, 0, "its header is too long"},
        {18, 2, 0, "a row has another number of fields"}, /* the header is too short */
        {ROW_1 + 1, 3, 0, "a row has another number of fields"},
        {ROW_1 + 1, 1, 0, "a row has another number of fields"},
        {ROW_1 + 1, 0, 0, "a row has another number of fields"},
        {ROW_1, 0x7f, 0, "a row has another number of fields"},
        {ROW_1 + 2, -128, 0, "a field has a length below zero"},
        {ROW_1 + 11, -2, 0, "a field has a length below zero"}, /* -2 */
        {ROW_1 + 2, 0x7f, 0, "it ends in the middle"},          /* 2 GiB */
        {ROW_2 + 5, 0x7f, 1, "it ends in the middle"},          /* a length beyond the rest */
        {ROW_2 + 9, 2, 2, "a row has another number of fields"},
        {TRAILER, 0, 2, "a row has another number of fields"},
        {TRAILER + 1, 0, 2, "a row has another number of fields"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        char damaged[SAMPLE_BYTES];
        struct outcome outcome;

        memcpy(damaged, sample, SAMPLE_BYTES);
        damaged[cases[i].at] = cases[i].byte;
        read_whole(damaged, SAMPLE_BYTES, &outcome);
        assert_int_equal(outcome.code, ERR_CORRUPT);
        assert_int_equal(outcome.n_rows, cases[i].n_rows);
        assert_non_null(strstr(outcome.err.message, cases[i].said));
        assert_non_null(strstr(outcome.err.hint, "proxy"));
        buf_release(&outcome.rows);
    }
}

static void any_byte_means_the_same_in_one_message_and_in_many(void **state)
{
    (void)state;
    for (size_t at = 0; at < SAMPLE_BYTES; at++) {
        for (int byte = 0; byte < 256; byte++) {
            struct outcome whole, bytewise;
            char damaged[SAMPLE_BYTES];

            memcpy(damaged, sample, SAMPLE_BYTES);
            damaged[at] = (char)byte;
            read_whole(damaged, SAMPLE_BYTES, &whole);
            read_cut(damaged, SAMPLE_BYTES, 1, 1, &bytewise);
            assert_same(&whole, &bytewise);
            buf_release(&whole.rows);
            buf_release(&bytewise.rows);
        }
    }
}

static void a_stream_without_trailer_ends_in_the_middle(void **state)
{
    (void)state;
    for (size_t n = 0; n < SAMPLE_BYTES; n++) {
        struct outcome outcome;

        read_whole(sample, n, &outcome);
        assert_int_equal(outcome.code, ERR_CORRUPT);
        assert_non_null(strstr(outcome.err.message, "it ends in the middle"));
        assert_int_equal(outcome.n_rows, (n >= ROW_2) + (n >= TRAILER));
        buf_release(&outcome.rows);
    }
}

static void nothing_may_stand_behind_the_trailer(void **state)
{
    char longer[SAMPLE_BYTES + 1];

    (void)state;
    memcpy(longer, sample, SAMPLE_BYTES);
    longer[SAMPLE_BYTES] = '\377';
    for (size_t n_first = 0; n_first <= sizeof(longer); n_first++) {
        struct outcome outcome;

        read_cut(longer, sizeof(longer), n_first, sizeof(longer), &outcome);
        assert_int_equal(outcome.code, ERR_CORRUPT);
        assert_int_equal(outcome.n_rows, 2);
        assert_non_null(strstr(outcome.err.message, "it goes on behind its end"));
        buf_release(&outcome.rows);
    }
}

static void damage_and_the_end_are_told_as_often_as_asked(void **state)
{
    struct copy_stream good = {.n_columns = N_COLUMNS}, bad = {.n_columns = N_COLUMNS + 1};
    struct pg_field fields[N_COLUMNS + 1];
    struct outcome outcome = {0};

    (void)state;
    assert_int_equal(copy_stream_next(&good, fields, NULL), COPY_MORE);
    assert_int_equal(copy_stream_feed(&good, sample, SAMPLE_BYTES, NULL), ERR_OK);
    assert_true(drain(&good, &outcome));
    assert_int_equal(outcome.n_rows, 2);
    assert_int_equal(copy_stream_feed(&bad, sample, SAMPLE_BYTES, NULL), ERR_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(copy_stream_next(&good, fields, NULL), COPY_END);
        assert_int_equal(copy_stream_finish(&good, NULL), ERR_OK);
        assert_int_equal(copy_stream_next(&bad, fields, NULL), COPY_CORRUPT);
        assert_int_equal(copy_stream_finish(&bad, NULL), ERR_CORRUPT);
    }
    buf_release(&outcome.rows);
    copy_stream_release(&good);
    copy_stream_release(&bad);
}

/* 1 MiB a byte at a time, twice: what is carried is neither lost nor moved for every message. */
static void a_long_row_in_short_messages(void **state)
{
    const uint32_t n = 1 << 20;
    CLEANUP(buf_release) struct buf bytes = {0};
    struct outcome outcome;

    (void)state;
    buf_append(&bytes, sample, HEADER_BYTES);
    for (int row = 0; row < 2; row++) {
        buf_append(&bytes, "\0\2\377\377\377\377\0\20\0\0", 10);
        for (uint32_t i = 0; i < n; i++)
            buf_putc(&bytes, (char)('a' + (i + (uint32_t)row) % 26));
    }
    buf_append(&bytes, "\377\377", 2);
    read_cut(bytes.data, bytes.length, 1, 1, &outcome);
    assert_int_equal(outcome.code, ERR_OK);
    assert_int_equal(outcome.n_rows, 2);
    assert_int_equal(outcome.rows.length, 2 * (n + strlen("NULL \"\"\n")));
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(outcome.rows.data[6 + i], 'a' + i % 26);
        assert_int_equal(outcome.rows.data[n + 14 + i], 'a' + (i + 1) % 26);
    }
    buf_release(&outcome.rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_rows_wherever_it_is_cut),
        cmocka_unit_test(damage_is_named),
        cmocka_unit_test(any_byte_means_the_same_in_one_message_and_in_many),
        cmocka_unit_test(a_stream_without_trailer_ends_in_the_middle),
        cmocka_unit_test(nothing_may_stand_behind_the_trailer),
        cmocka_unit_test(damage_and_the_end_are_told_as_often_as_asked),
        cmocka_unit_test(a_long_row_in_short_messages),
    };

    return cmocka_run_group_tests_name("pg/copy_stream", tests, NULL, NULL);
}
