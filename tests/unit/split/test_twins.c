/* Rows that no feature tells apart: who is found, and which place they take. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "split/split.h"
#include "split/twins.h"

enum { ID, X, NAME, TAGS, N_COLUMNS };

static const char *const names[] = {"id", "x", "name", "tags"};
static const enum pg_type types[] = {PG_INT8, PG_FLOAT8, PG_TEXT_TYPE, PG_TEXT_ARRAY};
static const int features[] = {X, NAME, TAGS};

struct row {
    double x; /* NaN: NULL */
    const char *name, *tag;
};

static void append(struct frame *frame, int64_t id, const struct row *row)
{
    const struct cell_string tags[] = {{row->tag, row->tag == NULL ? 0 : strlen(row->tag)}};
    const struct cell cells[] = {
        {.kind = CELL_INT, .int_value = id},
        {.kind = CELL_DOUBLE, .is_null = isnan(row->x), .double_value = row->x},
        {.kind = CELL_TEXT,
         .is_null = row->name == NULL,
         .text = row->name,
         .n_bytes = row->name == NULL ? 0 : strlen(row->name)},
        {.kind = CELL_TEXTS, .texts = tags, .n_items = 1},
    };

    assert_int_equal(frame_append(frame, cells, NULL), ERR_OK);
}

static struct frame *make_frame(const struct row *rows, size_t n_rows)
{
    struct frame *frame = NULL;

    assert_int_equal(frame_new(names, types, N_COLUMNS, &frame, NULL), ERR_OK);
    for (size_t i = 0; i < n_rows; i++)
        append(frame, (int64_t)i, &rows[i]);
    return frame;
}

/* Of the hash's rule, from a text that is joined by hand. */
static uint64_t hash_of(const char *text)
{
    static const enum pg_type type = PG_TEXT_TYPE;
    struct split_key key = {.seed = 42, .n_columns = 1, .types = &type};
    const struct cell cell = {.kind = CELL_TEXT, .text = text, .n_bytes = strlen(text)};
    uint64_t hash;

    assert_int_equal(split_key_hash(&key, &cell, &hash, NULL), ERR_OK);
    buf_release(&key.text);
    return hash;
}

static void find(const struct frame *frame, const uint32_t *rows, size_t n_rows,
                 const uint64_t *hashes, struct twins *ret_twins)
{
    assert_int_equal(twins_find(frame, features, N_ELEMENTS(features), rows, n_rows, 42, hashes,
                                ret_twins, NULL),
                     ERR_OK);
}

/* By hand: 0 and 3 are equal but for the sign of zero, 1 and 4 by their missing values, 6 and 7
 * differ from them by a NULL that is no empty text and by an element. */
static void twins_take_the_hash_of_their_features(void **state)
{
    static const struct row rows[] = {
        {0.0, "a", "t"},  {NAN, NULL, "t"}, {1.5, "a", "t"}, {-0.0, "a", "t"},
        {NAN, NULL, "t"}, {1.5, "b", "t"},  {NAN, "", "t"},  {0.0, "a", NULL},
    };
    static const uint32_t all[] = {0, 1, 2, 3, 4, 5, 6, 7};
    static const uint64_t hashes[] = {10, 11, 12, 13, 14, 15, 16, 17};
    CLEANUP(frame_freep) struct frame *frame = make_frame(rows, N_ELEMENTS(rows));
    CLEANUP(twins_release) struct twins twins = {0};

    (void)state;
    find(frame, all, N_ELEMENTS(all), hashes, &twins);
    assert_int_equal(twins.n_twins, 4);
    assert_int_equal(twins.n_distinct, 6);
    assert_false(twins.is_coarse);
    assert_int_equal(twins.places[0], hash_of("0|a|{t}"));
    assert_int_equal(twins.places[3], hash_of("0|a|{t}"));
    assert_int_equal(twins.places[1], hash_of("||{t}"));
    assert_int_equal(twins.places[4], hash_of("||{t}"));
    for (size_t i = 0; i < N_ELEMENTS(all); i++)
        if (i != 0 && i != 1 && i != 3 && i != 4)
            assert_int_equal(twins.places[i], hashes[i]);
}

/* A row that does not take part is nobody's twin. */
static void only_the_given_rows_take_part(void **state)
{
    static const struct row rows[] = {{1, "a", "t"}, {1, "a", "t"}, {2, "a", "t"}};
    static const uint32_t some[] = {1, 2};
    static const uint64_t hashes[] = {10, 11, 12};
    CLEANUP(frame_freep) struct frame *frame = make_frame(rows, N_ELEMENTS(rows));
    CLEANUP(twins_release) struct twins twins = {0};

    (void)state;
    find(frame, some, N_ELEMENTS(some), hashes, &twins);
    assert_int_equal(twins.n_twins, 0);
    assert_int_equal(twins.n_distinct, 2);
    assert_null(twins.places);
}

/* A hundred different rows, `copies` of each: from ten on they repeat by nature. */
static void coarse_features_have_no_twins(void **state)
{
    static const size_t copies[] = {1, 2, 9, 10, 30};

    (void)state;
    for (size_t c = 0; c < N_ELEMENTS(copies); c++) {
        size_t n = 100 * copies[c];
        CLEANUP(free_ptr) uint32_t *all = calloc(n, sizeof(*all));
        CLEANUP(free_ptr) uint64_t *hashes = calloc(n, sizeof(*hashes));
        CLEANUP(frame_freep) struct frame *frame = make_frame(NULL, 0);
        CLEANUP(twins_release) struct twins twins = {0};

        assert_true(all != NULL && hashes != NULL);
        for (size_t i = 0; i < n; i++) {
            append(frame, (int64_t)i, &(struct row){(double)(i % 100), "a", "t"});
            all[i] = (uint32_t)i;
        }
        find(frame, all, n, hashes, &twins);
        assert_int_equal(twins.n_distinct, 100);
        assert_int_equal(twins.n_twins, copies[c] == 1 ? 0 : n);
        assert_int_equal(twins.is_coarse, copies[c] >= 10);
        assert_int_equal(twins.places != NULL, copies[c] > 1 && copies[c] < 10);
    }
}

/* Nine rows each of a thousand and one that differ: a fifth of them test, not nine tenths as the
 * smallest of their hashes would have it; and none is on two sides. */
static void twins_test_as_often_as_others(void **state)
{
    enum { DISTINCT = 1001, COPIES = 9, N = DISTINCT * COPIES };
    static uint32_t all[N];
    static uint64_t hashes[N];
    static int part_of[DISTINCT];
    CLEANUP(frame_freep) struct frame *frame = make_frame(NULL, 0);
    CLEANUP(twins_release) struct twins twins = {0};
    CLEANUP(split_freep) struct split *split = NULL;
    struct split_options options = {.by = SPLIT_RANDOM, .test_size = 0.2, .hashes = hashes};

    (void)state;
    for (uint32_t i = 0; i < N; i++) {
        append(frame, i, &(struct row){i % DISTINCT, "a", "t"});
        all[i] = i;
        hashes[i] = ((uint64_t)i << SPLIT_HASH_BITS) / N;
    }
    find(frame, all, N, hashes, &twins);
    options.places = twins.places;
    assert_int_equal(split_new(frame, all, N, &options, &split, NULL), ERR_OK);
    assert_true(split->test.n > N * 16 / 100 && split->test.n < N * 24 / 100);
    const struct rows *const parts[] = {&split->folds[0].train, &split->folds[0].valid,
                                        &split->test};
    for (int p = 0; p < 3; p++)
        for (size_t i = 0; i < parts[p]->n; i++) {
            int *part = &part_of[parts[p]->items[i] % DISTINCT];

            assert_true(*part == 0 || *part == p + 1);
            *part = p + 1;
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twins_take_the_hash_of_their_features),
        cmocka_unit_test(only_the_given_rows_take_part),
        cmocka_unit_test(coarse_features_have_no_twins),
        cmocka_unit_test(twins_test_as_often_as_others),
    };

    return cmocka_run_group_tests_name("split/twins", tests, NULL, NULL);
}
