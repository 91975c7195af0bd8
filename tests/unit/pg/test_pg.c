#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fake_server.h"
#include "pg/pg.h"

/* The environment of whoever runs the tests must not matter. */
static int forget_environment(void **state)
{
    static const char *const names[] = {
        "PGHOST",    "PGPORT",     "PGDATABASE",        "PGUSER",
        "PGSERVICE", "PGPASSWORD", "PGCONNECT_TIMEOUT", "PGSSLMODE"};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(names); i++)
        unsetenv(names[i]);
    return 0;
}

static enum err_code connect_as(const char *dsn, bool read_only, struct pg **ret_pg,
                                struct err *err)
{
    const struct pg_options options = {
        .dsn = dsn,
        .application_name = "test",
        .connect_timeout_ms = 5000,
        .statement_timeout_ms = 5000,
        .read_only = read_only,
    };

    return pg_connect(&options, ret_pg, err);
}

static enum err_code connect_to(const char *dsn, struct pg **ret_pg, struct err *err)
{
    return connect_as(dsn, false, ret_pg, err);
}

static void bad_settings_are_named_without_the_password(void **state)
{
    static const char *const dsns[] = {
        "just a name",
        "hots=1 password=S3cret",
        "password=S3cret x",
        "postgresql://u:S3@cret@host/db",
        "postgresql://u:S3/cret@host/db",
        "postgresql://u:%zzS3cret@host/db",
        "host=localhost port=S3cret",
        "host=localhost sslmode=S3cret",
        "service=S3cret",
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(dsns); i++) {
        struct err err = {0};
        struct pg *pg = NULL;

        assert_int_equal(connect_to(dsns[i], &pg, &err), ERR_CONFIG);
        assert_null(pg);
        assert_null(strstr(err.message, "S3"));
        assert_null(strstr(err.message, "cret"));
        assert_null(strstr(err.hint, "cret"));
        assert_string_not_equal(err.hint, "");
    }
}

static void nobody_there(void **state)
{
    struct err err = {0};
    struct pg *pg = NULL;

    (void)state;
    assert_int_equal(connect_to("host=/nonexistent port=5433", &pg, &err), ERR_UNREACHABLE);
    assert_string_equal(err.message, "cannot reach Postgres at /nonexistent/.s.PGSQL.5433: "
                                     "No such file or directory");
    assert_string_not_equal(err.hint, "");
    assert_null(pg);
}

static void refusals_go_by_sqlstate_in_any_language(void **state)
{
    static const struct {
        const char *sqlstate, *message;
        enum err_code code;
        const char *hint; /* a part of it */
    } cases[] = {
        {"28P01", "falsches Passwort", ERR_DENIED, "PGPASSWORD"},
        {"28000", "no pg_hba.conf entry", ERR_DENIED, "pg_hba.conf"},
        {"3D000", "Datenbank fehlt", ERR_NOT_FOUND, "createdb \"flights\""},
        {"42501", "keine Berechtigung", ERR_DENIED, "GRANT CONNECT"},
        {"53300", "zu viele", ERR_UNREACHABLE, "max_connections"},
        {"57P03", "startet", ERR_UNREACHABLE, "try again"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct fake_server server = {.hang_up = true};
        struct err err = {0};
        struct pg *pg = NULL;

        fake_put_error(fake_answer(&server), cases[i].sqlstate, cases[i].message, NULL, NULL);
        assert_true(fake_start(&server));
        assert_int_equal(connect_to(server.dsn, &pg, &err), cases[i].code);
        fake_stop(&server);
        assert_string_equal(err.sqlstate, cases[i].sqlstate);
        assert_non_null(strstr(err.message, cases[i].message));
        assert_non_null(strstr(err.hint, cases[i].hint));
    }
}

static void missing_password(void **state)
{
    struct fake_server server = {.hang_up = true};
    struct err err = {0};
    struct pg *pg = NULL;

    (void)state;
    setenv("PGPASSFILE", "/nonexistent", 1);
    fake_put_message(fake_answer(&server), 'R', "\0\0\0\3", 4); /* clear-text password, please */
    assert_true(fake_start(&server));
    assert_int_equal(connect_to(server.dsn, &pg, &err), ERR_DENIED);
    fake_stop(&server);
    assert_non_null(strstr(err.message, "wants a password for user \"reader\""));
}

static void silent_server_costs_a_bounded_time(void **state)
{
    struct fake_server server = {0};
    const struct pg_options options = {.dsn = server.dsn, .connect_timeout_ms = 150};
    struct err err = {0};
    struct pg *pg = NULL;
    int64_t start_ms = clock_ms();

    (void)state;
    assert_true(fake_start(&server));
    assert_int_equal(pg_connect(&options, &pg, &err), ERR_UNREACHABLE);
    fake_stop(&server);
    assert_non_null(strstr(err.message, "no answer"));
    assert_in_range(clock_ms() - start_ms, 100, 5000);
}

static void errors_of_statements(void **state)
{
    static const struct {
        const char *sqlstate;
        enum err_code code;
        bool broken, read_only;
    } cases[] = {
        {"42501", ERR_DENIED, false, false},      {"28000", ERR_DENIED, false, false},
        {"42P01", ERR_NOT_FOUND, false, false},   {"42703", ERR_NOT_FOUND, false, false},
        {"3F000", ERR_NOT_FOUND, false, false},   {"57014", ERR_TIMEOUT, false, false},
        {"53200", ERR_UNREACHABLE, false, false}, {"57P01", ERR_UNREACHABLE, true, false},
        {"08006", ERR_UNREACHABLE, true, false},  {"54000", ERR_LIMIT, false, false},
        {"40001", ERR_CONFLICT, false, false},    {"40P01", ERR_CONFLICT, false, false},
        {"23505", ERR_CONFLICT, false, false},    {"55P03", ERR_CONFLICT, false, false},
        {"22012", ERR_SQL, false, false},         {"25006", ERR_UNREACHABLE, true, false},
        {"25006", ERR_SQL, false, true},          {"40001", ERR_UNREACHABLE, true, true},
        {"40P01", ERR_UNREACHABLE, true, true},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct fake_server server = {0};
        struct err err = {0};
        struct pg *pg = NULL;
        struct buf *answer;

        fake_accept(&server);
        answer = fake_answer(&server);
        fake_put_error(answer, cases[i].sqlstate, "so it is", "do that", NULL);
        fake_put_ready(answer);
        assert_true(fake_start(&server));
        assert_int_equal(connect_as(server.dsn, cases[i].read_only, &pg, &err), ERR_OK);
        assert_int_equal(pg_exec(pg, "SELECT 1", 0, NULL, NULL, &err), cases[i].code);
        assert_int_equal(pg_broken(pg), cases[i].broken);
        pg_close(pg);
        fake_stop(&server);
        assert_string_equal(err.sqlstate, cases[i].sqlstate);
        assert_non_null(strstr(err.message, "so it is"));
        assert_string_equal(err.hint, "do that");
    }
}

static void shapes_of_results(void **state)
{
    static const char *const values[] = {"17", NULL};
    struct fake_server server = {0};
    struct err err = {0};
    struct pg *pg = NULL;
    struct pg_table table;
    int64_t n_rows;
    size_t n_bytes;

    (void)state;
    fake_accept(&server);
    fake_put_done(fake_answer(&server), "UPDATE 3");
    for (int n = 0; n <= 2; n++)
        fake_put_rows(fake_answer(&server), values, n);
    fake_put_rows(fake_answer(&server), values, 2);
    assert_true(fake_start(&server));
    assert_int_equal(connect_to(server.dsn, &pg, &err), ERR_OK);
    assert_int_equal(pg_server_version(pg), 150020);
    assert_non_null(strstr(pg_describe(pg), "dbname=flights user=reader"));
    assert_int_equal(pg_exec(pg, "UPDATE", 0, NULL, &n_rows, &err), ERR_OK);
    assert_int_equal(n_rows, 3);
    assert_int_equal(pg_row(pg, "none", 0, NULL, &table, &err), ERR_NOT_FOUND);
    assert_int_equal(pg_row(pg, "one", 0, NULL, &table, &err), ERR_OK);
    assert_int_equal(pg_get_int64(&table, 0, 0), 17);
    pg_table_release(&table);
    assert_int_equal(pg_row(pg, "two", 0, NULL, &table, &err), ERR_FAILED);
    assert_int_equal(pg_rows(pg, "two", 0, NULL, &table, &err), ERR_OK);
    assert_int_equal(table.n_rows, 2);
    assert_string_equal(pg_get_text(&table, 0, 0), "17");
    assert_true(pg_get_double(&table, 0, 0) == 17);
    assert_memory_equal(pg_get_bytes(&table, 0, 0, &n_bytes), "17", 2);
    assert_int_equal(n_bytes, 2);
    assert_true(pg_is_null(&table, 1, 0));
    assert_null(pg_get_text(&table, 1, 0));
    assert_int_equal(pg_get_int64(&table, 1, 0), 0);
    assert_true(pg_get_double(&table, 1, 0) == 0);
    assert_false(pg_get_bool(&table, 1, 0));
    assert_null(pg_get_bytes(&table, 1, 0, &n_bytes));
    pg_table_release(&table);
    pg_close(pg);
    fake_stop(&server);
}

static void cut_link_breaks_the_connection(void **state)
{
    struct fake_server server = {.hang_up = true};
    struct err err = {0};
    struct pg *pg = NULL;
    bool notified;

    (void)state;
    fake_accept(&server);
    fake_put_message(fake_answer(&server), '1', NULL, 0); /* half an answer */
    assert_true(fake_start(&server));
    assert_int_equal(connect_to(server.dsn, &pg, &err), ERR_OK);
    assert_int_equal(pg_exec(pg, "SELECT 1", 0, NULL, NULL, &err), ERR_UNREACHABLE);
    assert_string_equal(err.sqlstate, "");
    assert_true(pg_broken(pg));
    assert_int_equal(pg_exec(pg, "SELECT 1", 0, NULL, NULL, &err), ERR_UNREACHABLE);
    assert_int_equal(pg_wait(pg, 0, -1, &notified, NULL, 0, &err), ERR_UNREACHABLE);
    pg_rollback(pg);
    pg_close(pg);
    fake_stop(&server);
}

/* The client waits a second longer than it told the server to. */
static void silent_statement_times_out(void **state)
{
    struct fake_server server = {0};
    const struct pg_options options = {.dsn = server.dsn, .statement_timeout_ms = 1};
    struct err err = {0};
    struct pg *pg = NULL;

    (void)state;
    fake_accept(&server);
    assert_true(fake_start(&server));
    assert_int_equal(pg_connect(&options, &pg, &err), ERR_OK);
    assert_int_equal(pg_exec(pg, "SELECT 1", 0, NULL, NULL, &err), ERR_TIMEOUT);
    assert_true(pg_broken(pg));
    pg_close(pg);
    fake_stop(&server);
}

/* More than a socket takes: the send itself has to be cut off. */
static void server_that_stops_reading_times_out(void **state)
{
    struct fake_server server = {.deaf = true};
    const struct pg_options options = {.dsn = server.dsn, .statement_timeout_ms = 1};
    const size_t n_bytes = (size_t)64 << 20;
    CLEANUP(free_ptr) char *bytes = calloc(1, n_bytes);
    const struct pg_param params[] = {PG_BYTES(bytes, n_bytes)};
    struct err err = {0};
    struct pg *pg = NULL;

    (void)state;
    assert_non_null(bytes);
    fake_accept(&server);
    assert_true(fake_start(&server));
    assert_int_equal(pg_connect(&options, &pg, &err), ERR_OK);
    assert_int_equal(pg_exec(pg, "SELECT $1", 1, params, NULL, &err), ERR_TIMEOUT);
    assert_true(pg_broken(pg));
    pg_close(pg);
    fake_stop(&server);
}

static void script_names_the_line(void **state)
{
    struct fake_server server = {0};
    struct err err = {0};
    struct pg *pg = NULL;
    struct buf *answer;

    (void)state;
    fake_accept(&server);
    answer = fake_answer(&server);
    fake_put_error(answer, "42601", "syntax error", NULL, "8");
    fake_put_ready(answer);
    answer = fake_answer(&server);
    fake_put_complete(answer, "SELECT 1");
    fake_put_error(answer, "42P07", "it exists", "rename it", NULL);
    fake_put_ready(answer);
    assert_true(fake_start(&server));
    assert_int_equal(connect_to(server.dsn, &pg, &err), ERR_OK);
    assert_int_equal(pg_script(pg, "a;\nb;\n\nc", &err), ERR_SQL);
    assert_string_equal(err.message, "line 4: syntax error");
    assert_int_equal(pg_script(pg, "a;\nb;\n\nc", &err), ERR_SQL);
    assert_string_equal(err.message, "line 2: it exists");
    assert_string_equal(err.hint, "rename it");
    assert_false(pg_broken(pg));
    pg_close(pg);
    fake_stop(&server);
}

static void commit_of_a_failed_transaction_is_an_error(void **state)
{
    struct fake_server server = {0};
    struct err err = {0};
    struct pg *pg = NULL;

    (void)state;
    fake_accept(&server);
    fake_put_done(fake_answer(&server), "ROLLBACK");
    fake_put_done(fake_answer(&server), "COMMIT");
    assert_true(fake_start(&server));
    assert_int_equal(connect_to(server.dsn, &pg, &err), ERR_OK);
    assert_int_equal(pg_commit(pg, &err), ERR_SQL);
    assert_int_equal(pg_commit(pg, &err), ERR_OK);
    pg_close(pg);
    fake_stop(&server);
}

static void notifications_and_the_interrupt(void **state)
{
    static const char payload[] = "\0\0\0\7pgboost\0deploy 12";
    struct fake_server server = {0};
    struct err err = {0};
    struct pg *pg = NULL;
    struct buf *answer;
    bool notified;
    char text[7];
    int fds[2];

    (void)state;
    fake_accept(&server);
    answer = fake_answer(&server);
    fake_put_message(answer, 'A', payload, sizeof(payload)); /* comes along with an answer */
    fake_put_done(answer, "LISTEN");
    assert_true(fake_start(&server));
    assert_int_equal(connect_to(server.dsn, &pg, &err), ERR_OK);
    assert_int_equal(pg_listen(pg, "pgboost", &err), ERR_OK);
    assert_int_equal(pg_wait(pg, 5000, -1, &notified, text, sizeof(text), &err), ERR_OK);
    assert_true(notified);
    assert_string_equal(text, "deploy"); /* cut to the size */
    assert_int_equal(pg_wait(pg, 1, -1, &notified, text, sizeof(text), &err), ERR_OK);
    assert_false(notified);
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(pg_wait(pg, -1, fds[0], &notified, text, sizeof(text), &err), ERR_OK);
    assert_false(notified);
    close(fds[0]);
    close(fds[1]);
    pg_close(pg);
    fake_stop(&server);
}

static void names_and_literals_are_quoted(void **state)
{
    struct fake_server server = {0};
    struct err err = {0};
    struct pg *pg = NULL;
    CLEANUP(buf_release) struct buf sql = {0};

    (void)state;
    fake_accept(&server);
    assert_true(fake_start(&server));
    assert_int_equal(connect_to(server.dsn, &pg, &err), ERR_OK);
    assert_int_equal(pg_quote_identifier(pg, &sql, "\";drop table", &err), ERR_OK);
    assert_string_equal(buf_text(&sql), "\"\"\";drop table\"");
    assert_int_equal(pg_quote_identifier(pg, &sql, "a\xff", &err), ERR_INVALID);
    pg_close(pg);
    fake_stop(&server);
}

static void integers_as_parameters(void **state)
{
    struct pg_int storage;

    (void)state;
    assert_string_equal(pg_param_int(&storage, INT64_MIN).value, "-9223372036854775808");
    assert_false(pg_param_int(&storage, 0).binary);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_settings_are_named_without_the_password),
        cmocka_unit_test(nobody_there),
        cmocka_unit_test(refusals_go_by_sqlstate_in_any_language),
        cmocka_unit_test(missing_password),
        cmocka_unit_test(silent_server_costs_a_bounded_time),
        cmocka_unit_test(errors_of_statements),
        cmocka_unit_test(shapes_of_results),
        cmocka_unit_test(cut_link_breaks_the_connection),
        cmocka_unit_test(silent_statement_times_out),
        cmocka_unit_test(server_that_stops_reading_times_out),
        cmocka_unit_test(script_names_the_line),
        cmocka_unit_test(commit_of_a_failed_transaction_is_an_error),
        cmocka_unit_test(notifications_and_the_interrupt),
        cmocka_unit_test(names_and_literals_are_quoted),
        cmocka_unit_test(integers_as_parameters),
    };

    return cmocka_run_group_tests_name("pg/pg", tests, forget_environment, NULL);
}
