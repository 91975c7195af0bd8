#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "split/split.h"

enum { KEY, TIME, N_COLUMNS };

/* Rows 0 … n-1 with key = the row's number (or permuted) and a time; INT64_MIN: NULL. */
static struct frame *make_frame(const int64_t *keys, const int64_t *times, size_t n_rows)
{
    static const char *const names[] = {"id", "at"};
    static const enum pg_type types[] = {PG_INT8, PG_TIMESTAMP};
    struct frame *frame = NULL;
    struct err err = {0};

    assert_int_equal(frame_new(names, types, N_COLUMNS, &frame, &err), ERR_OK);
    for (size_t i = 0; i < n_rows; i++) {
        const int64_t time = times != NULL ? times[i] : 0;
        const struct cell cells[] = {
            {.kind = CELL_INT, .int_value = keys != NULL ? keys[i] : (int64_t)i},
            {.kind = CELL_TIMESTAMP, .int_value = time, .is_null = time == INT64_MIN},
        };

        assert_int_equal(frame_append(frame, cells, &err), ERR_OK);
    }
    return frame;
}

static uint32_t *all_rows(size_t n_rows)
{
    uint32_t *rows = calloc(n_rows, sizeof(*rows));

    assert_non_null(rows);
    for (size_t i = 0; i < n_rows; i++)
        rows[i] = (uint32_t)i;
    return rows;
}

/* Of the key, or of all n_columns. */
static uint64_t *hash_rows(const struct frame *frame, int64_t seed, int n_columns)
{
    static const enum pg_type types[] = {PG_INT8, PG_TIMESTAMP};
    struct split_key key = {.seed = seed, .n_columns = n_columns, .types = types};
    uint64_t *hashes = calloc(frame->n_rows + 1, sizeof(*hashes));

    assert_non_null(hashes);
    for (size_t row = 0; row < frame->n_rows; row++) {
        struct cell cells[N_COLUMNS];

        for (int c = 0; c < N_COLUMNS; c++)
            column_cell(&frame->columns[c], row, &cells[c]);
        assert_int_equal(split_key_hash(&key, cells, &hashes[row], NULL), ERR_OK);
    }
    buf_release(&key.text);
    return hashes;
}

static enum err_code split_seeded(const struct frame *frame, const struct split_options *options,
                                  int64_t seed, int n_columns, struct split **ret_split,
                                  struct err *err)
{
    CLEANUP(free_ptr) uint32_t *rows = all_rows(frame->n_rows);
    CLEANUP(free_ptr) uint64_t *hashes = hash_rows(frame, seed, n_columns);
    struct split_options with_hashes = *options;

    with_hashes.hashes = hashes;
    return split_new(frame, rows, frame->n_rows, &with_hashes, ret_split, err);
}

static enum err_code split_all(const struct frame *frame, const struct split_options *options,
                               struct split **ret_split, struct err *err)
{
    return split_seeded(frame, options, 42, 1, ret_split, err);
}

static void assert_rows(const struct rows *rows, const uint32_t *expected, size_t n)
{
    assert_int_equal(rows->n, n);
    assert_memory_equal(rows->items, expected, n * sizeof(*expected));
}

static uint64_t hash_of(int64_t seed, const char *text)
{
    static const enum pg_type type = PG_TEXT_TYPE;
    struct split_key key = {.seed = seed, .n_columns = 1, .types = &type};
    const struct cell cell = {.kind = CELL_TEXT, .text = text, .n_bytes = strlen(text)};
    uint64_t hash;

    assert_int_equal(split_key_hash(&key, &cell, &hash, NULL), ERR_OK);
    buf_release(&key.text);
    return hash;
}

/* From PostgreSQL 15, by the expression in split.h. */
static void hash_is_the_sql_of_the_header(void **state)
{
    static const struct {
        int64_t seed;
        const char *text;
        int64_t bits;
    } cases[] = {
        {42, "1", INT64_C(2072845624545798)},
        {42, "", INT64_C(329531330058245)},
        {42, "a|b", INT64_C(2546790966049528)},
        {42, "\xc3\xa9", INT64_C(1092758715898877)},
        {42, "2013-01-01 05:00:00+00", INT64_C(3934468554998765)},
        {-7, "1", INT64_C(3731356727612058)},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++)
        assert_int_equal(hash_of(cases[i].seed, cases[i].text), cases[i].bits);
}

/* The order of the 40 hashes is PostgreSQL's. */
static void random_split_is_the_sql_of_the_header(void **state)
{
    static const uint32_t test[] = {30, 2, 8, 36, 20, 32, 35, 4, 31};
    static const uint32_t train[] = {3,  34, 0,  39, 19, 14, 1,  33, 26, 23, 13, 12, 7,
                                     29, 28, 38, 25, 37, 11, 22, 17, 9,  5,  27, 6};
    static const uint32_t valid[] = {10, 15, 18, 24, 21, 16};
    const struct split_options options = {.by = SPLIT_RANDOM, .test_size = 0.25};
    CLEANUP(frame_freep) struct frame *frame = make_frame(NULL, NULL, 40);
    CLEANUP(split_freep) struct split *split = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(split_all(frame, &options, &split, &err), ERR_OK);
    assert_rows(&split->test, test, N_ELEMENTS(test));
    assert_rows(&split->folds[0].train, train, N_ELEMENTS(train));
    assert_rows(&split->folds[0].valid, valid, N_ELEMENTS(valid));
}

static void other_seed_other_rows(void **state)
{
    const struct split_options options = {.by = SPLIT_RANDOM, .test_size = 0.25};
    CLEANUP(frame_freep) struct frame *frame = make_frame(NULL, NULL, 40);
    CLEANUP(split_freep) struct split *split = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(split_seeded(frame, &options, 43, 1, &split, &err), ERR_OK);
    assert_int_not_equal(split->test.items[0], 30);
}

/* Keys by position must be the same, wherever the relation put their rows. */
static void assert_same_keys(const struct rows *a, const struct frame *fa, const struct rows *b,
                             const struct frame *fb)
{
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++)
        assert_int_equal(fa->columns[KEY].ints[a->items[i]], fb->columns[KEY].ints[b->items[i]]);
}

static void order_of_the_rows_does_not_matter(void **state)
{
    enum { N = 500 };
    int64_t keys[N], times[N], shuffled_keys[N], shuffled_times[N];
    uint32_t classes[N], shuffled_classes[N];
    struct rng rng;

    (void)state;
    rng_init(&rng, 1);
    for (int i = 0; i < N; i++) {
        keys[i] = shuffled_keys[i] = i;
        times[i] = i / 3;
        classes[i] = (uint32_t)i % 3;
    }
    for (int i = N - 1; i > 0; i--) {
        size_t j = rng_below(&rng, (uint64_t)i + 1);
        int64_t swap = shuffled_keys[i];

        shuffled_keys[i] = shuffled_keys[j];
        shuffled_keys[j] = swap;
    }
    for (int i = 0; i < N; i++) {
        shuffled_times[i] = shuffled_keys[i] / 3;
        shuffled_classes[i] = (uint32_t)shuffled_keys[i] % 3;
    }
    for (int by = SPLIT_RANDOM; by <= SPLIT_TIME; by++) {
        struct split_options options = {.by = (enum split_by)by,
                                        .test_size = 0.2,
                                        .time = TIME,
                                        .classes = classes,
                                        .n_classes = 3};
        CLEANUP(frame_freep) struct frame *a = make_frame(keys, times, N);
        CLEANUP(frame_freep) struct frame *b = make_frame(shuffled_keys, shuffled_times, N);
        CLEANUP(split_freep) struct split *split_a = NULL;
        CLEANUP(split_freep) struct split *split_b = NULL;
        struct err err = {0};

        assert_int_equal(split_all(a, &options, &split_a, &err), ERR_OK);
        options.classes = shuffled_classes;
        assert_int_equal(split_all(b, &options, &split_b, &err), ERR_OK);
        assert_same_keys(&split_a->folds[0].train, a, &split_b->folds[0].train, b);
        assert_same_keys(&split_a->folds[0].valid, a, &split_b->folds[0].valid, b);
        assert_same_keys(&split_a->test, a, &split_b->test, b);
        assert_int_equal(split_a->folds[0].train.n + split_a->folds[0].valid.n + split_a->test.n,
                         N);
    }
}

static void larger_test_leaves_validation_alone(void **state)
{
    struct split_options options = {.by = SPLIT_RANDOM};
    CLEANUP(frame_freep) struct frame *frame = make_frame(NULL, NULL, 1000);
    CLEANUP(split_freep) struct split *small = NULL;
    CLEANUP(split_freep) struct split *large = NULL;
    struct err err = {0};

    (void)state;
    options.test_size = 0.1;
    assert_int_equal(split_all(frame, &options, &small, &err), ERR_OK);
    options.test_size = 0.3;
    assert_int_equal(split_all(frame, &options, &large, &err), ERR_OK);
    assert_true(large->folds[0].valid.n < small->folds[0].valid.n);
    for (size_t i = 0; i < large->folds[0].valid.n; i++)
        assert_int_equal(large->folds[0].valid.items[large->folds[0].valid.n - 1 - i],
                         small->folds[0].valid.items[small->folds[0].valid.n - 1 - i]);
    for (size_t i = 0; i < small->test.n; i++)
        assert_int_equal(large->test.items[i], small->test.items[i]);
}

static void equal_keys_stay_together(void **state)
{
    enum { N = 400 };
    int64_t keys[N];
    int part_of[N / 4];
    const struct split_options options = {.by = SPLIT_RANDOM, .test_size = 0.2};
    CLEANUP(split_freep) struct split *split = NULL;
    struct err err = {0};

    (void)state;
    for (int i = 0; i < N; i++)
        keys[i] = i / 4;
    CLEANUP(frame_freep) struct frame *frame = make_frame(keys, NULL, N);
    assert_int_equal(split_all(frame, &options, &split, &err), ERR_OK);
    memset(part_of, -1, sizeof(part_of));
    const struct rows *const parts[] = {&split->folds[0].train, &split->folds[0].valid,
                                        &split->test};
    for (int p = 0; p < 3; p++) {
        assert_int_equal(parts[p]->n % 4, 0);
        for (size_t i = 0; i < parts[p]->n; i++) {
            int k = (int)keys[parts[p]->items[i]];

            assert_true(part_of[k] == -1 || part_of[k] == p);
            part_of[k] = p;
        }
    }
}

/* Keys 0 … n-1 in groups by the second column; a NULL stands alone, by its key. */
static void groups_stay_together(void **state)
{
    enum { N = 400, GROUPS = 80 };
    int64_t groups[N];
    struct split_options options = {.by = SPLIT_GROUP, .test_size = 0.2};
    CLEANUP(free_ptr) uint32_t *rows = all_rows(N);
    CLEANUP(free_ptr) uint64_t *places = NULL;
    CLEANUP(split_freep) struct split *split = NULL;
    uint64_t last_train = 0, first_valid = UINT64_MAX;

    (void)state;
    for (int i = 0; i < N; i++)
        groups[i] = i % 5 == 4 ? INT64_MIN : i % GROUPS * INT64_C(1000000);
    CLEANUP(frame_freep) struct frame *frame = make_frame(NULL, groups, N);
    CLEANUP(free_ptr) uint64_t *hashes = hash_rows(frame, 42, 1);
    assert_int_equal(split_group_places(&frame->columns[TIME], 42, hashes, N, &places, NULL),
                     ERR_OK);
    for (int i = 0; i < N; i++) {
        char text[64];

        snprintf(text, sizeof(text), "2000-01-01 00:%02d:%02d", i % GROUPS / 60, i % GROUPS % 60);
        assert_int_equal(places[i], i % 5 == 4 ? hashes[i] : hash_of(42, text));
    }
    options.hashes = hashes;
    options.places = places;
    assert_int_equal(split_new(frame, rows, N, &options, &split, NULL), ERR_OK);
    assert_int_equal(split->n_groups, GROUPS * 4 / 5 + N / 5);
    assert_int_equal(split->folds[0].train.n + split->folds[0].valid.n + split->test.n, N);
    for (size_t i = 0; i < N; i++) {
        bool tests = false;

        for (size_t k = 0; k < split->test.n; k++)
            tests |= split->test.items[k] == i;
        assert_int_equal(tests, (double)places[i] < 0.2 * 0x1p52);
    }
    for (size_t i = 0; i < split->folds[0].train.n; i++)
        if (places[split->folds[0].train.items[i]] > last_train)
            last_train = places[split->folds[0].train.items[i]];
    for (size_t i = 0; i < split->folds[0].valid.n; i++)
        if (places[split->folds[0].valid.items[i]] < first_valid)
            first_valid = places[split->folds[0].valid.items[i]];
    assert_true(last_train < first_valid);
}

/* Three groups suffice, whatever their hashes: the first tests, the last validates. */
static void few_groups(void **state)
{
    enum { N = 30 };
    static const struct {
        uint64_t places[3]; /* × 100 */
        const char *message;
    } cases[] = {
        {{50, 60, 70}, NULL},
        {{70, 60, 50}, NULL},
        {{10, 60, 70}, NULL},
        {{10, 15, 70}, "10 for training, 0 for validation"},
        {{50, 50, 70}, "30 rows are of 2 groups"},
        {{50, 50, 50}, "30 rows are of 1 group:"},
    };

    (void)state;
    for (size_t c = 0; c < N_ELEMENTS(cases); c++) {
        uint64_t places[N];
        CLEANUP(frame_freep) struct frame *frame = make_frame(NULL, NULL, N);
        CLEANUP(free_ptr) uint32_t *rows = all_rows(N);
        CLEANUP(free_ptr) uint64_t *hashes = hash_rows(frame, 42, 1);
        const struct split_options options = {
            .by = SPLIT_GROUP, .test_size = 0.2, .hashes = hashes, .places = places};
        CLEANUP(split_freep) struct split *split = NULL;
        struct err err = {0};
        enum err_code code;

        for (int i = 0; i < N; i++)
            places[i] = cases[c].places[i % 3] * (UINT64_C(1) << SPLIT_HASH_BITS) / 100;
        code = split_new(frame, rows, N, &options, &split, &err);
        if (cases[c].message != NULL) {
            assert_int_equal(code, ERR_DATA);
            assert_non_null(strstr(err.message, cases[c].message));
            assert_string_not_equal(err.hint, "");
            continue;
        }
        assert_int_equal(code, ERR_OK);
        assert_true(split->test.n == 10 && split->folds[0].train.n == 10 &&
                    split->folds[0].valid.n == 10);
    }
}

/* Equal keys of two classes are on one side, and a class of one key is not all test. */
static void places_of_several_classes(void **state)
{
    enum { KEYS = 200, N = 3 * KEYS };
    int64_t keys[N];
    uint32_t classes[N];
    int part_of[KEYS];
    const struct split_options options = {
        .by = SPLIT_STRATIFIED, .test_size = 0.25, .classes = classes, .n_classes = 3};
    CLEANUP(split_freep) struct split *split = NULL;

    (void)state;
    for (int i = 0; i < N; i++) {
        keys[i] = i / 3;
        classes[i] = i < N - 3 ? (uint32_t)i % 2 : 2;
    }
    CLEANUP(frame_freep) struct frame *frame = make_frame(keys, NULL, N);
    assert_int_equal(split_all(frame, &options, &split, NULL), ERR_OK);
    memset(part_of, -1, sizeof(part_of));
    const struct rows *const parts[] = {&split->folds[0].train, &split->folds[0].valid,
                                        &split->test};
    for (int p = 0; p < 3; p++)
        for (size_t i = 0; i < parts[p]->n; i++) {
            int *part = &part_of[keys[parts[p]->items[i]]];

            assert_true(*part == -1 || *part == p);
            *part = p;
        }
    assert_int_equal(part_of[KEYS - 1], 0);
    assert_true(split->test.n > N / 5 && split->test.n < N / 3);
}

static size_t n_of(const struct rows *rows, const uint32_t *classes, uint32_t class)
{
    size_t n = 0;

    for (size_t i = 0; i < rows->n; i++)
        n += classes[rows->items[i]] == class;
    return n;
}

/* 60 rows: classes of 48, 7, 2, 2 and 1. Test size 0.25: 12, 2, 1, 1, 0. Of the other 44 a fifth
 * validates: 36, 5, 1, 1 and 1 rows give 7, 1, 0, 0 and 0. */
static void stratified_shares(void **state)
{
    static const size_t n_rows[] = {48, 7, 2, 2, 1}, n_test[] = {12, 2, 1, 1, 0},
                        n_valid[] = {7, 1, 0, 0, 0};
    uint32_t classes[60];
    const struct split_options options = {
        .by = SPLIT_STRATIFIED, .test_size = 0.25, .classes = classes, .n_classes = 5};
    CLEANUP(frame_freep) struct frame *frame = make_frame(NULL, NULL, 60);
    CLEANUP(split_freep) struct split *split = NULL;
    struct err err = {0};
    uint32_t row = 0;

    (void)state;
    for (uint32_t c = 0; c < 5; c++)
        for (size_t i = 0; i < n_rows[c]; i++)
            classes[row++] = c;
    assert_int_equal(split_all(frame, &options, &split, &err), ERR_OK);
    for (uint32_t c = 0; c < 5; c++) {
        assert_int_equal(n_of(&split->test, classes, c), n_test[c]);
        assert_int_equal(n_of(&split->folds[0].valid, classes, c), n_valid[c]);
        assert_int_equal(n_of(&split->folds[0].train, classes, c),
                         n_rows[c] - n_test[c] - n_valid[c]);
    }
    /* each part in the order of the hash: of rows 0 … 39 known from the random split */
    assert_int_equal(split->test.items[0], 30);
}

/* Times 0, 0, 1, 1, … 9, 9. */
static void newest_rows_test(void **state)
{
    static const struct {
        double size;
        size_t n_test;
        int64_t test_from;
    } cases[] = {
        {0.2, 4, 8}, {0.25, 4, 8} /* 5 would cut the 7s */, {0.3, 6, 7}, {0.1, 2, 9}, {0.7, 14, 3},
    };
    int64_t times[20];

    (void)state;
    for (int i = 0; i < 20; i++)
        times[i] = i / 2;
    CLEANUP(frame_freep) struct frame *frame = make_frame(NULL, times, 20);
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        const struct split_options options = {
            .by = SPLIT_TIME, .test_size = cases[i].size, .time = TIME};
        CLEANUP(split_freep) struct split *split = NULL;
        struct err err = {0};
        enum err_code code = split_all(frame, &options, &split, &err);

        if (cases[i].n_test == 14) { /* one of 6 rows would validate, but two share its time */
            assert_int_equal(code, ERR_DATA);
            continue;
        }
        assert_int_equal(code, ERR_OK);
        assert_int_equal(split->test.n, cases[i].n_test);
        assert_int_equal(split->test_from, cases[i].test_from);
        for (size_t k = 0; k < split->test.n; k++)
            assert_true(times[split->test.items[k]] >= split->test_from);
        for (size_t k = 0; k < split->folds[0].valid.n; k++)
            assert_true(times[split->folds[0].valid.items[k]] >= split->folds[0].valid_from &&
                        times[split->folds[0].valid.items[k]] < split->test_from);
        for (size_t k = 0; k < split->folds[0].train.n; k++)
            assert_true(times[split->folds[0].train.items[k]] < split->folds[0].valid_from);
    }
}

/* Every second row has a time, 0, 2, … 98: the last 10 of them test, the 18 before validate. */
static void rows_without_time_only_train(void **state)
{
    int64_t times[100];
    const struct split_options options = {.by = SPLIT_TIME, .test_size = 0.1, .time = TIME};
    CLEANUP(split_freep) struct split *split = NULL;
    struct err err = {0};

    (void)state;
    for (int i = 0; i < 100; i++)
        times[i] = i % 2 == 0 ? i : INT64_MIN;
    CLEANUP(frame_freep) struct frame *frame = make_frame(NULL, times, 100);
    assert_int_equal(split_all(frame, &options, &split, &err), ERR_OK);
    assert_int_equal(split->test.n, 10);
    assert_int_equal(split->test_from, 80);
    assert_int_equal(split->folds[0].valid.n, 18); /* a fifth of 90 */
    assert_int_equal(split->folds[0].valid_from, 44);
    assert_int_equal(split->folds[0].train.n, 72);
}

static void only_the_given_rows_take_part(void **state)
{
    uint32_t rows[30];
    struct split_options options = {.by = SPLIT_RANDOM, .test_size = 0.25};
    CLEANUP(frame_freep) struct frame *frame = make_frame(NULL, NULL, 60);
    CLEANUP(free_ptr) uint64_t *hashes = hash_rows(frame, 42, 1);
    CLEANUP(split_freep) struct split *split = NULL;
    struct err err = {0};

    (void)state;
    for (uint32_t i = 0; i < 30; i++)
        rows[i] = 2 * i;
    options.hashes = hashes;
    assert_int_equal(split_new(frame, rows, 30, &options, &split, &err), ERR_OK);
    assert_int_equal(split->folds[0].train.n + split->folds[0].valid.n + split->test.n, 30);
    assert_int_equal(split->test.items[0] % 2 + split->folds[0].train.items[0] % 2, 0);
}

/* Without a key the whole row counts: "KEY|TIME", a NULL as nothing. */
static void whole_row_without_a_key(void **state)
{
    int64_t times[20];
    const struct split_options options = {.by = SPLIT_RANDOM, .test_size = 0.5};
    CLEANUP(split_freep) struct split *split = NULL;
    struct err err = {0};

    (void)state;
    for (int i = 0; i < 20; i++)
        times[i] = i == 7 ? INT64_MIN : 0;
    CLEANUP(frame_freep) struct frame *frame = make_frame(NULL, times, 20);
    assert_int_equal(split_seeded(frame, &options, 42, N_COLUMNS, &split, &err), ERR_OK);
    for (uint32_t i = 0; i < 20; i++) {
        char text[64];
        bool tests = false;

        snprintf(text, sizeof(text), "%u|%s", i, i == 7 ? "" : "2000-01-01 00:00:00");
        for (size_t k = 0; k < split->test.n; k++)
            tests |= split->test.items[k] == i;
        assert_int_equal(tests, hash_of(42, text) < UINT64_C(1) << (SPLIT_HASH_BITS - 1));
    }
}

static void rows_that_cannot_be_split(void **state)
{
    enum { N = 40 };
    int64_t same[N], nulls[N];
    uint32_t one_class[N];
    const struct split_options base = {
        .test_size = 0.2, .time = TIME, .classes = one_class, .n_classes = N};
    static const struct {
        enum split_by by;
        size_t n_rows;
        bool same_key, null_time;
        const char *message;
    } cases[] = {
        {SPLIT_RANDOM, 9, false, false, "9 rows with a target"},
        {SPLIT_RANDOM, 0, false, false, "0 rows with a target"},
        {SPLIT_RANDOM, N, true, false, "0 for the test"},
        {SPLIT_TIME, N, false, false, "0 for the test"}, /* one time for all */
        {SPLIT_TIME, N, false, true, "0 for the test"},
        {SPLIT_STRATIFIED, N, false, false, "0 for the test"}, /* a class for each row */
    };

    (void)state;
    for (int i = 0; i < N; i++) {
        same[i] = 1; /* its hash is 0.46 */
        nulls[i] = INT64_MIN;
        one_class[i] = (uint32_t)i;
    }
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        CLEANUP(frame_freep)
        struct frame *frame = make_frame(cases[i].same_key ? same : NULL,
                                         cases[i].null_time ? nulls : NULL, cases[i].n_rows);
        CLEANUP(free_ptr) uint32_t *rows = all_rows(N);
        CLEANUP(free_ptr) uint64_t *hashes = hash_rows(frame, 42, 1);
        struct split_options options = base;
        struct split *split = NULL;
        struct err err = {0};

        options.by = cases[i].by;
        options.hashes = hashes;
        assert_int_equal(split_new(frame, rows, cases[i].n_rows, &options, &split, &err), ERR_DATA);
        assert_null(split);
        assert_non_null(strstr(err.message, cases[i].message));
        assert_string_not_equal(err.hint, "");
    }
}

static void validation_share(void **state)
{
    static const struct {
        size_t n_rows;
        bool searching;
        double share;
    } cases[] = {
        {0, false, 0.2},
        {10, false, 0.2},
        {2500, false, 0.2},
        {4000, false, 0.125},
        {4999, false, 500 / 4999.0},
        {5000, false, 0.1},
        {25000, false, 0.1},
        {50000, false, 0.05},
        {250000, false, 0.01},
        {10000000, false, 0.01},
        {10, true, 0.2},
        {4000, true, 0.2},
        {50000, true, 0.1},
        {10000000, true, 0.02},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++)
        assert_true(split_validation_share(cases[i].n_rows, cases[i].searching) == cases[i].share);
}

/* In which fold a row validates, all others having it for training; -1: in none. */
static int fold_of(const struct split *split, uint32_t row)
{
    int number = -1;

    for (int k = 0; k < split->n_folds; k++) {
        const struct fold *fold = &split->folds[k];
        bool trains = false, validates = false;

        for (size_t i = 0; i < fold->valid.n; i++)
            validates |= fold->valid.items[i] == row;
        for (size_t i = 0; i < fold->train.n; i++)
            trains |= fold->train.items[i] == row;
        assert_true(trains != validates);
        assert_false(validates && number >= 0);
        if (validates)
            number = k;
    }
    return number;
}

/* The hash's order of 40 rows is that of random_split_is_the_sql_of_the_header. */
static void folds_by_the_rank_of_the_hash(void **state)
{
    static const uint32_t rest[] = {3,  34, 0,  39, 19, 14, 1, 33, 26, 23, 13, 12, 7,  29, 28, 38,
                                    25, 37, 11, 22, 17, 9,  5, 27, 6,  10, 15, 18, 24, 21, 16};
    const struct split_options options = {.by = SPLIT_RANDOM, .test_size = 0.25, .n_folds = 4};
    CLEANUP(frame_freep) struct frame *frame = make_frame(NULL, NULL, 40);
    CLEANUP(split_freep) struct split *split = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(split_all(frame, &options, &split, &err), ERR_OK);
    assert_int_equal(split->n_folds, 4);
    assert_int_equal(split->test.n, 9);
    for (size_t i = 0; i < N_ELEMENTS(rest); i++)
        assert_int_equal(fold_of(split, rest[i]), (int)(4 * i / N_ELEMENTS(rest)));
    assert_int_equal(split->folds[2].train.items[0], 3);
}

/* Classes of 48, 7, 2, 2 and 1: 36, 5, 1, 1 and 1 do not test. One alone always trains. */
static void stratified_folds(void **state)
{
    static const size_t n_rows[] = {48, 7, 2, 2, 1}, n_rest[] = {36, 5, 1, 1, 1};
    uint32_t classes[60];
    const struct split_options options = {.by = SPLIT_STRATIFIED,
                                          .test_size = 0.25,
                                          .classes = classes,
                                          .n_classes = 5,
                                          .n_folds = 5};
    CLEANUP(frame_freep) struct frame *frame = make_frame(NULL, NULL, 60);
    CLEANUP(split_freep) struct split *split = NULL;
    struct err err = {0};
    uint32_t row = 0;

    (void)state;
    for (uint32_t c = 0; c < 5; c++)
        for (size_t i = 0; i < n_rows[c]; i++)
            classes[row++] = c;
    assert_int_equal(split_all(frame, &options, &split, &err), ERR_OK);
    assert_int_equal(split->n_folds, 5);
    for (int k = 0; k < 5; k++)
        for (uint32_t c = 0; c < 5; c++) {
            size_t n_valid = n_of(&split->folds[k].valid, classes, c);

            if (n_rest[c] == 1)
                assert_int_equal(n_valid, 0);
            else
                assert_true(n_valid == n_rest[c] / 5 || n_valid == n_rest[c] / 5 + 1);
            assert_int_equal(n_valid + n_of(&split->folds[k].train, classes, c), n_rest[c]);
        }
}

/* A fold is left out when it has no row of its own: 3 places of the rest make 3 folds at most. */
static void folds_of_few_groups(void **state)
{
    static const struct {
        int n_groups, n_folds;
        enum err_code code;
    } cases[] = {{5, 3, ERR_OK}, {4, 3, ERR_OK}, {3, 2, ERR_OK}, {2, 0, ERR_DATA}};

    (void)state;
    for (size_t c = 0; c < N_ELEMENTS(cases); c++) {
        uint64_t places[40];
        const struct split_options options = {
            .by = SPLIT_GROUP, .test_size = 0.1, .places = places, .n_folds = 3};
        CLEANUP(frame_freep) struct frame *frame = make_frame(NULL, NULL, 40);
        CLEANUP(split_freep) struct split *split = NULL;
        struct err err = {0};

        for (int i = 0; i < 40; i++) /* none below the test's size: the first tests */
            places[i] = (uint64_t)(i % cases[c].n_groups + 1) << (SPLIT_HASH_BITS - 3);
        assert_int_equal(split_all(frame, &options, &split, &err), cases[c].code);
        if (cases[c].code != ERR_OK)
            continue;
        assert_int_equal(split->n_folds, cases[c].n_folds);
        for (int k = 0; k < split->n_folds; k++)
            for (size_t i = 0; i < split->folds[k].valid.n; i++)
                for (size_t j = 0; j < split->folds[k].train.n; j++)
                    assert_true(places[split->folds[k].valid.items[i]] !=
                                places[split->folds[k].train.items[j]]);
    }
}

/* 100 rows, three of a time, every tenth without one: a fold trains on what is older alone. */
static void folds_go_forward_in_time(void **state)
{
    int64_t times[100];
    const struct split_options options = {
        .by = SPLIT_TIME, .test_size = 0.2, .time = TIME, .n_folds = 5};
    CLEANUP(split_freep) struct split *split = NULL;
    struct err err = {0};
    size_t n_train = 0;

    (void)state;
    for (int i = 0; i < 100; i++)
        times[i] = i % 10 == 0 ? INT64_MIN : (i * 37 % 100) / 3;
    CLEANUP(frame_freep) struct frame *frame = make_frame(NULL, times, 100);
    assert_int_equal(split_all(frame, &options, &split, &err), ERR_OK);
    assert_int_equal(split->n_folds, 5);
    for (int k = 0; k < 5; k++) {
        const struct fold *fold = &split->folds[k];

        assert_true(fold->valid.n >= 6 && fold->train.n > n_train);
        n_train = fold->train.n;
        for (size_t i = 0; i < fold->train.n; i++)
            assert_true(times[fold->train.items[i]] < fold->valid_from);
        for (size_t i = 0; i < fold->valid.n; i++)
            assert_true(times[fold->valid.items[i]] >= fold->valid_from &&
                        times[fold->valid.items[i]] < split->test_from);
    }
    /* the older half, and what shares a time with it */
    assert_true(split->folds[0].train.n >= (100 - split->test.n) / 2 &&
                split->folds[0].train.n <= (100 - split->test.n) / 2 + 3);
    assert_int_equal(split_last(split)->train.n + split_last(split)->valid.n + split->test.n, 100);
    for (uint32_t row = 0; row < 100; row++)
        if (times[row] == INT64_MIN)
            assert_int_equal(fold_of(split, row), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_is_the_sql_of_the_header),
        cmocka_unit_test(random_split_is_the_sql_of_the_header),
        cmocka_unit_test(other_seed_other_rows),
        cmocka_unit_test(order_of_the_rows_does_not_matter),
        cmocka_unit_test(larger_test_leaves_validation_alone),
        cmocka_unit_test(equal_keys_stay_together),
        cmocka_unit_test(groups_stay_together),
        cmocka_unit_test(few_groups),
        cmocka_unit_test(places_of_several_classes),
        cmocka_unit_test(stratified_shares),
        cmocka_unit_test(newest_rows_test),
        cmocka_unit_test(rows_without_time_only_train),
        cmocka_unit_test(only_the_given_rows_take_part),
        cmocka_unit_test(whole_row_without_a_key),
        cmocka_unit_test(rows_that_cannot_be_split),
        cmocka_unit_test(validation_share),
        cmocka_unit_test(folds_by_the_rank_of_the_hash),
        cmocka_unit_test(stratified_folds),
        cmocka_unit_test(folds_of_few_groups),
        cmocka_unit_test(folds_go_forward_in_time),
    };

    return cmocka_run_group_tests_name("split/split", tests, NULL, NULL);
}
