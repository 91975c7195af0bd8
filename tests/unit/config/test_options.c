/* The daemon's options: where they come from, which wins, and what is wrong with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/options.h"
#include "config/options_table.h"

#define ARGS_MAX 16

/* The test's own environment: nothing of the machine's may shine through. */
static int clean_environment(void **state)
{
    (void)state;
    for (int i = 0; i < n_option_rows; i++) {
        char name[64] = "PGBOOST_";
        size_t at = strlen(name);

        for (const char *c = option_rows[i].name; *c != '\0'; c++)
            name[at++] = (char)(*c == '_' ? '_' : *c - 'a' + 'A');
        name[at] = '\0';
        unsetenv(name);
    }
    unsetenv("STATE_DIRECTORY");
    unsetenv("CREDENTIALS_DIRECTORY");
    unsetenv("PGBOOST_DSN_FILE");
    unsetenv("XDG_STATE_HOME");
    setenv("HOME", "/home/someone", 1);
    return setenv("PGBOOST_CONFIG", "/dev/null", 1);
}

/* Loads from arguments that are divided by spaces. */
static enum err_code load(const char *args, struct options *options, enum options_action *action,
                          struct err *err)
{
    char text[512], *rest = text, *arg, *argv[ARGS_MAX + 1] = {(char *)"pgboostd"};
    int argc = 1;

    snprintf(text, sizeof(text), "%s", args);
    while ((arg = strsep(&rest, " ")) != NULL && argc < ARGS_MAX)
        if (*arg != '\0')
            argv[argc++] = arg;
    return options_load(argc, argv, options, action, err);
}

static void write_file(char *path, const char *text, size_t length)
{
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, length), length);
    close(fd);
}

static void defaults(void **state)
{
    CLEANUP(options_release) struct options o = {0};
    enum options_action action;
    struct err err = {0};

    (void)state;
    if (load("", &o, &action, &err) != ERR_OK)
        fail_msg("%s", err.message);
    assert_int_equal(action, OPTIONS_RUN);
    assert_string_equal(o.dsn, "");
    assert_string_equal(o.read_dsn, "");
    assert_string_equal(o.listen, "127.0.0.1:8080");
    assert_string_equal(o.state_dir, "/home/someone/.local/state/pgboost");
    assert_string_equal(o.worker, "");
    assert_int_equal(o.threads, 0);
    assert_int_equal(o.workers, 1);
    assert_int_equal(o.role, ROLE_ALL);
    assert_int_equal(o.body_limit_bytes, 16 * 1024 * 1024);
    assert_int_equal(o.rows_limit, 10000);
    assert_int_equal(o.lookup_pool_size, 4);
    assert_int_equal(o.lookup_queue, 1000);
    assert_int_equal(o.lookup_timeout_ms, 2000);
    assert_int_equal(o.poll_ms, 2000);
    assert_int_equal(o.log_level, OPTIONS_LOG_INFO);
}

static void flags_over_variables_over_file(void **state)
{
    static const char file[] = "# comment\n; comment\n\n[pgboostd]\r\n"
                               "  dsn = host=/tmp dbname='a = b' # kept \n"
                               "threads=3\nworkers = 4\nrole = server\npoll = 250 ms\n"
                               "body-limit = 64 MiB\nworker =\nlog_level = debug";
    char path[] = "/tmp/pgboost-test-XXXXXX", args[128];
    CLEANUP(options_release) struct options o = {0};
    enum options_action action;
    struct err err = {0};

    (void)state;
    write_file(path, file, strlen(file));
    setenv("PGBOOST_WORKERS", "5", 1);
    setenv("PGBOOST_ROLE", "trainer", 1);
    setenv("PGBOOST_LISTEN", "", 1); /* empty: unset */
    snprintf(args, sizeof(args), "--role all --config %s --state-dir=/var/x --check-config", path);
    if (load(args, &o, &action, &err) != ERR_OK)
        fail_msg("%s", err.message);
    unlink(path);
    assert_int_equal(action, OPTIONS_CHECK);
    assert_string_equal(o.dsn, "host=/tmp dbname='a = b' # kept");
    assert_string_equal(o.read_dsn, o.dsn);
    assert_string_equal(o.listen, "127.0.0.1:8080");
    assert_string_equal(o.state_dir, "/var/x");
    assert_string_equal(o.worker, "");
    assert_int_equal(o.threads, 3);
    assert_int_equal(o.workers, 5);
    assert_int_equal(o.role, ROLE_ALL);
    assert_int_equal(o.poll_ms, 250);
    assert_int_equal(o.body_limit_bytes, 64 * 1024 * 1024);
    assert_int_equal(o.log_level, OPTIONS_LOG_DEBUG);
}

static void file_by_variable(void **state)
{
    char path[] = "/tmp/pgboost-test-XXXXXX";
    CLEANUP(options_release) struct options o = {0};
    enum options_action action;

    (void)state;
    write_file(path, "workers = 9\n", 12);
    setenv("PGBOOST_CONFIG", path, 1);
    assert_int_equal(load("", &o, &action, NULL), ERR_OK);
    unlink(path);
    assert_int_equal(o.workers, 9);
}

static void state_dir_of_the_machine(void **state)
{
    static const struct {
        const char *systemd, *xdg, *home, *expected;
    } cases[] = {
        {"/var/lib/pgboost:/x", "/xdg", "/home/a", "/var/lib/pgboost"},
        {NULL, "/xdg", "/home/a", "/xdg/pgboost"},
        {NULL, "relative", "/home/a", "/home/a/.local/state/pgboost"},
        {NULL, NULL, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        CLEANUP(options_release) struct options o = {0};
        enum options_action action;
        struct err err = {0};

        unsetenv("HOME");
        clean_environment(NULL);
        unsetenv("HOME");
        if (cases[i].systemd != NULL)
            setenv("STATE_DIRECTORY", cases[i].systemd, 1);
        if (cases[i].xdg != NULL)
            setenv("XDG_STATE_HOME", cases[i].xdg, 1);
        if (cases[i].home != NULL)
            setenv("HOME", cases[i].home, 1);
        assert_int_equal(load("", &o, &action, &err), cases[i].expected ? ERR_OK : ERR_CONFIG);
        if (cases[i].expected != NULL)
            assert_string_equal(o.state_dir, cases[i].expected);
    }
}

static void actions_need_no_configuration(void **state)
{
    static const struct {
        const char *args;
        enum options_action action;
    } cases[] = {
        {"--help --config /nowhere", OPTIONS_HELP},
        {"-h", OPTIONS_HELP},
        {"--version", OPTIONS_VERSION},
        {"-V", OPTIONS_VERSION},
        {"--example-config", OPTIONS_PRINT},
    };

    (void)state;
    setenv("PGBOOST_THREADS", "many", 1);
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        CLEANUP(options_release) struct options o = {0};
        enum options_action action = OPTIONS_RUN;

        assert_int_equal(load(cases[i].args, &o, &action, NULL), ERR_OK);
        assert_int_equal(action, cases[i].action);
    }
}

struct refusal {
    const char *text, *message, *hint; /* hint NULL: any */
};

static void refuses_flags(void **state)
{
    static const struct refusal cases[] = {
        {"--lisen 1", "unknown option \"--lisen\"", "did you mean \"--listen\"?"},
        {"--zzz=1", "unknown option \"--zzz\"", "--help lists the options"},
        {"serve", "unexpected argument \"serve\"", NULL},
        {"-x", "unexpected argument \"-x\"", NULL},
        {"--", "unexpected argument \"--\"", NULL},
        {"--dsn", "the option \"--dsn\" needs a value", NULL},
        {"--config", "the option \"--config\" needs a value", NULL},
        {"--threads x", "\"--threads\": expected a whole number between 0 and 256, found \"x\"",
         NULL},
        {"--threads=", "\"--threads\": expected a whole number between 0 and 256, found \"\"",
         NULL},
        {"--threads -1", "\"--threads\": expected a whole number between 0 and 256, found \"-1\"",
         NULL},
        {"--threads 257", "\"--threads\": expected a whole number between 0 and 256, found \"257\"",
         NULL},
        {"--threads 99999999999999999999",
         "\"--threads\": expected a whole number between 0 and 256, found \"99999999999999999999\"",
         NULL},
        {"--poll 2",
         "\"--poll\": expected a time between 100 ms and 1 h with its unit, such as \"2 s\", found "
         "\"2\"",
         NULL},
        {"--poll 2MiB",
         "\"--poll\": expected a time between 100 ms and 1 h with its unit, such as \"2 s\", found "
         "\"2MiB\"",
         NULL},
        {"--poll 99ms",
         "\"--poll\": expected a time between 100 ms and 1 h with its unit, such as \"2 s\", found "
         "\"99ms\"",
         NULL},
        {"--body-limit 9999999999GiB",
         "\"--body_limit\": expected a size between 1 KiB and 1 GiB with its unit, such as \"16 "
         "MiB\", found \"9999999999GiB\"",
         NULL},
        {"--role boss",
         "\"--role\": expected one of \"all\", \"server\", \"trainer\", found \"boss\"", NULL},
        {"--listen 8080",
         "\"--listen\": expected ADDRESS:PORT, such as \"127.0.0.1:8080\", found \"8080\"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct options o = {0};
        enum options_action action;
        struct err err = {0};

        if (load(cases[i].text, &o, &action, &err) != ERR_USAGE)
            fail_msg("%s: %s", cases[i].text, err.message);
        assert_int_equal(err.code, ERR_USAGE);
        assert_string_equal(err.message, cases[i].message);
        if (cases[i].hint != NULL)
            assert_string_equal(err.hint, cases[i].hint);
    }
}

static void refuses_variables(void **state)
{
    struct options o = {0};
    enum options_action action;
    struct err err;

    (void)state;
    setenv("PGBOOST_LOG_LEVEL", "loud", 1);
    assert_int_equal(load("--log-level info", &o, &action, &err), ERR_CONFIG);
    assert_string_equal(err.message, "\"PGBOOST_LOG_LEVEL\": expected one of \"debug\", \"info\", "
                                     "\"warning\", \"error\", found \"loud\"");
    assert_string_equal(err.field, "log_level");
}

static void refuses_files(void **state)
{
    static const struct refusal cases[] = {
        {"threads = 1\nthreds = 2\n", ":2: unknown option \"threds\"", "did you mean \"threads\"?"},
        {"\n\nhost=x password=secret\n", ":3: unknown option \"host\"", NULL},
        {"secret words", ":1: expected \"option = value\"", NULL},
        {"[other]\n", ":1: the only section is [pgboostd]", NULL},
        {"threads = 1\nthreads = 1\n", ":2: \"threads\" is set a second time", NULL},
        {"poll = 2 sec\n",
         ":1: \"poll\": expected a time between 100 ms and 1 h with its unit, such as \"2 s\", "
         "found \"2 sec\"",
         NULL},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        char path[] = "/tmp/pgboost-test-XXXXXX", message[512];
        struct options o = {0};
        enum options_action action;
        struct err err = {0};

        write_file(path, cases[i].text, strlen(cases[i].text));
        setenv("PGBOOST_CONFIG", path, 1);
        assert_int_equal(load("", &o, &action, &err), ERR_CONFIG);
        unlink(path);
        assert_int_equal(err.code, ERR_CONFIG);
        snprintf(message, sizeof(message), "%s%s", path, cases[i].message);
        assert_string_equal(err.message, message);
        if (cases[i].hint != NULL)
            assert_string_equal(err.hint, cases[i].hint);
        assert_null(strstr(err.message, "secret"));
    }
}

static void refuses_what_is_no_file(void **state)
{
    char path[] = "/tmp/pgboost-test-XXXXXX", args[64];
    struct options o = {0};
    enum options_action action;
    struct err err;

    (void)state;
    assert_int_equal(load("--config /nowhere/x", &o, &action, &err), ERR_CONFIG);
    assert_int_equal(err.code, ERR_CONFIG);
    assert_string_equal(err.message, "cannot open \"/nowhere/x\": No such file or directory");
    write_file(path, "dsn = a\0b\n", 10);
    snprintf(args, sizeof(args), "--config=%s", path);
    assert_int_equal(load(args, &o, &action, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "NUL"));
    unlink(path);
}

static void units(void **state)
{
    static const struct {
        const char *option, *text;
        int64_t amount;
    } cases[] = {
        {"poll", "100ms", 100},
        {"poll", "10 s", 10000},
        {"poll", "2\t min", 120000},
        {"poll", "1 h", 3600000},
        {"body_limit", "2048 B", 2048},
        {"body_limit", "16 kB", 16384},
        {"body_limit", "16KiB", 16384},
        {"body_limit", "1MB", 1048576},
        {"body_limit", "1 GiB", 1073741824},
        {"rows_limit", "1", 1},
        {"lookup_queue", "1", 1},
        {"threads", "0", 0},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        const struct option_row *row = option_find(cases[i].option, strlen(cases[i].option));
        CLEANUP(options_release) struct options o = {0};
        int64_t amount;

        assert_int_equal(option_set(&o, row, cases[i].text, "x", ERR_CONFIG, NULL), ERR_OK);
        memcpy(&amount, (char *)&o + row->offset, sizeof(amount));
        assert_int_equal(amount, cases[i].amount);
    }
}

static void listens(void **state)
{
    static const struct {
        const char *listen, *host;
        int port; /* -1: refused */
    } cases[] = {
        {"127.0.0.1:8080", "127.0.0.1", 8080},
        {"0.0.0.0:0", "0.0.0.0", 0},
        {"[::1]:8080", "::1", 8080},
        {"localhost:65535", "localhost", 65535},
        {"", NULL, -1},
        {":8080", NULL, -1},
        {"8080", NULL, -1},
        {"host:", NULL, -1},
        {"host:65536", NULL, -1},
        {"host:-1", NULL, -1},
        {"host:80x", NULL, -1},
        {"::1:80", NULL, -1},
        {"[]:80", NULL, -1},
        {"a b:80", NULL, -1},
        {"host:000080", NULL, -1},
        {"a-host-that-is-longer-than-the-room:80", NULL, -1},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        char host[24] = "untouched";
        int port = -7;
        enum err_code code = options_split_listen(cases[i].listen, host, sizeof(host), &port, NULL);

        if ((code == ERR_OK) != (cases[i].port >= 0))
            fail_msg("\"%s\"", cases[i].listen);
        assert_string_equal(host, cases[i].host != NULL ? cases[i].host : "untouched");
        assert_int_equal(port, cases[i].host != NULL ? cases[i].port : -7);
    }
}

/* The example with its comments taken off is a file that sets every option to its default. */
static void example_is_the_defaults(void **state)
{
    CLEANUP(buf_release) struct buf example = {0}, file = {0};
    CLEANUP(options_release) struct options o = {0}, plain = {0};
    char path[] = "/tmp/pgboost-test-XXXXXX", *line, *rest;
    enum options_action action;
    int n_set = 0;
    struct err err = {0};

    (void)state;
    assert_int_equal(load("", &plain, &action, &err), ERR_OK);
    options_example(&example);
    for (rest = example.data; (line = strsep(&rest, "\n")) != NULL;) {
        bool sets = line[0] == '#' && line[1] != ' ';

        n_set += sets;
        buf_printf(&file, "%s\n", sets ? line + 1 : line);
    }
    assert_int_equal(n_set, n_option_rows);
    write_file(path, file.data, file.length);
    setenv("PGBOOST_CONFIG", path, 1);
    if (load("", &o, &action, &err) != ERR_OK)
        fail_msg("%s", err.message);
    unlink(path);
    for (int i = 0; i < n_option_rows; i++) {
        const char *a = (const char *)&o + option_rows[i].offset;
        const char *b = (const char *)&plain + option_rows[i].offset;

        if (option_rows[i].type == OPTION_TEXT)
            assert_string_equal(*(const char *const *)a, *(const char *const *)b);
        else
            assert_memory_equal(a, b, option_rows[i].type == OPTION_CHOICE ? 4 : 8);
    }
}

static void help_has_every_option(void **state)
{
    CLEANUP(buf_release) struct buf help = {0};
    const char *line;
    int n_lines = 0;

    (void)state;
    options_help(&help);
    for (line = help.data; *line != '\0'; line = strchr(line, '\n') + 1, n_lines++)
        assert_memory_equal(line, "  --", 4);
    assert_int_equal(n_lines, n_option_rows + 6);
    assert_non_null(strstr(help.data, "  --state-dir DIR "));
}

/* From which of the four places the dsn comes, each beating those after it. */
static void secrets_by_file(void **state)
{
    char secret[] = "/tmp/pgboost-test-XXXXXX", file[] = "/tmp/pgboost-test-XXXXXX";
    char directory[] = "/tmp/pgboost-test-XXXXXX", path[64], text[64], args[64];
    enum options_action action;
    struct err err = {0};

    (void)state;
    write_file(secret, "host=a password=b\r\n", 19);
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/dsn", directory);
    assert_int_equal(symlink(secret, path), 0);
    snprintf(text, sizeof(text), "dsn_file = %s\n", secret);
    write_file(file, text, strlen(text));
    snprintf(args, sizeof(args), "--dsn-file %s", secret);
    for (int place = 0; place < 4; place++) {
        CLEANUP(options_release) struct options o = {0};

        clean_environment(NULL);
        if (place == 0)
            setenv("CREDENTIALS_DIRECTORY", directory, 1);
        if (place == 1)
            setenv("PGBOOST_CONFIG", file, 1);
        if (place == 2)
            setenv("PGBOOST_DSN_FILE", secret, 1);
        if (load(place == 3 ? args : "", &o, &action, &err) != ERR_OK)
            fail_msg("place %d: %s", place, err.message);
        assert_string_equal(o.dsn, "host=a password=b");
    }
    { /* the file beats the credential */
        CLEANUP(options_release) struct options o = {0};

        clean_environment(NULL);
        setenv("CREDENTIALS_DIRECTORY", directory, 1);
        assert_int_equal(load("--dsn host=c", &o, &action, &err), ERR_OK);
        assert_string_equal(o.dsn, "host=c");
    }
    assert_int_equal(chmod(secret, 0604), 0);
    {
        struct options o = {0};

        clean_environment(NULL);
        assert_int_equal(load(args, &o, &action, &err), ERR_USAGE);
        assert_non_null(strstr(err.message, "every user of this machine may use"));
        assert_int_equal(load("--dsn-file /nowhere/x", &o, &action, &err), ERR_USAGE);
        assert_string_equal(
            err.message, "\"--dsn_file\": cannot open \"/nowhere/x\": No such file or directory");
        assert_int_equal(load("--threads-file /nowhere/x", &o, &action, &err), ERR_USAGE);
        assert_string_equal(err.message, "unknown option \"--threads-file\"");
    }
    unlink(path);
    rmdir(directory);
    unlink(secret);
    unlink(file);
}

static void note(void *context, const struct option_change *change)
{
    buf_printf(context, "%s: %s -> %s%s\n", change->name, change->before, change->after,
               change->taken ? "" : " (restart)");
}

static void reload_takes_what_it_can(void **state)
{
    CLEANUP(options_release) struct options current = {0};
    CLEANUP(buf_release) struct buf changes = {0};
    enum options_action action;

    (void)state;
    assert_int_equal(load("--dsn password=a --threads 2 --poll 3s", &current, &action, NULL),
                     ERR_OK);
    for (int i = 0; i < 2; i++) {
        CLEANUP(options_release) struct options fresh = {0};

        assert_int_equal(
            load("--dsn password=b --threads 3 --poll 2s --log-level debug", &fresh, &action, NULL),
            ERR_OK);
        buf_clear(&changes);
        assert_int_equal(options_reload(&current, &fresh, note, &changes, NULL), ERR_OK);
        assert_string_equal(buf_text(&changes), i == 0
                                                    ? "dsn: (secret) -> (secret) (restart)\n"
                                                      "read_dsn: (secret) -> (secret) (restart)\n"
                                                      "threads: 2 -> 3 (restart)\n"
                                                      "poll: 3 s -> 2 s\n"
                                                      "log_level: info -> debug\n"
                                                    : "dsn: (secret) -> (secret) (restart)\n"
                                                      "read_dsn: (secret) -> (secret) (restart)\n"
                                                      "threads: 2 -> 3 (restart)\n");
    }
    assert_string_equal(current.dsn, "password=a");
    assert_int_equal(current.threads, 2);
    assert_int_equal(current.poll_ms, 2000);
    assert_int_equal(current.log_level, OPTIONS_LOG_DEBUG);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup(function, clean_environment)
    const struct CMUnitTest tests[] = {
        TEST(defaults),
        TEST(flags_over_variables_over_file),
        TEST(file_by_variable),
        TEST(state_dir_of_the_machine),
        TEST(actions_need_no_configuration),
        TEST(refuses_flags),
        TEST(refuses_variables),
        TEST(refuses_files),
        TEST(refuses_what_is_no_file),
        TEST(units),
        TEST(listens),
        TEST(example_is_the_defaults),
        TEST(help_has_every_option),
        TEST(secrets_by_file),
        TEST(reload_takes_what_it_can),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
