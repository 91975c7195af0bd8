/* Errors, buffers, arenas and the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/utf8.h"

static void err_fills_and_clears(void **state)
{
    struct err err;

    (void)state;
    memset(&err, 'x', sizeof(err));
    assert_int_equal(err_set(&err, ERR_DATA, "no rows in \"%s\"", "t"), ERR_DATA);
    assert_string_equal(err.message, "no rows in \"t\"");
    assert_string_equal(err.hint, "");
    assert_string_equal(err.field, "");
    assert_string_equal(err.sqlstate, "");
    assert_int_equal(err_hint(&err, "add %d", 2), ERR_DATA);
    assert_int_equal(err_field(&err, "/a/%d", 1), ERR_DATA);
    assert_int_equal(err_prefix(&err, "run %d", 7), ERR_DATA);
    assert_string_equal(err.message, "run 7: no rows in \"t\"");
    assert_string_equal(err.hint, "add 2");
    assert_string_equal(err.field, "/a/1");
    err_field(&err, "/top%s", err.field); /* its own text as an argument */
    assert_string_equal(err.field, "/top/a/1");
    err_set(&err, ERR_SQL, "%s, %s", err.message, err.hint);
    assert_string_equal(err.message, "run 7: no rows in \"t\", add 2");
    assert_string_equal(err.hint, "");
    assert_int_equal(err_set(NULL, ERR_IO, "nobody listens"), ERR_IO);
    assert_int_equal(err_errno(&err, 2, "cannot open \"%s\"", "f"), ERR_IO);
    assert_string_equal(err.message, "cannot open \"f\": No such file or directory");
}

/* Whatever the length, what is left of a text of 2-byte characters is made of whole ones. */
static void err_cuts_at_a_character(void **state)
{
    char text[1024];
    struct err err;

    (void)state;
    for (size_t offset = 0; offset < 2; offset++) {
        memset(text, 'a', sizeof(text));
        for (size_t i = offset; i + 1 < sizeof(text); i += 2)
            memcpy(text + i, "\xc3\xa9", 2);
        text[sizeof(text) - 1] = '\0';
        err_set(&err, ERR_FAILED, "%s", text);
        err_hint(&err, "%s", text);
        err_field(&err, "%s", text);
        err_prefix(&err, "%s", "somewhere");
        assert_true(utf8_valid(err.message, strlen(err.message)));
        assert_true(utf8_valid(err.hint, strlen(err.hint)));
        assert_true(utf8_valid(err.field, strlen(err.field)));
        assert_in_range(strlen(err.message), sizeof(err.message) - 4, sizeof(err.message) - 1);
        assert_in_range(strlen(err.field), sizeof(err.field) - 4, sizeof(err.field) - 1);
    }
}

static void err_table_is_whole(void **state)
{
    (void)state;
    for (int code = 0; code < ERR_CODES; code++) {
        assert_non_null(err_name((enum err_code)code));
        assert_in_range(err_http_status((enum err_code)code), 200, 599);
    }
    assert_int_equal(err_exit_status(ERR_OK), 0);
    assert_int_equal(err_exit_status(ERR_FAILED), 1);
    assert_int_equal(err_exit_status(ERR_USAGE), 2);
    assert_int_equal(err_exit_status(ERR_UNREACHABLE), 69);
    assert_int_equal(err_exit_status(ERR_CONFIG), 78);
    assert_string_equal(err_name((enum err_code) - 1), "unknown");
}

static void buf_appends(void **state)
{
    CLEANUP(buf_release) struct buf buf = {0};

    (void)state;
    assert_string_equal(buf_text(&buf), "");
    buf_append(&buf, NULL, 0);
    assert_null(buf.data);
    assert_true(buf_reserve(&buf, 1000));
    assert_string_equal(buf_text(&buf), "");
    buf_puts(&buf, "ab");
    buf_putc(&buf, 'c');
    buf_printf(&buf, "%0200d", 1);
    assert_int_equal(buf.length, 203);
    assert_int_equal(buf.data[203], '\0');
    buf_clear(&buf);
    assert_string_equal(buf_text(&buf), "");
}

static void buf_remembers_failure(void **state)
{
    CLEANUP(buf_release) struct buf buf = {0};
    struct err err;

    (void)state;
    buf_puts(&buf, "kept");
    assert_false(buf_reserve(&buf, SIZE_MAX));
    buf_puts(&buf, "lost");
    assert_string_equal(buf_text(&buf), "kept");
    assert_int_equal(buf_check(&buf, &err), ERR_NOMEM);
}

static void buf_reads_files(void **state)
{
    char path[] = "/tmp/pgboost-test-XXXXXX";
    int fd = mkstemp(path);
    CLEANUP(buf_release) struct buf buf = {0};
    struct err err;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "0123456789", 10), 10);
    close(fd);
    buf_puts(&buf, "x");
    assert_int_equal(buf_read_file(&buf, path, 10, &err), ERR_OK);
    assert_string_equal(buf_text(&buf), "x0123456789");
    assert_int_equal(buf_read_file(&buf, path, 9, &err), ERR_LIMIT);
    assert_int_equal(buf_read_file(&buf, "/tmp", 9, &err), ERR_IO);
    unlink(path);
    assert_int_equal(buf_read_file(&buf, path, 10, &err), ERR_IO);
    assert_string_equal(buf_text(&buf), "x0123456789"); /* untouched by the failures */
}

static void arena_pieces(void **state)
{
    CLEANUP(arena_release) struct arena arena = {0};
    char *pieces[100];

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(pieces); i++) {
        pieces[i] = arena_alloc(&arena, i * 500);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        for (size_t k = 0; k < i * 500; k++)
            assert_int_equal(pieces[i][k], 0);
        memset(pieces[i], (int)i, i * 500);
    }
    for (size_t i = 1; i < N_ELEMENTS(pieces); i++)
        assert_int_equal(pieces[i][i * 500 - 1], i);
    assert_string_equal(arena_strdup(&arena, "text"), "text");
    assert_string_equal(arena_strndup(&arena, "text", 2), "te");
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc_array(&arena, SIZE_MAX / 2, 3));
    assert_string_equal(arena_strdup(&arena, "still there"), "still there");
}

static void log_quotes(void **state)
{
    char out[16];

    (void)state;
    assert_string_equal(log_text("a\"b\\c\nd", out, sizeof(out)), "\"a\\\"b\\\\c d\"");
    assert_string_equal(log_text("0123456789abcdefgh", out, sizeof(out)), "\"0123456789ab\"");
    assert_string_equal(log_text("x", out, 2), "");
}

/* One line whatever the arguments hold, cut where it is too long. */
static void log_writes_one_line(void **state)
{
    int ends[2], saved = dup(STDERR_FILENO);
    char text[8192], *line_end;
    ssize_t n;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    memset(text, 'v', sizeof(text));
    text[4000] = '\0';
    log_debug("not shown", "x=1");
    log_warning("two\nlines", "a=%s b=1\nc=2 %s", "z", text);
    dup2(saved, STDERR_FILENO);
    close(ends[1]);
    n = read(ends[0], text, sizeof(text) - 1);
    close(ends[0]);
    close(saved);
    assert_in_range(n, 2000, 2048);
    text[n] = '\0';
    line_end = strchr(text, '\n');
    assert_ptr_equal(line_end, text + n - 1);
    assert_non_null(strstr(text, "level=warning msg=\"two lines\" a=z b=1 c=2 vvv"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(err_fills_and_clears),  cmocka_unit_test(err_cuts_at_a_character),
        cmocka_unit_test(err_table_is_whole),    cmocka_unit_test(buf_appends),
        cmocka_unit_test(buf_remembers_failure), cmocka_unit_test(buf_reads_files),
        cmocka_unit_test(arena_pieces),          cmocka_unit_test(log_quotes),
        cmocka_unit_test(log_writes_one_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
