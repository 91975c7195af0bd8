/* Folders of migrations: which names say what, in what order files run, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "catalog/folder.h"

static void names_say_when_a_file_runs(void **state)
{
    static const struct {
        const char *file;
        int repeatable; /* -1: refused */
        uint64_t number;
    } cases[] = {
        {"0001_features.sql", 0, 1},
        {"0000_x.sql", 0, 0},
        {"00010_x.sql", 0, 10},
        {"20260131_x.sql", 0, 20260131},
        {"999999999999999999_x.sql", 0, UINT64_C(999999999999999999)},
        {"0001_two words é.sql", 0, 1},
        {"R_views.sql", 1, 0},
        {"R_0001_views.sql", 1, 0},
        {"1_x.sql", -1, 0},
        {"001_x.sql", -1, 0},
        {"0001.sql", -1, 0},
        {"0001-x.sql", -1, 0},
        {"0001_.sql", -1, 0},
        {"R_.sql", -1, 0},
        {"r_views.sql", -1, 0},
        {"Rviews.sql", -1, 0},
        {"R.sql", -1, 0},
        {"views.sql", -1, 0},
        {"0001_x.SQL", -1, 0},
        {"0001_x", -1, 0},
        {"-0001_x.sql", -1, 0},
        {"0001 _x.sql", -1, 0},
        {"1000000000000000000_x.sql", -1, 0}, /* 19 digits */
        {"", -1, 0},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        bool repeatable = false;
        uint64_t number = 77;
        struct err err = {0};
        enum err_code code = migration_name_parse(cases[i].file, &repeatable, &number, &err);

        if (cases[i].repeatable < 0) {
            assert_int_equal(code, ERR_INVALID);
            assert_non_null(strstr(err.hint, "NNNN_name.sql"));
            assert_int_equal(number, 77); /* untouched */
            continue;
        }
        if (code != ERR_OK)
            fail_msg("%s: %s", cases[i].file, err.message);
        assert_int_equal(repeatable, cases[i].repeatable);
        assert_int_equal(number, cases[i].number);
    }
}

/* A folder named "views" in a temporary one. */
struct fixture {
    char top[64], folder[80];
};

static int make_folder(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    strcpy(fixture->top, "/tmp/test_folder_XXXXXX");
    if (mkdtemp(fixture->top) == NULL)
        return -1;
    snprintf(fixture->folder, sizeof(fixture->folder), "%s/views", fixture->top);
    *state = fixture;
    return mkdir(fixture->folder, 0700);
}

static int remove_folder(void **state)
{
    struct fixture *fixture = *state;
    char command[128];

    snprintf(command, sizeof(command), "rm -r %s", fixture->top);
    if (system(command) != 0)
        return -1;
    free(fixture);
    return 0;
}

static void write_bytes(const struct fixture *fixture, const char *file, const char *bytes,
                        size_t n_bytes)
{
    char path[256];
    FILE *out;

    snprintf(path, sizeof(path), "%s/%s", fixture->folder, file);
    out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, n_bytes, out), n_bytes);
    fclose(out);
}

static void write_file(const struct fixture *fixture, const char *file, const char *text)
{
    write_bytes(fixture, file, text, strlen(text));
}

static void files_run_in_order(void **state)
{
    static const char *const files[] = {"R_b.sql",    "0010_x.sql", "00009_y.sql", "R_a.sql",
                                        "0002_z.sql", "notes.txt",  ".hidden.sql", "README"};
    static const char *const expected[] = {"views/0002_z.sql", "views/00009_y.sql",
                                           "views/0010_x.sql", "views/R_a.sql", "views/R_b.sql"};
    struct fixture *fixture = *state;
    struct migration_folder folder = {0};
    struct err err = {0};

    for (size_t i = 0; i < N_ELEMENTS(files); i++)
        write_file(fixture, files[i], files[i]);
    assert_int_equal(migration_folder_read(fixture->folder, &folder, &err), ERR_OK);
    assert_int_equal(folder.n, N_ELEMENTS(expected));
    for (int i = 0; i < folder.n; i++) {
        assert_string_equal(folder.items[i].name, expected[i]);
        /* each file holds its own name */
        assert_string_equal(folder.items[i].sql, strchr(expected[i], '/') + 1);
        assert_int_equal(folder.items[i].n_bytes, strlen(folder.items[i].sql));
        assert_int_equal(folder.items[i].repeatable, i >= 3);
    }
    migration_folder_release(&folder);
}

static void a_folder_is_known_by_its_own_name(void **state)
{
    struct fixture *fixture = *state;
    char dots[128];
    struct migration_folder folder = {0};
    struct err err = {0};

    write_file(fixture, "0001_x.sql", "SELECT 1");
    snprintf(dots, sizeof(dots), "%s/../views/.//", fixture->folder);
    assert_int_equal(migration_folder_read(dots, &folder, &err), ERR_OK);
    assert_string_equal(folder.items[0].name, "views/0001_x.sql");
    migration_folder_release(&folder);
}

static void an_empty_folder_is_no_error(void **state)
{
    struct fixture *fixture = *state;
    struct migration_folder folder = {.n = 7};
    struct err err = {0};

    assert_int_equal(migration_folder_read(fixture->folder, &folder, &err), ERR_OK);
    assert_int_equal(folder.n, 0);
    migration_folder_release(&folder);
}

static void a_byte_order_mark_is_not_sql(void **state)
{
    struct fixture *fixture = *state;
    struct migration_folder folder = {0};
    struct err err = {0};

    write_file(fixture, "0001_x.sql", "\xef\xbb\xbfSELECT 1");
    write_file(fixture, "0002_x.sql", "");
    assert_int_equal(migration_folder_read(fixture->folder, &folder, &err), ERR_OK);
    assert_string_equal(folder.items[0].sql, "SELECT 1");
    assert_int_equal(folder.items[0].n_bytes, 8);
    assert_int_equal(folder.items[1].n_bytes, 0);
    migration_folder_release(&folder);
}

static void expect_refused(const char *path, enum err_code code, const char *said)
{
    struct migration_folder folder = {.n = 7};
    struct err err = {0};

    assert_int_equal(migration_folder_read(path, &folder, &err), code);
    if (strstr(err.message, said) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.message, said);
    assert_int_equal(folder.n, 7); /* untouched */
}

static void two_files_of_one_number_are_refused(void **state)
{
    struct fixture *fixture = *state;

    write_file(fixture, "0001_a.sql", "");
    write_file(fixture, "00001_b.sql", "");
    expect_refused(fixture->folder, ERR_INVALID, "the same number");
}

static void a_name_that_says_nothing_is_refused(void **state)
{
    struct fixture *fixture = *state;

    write_file(fixture, "views.sql", "");
    expect_refused(fixture->folder, ERR_INVALID, "\"views.sql\"");
}

static void a_nul_byte_is_refused(void **state)
{
    struct fixture *fixture = *state;

    write_bytes(fixture, "0001_a.sql", "SELECT 1;\0DROP", 14);
    expect_refused(fixture->folder, ERR_INVALID, "views/0001_a.sql");
}

static void a_missing_folder_is_refused(void **state)
{
    struct fixture *fixture = *state;

    expect_refused("/nonexistent/views", ERR_IO, "\"/nonexistent/views\"");
    write_file(fixture, "file", "");
    expect_refused("/dev/null", ERR_IO, "\"/dev/null\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_say_when_a_file_runs),
        cmocka_unit_test_setup_teardown(files_run_in_order, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_folder_is_known_by_its_own_name, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(an_empty_folder_is_no_error, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_byte_order_mark_is_not_sql, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(two_files_of_one_number_are_refused, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_name_that_says_nothing_is_refused, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_nul_byte_is_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_missing_folder_is_refused, make_folder, remove_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
