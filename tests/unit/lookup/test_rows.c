/* Rows that came back: whole numbers of a key as JSON, and their order. */
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lookup/batch.h"

#define INT8_OID 20
#define N_FIELDS 3 /* the ordinal, and a key of two columns */

struct fixture {
    bool key_is_int[2];
    struct lookup_plan plan;
    struct lookup_row rows[8];
    struct batch batch;
    PGresult *result;
};

static void fixture_init(struct fixture *fixture)
{
    PGresAttDesc columns[N_FIELDS] = {0};

    *fixture = (struct fixture){.key_is_int = {true, true}};
    fixture->plan =
        (struct lookup_plan){.n_keys = 2, .key_is_int = fixture->key_is_int, .sorts_here = true};
    fixture->batch.rows = fixture->rows;
    fixture->result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    for (int i = 0; i < N_FIELDS; i++)
        columns[i] = (PGresAttDesc){.name = "c", .format = 1, .typid = INT8_OID, .typlen = 8};
    assert_true(PQsetResultAttrs(fixture->result, N_FIELDS, columns));
}

/* NULL where the value is INT64_MIN. */
static void put(struct fixture *fixture, int row, int column, int64_t value)
{
    uint64_t bytes = htobe64((uint64_t)value);

    assert_true(PQsetvalue(fixture->result, row, column, value == INT64_MIN ? NULL : (char *)&bytes,
                           value == INT64_MIN ? -1 : (int)sizeof(bytes)));
}

static void add(struct fixture *fixture, int64_t first, int64_t second)
{
    int row = (int)fixture->batch.n++;

    put(fixture, row, 0, 1);
    put(fixture, row, 1, first);
    put(fixture, row, 2, second);
    fixture->rows[row] = (struct lookup_row){.result = fixture->result, .row = row, .field = ""};
}

static void check(struct fixture *fixture, size_t i, const char *first, const char *second)
{
    CLEANUP(buf_release) struct buf json = {0};
    struct lookup_rows rows = {&fixture->plan, fixture->batch.n, fixture->rows};

    lookup_put_key(&rows, &rows.items[i], 0, &json);
    assert_string_equal(buf_text(&json), first);
    buf_clear(&json);
    lookup_put_key(&rows, &rows.items[i], 1, &json);
    assert_string_equal(buf_text(&json), second);
}

static void test_order(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    add(&fixture, 7, 2);
    add(&fixture, INT64_MIN, 1);
    add(&fixture, -1, 9);
    add(&fixture, 7, INT64_MIN);
    add(&fixture, INT64_MAX, 0);
    add(&fixture, 7, -256);
    batch_sort(&fixture.batch, &fixture.plan);
    check(&fixture, 0, "-1", "9");
    check(&fixture, 1, "7", "-256");
    check(&fixture, 2, "7", "2");
    check(&fixture, 3, "7", "null");
    check(&fixture, 4, "9223372036854775807", "0");
    check(&fixture, 5, "null", "1");
    PQclear(fixture.result);
}

static void test_an_order_that_is_there_stays(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    for (int i = 0; i < 8; i++)
        add(&fixture, i / 4, 0);
    batch_sort(&fixture.batch, &fixture.plan);
    for (int i = 0; i < 8; i++)
        assert_int_equal(fixture.rows[i].row, i);
    PQclear(fixture.result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_an_order_that_is_there_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
