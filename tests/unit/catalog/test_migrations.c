/* The migrations that travel inside the programs are the files of migrations/, in their order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "catalog/catalog.h"
#include "catalog/folder.h"

static void embedded_are_the_files(void **state)
{
    struct migration_folder folder = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(migration_folder_read("migrations", &folder, &err), ERR_OK);
    assert_true(folder.n > 0);
    assert_int_equal(folder.n, n_embedded_migrations);
    for (int i = 0; i < folder.n; i++) {
        assert_string_equal(strchr(folder.items[i].name, '/') + 1, embedded_migrations[i].name);
        assert_string_equal(folder.items[i].sql, embedded_migrations[i].sql);
        assert_false(folder.items[i].repeatable);
        assert_int_equal(folder.items[i].number, i + 1); /* no gaps */
    }
    migration_folder_release(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(embedded_are_the_files)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
