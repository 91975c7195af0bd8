/* Training through XGBoost's C API, and the forest against it on what was trained. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "forest/forest.h"
#include "xgb/booster.h"

#define ROWS       600
#define FEATURES   4
#define CATEGORIES 40 /* of feature 2 */

static const char *const names[FEATURES] = {"distance", "hour", "carrier", "name \"quoted\" é"};
static const char *const types[FEATURES] = {"q", "q", "c", "i"};

struct data {
    float features[ROWS * FEATURES];
    float labels[ROWS];
};

static double signal(const float *row)
{
    double distance = isnan(row[0]) ? 5 : (double)row[0];
    double carrier = isnan(row[2]) ? 3 : (double)(((int)row[2] * 7) % 11);

    return 2 * distance + carrier + (isnan(row[3]) ? 0 : (double)row[3]);
}

/* n_classes 0: numbers. */
static void make_data(struct data *data, uint64_t seed, int n_classes)
{
    struct rng rng;

    rng_init(&rng, seed);
    for (int i = 0; i < ROWS; i++) {
        float *row = data->features + i * FEATURES;
        double y;

        row[0] = (float)rng_uniform(&rng) * 4;
        row[1] = (float)rng_below(&rng, 24);
        row[2] = (float)rng_below(&rng, CATEGORIES);
        row[3] = (float)rng_below(&rng, 2);
        for (int f = 0; f < FEATURES; f++)
            if (rng_below(&rng, 10) == 0)
                row[f] = NAN;
        y = signal(row) + rng_uniform(&rng);
        data->labels[i] = n_classes == 0 ? (float)y : (float)((int)(y * 10) % n_classes);
    }
}

static enum err_code batch_of(void *context, size_t first, size_t n, const float **ret_features,
                              struct err *err)
{
    const float *features = context;

    (void)n;
    (void)err;
    *ret_features = features + first * FEATURES;
    return ERR_OK;
}

static struct matrix_source source_of(const struct data *data)
{
    return (struct matrix_source){
        .n_rows = ROWS,
        .batch_rows = 100,
        .n_features = FEATURES,
        .feature_names = names,
        .feature_types = types,
        .labels = data->labels,
        .batch = batch_of,
        .context = (void *)data->features,
        .threads = 1,
    };
}

static struct matrix *new_matrix_of(const struct data *data, bool is_exact, size_t batch_rows)
{
    struct matrix_source source = source_of(data);
    struct matrix *matrix = NULL;
    struct err err = {0};

    source.is_exact = is_exact;
    source.batch_rows = batch_rows;
    if (matrix_new(&source, &matrix, &err) != ERR_OK)
        fail_msg("%s", err.message);
    return matrix;
}

static struct matrix *new_matrix(const struct data *data)
{
    struct matrix *matrix = new_matrix_of(data, false, 100);
    assert_int_equal(matrix_n_rows(matrix), ROWS);
    return matrix;
}

static struct booster *new_booster(const struct matrix *train, const struct matrix *valid,
                                   const struct booster_param *params, int n_params)
{
    struct booster *booster = NULL;
    struct err err = {0};

    if (booster_new(train, valid, params, n_params, &booster, &err) != ERR_OK)
        fail_msg("%s", err.message);
    return booster;
}

static void update(struct booster *booster, const struct matrix *train, int n_rounds)
{
    struct err err = {0};

    for (int i = 0; i < n_rounds; i++)
        if (booster_update(booster, train, &err) != ERR_OK)
            fail_msg("%s", err.message);
}

static float *margins_of(struct booster *booster, const struct matrix *matrix, size_t n_expected)
{
    float *margins = NULL;
    struct err err = {0};
    size_t n = 0;

    if (booster_margins(booster, matrix, &margins, &n, &err) != ERR_OK)
        fail_msg("%s", err.message);
    assert_int_equal(n, n_expected);
    return margins;
}

/* ---- training, saving, loading ---- */

static const struct training {
    const char *what;
    int n_classes, n_outputs, n_rounds, n_params;
    struct booster_param params[8];
} trainings[] = {
    {"regression",
     0,
     1,
     12,
     4,
     {{"objective", "reg:squarederror"},
      {"base_score", "7.5"},
      {"nthread", "1"},
      {"max_cat_to_onehot", "1"}}},
    {"binary",
     2,
     1,
     12,
     5,
     {{"objective", "binary:logistic"},
      {"base_score", "0.4"},
      {"nthread", "1"},
      {"subsample", "0.7"},
      {"seed", "3"}}},
    {"multiclass",
     3,
     3,
     8,
     5,
     {{"objective", "multi:softprob"},
      {"num_class", "3"},
      {"nthread", "1"},
      {"max_depth", "4"},
      {"max_cat_to_onehot", "100"}}},
    {"forest",
     0,
     1,
     5,
     5,
     {{"objective", "reg:squarederror"},
      {"num_parallel_tree", "3"},
      {"subsample", "0.5"},
      {"nthread", "1"},
      {"tree_method", "hist"}}},
    {"lossguide",
     0,
     1,
     6,
     5,
     {{"objective", "reg:squarederror"},
      {"grow_policy", "lossguide"},
      {"max_leaves", "20"},
      {"max_depth", "0"},
      {"nthread", "2"}}},
};

static void assert_same_bits(const char *what, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof(float)) != 0)
            fail_msg("%s: %zu: %a is not %a", what, i, (double)a[i], (double)b[i]);
}

/* Saved bytes against the forest and against XGBoost's in-place prediction, rows and odd rows. */
static void check_saved(const struct training *training, const struct buf *bytes,
                        const struct data *data, int n_rounds, const float *expected)
{
    CLEANUP(forest_freep) struct forest *forest = NULL;
    CLEANUP(free_ptr) float *saved = NULL;
    size_t n_outputs = (size_t)training->n_outputs, n = 0;
    float ours[ROWS * 3];
    struct err err = {0};

    if (forest_load((const uint8_t *)bytes->data, bytes->length, &forest, &err) != ERR_OK)
        fail_msg("%s: %s", training->what, err.message);
    assert_int_equal(forest_n_outputs(forest), training->n_outputs);
    assert_int_equal(forest_n_trees(forest) % n_rounds, 0);
    forest_margins(forest, data->features, ROWS, ours);
    assert_int_equal(
        saved_margins(bytes->data, bytes->length, data->features, ROWS, FEATURES, &saved, &n, &err),
        ERR_OK);
    assert_int_equal(n, ROWS * n_outputs);
    assert_same_bits("forest and saved", ours, saved, n);
    if (expected != NULL)
        assert_same_bits("forest and booster", ours, expected, n);
}

static void check_training(const struct training *training)
{
    static struct data data, other;
    CLEANUP(buf_release) struct buf all = {0};
    CLEANUP(buf_release) struct buf some = {0};
    CLEANUP(matrix_freep) struct matrix *train = NULL;
    CLEANUP(matrix_freep) struct matrix *valid = NULL;
    CLEANUP(booster_freep) struct booster *booster = NULL;
    CLEANUP(free_ptr) float *half = NULL, *train_margins = NULL, *valid_margins = NULL;
    size_t n = ROWS * (size_t)training->n_outputs;
    int n_half = training->n_rounds / 2;

    make_data(&data, 1, training->n_classes);
    make_data(&other, 2, training->n_classes);
    train = new_matrix(&data);
    valid = new_matrix_of(&other, true, ROWS);
    booster = new_booster(train, valid, training->params, training->n_params);
    for (int i = 0; i < training->n_rounds; i++) { /* margins every round, as early stopping asks */
        free(valid_margins);
        valid_margins = NULL;
        update(booster, train, 1);
        valid_margins = margins_of(booster, valid, n);
        if (i + 1 == n_half) {
            half = TAKE_PTR(valid_margins);
            valid_margins = NULL;
        }
    }
    train_margins = margins_of(booster, train, n);
    assert_int_equal(booster_rounds(booster), training->n_rounds);

    assert_int_equal(booster_save(booster, training->n_rounds, &all, NULL), ERR_OK);
    assert_int_equal(booster_save(booster, n_half, &some, NULL), ERR_OK);
    assert_true(some.length < all.length);
    check_saved(training, &all, &data, training->n_rounds, train_margins);
    check_saved(training, &all, &other, training->n_rounds, valid_margins);
    check_saved(training, &some, &other, n_half, half);
    assert_int_not_equal(memcmp(half, valid_margins, n * sizeof(float)), 0);
}

static void test_forest_reads_what_was_trained(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(trainings); i++)
        check_training(&trainings[i]);
}

/* ---- dart ---- */

static const struct training dart = {"dart",
                                     0,
                                     1,
                                     6,
                                     6,
                                     {{"booster", "dart"},
                                      {"rate_drop", "0.5"},
                                      {"objective", "reg:squarederror"},
                                      {"base_score", "7.5"},
                                      {"seed_per_iteration", "1"},
                                      {"nthread", "1"}}};

/* The model that was looked at after a round is the one that is trained again for so many rounds,
 * and not the first rounds of a longer one. */
static void test_a_dart_is_trained_again(void **state)
{
    static struct data data, other;
    CLEANUP(buf_release) struct buf again = {0}, cut = {0};
    CLEANUP(matrix_freep) struct matrix *train = NULL, *valid = NULL;
    CLEANUP(booster_freep) struct booster *watched = NULL, *booster = NULL;
    CLEANUP(free_ptr) float *seen = NULL, *own = NULL, *of_cut = NULL;
    size_t n;

    (void)state;
    make_data(&data, 1, 0);
    make_data(&other, 2, 0);
    train = new_matrix(&data);
    valid = new_matrix_of(&other, true, ROWS);
    watched = new_booster(train, valid, dart.params, dart.n_params);
    for (int round = 1; round <= 2 * dart.n_rounds; round++) {
        float *margins;

        update(watched, train, 1);
        margins = margins_of(watched, valid, ROWS);
        if (round == dart.n_rounds)
            seen = margins;
        else
            free(margins);
    }
    booster = new_booster(train, NULL, dart.params, dart.n_params);
    update(booster, train, dart.n_rounds);
    own = margins_of(booster, train, ROWS);
    assert_int_equal(booster_save(booster, dart.n_rounds, &again, NULL), ERR_OK);
    check_saved(&dart, &again, &other, dart.n_rounds, seen);
    check_saved(&dart, &again, &data, dart.n_rounds, own);

    assert_int_equal(booster_save(watched, dart.n_rounds, &cut, NULL), ERR_OK);
    assert_int_equal(
        saved_margins(cut.data, cut.length, other.features, ROWS, FEATURES, &of_cut, &n, NULL),
        ERR_OK);
    assert_int_not_equal(memcmp(of_cut, seen, ROWS * sizeof(float)), 0);
}

/* ---- linear ---- */

/* A booster of numbers alone, trained on a matrix that keeps its values. */
static void train_linear(const struct data *data, const char *threads, struct buf *bytes,
                         float **ret_margins)
{
    static const char *const numbers[FEATURES] = {"q", "q", "q", "i"};
    const struct booster_param params[] = {{"booster", "gblinear"},
                                           {"updater", "coord_descent"},
                                           {"objective", "reg:squarederror"},
                                           {"base_score", "7.5"},
                                           {"nthread", ""}};
    struct matrix_source source = source_of(data);
    struct booster_param own[N_ELEMENTS(params)];
    CLEANUP(matrix_freep) struct matrix *train = NULL;
    CLEANUP(booster_freep) struct booster *booster = NULL;

    source.is_exact = true;
    source.batch_rows = ROWS;
    source.feature_types = numbers;
    assert_int_equal(matrix_new(&source, &train, NULL), ERR_OK);
    memcpy(own, params, sizeof(own));
    snprintf(own[4].value, sizeof(own[4].value), "%s", threads);
    booster = new_booster(train, NULL, own, (int)N_ELEMENTS(own));
    update(booster, train, 20);
    *ret_margins = margins_of(booster, train, ROWS);
    assert_int_equal(booster_save(booster, 20, bytes, NULL), ERR_OK);
}

static void test_linear_is_the_same_again(void **state)
{
    static const struct training linear = {.what = "linear", .n_outputs = 1};
    static struct data data;
    CLEANUP(buf_release) struct buf once = {0}, again = {0};
    CLEANUP(free_ptr) float *margins = NULL, *margins_again = NULL;
    double error = 0, spread = 0;

    (void)state;
    make_data(&data, 1, 0);
    train_linear(&data, "1", &once, &margins);
    train_linear(&data, "1", &again, &margins_again);
    assert_int_equal(once.length, again.length);
    assert_memory_equal(once.data, again.data, once.length);
    check_saved(&linear, &once, &data, 1, margins);
    for (int i = 0; i < ROWS; i++) {
        error += pow((double)margins[i] - (double)data.labels[i], 2);
        spread += pow(7.5 - (double)data.labels[i], 2);
    }
    assert_true(error < spread); /* missing numbers as 0 and codes as numbers: it is a poor line */
}

/* A model that learns nothing would pass everything above. */
static void test_training_learns(void **state)
{
    static struct data data;
    static const struct booster_param params[] = {
        {"objective", "reg:squarederror"}, {"base_score", "7.5"}, {"nthread", "1"}};
    CLEANUP(matrix_freep) struct matrix *train = NULL;
    CLEANUP(booster_freep) struct booster *booster = NULL;
    CLEANUP(free_ptr) float *margins = NULL;
    double error = 0;

    (void)state;
    make_data(&data, 5, 0);
    train = new_matrix(&data);
    booster = new_booster(train, NULL, params, 3);
    update(booster, train, 60);
    margins = margins_of(booster, train, ROWS);
    for (int i = 0; i < ROWS; i++)
        error += pow((double)margins[i] - (double)data.labels[i], 2) / ROWS;
    assert_true(sqrt(error) < 0.5); /* the signal's spread is about 4 */
}

/* Names and types travel in the bytes: any XGBoost shows them. */
static void test_saved_model_knows_its_features(void **state)
{
    static struct data data;
    static const struct booster_param params[] = {{"objective", "reg:squarederror"},
                                                  {"base_score", "0"}};
    CLEANUP(matrix_freep) struct matrix *train = NULL;
    CLEANUP(booster_freep) struct booster *booster = NULL;

    (void)state;
    make_data(&data, 5, 0);
    train = new_matrix(&data);
    booster = new_booster(train, NULL, params, 2);
    update(booster, train, 3);
    for (int rounds = 2; rounds <= 3; rounds++) {
        CLEANUP(buf_release) struct buf bytes = {0};

        assert_int_equal(booster_save(booster, rounds, &bytes, NULL), ERR_OK);
        for (int f = 0; f < FEATURES; f++)
            assert_non_null(memmem(bytes.data, bytes.length, names[f], strlen(names[f])));
        assert_non_null(memmem(bytes.data, bytes.length, "feature_types", 13));
    }
}

static enum err_code all_rows(void *context, size_t first, size_t n, const float **ret_features,
                              struct err *err)
{
    (void)first;
    (void)n;
    (void)err;
    *ret_features = context;
    return ERR_OK;
}

/* One feature "x", all rows in one batch. */
static struct matrix_source one_feature(const float *features, size_t n_rows,
                                        const char *const *type, const float *labels,
                                        const float *weights)
{
    static const char *const name[] = {"x"};

    return (struct matrix_source){
        .n_rows = n_rows,
        .batch_rows = 100,
        .n_features = 1,
        .feature_names = name,
        .feature_types = type,
        .labels = labels,
        .weights = weights,
        .batch = all_rows,
        .context = (void *)features,
        .threads = 1,
    };
}

static void test_weights_count(void **state)
{
    static const float features[] = {0, 0, 1, 1}, labels[] = {0, 10, 4, 4},
                       weights[] = {3, 1, 1, 1};
    static const char *const type[] = {"q"};
    const struct matrix_source source = one_feature(features, 4, type, labels, weights);
    static const struct booster_param params[] = {{"objective", "reg:squarederror"},
                                                  {"base_score", "0"},
                                                  {"eta", "1"},
                                                  {"lambda", "0"},
                                                  {"min_child_weight", "0"}};
    CLEANUP(matrix_freep) struct matrix *train = NULL;
    CLEANUP(booster_freep) struct booster *booster = NULL;
    CLEANUP(free_ptr) float *margins = NULL;

    (void)state;
    assert_int_equal(matrix_new(&source, &train, NULL), ERR_OK);
    booster = new_booster(train, NULL, params, 5);
    update(booster, train, 1);
    margins = margins_of(booster, train, 4);
    assert_true(margins[0] == 2.5f && margins[2] == 4.0f); /* (3·0 + 1·10) / 4 */
}

/* ---- refusals ---- */

static void test_bad_data(void **state)
{
    static const float rows[] = {1, 2}, good[] = {1, 2}, infinite[] = {1, INFINITY};
    static const float nan_label[] = {1, NAN}, negative[] = {1, -1}, code[] = {-1, 0};
    static const char *const number[] = {"q"}, *const category[] = {"c"};
    struct matrix_source codes_source = one_feature(code, 2, category, good, NULL);
    static const struct {
        const float *features, *labels, *weights;
        size_t n_rows;
        const char *message;
    } bad[] = {
        {rows, good, NULL, 0, "there are no rows"},
        {rows, nan_label, NULL, 2, "label of row 1 is not a finite number"},
        {rows, infinite, NULL, 2, "label of row 1 is not a finite number"},
        {rows, good, negative, 2, "weight of row 1 is not"},
        {rows, good, nan_label, 2, "weight of row 1 is not"},
        {infinite, good, NULL, 2, "cannot build the matrix: "},
    };
    static const struct booster_param params[] = {{"objective", "reg:squarederror"}};
    CLEANUP(matrix_freep) struct matrix *codes = NULL;
    CLEANUP(booster_freep) struct booster *booster = NULL;
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        struct matrix_source source =
            one_feature(bad[i].features, bad[i].n_rows, number, bad[i].labels, bad[i].weights);
        struct matrix *matrix = NULL;

        /* XGBoost looks for infinite values in exact matrices only; the encoder makes none */
        for (int exact = bad[i].features == infinite; exact < 2; exact++) {
            source.is_exact = exact;
            assert_int_not_equal(matrix_new(&source, &matrix, &err), ERR_OK);
            assert_null(matrix);
            if (strstr(err.message, bad[i].message) == NULL)
                fail_msg("\"%s\" does not say \"%s\"", err.message, bad[i].message);
            assert_null(strchr(err.message, '\n'));
            assert_null(strstr(err.message, "Stack trace"));
        }
    }
    codes_source.is_exact = true;
    assert_int_equal(matrix_new(&codes_source, &codes, &err), ERR_OK);
    booster = new_booster(codes, NULL, params, 1);
    assert_int_equal(booster_update(booster, codes, &err), ERR_FAILED);
    assert_non_null(strstr(err.message, "cannot train: "));
    assert_int_equal(booster_rounds(booster), 0);
}

/* The bytes do not tell how the rows came. */
static void test_batches_do_not_matter(void **state)
{
    static const size_t sizes[] = {ROWS, 1, 7, 599};
    static struct data data;
    CLEANUP(buf_release) struct buf first = {0};

    (void)state;
    make_data(&data, 1, 0);
    for (size_t i = 0; i <= N_ELEMENTS(sizes); i++) {
        bool is_exact = i == N_ELEMENTS(sizes);
        CLEANUP(matrix_freep)
        struct matrix *train = new_matrix_of(&data, is_exact, is_exact ? ROWS : sizes[i]);
        CLEANUP(booster_freep)
        struct booster *booster =
            new_booster(train, NULL, trainings[0].params, trainings[0].n_params);
        CLEANUP(buf_release) struct buf bytes = {0};

        update(booster, train, 10);
        assert_int_equal(booster_save(booster, 10, &bytes, NULL), ERR_OK);
        if (i == 0)
            buf_append(&first, bytes.data, bytes.length);
        assert_int_equal(bytes.length, first.length);
        assert_memory_equal(bytes.data, first.data, first.length);
    }
}

/* A model of ten rounds on a source whose answers are of more than one number. */
static void train_on(const struct matrix_source *source, const char *objective, struct buf *bytes)
{
    struct booster_param params[] = {
        {"max_depth", "4"}, {"nthread", "1"}, {"max_bin", "1024"}, {"objective", ""}};
    CLEANUP(matrix_freep) struct matrix *train = NULL;
    CLEANUP(booster_freep) struct booster *booster = NULL;
    struct err err = {0};

    snprintf(params[3].value, sizeof(params[3].value), "%s", objective);
    if (matrix_new(source, &train, &err) != ERR_OK)
        fail_msg("%s", err.message);
    booster = new_booster(train, NULL, params, N_ELEMENTS(params));
    update(booster, train, 10);
    assert_int_equal(booster_save(booster, 10, bytes, NULL), ERR_OK);
}

static void assert_same_model(const struct buf *a, const struct buf *b, bool same)
{
    assert_int_equal(a->length == b->length && memcmp(a->data, b->data, a->length) == 0, same);
}

#define LIST_ROWS 7 /* the last list has fewer */

/* Lists are never cut by a batch, and weigh as a whole. With as many bins as there are values:
 * where fewer are drawn, XGBoost's draw of weighed lists depends on the batches. */
static void test_lists_stay_whole_in_batches(void **state)
{
    static const size_t sizes[] = {ROWS, LIST_ROWS, 20, 599};
    static struct data data;
    uint32_t lists[ROWS];
    float weights[ROWS];
    CLEANUP(buf_release) struct buf first = {0}, loose = {0}, plain = {0};
    struct matrix_source source;

    (void)state;
    make_data(&data, 1, 3);
    source = source_of(&data);
    for (uint32_t i = 0; i < ROWS; i++) {
        lists[i] = i / LIST_ROWS;
        weights[i] = (float)(1 + lists[i] % 3);
    }
    source.lists = lists;
    source.weights = weights;
    source.max_bin = 1024;
    for (size_t i = 0; i <= N_ELEMENTS(sizes); i++) {
        CLEANUP(buf_release) struct buf bytes = {0};

        source.is_exact = i == N_ELEMENTS(sizes);
        source.batch_rows = source.is_exact ? ROWS : sizes[i];
        train_on(&source, "rank:ndcg", i == 0 ? &first : &bytes);
        assert_same_model(i == 0 ? &first : &bytes, &first, true);
    }
    source.weights = NULL;
    train_on(&source, "rank:ndcg", &plain);
    assert_same_model(&plain, &first, false);
    for (uint32_t i = 0; i < ROWS; i++)
        lists[i] = i / (LIST_ROWS + 1);
    train_on(&source, "rank:ndcg", &loose);
    assert_same_model(&loose, &plain, false);
}

static void test_a_list_longer_than_a_batch_is_told(void **state)
{
    static struct data data;
    static uint32_t lists[ROWS];
    struct matrix_source source;
    struct matrix *matrix = NULL;
    struct err err = {0};

    (void)state;
    make_data(&data, 1, 3);
    source = source_of(&data);
    source.lists = lists; /* all of one */
    assert_int_equal(matrix_new(&source, &matrix, &err), ERR_LIMIT);
    assert_string_equal(err.message, "a list has more than the 100 rows of a batch");
}

/* The ends of times come with their batch. */
static void test_times_have_ends(void **state)
{
    static const size_t sizes[] = {ROWS, 100, 7};
    static struct data data;
    float upper[ROWS];
    CLEANUP(buf_release) struct buf first = {0}, all_seen = {0};
    struct matrix_source source;
    struct matrix *matrix = NULL;
    struct err err = {0};

    (void)state;
    make_data(&data, 1, 0);
    source = source_of(&data);
    for (size_t i = 0; i < ROWS; i++)
        upper[i] = i % 3 == 0 ? INFINITY : data.labels[i] * (i % 3 == 1 ? 1 : 2);
    source.upper = upper;
    source.max_bin = 1024;
    for (size_t i = 0; i <= N_ELEMENTS(sizes); i++) {
        CLEANUP(buf_release) struct buf bytes = {0};

        source.is_exact = i == N_ELEMENTS(sizes);
        source.batch_rows = source.is_exact ? ROWS : sizes[i];
        train_on(&source, "survival:aft", i == 0 ? &first : &bytes);
        assert_same_model(i == 0 ? &first : &bytes, &first, true);
    }
    source.upper = data.labels;
    train_on(&source, "survival:aft", &all_seen);
    assert_same_model(&all_seen, &first, false);
    upper[5] = data.labels[5] / 2;
    source.upper = upper;
    assert_int_equal(matrix_new(&source, &matrix, &err), ERR_DATA);
    assert_string_equal(err.message, "the time of row 5 ends before it begins");
}

static enum err_code fail_at_third(void *context, size_t first, size_t n,
                                   const float **ret_features, struct err *err)
{
    if (first >= 200)
        return err_set(err, ERR_IO, "the disk is gone");
    return batch_of(context, first, n, ret_features, err);
}

static void test_a_batch_that_fails_is_told(void **state)
{
    static struct data data;
    struct matrix *matrix = NULL;
    struct matrix_source source;
    struct err err = {0};

    (void)state;
    make_data(&data, 1, 0);
    source = source_of(&data);
    source.batch = fail_at_third;
    assert_int_equal(matrix_new(&source, &matrix, &err), ERR_IO);
    assert_string_equal(err.message, "the disk is gone");
    assert_null(matrix);
}

static void test_parameters_are_checked(void **state)
{
    static struct data data;
    static const struct {
        struct booster_param param;
        const char *message, *hint;
    } bad[] = {
        {{"max_dept", "6"},
         "\"max_dept\" is not a parameter for training",
         "did you mean \"max_depth\"?"},
        {{"gpu_id", "0"}, "\"gpu_id\" is not a parameter for training", ""},
        {{"tree_method", "exact"}, "\"tree_method\" must be hist", ""},
        {{"booster", "gb"}, "\"booster\" must be gbtree or dart or gblinear", ""},
        {{"booster", "dart or gblinear"}, "\"booster\" must be gbtree or dart or gblinear", ""},
        {{"updater", "shotgun"}, "\"updater\" must be coord_descent", ""},
    };
    static const struct booster_param late[] = {{"objective", "reg:unheard"}};
    CLEANUP(matrix_freep) struct matrix *train = NULL;
    CLEANUP(booster_freep) struct booster *unheard = NULL;
    struct err err = {0};

    (void)state;
    make_data(&data, 1, 0);
    train = new_matrix(&data);
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        struct booster *booster = NULL;

        assert_int_equal(booster_new(train, NULL, &bad[i].param, 1, &booster, &err), ERR_INVALID);
        assert_null(booster);
        assert_string_equal(err.message, bad[i].message);
        assert_string_equal(err.hint, bad[i].hint);
    }
    unheard = new_booster(train, NULL, late, 1);
    assert_int_equal(booster_update(unheard, train, &err), ERR_FAILED);
    assert_non_null(strstr(err.message, "reg:unheard"));
}

static void test_save_bounds(void **state)
{
    static struct data data;
    static const struct booster_param params[] = {{"objective", "reg:squarederror"}};
    CLEANUP(matrix_freep) struct matrix *train = NULL;
    CLEANUP(booster_freep) struct booster *booster = NULL;
    CLEANUP(buf_release) struct buf bytes = {0};

    (void)state;
    make_data(&data, 1, 0);
    train = new_matrix(&data);
    booster = new_booster(train, NULL, params, 1);
    update(booster, train, 2);
    assert_int_equal(booster_save(booster, 3, &bytes, NULL), ERR_INVALID);
    assert_int_equal(booster_save(booster, 0, &bytes, NULL), ERR_INVALID);
    assert_int_equal(booster_save(booster, -1, &bytes, NULL), ERR_INVALID);
    assert_int_equal(bytes.length, 0);
}

static void test_saved_margins_refuse_a_wrong_width(void **state)
{
    static struct data data;
    static const struct booster_param params[] = {{"objective", "reg:squarederror"}};
    CLEANUP(matrix_freep) struct matrix *train = NULL;
    CLEANUP(booster_freep) struct booster *booster = NULL;
    CLEANUP(buf_release) struct buf bytes = {0};
    float *margins = NULL;
    struct err err = {0};
    size_t n = 0;

    (void)state;
    make_data(&data, 1, 0);
    train = new_matrix(&data);
    booster = new_booster(train, NULL, params, 1);
    update(booster, train, 1);
    assert_int_equal(booster_save(booster, 1, &bytes, NULL), ERR_OK);
    assert_int_equal(
        saved_margins(bytes.data, bytes.length, data.features, 2, FEATURES - 1, &margins, &n, &err),
        ERR_FAILED);
    assert_null(margins);
}

static void test_a_saved_model_is_read_again(void **state)
{
    static struct data data;
    static const struct booster_param params[] = {{"objective", "reg:squarederror"}};
    CLEANUP(matrix_freep) struct matrix *train = NULL;
    CLEANUP(booster_freep) struct booster *booster = NULL;
    CLEANUP(buf_release) struct buf bytes = {0}, again = {0};
    CLEANUP(saved_model_release) struct saved_model saved = {0};
    struct err err = {0};

    (void)state;
    make_data(&data, 1, 0);
    train = new_matrix(&data);
    booster = new_booster(train, NULL, params, 1);
    update(booster, train, 3);
    assert_int_equal(booster_save(booster, 3, &bytes, NULL), ERR_OK);
    assert_int_equal(saved_model_read(bytes.data, bytes.length, &saved, &again, &err), ERR_OK);
    assert_int_equal(saved.n_features, FEATURES);
    assert_int_equal(saved.n_rounds, 3);
    for (int i = 0; i < FEATURES; i++) {
        assert_string_equal(saved.names[i], names[i]);
        assert_string_equal(saved.types[i], types[i]);
    }
    assert_int_equal(again.length, bytes.length);
    assert_memory_equal(again.data, bytes.data, bytes.length);
}

static void test_what_is_no_saved_model(void **state)
{
    static const struct {
        const char *bytes;
        enum err_code code;
        const char *message;
    } cases[] = {
        {"", ERR_INVALID, "not a model"},
        {"binf", ERR_INVALID, "not a model"},
        {"{", ERR_FAILED, "cannot open the model: "},
        {"{\"learner\": 3}", ERR_FAILED, "cannot open the model: "},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        CLEANUP(buf_release) struct buf ubj = {0};
        struct saved_model saved = {0};
        struct err err = {0};

        assert_int_equal(
            saved_model_read(cases[i].bytes, strlen(cases[i].bytes), &saved, &ubj, &err),
            cases[i].code);
        assert_non_null(strstr(err.message, cases[i].message));
        assert_int_equal(ubj.length, 0);
    }
}

static void test_version_and_free(void **state)
{
    int major, minor, patch;

    (void)state;
    assert_int_equal(sscanf(xgb_version(), "%d.%d.%d", &major, &minor, &patch), 3);
    assert_true(major >= 1);
    booster_free(NULL);
    matrix_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forest_reads_what_was_trained),
        cmocka_unit_test(test_a_dart_is_trained_again),
        cmocka_unit_test(test_linear_is_the_same_again),
        cmocka_unit_test(test_training_learns),
        cmocka_unit_test(test_saved_model_knows_its_features),
        cmocka_unit_test(test_weights_count),
        cmocka_unit_test(test_bad_data),
        cmocka_unit_test(test_batches_do_not_matter),
        cmocka_unit_test(test_lists_stay_whole_in_batches),
        cmocka_unit_test(test_a_list_longer_than_a_batch_is_told),
        cmocka_unit_test(test_times_have_ends),
        cmocka_unit_test(test_a_batch_that_fails_is_told),
        cmocka_unit_test(test_parameters_are_checked),
        cmocka_unit_test(test_save_bounds),
        cmocka_unit_test(test_saved_margins_refuse_a_wrong_width),
        cmocka_unit_test(test_a_saved_model_is_read_again),
        cmocka_unit_test(test_what_is_no_saved_model),
        cmocka_unit_test(test_version_and_free),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
