/* Margins and predictions, bit for bit what XGBoost answers on the same bytes and rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "forest/forest.h"
#include "forest/objective.h"
#include "models.h"

static struct forest_models models;

/* Every model that make_models.py writes, and what the forest says about it. */
static const struct model_case {
    const char *name, *objective;
    int n_outputs;
    int n_trees;
} cases[] = {
    {"squarederror", "reg:squarederror", 1, 12},
    {"no_missing", "reg:squarederror", 1, 12},
    {"one_hot", "reg:squarederror", 1, 12},
    {"partition", "reg:squarederror", 1, 12},
    {"partition_deep", "binary:logistic", 1, 30},
    {"logistic", "binary:logistic", 1, 12},
    {"logistic_half", "binary:logistic", 1, 1},
    {"softprob", "multi:softprob", 4, 36},
    {"softmax", "multi:softmax", 4, 48},
    {"forest", "reg:squarederror", 1, 36},
    {"forest_softprob", "multi:softprob", 4, 96},
    {"one_leaf", "reg:squarederror", 1, 12},
    {"no_trees", "reg:squarederror", 1, 0},
    {"no_trees_softprob", "multi:softprob", 4, 0},
    {"lossguide", "reg:squarederror", 1, 12},
    {"pruned", "reg:squarederror", 1, 12},
    {"two_targets", "reg:squarederror", 2, 24},
    {"reg_logistic", "reg:logistic", 1, 12},
    {"logitraw", "binary:logitraw", 1, 12},
    {"hinge", "binary:hinge", 1, 12},
    {"poisson", "count:poisson", 1, 12},
    {"gamma", "reg:gamma", 1, 12},
    {"tweedie", "reg:tweedie", 1, 12},
    {"squaredlogerror", "reg:squaredlogerror", 1, 12},
    {"pseudohuber", "reg:pseudohubererror", 1, 12},
    {"absoluteerror", "reg:absoluteerror", 1, 12},
    {"cox", "survival:cox", 1, 12},
    {"aft", "survival:aft", 1, 12},
    {"pairwise", "rank:pairwise", 1, 12},
    {"ndcg", "rank:ndcg", 1, 12},
    {"map", "rank:map", 1, 12},
};

/* NAME.rows: see make_models.py. */
struct oracle {
    struct buf bytes;
    size_t n_rows, n_features, n_outputs, n_predicted;
    const float *rows, *margins, *predictions;
};

static void oracle_read(const char *name, struct oracle *oracle)
{
    const int32_t *head;

    *oracle = (struct oracle){0};
    assert_true(forest_models_read(&models, name, ".rows", &oracle->bytes));
    assert_true(oracle->bytes.length > 4 * sizeof(*head));
    head = (const int32_t *)oracle->bytes.data;
    oracle->n_rows = (size_t)head[0];
    oracle->n_features = (size_t)head[1];
    oracle->n_outputs = (size_t)head[2];
    oracle->n_predicted = (size_t)head[3];
    oracle->rows = (const float *)(head + 4);
    oracle->margins = oracle->rows + oracle->n_rows * oracle->n_features;
    oracle->predictions = oracle->margins + oracle->n_rows * oracle->n_outputs;
}

static struct forest *load(const char *name, const char *suffix)
{
    CLEANUP(buf_release) struct buf bytes = {0};
    struct forest *forest = NULL;
    struct err err = {0};

    assert_true(forest_models_read(&models, name, suffix, &bytes));
    if (forest_load((const uint8_t *)bytes.data, bytes.length, &forest, &err) != ERR_OK)
        fail_msg("%s: %s", name, err.message);
    return forest;
}

static void assert_same_bits(const char *name, const char *what, const float *ours,
                             const float *theirs, size_t n, size_t width)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&ours[i], &theirs[i], sizeof(float)) != 0)
            fail_msg("%s: %s of row %zu, output %zu: %a, XGBoost says %a", name, what, i / width,
                     i % width, (double)ours[i], (double)theirs[i]);
}

static void check_model(const struct model_case *row)
{
    CLEANUP(forest_freep) struct forest *forest = load(row->name, ".ubj");
    struct oracle oracle;
    float *margins;

    oracle_read(row->name, &oracle);
    assert_string_equal(forest_objective(forest), row->objective);
    assert_int_equal(forest_n_outputs(forest), row->n_outputs);
    assert_int_equal(forest_n_trees(forest), row->n_trees);
    assert_int_equal(forest_n_features(forest), oracle.n_features);
    assert_int_equal(oracle.n_outputs, row->n_outputs);

    margins = calloc(oracle.n_rows * oracle.n_outputs, sizeof(*margins));
    forest_margins(forest, oracle.rows, oracle.n_rows, margins);
    assert_same_bits(row->name, "margin", margins, oracle.margins, oracle.n_rows * oracle.n_outputs,
                     oracle.n_outputs);
    for (size_t i = 0; i < oracle.n_rows; i++) {
        float one[8];

        forest_margin(forest, oracle.rows + i * oracle.n_features, one);
        assert_memory_equal(one, margins + i * oracle.n_outputs, oracle.n_outputs * sizeof(float));
        forest_transform(forest, one);
        assert_same_bits(row->name, "prediction", one, oracle.predictions + i * oracle.n_predicted,
                         oracle.n_predicted, oracle.n_predicted);
    }
    free(margins);
    buf_release(&oracle.bytes);
}

static void test_same_bits_as_xgboost(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++)
        check_model(&cases[i]);
}

static void check_transform(const char *objective)
{
    CLEANUP(buf_release) struct buf bytes = {0};
    const struct objective *row = NULL;
    const float *margins, *predictions;
    const int32_t *head;
    char name[64];

    snprintf(name, sizeof(name), "%s", objective);
    *strchr(name, ':') = '_';
    assert_true(forest_models_read(&models, name, ".transform", &bytes));
    head = (const int32_t *)bytes.data;
    margins = (const float *)(head + 3);
    predictions = margins + head[0] * head[1];
    assert_int_equal(objective_find(objective, strlen(objective), &row, NULL), ERR_OK);
    for (int i = 0; i < head[0]; i++) {
        size_t n_predicted = (size_t)head[2];
        float values[8];

        memcpy(values, margins + i * head[1], (size_t)head[1] * sizeof(float));
        row->transform(values, head[1]);
        assert_same_bits(objective, "transform", values, predictions + (size_t)i * n_predicted,
                         n_predicted, n_predicted);
    }
}

/* The models' own margins are few and near zero; these are many and of every size. */
static void test_transforms(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++)
        check_transform(cases[i].objective);
}

/* Blocks of rows must not depend on where they begin or end. */
static void test_any_number_of_rows(void **state)
{
    CLEANUP(forest_freep) struct forest *forest = load("softprob", ".ubj");
    static const size_t sizes[] = {0, 1, 2, 7, 8, 9, 63, 64, 65, 71, 128, 129};
    struct oracle oracle;

    (void)state;
    oracle_read("softprob", &oracle);
    for (size_t i = 0; i < N_ELEMENTS(sizes); i++) {
        float margins[130 * 4];

        memset(margins, 0x55, sizeof(margins));
        forest_margins(forest, oracle.rows, sizes[i], margins);
        assert_memory_equal(margins, oracle.margins, sizes[i] * 4 * sizeof(float));
        for (size_t k = sizes[i] * 4; k < N_ELEMENTS(margins); k++)
            assert_memory_equal(&margins[k], "UUUU", 4);
    }
    buf_release(&oracle.bytes);
}

/* A splitless logistic model at 0.5 has margin -0, and the sign is kept. */
static void test_base_margin(void **state)
{
    static const float row[6] = {0};
    static const struct {
        const char *name;
        float margin;
    } expected[] = {
        {"squarederror", 105.25f}, {"no_trees", 3.5f}, {"no_trees_softprob", 0.5f},
        {"logistic_half", -0.0f},  {"hinge", 0.5f},
    };
    float margin;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(expected); i++) {
        CLEANUP(forest_freep) struct forest *forest = load(expected[i].name, ".ubj");

        margin = forest_base_margin(forest);
        assert_memory_equal(&margin, &expected[i].margin, sizeof(margin));
    }

    CLEANUP(forest_freep) struct forest *forest = load("no_trees", ".ubj");

    forest_set_base_margin(forest, -0.0f);
    forest_margin(forest, row, &margin);
    assert_true(margin == 0 && signbit(margin));
}

static void test_bytes_counts_the_nodes(void **state)
{
    CLEANUP(forest_freep) struct forest *small = load("no_trees", ".ubj");
    CLEANUP(forest_freep) struct forest *large = load("lossguide", ".ubj");

    (void)state;
    assert_true(forest_bytes(small) < 1024);
    assert_true(forest_bytes(large) > 12 * 100 * 16 && forest_bytes(large) < 1 << 20);
}

static void test_other_boosters_are_refused(void **state)
{
    static const char *const names[] = {"dart", "gblinear"};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        CLEANUP(buf_release) struct buf bytes = {0};
        struct forest *forest = (struct forest *)&models;
        struct err err = {0};
        char message[64];

        assert_true(forest_models_read(&models, names[i], ".refused", &bytes));
        assert_int_equal(forest_load((const uint8_t *)bytes.data, bytes.length, &forest, &err),
                         ERR_INVALID);
        snprintf(message, sizeof(message), "booster \"%s\" is not supported", names[i]);
        assert_string_equal(err.message, message);
        assert_ptr_equal(forest, &models);
    }
}

static void test_free_of_nothing(void **state)
{
    (void)state;
    forest_free(NULL);
}

static int setup(void **state)
{
    (void)state;
    return forest_models_make(&models);
}

static int teardown(void **state)
{
    (void)state;
    forest_models_remove(&models);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits_as_xgboost),
        cmocka_unit_test(test_transforms),
        cmocka_unit_test(test_any_number_of_rows),
        cmocka_unit_test(test_base_margin),
        cmocka_unit_test(test_bytes_counts_the_nodes),
        cmocka_unit_test(test_other_boosters_are_refused),
        cmocka_unit_test(test_free_of_nothing),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
