/* COPY from servers that send what no real one does; the stream itself: test_copy_stream.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_server.h"
#include "pg/pg.h"

#define N_COLUMNS 2

/* Header with an extension of 3 bytes; rows ("ab", NULL) and ("", "xyz"); trailer. */
static const char stream[] = "PGCOPY\n\377\r\n\0"
                             "\0\0\0\0\0\0\0\3ext"
                             "\0\2\0\0\0\2ab\377\377\377\377"
                             "\0\2\0\0\0\0\0\0\0\3xyz"
                             "\377\377";
#define STREAM_BYTES (sizeof(stream) - 1)
#define HEADER_BYTES 22
#define ROW_1        HEADER_BYTES
#define ROW_2        (ROW_1 + 12)
#define TRAILER      (ROW_2 + 13)

/* The server's answer to the COPY: the bytes in messages of at most n_each. */
static void put_copy(struct buf *answer, const char *bytes, size_t n_bytes, size_t n_each)
{
    fake_put_message(answer, '1', NULL, 0);
    fake_put_message(answer, '2', NULL, 0);
    fake_put_message(answer, 'n', NULL, 0);
    fake_put_message(answer, 'H', "\1\0\2\0\1\0\1", 7);
    for (size_t at = 0; at < n_bytes; at += n_each)
        fake_put_message(answer, 'd', bytes + at, n_bytes - at < n_each ? n_bytes - at : n_each);
}

static void put_end(struct buf *answer)
{
    fake_put_message(answer, 'c', NULL, 0);
    fake_put_complete(answer, "COPY 2");
    fake_put_ready(answer);
}

struct fixture {
    struct fake_server server;
    struct pg *pg;
    struct pg_copy *copy;
    struct err err;
};

static void open_copy(struct fixture *f)
{
    const struct pg_options options = {.dsn = f->server.dsn, .statement_timeout_ms = 5000};

    assert_true(fake_start(&f->server));
    assert_int_equal(pg_connect(&options, &f->pg, &f->err), ERR_OK);
    assert_int_equal(pg_copy_open(f->pg, "COPY", N_COLUMNS, &f->copy, &f->err), ERR_OK);
}

static void close_copy(struct fixture *f)
{
    pg_copy_close(f->copy);
    pg_close(f->pg);
    fake_stop(&f->server);
}

/* Reads to the end; the number of rows before the failure. */
static enum err_code read_all(struct fixture *f, int *ret_n_rows)
{
    struct pg_field fields[N_COLUMNS];
    bool done = false;

    for (*ret_n_rows = 0;; (*ret_n_rows)++) {
        enum err_code code = pg_copy_next(f->copy, fields, &done, &f->err);

        if (code != ERR_OK || done)
            return code;
    }
}

static void rows_come_whole_however_the_stream_is_cut(void **state)
{
    (void)state;
    for (size_t n_each = 1; n_each <= STREAM_BYTES; n_each++) {
        struct fixture f = {0};
        struct pg_field fields[N_COLUMNS];
        struct buf *answer;
        bool done;

        fake_accept(&f.server);
        answer = fake_answer(&f.server);
        put_copy(answer, stream, STREAM_BYTES, n_each);
        put_end(answer);
        open_copy(&f);
        assert_int_equal(pg_exec(f.pg, "SELECT 1", 0, NULL, NULL, &f.err), ERR_CONFLICT);
        assert_int_equal(pg_copy_next(f.copy, fields, &done, &f.err), ERR_OK);
        assert_false(done);
        assert_int_equal(fields[0].n_bytes, 2);
        assert_memory_equal(fields[0].data, "ab", 2);
        assert_null(fields[1].data);
        assert_int_equal(pg_copy_next(f.copy, fields, &done, &f.err), ERR_OK);
        assert_false(done);
        assert_non_null(fields[0].data); /* an empty text is not NULL */
        assert_int_equal(fields[0].n_bytes, 0);
        assert_memory_equal(fields[1].data, "xyz", 3);
        assert_int_equal(pg_copy_next(f.copy, fields, &done, &f.err), ERR_OK);
        assert_true(done);
        assert_false(pg_broken(f.pg));
        close_copy(&f);
    }
}

static void damage_breaks_the_connection(void **state)
{
    struct fixture f = {0};
    char damaged[STREAM_BYTES];
    struct buf *answer;
    int n_rows;

    (void)state;
    memcpy(damaged, stream, STREAM_BYTES);
    damaged[ROW_2 + 1] = 3; /* fields of the second row */
    fake_accept(&f.server);
    answer = fake_answer(&f.server);
    put_copy(answer, damaged, STREAM_BYTES, STREAM_BYTES);
    put_end(answer);
    open_copy(&f);
    assert_int_equal(read_all(&f, &n_rows), ERR_CORRUPT);
    assert_int_equal(n_rows, 1);
    assert_true(pg_broken(f.pg));
    close_copy(&f);
}

static void bytes_after_the_trailer_are_damage(void **state)
{
    (void)state;
    for (int same_message = 0; same_message <= 1; same_message++) {
        struct fixture f = {0};
        CLEANUP(buf_release) struct buf longer = {0};
        struct buf *answer;
        int n_rows;

        buf_append(&longer, stream, STREAM_BYTES);
        buf_puts(&longer, "more");
        fake_accept(&f.server);
        answer = fake_answer(&f.server);
        put_copy(answer, longer.data, longer.length, same_message ? longer.length : STREAM_BYTES);
        put_end(answer);
        open_copy(&f);
        assert_int_equal(read_all(&f, &n_rows), ERR_CORRUPT);
        assert_int_equal(n_rows, 2);
        close_copy(&f);
    }
}

static void stream_without_trailer_is_damage(void **state)
{
    (void)state;
    for (size_t n = 0; n < STREAM_BYTES; n++) {
        struct fixture f = {0};
        struct buf *answer;
        int n_rows;

        fake_accept(&f.server);
        answer = fake_answer(&f.server);
        put_copy(answer, stream, n, 64);
        put_end(answer);
        open_copy(&f);
        assert_int_equal(read_all(&f, &n_rows), ERR_CORRUPT);
        assert_int_equal(n_rows, (n >= ROW_2) + (n >= TRAILER));
        close_copy(&f);
    }
}

static void error_of_the_server_half_way(void **state)
{
    struct fixture f = {0};
    struct buf *answer;
    int n_rows;

    (void)state;
    fake_accept(&f.server);
    answer = fake_answer(&f.server);
    put_copy(answer, stream, ROW_2, 64);
    fake_put_error(answer, "22012", "division by zero", NULL, NULL);
    fake_put_ready(answer);
    open_copy(&f);
    assert_int_equal(read_all(&f, &n_rows), ERR_SQL);
    assert_string_equal(f.err.sqlstate, "22012");
    assert_int_equal(n_rows, 1);
    assert_false(pg_broken(f.pg));
    close_copy(&f);
}

static void link_cut_half_way(void **state)
{
    struct fixture f = {.server.hang_up = true};
    int n_rows;

    (void)state;
    fake_accept(&f.server);
    put_copy(fake_answer(&f.server), stream, ROW_2 + 3, 64);
    open_copy(&f);
    assert_int_equal(read_all(&f, &n_rows), ERR_UNREACHABLE);
    assert_int_equal(n_rows, 1);
    assert_true(pg_broken(f.pg));
    close_copy(&f);
}

static void closing_early_breaks_the_connection(void **state)
{
    struct fixture f = {0};
    struct buf *answer;

    (void)state;
    fake_accept(&f.server);
    answer = fake_answer(&f.server);
    put_copy(answer, stream, STREAM_BYTES, 64);
    put_end(answer);
    open_copy(&f);
    pg_copy_close(TAKE_PTR(f.copy));
    assert_true(pg_broken(f.pg));
    assert_int_equal(pg_exec(f.pg, "SELECT 1", 0, NULL, NULL, &f.err), ERR_UNREACHABLE);
    close_copy(&f);
}

static void statement_that_is_refused_leaves_the_connection_usable(void **state)
{
    struct fixture f = {0};
    const struct pg_options options = {.dsn = f.server.dsn};
    struct buf *answer;

    (void)state;
    fake_accept(&f.server);
    answer = fake_answer(&f.server);
    fake_put_error(answer, "42501", "permission denied", NULL, NULL);
    fake_put_ready(answer);
    fake_put_done(fake_answer(&f.server), "SELECT 1");
    assert_true(fake_start(&f.server));
    assert_int_equal(pg_connect(&options, &f.pg, &f.err), ERR_OK);
    assert_int_equal(pg_copy_open(f.pg, "COPY", N_COLUMNS, &f.copy, &f.err), ERR_DENIED);
    assert_null(f.copy);
    assert_int_equal(pg_exec(f.pg, "SELECT 1", 0, NULL, NULL, &f.err), ERR_OK);
    close_copy(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_whole_however_the_stream_is_cut),
        cmocka_unit_test(damage_breaks_the_connection),
        cmocka_unit_test(bytes_after_the_trailer_are_damage),
        cmocka_unit_test(stream_without_trailer_is_damage),
        cmocka_unit_test(error_of_the_server_half_way),
        cmocka_unit_test(link_cut_half_way),
        cmocka_unit_test(closing_early_breaks_the_connection),
        cmocka_unit_test(statement_that_is_refused_leaves_the_connection_usable),
    };

    return cmocka_run_group_tests_name("pg/copy", tests, NULL, NULL);
}
