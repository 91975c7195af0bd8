/* Categories: which are kept, how they are told by how many there are, and target means. */
#include "fixture.h"

#include <float.h>
#include <math.h>

#include "feature/target_means.h"

/* A target y and one text column x: row by row. */
static void start(struct fixture *fixture, enum pg_type type)
{
    fixture_column(fixture, "y", PG_FLOAT8);
    fixture_column(fixture, "x", type);
    fixture_ready(fixture);
}

static void add(struct fixture *fixture, double y, const char *text)
{
    struct cell x = text == NULL ? null_of(PG_TEXT_TYPE) : text_cell(text);

    fixture_row(fixture, (struct cell[]){double_cell(y), x});
}

static float code_of(const struct encoder *encoder, const char *text)
{
    struct cell cell = text == NULL ? null_of(PG_TEXT_TYPE) : text_cell(text);
    float feature = -7;

    encode_cell(encoder, &encoder->columns[0], &cell, &feature);
    return feature;
}

/* By frequency, equals by bytes; one row is rare; what was not in the training rows is unseen. */
static void test_codes(void **state)
{
    static const char *const rows[] = {"b", "a", "rare", NULL, "b", "\xc3\xa9", "a", "c", "ab", "b",
                                       "Z", "",  "",     "Z",  "c", "\xc3\xa9", "a", "ab"};
    static const struct {
        const char *text;
        float code;
    } codes[] = {{"a", 1},     {"b", 2}, {"", 3},           {"Z", 4},
                 {"ab", 5},    {"c", 6}, {"\xc3\xa9", 7},   {"rare", 0},
                 {"later", 0}, {"A", 0}, {"unheard of", 0}, {NULL, NAN}};
    struct encoder_target target = {0};
    struct fixture fixture = {0};
    struct encoder *encoder;

    (void)state;
    start(&fixture, PG_TEXT_TYPE);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        add(&fixture, 0, rows[i]);
    for (size_t i = 0; i < 5; i++)
        add(&fixture, 0, "later"); /* of the frame, not of the training rows */
    encoder = fixture_fit(&fixture, N_ELEMENTS(rows), &target);
    assert_int_equal(encoder->n_features, 1);
    assert_string_equal(encoder->feature_names[0], "x");
    assert_string_equal(encoder->feature_types[0], "c");
    assert_int_equal(encoder->columns[0].categories.n_keys, 7);
    assert_true(encoder->columns[0].frequencies[0] == 3.0 / 17); /* of the rows that are not NULL */
    for (size_t i = 0; i < N_ELEMENTS(codes); i++)
        check_float(code_of(encoder, codes[i].text), codes[i].code,
                    codes[i].text == NULL ? "NULL" : codes[i].text);
    encoder_free(encoder);
    fixture_release(&fixture);
}

/* All are kept when each has one row; text that no request can send is not. */
static void test_all_rare(void **state)
{
    struct encoder_target target = {0};
    struct fixture fixture = {0};
    struct encoder *encoder;

    (void)state;
    start(&fixture, PG_BPCHAR);
    add(&fixture, 0, "b");
    add(&fixture, 0, "a");
    add(&fixture, 0, "\xff");
    add(&fixture, 0, "\xff");  /* two rows, yet it does not make the others rare */
    add(&fixture, 0, "later"); /* of the frame, not of the training rows */
    encoder = fixture_fit(&fixture, 4, &target);
    check_float(code_of(encoder, "a"), 1, "a");
    check_float(code_of(encoder, "b"), 2, "b");
    check_float(code_of(encoder, "later"), 0, "later");
    check_float(code_of(encoder, "\xff"), 0, "not UTF-8");
    encoder_free(encoder);
    fixture_release(&fixture);
}

/* Booleans and whole numbers declared categories go by the text that Postgres prints. */
static void test_as_category(void **state)
{
    static const int64_t values[] = {7, -3, 7, -3, 7, INT64_MIN, INT64_MIN, 0};
    static const struct {
        int64_t value;
        float code;
    } codes[] = {{7, 1}, {-3, 2}, {INT64_MIN, 3}, {0, 0}, {INT64_MAX, 0}};
    struct encoder_target target = {0};
    struct fixture fixture = {0};
    struct encoder *encoder;
    float features[2];

    (void)state;
    fixture_column(&fixture, "y", PG_FLOAT8);
    fixture_column(&fixture, "n", PG_INT8);
    fixture_column(&fixture, "flag", PG_BOOL);
    fixture_as(&fixture, "n", AS_CATEGORY);
    fixture_as(&fixture, "flag", AS_CATEGORY);
    fixture_ready(&fixture);
    for (size_t i = 0; i < N_ELEMENTS(values); i++)
        fixture_row(&fixture, (struct cell[]){double_cell(0), int_cell(values[i]),
                                              i == 3 ? null_of(PG_BOOL) : bool_cell(i != 5)});
    encoder = fixture_fit(&fixture, N_ELEMENTS(values), &target);
    for (size_t i = 0; i < N_ELEMENTS(codes); i++) {
        CLEANUP(buf_release) struct buf text = {0};
        struct cell cell = int_cell(codes[i].value);
        uint32_t index;

        cell_to_text(PG_INT8, &cell, &text);
        index = strmap_find(&encoder->columns[0].categories, text.data, text.length);
        assert_int_equal(index, codes[i].code == 0 ? STRMAP_NONE : (uint32_t)codes[i].code - 1);
        encode_cell(encoder, &encoder->columns[0], &cell, features);
        check_float(features[0], codes[i].code, "a whole number");
    }
    encode_cell(encoder, &encoder->columns[1],
                &(struct cell){.kind = CELL_BOOL, .bool_value = true}, features);
    check_float(features[1], 1, "true");
    encode_cell(encoder, &encoder->columns[1],
                &(struct cell){.kind = CELL_BOOL, .bool_value = false}, features);
    check_float(features[1], 0, "false, once");
    assert_int_equal(strmap_find(&encoder->columns[1].categories, "true", 4), 0);
    encoder_free(encoder);
    fixture_release(&fixture);
}

static const char *const labels[17] = {"no", "<1h", "late"};

/* K categories of two rows each, and what becomes of them. */
static const struct {
    int n_categories, n_outputs;
    const char *features, *types;
} policies[] = {
    {0, 1, "x", "c"},
    {1, 1, "x", "c"},
    {63, 1, "x", "c"},
    {64, 1, "x", "c"},
    {65, 1, "x x.frequency", "cq"},
    {1000, 1, "x x.frequency", "cq"},
    {1001, 0, "x.frequency", "q"},
    {1001, 1, "x.mean x.frequency", "qq"},
    {1001, 3, "x.mean.no x.mean._1h x.mean.late x.frequency", "qqqq"},
    {1001, 17, "x.frequency", "q"},
};

static void test_policies(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(policies); i++) {
        int n = policies[i].n_categories, n_outputs = policies[i].n_outputs;
        CLEANUP(free_ptr) double *values = calloc((size_t)(2 * n) + 1, sizeof(double));
        struct encoder_target target = {n_outputs, n_outputs == 0 ? NULL : values,
                                        n_outputs > 1 ? labels : NULL};
        CLEANUP(buf_release) struct buf names = {0}, types = {0};
        struct fixture fixture = {0};
        struct encoder *encoder;

        start(&fixture, PG_ENUM);
        for (int row = 0; row < 2 * n; row++) {
            char text[16];

            snprintf(text, sizeof(text), "t%d", row / 2);
            add(&fixture, 0, text);
        }
        encoder = fixture_fit(&fixture, (size_t)(2 * n), &target);
        for (int k = 0; k < encoder->n_features; k++) {
            buf_printf(&names, "%s%s", k == 0 ? "" : " ", encoder->feature_names[k]);
            buf_puts(&types, encoder->feature_types[k]);
        }
        assert_string_equal(buf_text(&names), policies[i].features);
        assert_string_equal(buf_text(&types), policies[i].types);
        encoder_free(encoder);
        fixture_release(&fixture);
    }
}

/* However many there are, a bounded number is kept: the most frequent, then by bytes. */
static void test_bound(void **state)
{
    enum { N = 100002 };
    struct encoder_target target = {0};
    struct fixture fixture = {0};
    struct encoder *encoder;
    const struct strmap *kept;

    (void)state;
    start(&fixture, PG_TEXT_TYPE);
    for (int i = 0; i < N; i++) {
        char text[16];

        snprintf(text, sizeof(text), "t%06d", N - i);
        add(&fixture, 0, text);
    }
    encoder = fixture_fit(&fixture, N, &target);
    kept = &encoder->columns[0].categories;
    assert_int_equal(kept->n_keys, 100000);
    assert_string_equal(kept->keys[0].text, "t000001");
    assert_string_equal(kept->keys[99999].text, "t100000");
    check_float(code_of(encoder, "t100001"), 0, "frequency of what is beyond the bound");
    check_float(code_of(encoder, "t100000"), (float)(1.0 / N), "frequency of the last one");
    encoder_free(encoder);
    fixture_release(&fixture);
}

/* 65 categories of two rows, the first with ten more: share of the rows that are not NULL. */
static void test_frequency(void **state)
{
    struct encoder_target target = {0};
    struct fixture fixture = {0};
    struct encoder *encoder;
    float features[2];
    struct cell cell;

    (void)state;
    start(&fixture, PG_TEXT_TYPE);
    for (int row = 0; row < 140; row++) {
        char text[16];

        snprintf(text, sizeof(text), "t%d", row < 130 ? row / 2 : 7);
        add(&fixture, 0, text);
    }
    add(&fixture, 0, NULL);
    encoder = fixture_fit(&fixture, 141, &target);
    cell = text_cell("t7");
    encode_cell(encoder, &encoder->columns[0], &cell, features);
    check_float(features[0], 1, "code of t7");
    check_float(features[1], (float)(12.0 / 140), "frequency of t7");
    cell = text_cell("t0");
    encode_cell(encoder, &encoder->columns[0], &cell, features);
    check_float(features[0], 2, "code of t0");
    check_float(features[1], (float)(2.0 / 140), "frequency of t0");
    cell = text_cell("unseen");
    encode_cell(encoder, &encoder->columns[0], &cell, features);
    check_float(features[0], 0, "code of what is unseen");
    check_float(features[1], 0, "frequency of what is unseen");
    cell = null_of(PG_TEXT_TYPE);
    encode_cell(encoder, &encoder->columns[0], &cell, features);
    check_float(features[0], NAN, "code of NULL");
    check_float(features[1], NAN, "frequency of NULL");
    encoder_free(encoder);
    fixture_release(&fixture);
}

/* Eleven rows of categories A (0), B (1), C (2), none; worked by hand. Rows 0, 5 and 10 are fold 0.
 */
static void test_means_by_hand(void **state)
{
    static const uint32_t rows[] = {10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0};
    static const uint32_t categories[] = {0, 0, 1, 1, 0, STRMAP_NONE, 0, 1, 0, 0, 2};
    static const double values[] = {14, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}; /* by row of the frame */
    const struct encoder_target target = {.n_outputs = 1, .values = values};
    const struct mean_rows in = {rows, N_ELEMENTS(rows), categories, 3, &target};
    double means[3], prior;
    struct err err;

    (void)state;
    /* in order: A 1 2 5 7 9 10, B 3 4 8, none 6, C 14: 69 / 11 */
    OK(target_means(&in, -1, means, &prior, &err));
    assert_true(prior == 69.0 / 11);
    assert_true(means[0] == (34 + 20 * (69.0 / 11)) / 26);
    assert_true(means[1] == (15 + 20 * (69.0 / 11)) / 23);
    assert_true(means[2] == (14 + 20 * (69.0 / 11)) / 21);
    /* without 1, 6 and 14: A 2 5 7 9 10, B 3 4 8, C has no row: 48 / 8 */
    OK(target_means(&in, 0, means, &prior, &err));
    assert_true(prior == 6);
    assert_true(means[0] == (33.0 + 120) / 25);
    assert_true(means[1] == (15.0 + 120) / 23);
    assert_true(means[2] == 6);
    /* without the fourth and the ninth, 4 and 9: A 1 2 5 7 10, B 3 8: 56 / 9 */
    OK(target_means(&in, 3, means, &prior, &err));
    assert_true(prior == 56.0 / 9);
    assert_true(means[0] == (25 + 20 * (56.0 / 9)) / 25);
    assert_true(means[1] == (11 + 20 * (56.0 / 9)) / 22);
}

static void test_means_at_the_edge(void **state)
{
    static const uint32_t rows[] = {0, 1}, categories[] = {0, 0};
    static const struct {
        double values[2];
        enum err_code code;
        double mean;
    } cases[] = {
        {{1e-39, 1e-39}, ERR_OK, 0}, /* too small for a float32's normal numbers */
        {{-1e-39, -1e-39}, ERR_OK, 0}, {{1e38, 1e38}, ERR_OK, (2e38 + 20 * 1e38) / 22},
        {{1e39, 1e39}, ERR_DATA, 0},   {{INFINITY, 0}, ERR_DATA, 0},
        {{NAN, 0}, ERR_DATA, 0},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        const struct encoder_target target = {.n_outputs = 1, .values = cases[i].values};
        const struct mean_rows in = {rows, 2, categories, 1, &target};
        double mean, prior;
        struct err err;

        assert_int_equal(target_means(&in, -1, &mean, &prior, &err), cases[i].code);
        if (cases[i].code == ERR_OK)
            assert_true(mean == cases[i].mean);
    }
}

/* A category without rows has the prior itself, not 20 priors by 20, which may be another double.
 */
static void test_mean_without_rows(void **state)
{
    static const uint32_t rows[] = {0, 1}, categories[] = {0, 0};
    static const double values[] = {1.0 / 7, 0.1};
    const struct encoder_target target = {.n_outputs = 1, .values = values};
    const struct mean_rows in = {rows, 2, categories, 2, &target};
    double means[2], prior;
    struct err err;

    (void)state;
    OK(target_means(&in, -1, means, &prior, &err));
    assert_true(20 * prior / 20 != prior); /* or this test shows nothing */
    assert_true(means[1] == prior);
}

/* The oracle: the mean of one category over the rows that are not of a fold, looked for one by one.
 */
static float naive_mean(const uint32_t *categories, size_t n_rows, const double *values,
                        int n_outputs, int output, uint32_t category, int left_out)
{
    double sum = 0, prior = 0;
    size_t n = 0, n_all = 0;

    for (size_t i = 0; i < n_rows; i++) {
        double y = values[i * (size_t)n_outputs + (size_t)output];

        if ((int)(i % 5) == left_out)
            continue;
        prior += y;
        n_all++;
        if (categories[i] == category) {
            sum += y;
            n++;
        }
    }
    prior /= (double)n_all;
    return n == 0 ? (float)prior : (float)((sum + 20 * prior) / ((double)n + 20));
}

#define MANY          1100
#define NULL_CATEGORY 5000 /* in this test: a NULL */
#define RARE_CATEGORY 4000 /* and from here on: a category of one row */

/* Row i's category: each of MANY three times, but for the single ones and NULLs between. */
static uint32_t many_category(size_t i)
{
    if (i % 37 == 0)
        return NULL_CATEGORY;
    if (i % 41 == 0)
        return RARE_CATEGORY + (uint32_t)i / 41;
    return (uint32_t)((i * 7919) % MANY);
}

static size_t count_of(const uint32_t *categories, size_t n_rows, uint32_t category)
{
    size_t n = 0;

    for (size_t i = 0; i < n_rows; i++)
        n += categories[i] == category;
    return n;
}

static double many_target(size_t i, int n_outputs, int output, uint32_t category)
{
    if (n_outputs == 1)
        return (double)(category % 17) - 3.25 + (double)(i % 5) / 8;
    return (category + i / 900) % 3 == (size_t)output;
}

static void check_means(int n_outputs)
{
    enum { N = 3300 };
    CLEANUP(free_ptr) uint32_t *categories = calloc(N, sizeof(*categories));
    CLEANUP(free_ptr) double *values = calloc((size_t)N * (size_t)n_outputs, sizeof(*values));
    CLEANUP(free_ptr) double *y = calloc(N, sizeof(*y));
    CLEANUP(free_ptr) float *training = NULL, *serving = NULL;
    CLEANUP(encoder_folds_freep) struct encoder_folds *folds = NULL;
    struct encoder_target target = {n_outputs, y, n_outputs == 1 ? NULL : labels};
    struct fixture fixture = {0};
    struct encoder *encoder;
    size_t n_features;
    struct err err;

    start(&fixture, PG_TEXT_TYPE);
    for (size_t i = 0; i < N; i++) {
        char text[16];

        categories[i] = many_category(i);
        snprintf(text, sizeof(text), "c%u", categories[i]);
        add(&fixture, 0, categories[i] == NULL_CATEGORY ? NULL : text);
        for (int k = 0; k < n_outputs; k++) {
            double value = many_target(i, n_outputs, k, categories[i]);

            values[i * (size_t)n_outputs + (size_t)k] = value;
            y[i] = n_outputs == 1 ? value : value != 0 ? k : y[i];
        }
    }
    encoder = fixture_fit(&fixture, N, &target);
    n_features = (size_t)encoder->n_features;
    assert_int_equal(n_features, n_outputs + 1);
    assert_true(encoder->columns[0].categories.n_keys > 1000);
    training = calloc(N * n_features, sizeof(float));
    serving = calloc(N * n_features, sizeof(float));
    OK(encoder_apply(encoder, fixture.frame, fixture.rows, N, serving, &err));
    OK(encoder_folds_new(encoder, fixture.frame, fixture.rows, N, &target, &folds, &err));
    for (size_t first = 0; first < N; first += 1001) {
        size_t n = N - first < 1001 ? N - first : 1001;

        OK(encoder_apply_folds(folds, first, n, training + first * n_features, &err));
    }
    for (size_t i = 0; i < N; i += 7) {
        const float *seen = &training[i * n_features], *served = &serving[i * n_features];
        bool is_null = categories[i] == NULL_CATEGORY;
        bool is_kept = count_of(categories, N, categories[i]) >= 2;

        for (int k = 0; k < n_outputs; k++) {
            /* a category that is not kept is looked for under a name that no row has */
            uint32_t category = is_kept ? categories[i] : UINT32_MAX;

            check_float(served[k],
                        is_null ? NAN
                                : naive_mean(categories, N, values, n_outputs, k, category, -1),
                        "mean when serving");
            check_float(
                seen[k],
                is_null ? NAN
                        : naive_mean(categories, N, values, n_outputs, k, category, (int)(i % 5)),
                "mean out of fold");
        }
        check_float(seen[n_outputs], served[n_outputs], "frequency");
        if (!is_null && !is_kept)
            check_float(seen[n_outputs], 0, "frequency of a rare category");
    }
    encoder_free(encoder);
    fixture_release(&fixture);
}

static void test_means_of_one_output(void **state)
{
    (void)state;
    check_means(1);
}

static void test_means_of_classes(void **state)
{
    (void)state;
    check_means(3);
}

/* No row sees its own target: changing it changes its own features by nothing. */
static void test_no_leak(void **state)
{
    enum { N = 2002, ROW = 1000 };
    CLEANUP(free_ptr) double *values = calloc(N, sizeof(*values));
    CLEANUP(free_ptr) float *before = calloc(2 * N, sizeof(float));
    CLEANUP(free_ptr) float *after = calloc(2 * N, sizeof(float));
    struct encoder_target target = {1, values, NULL};
    struct fixture fixture = {0};
    struct encoder *encoder;
    struct err err;

    (void)state;
    start(&fixture, PG_TEXT_TYPE);
    for (int i = 0; i < N; i++) {
        char text[16];

        snprintf(text, sizeof(text), "c%d", i % 1001);
        values[i] = i % 2;
        add(&fixture, 0, text);
    }
    encoder = fixture_fit(&fixture, N, &target);
    OK(fixture_apply_training(&fixture, encoder, N, &target, before, &err));
    encoder_free(encoder);
    values[ROW] += 1000;
    encoder = fixture_fit(&fixture, N, &target);
    OK(fixture_apply_training(&fixture, encoder, N, &target, after, &err));
    check_float(after[2 * ROW], before[2 * ROW], "the row's own mean");
    assert_true(after[2 * (ROW + 1)] != before[2 * (ROW + 1)]); /* others do see it */
    target.n_outputs = 0;
    target.values = NULL;
    assert_int_equal(fixture_apply_training(&fixture, encoder, N, &target, after, &err),
                     ERR_CONFLICT);
    encoder_free(encoder);
    fixture_release(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_all_rare),
        cmocka_unit_test(test_as_category),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_frequency),
        cmocka_unit_test(test_means_by_hand),
        cmocka_unit_test(test_means_at_the_edge),
        cmocka_unit_test(test_mean_without_rows),
        cmocka_unit_test(test_means_of_one_output),
        cmocka_unit_test(test_means_of_classes),
        cmocka_unit_test(test_no_leak),
    };

    return cmocka_run_group_tests_name("feature/categories", tests, NULL, NULL);
}
