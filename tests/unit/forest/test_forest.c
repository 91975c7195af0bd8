/* Margins and predictions, bit for bit what XGBoost answers on the same bytes and rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "forest/forest_step.h"
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
    {"dart", "reg:squarederror", 1, 12},
    {"dart_forest", "multi:softprob", 4, 144},
    {"dart_by_weight", "binary:logistic", 1, 12},
    {"dart_half", "binary:logistic", 1, 1},
    {"dart_no_trees", "reg:squarederror", 1, 0},
    {"dart_two_targets", "reg:squarederror", 2, 24},
    {"linear", "reg:squarederror", 1, 0},
    {"linear_no_missing", "reg:squarederror", 1, 0},
    {"linear_softprob", "multi:softprob", 4, 0},
    {"linear_logistic", "binary:logistic", 1, 0},
    {"linear_not_trained", "binary:logistic", 1, 0},
    {"many_nodes", "reg:squarederror", 1, 1},
    {"many_features", "reg:squarederror", 1, 1},
    {"too_many_features", "reg:squarederror", 1, 1},
    {"odd_numbers", "reg:squarederror", 1, 12},
};

/* The grid: a model for each objective, algorithm and kind of data, of 6 rounds. */
static const char *const objectives[] = {
    "reg:squarederror",     "reg:squaredlogerror", "reg:logistic",
    "reg:pseudohubererror", "reg:absoluteerror",   "reg:gamma",
    "reg:tweedie",          "binary:logistic",     "binary:logitraw",
    "binary:hinge",         "count:poisson",       "survival:cox",
    "survival:aft",         "multi:softmax",       "multi:softprob",
    "rank:pairwise",        "rank:ndcg",           "rank:map",
};

static const struct algorithm {
    const char *name;
    int n_trees; /* for each output */
    bool takes_categories;
} algorithms[] = {
    {"gbtree", 6, true},       {"dart", 6, true},      {"forest", 18, true},
    {"dart_forest", 18, true}, {"gblinear", 0, false},
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

/* Slots and steps beside the nodes, as a forest has them that is too large for 16 bits. */
static void give_links(struct forest *forest)
{
    struct link *links = calloc((size_t)forest->n_nodes + 1, sizeof(*links));

    assert_non_null(links);
    for (uint32_t i = 0; i < forest->n_nodes; i++)
        links[i] = link_of(forest, i);
    free(forest->links);
    forest->links = links;
}

/* Rows as they are, and by links: what the largest forests do, of every forest. */
static void check_plain_paths(const char *name, struct forest *forest, const struct oracle *oracle)
{
    size_t n = oracle->n_outputs;
    float margins[8];

    for (size_t i = 0; i < oracle->n_rows; i++) {
        forest_margin_plain(forest, oracle->rows + i * oracle->n_features, margins);
        assert_same_bits(name, "plain margin", margins, oracle->margins + i * n, n, n);
    }
    give_links(forest);
    for (size_t i = 0; i < oracle->n_rows; i++) {
        forest_margin(forest, oracle->rows + i * oracle->n_features, margins);
        assert_same_bits(name, "margin by links", margins, oracle->margins + i * n, n, n);
    }
}

/* How many rows were compared, by every path. */
static size_t check_model(const struct model_case *row)
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
    if (row->n_trees > 0)
        check_plain_paths(row->name, forest, &oracle);
    free(margins);
    buf_release(&oracle.bytes);
    return oracle.n_rows;
}

static void test_same_bits_as_xgboost(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++)
        assert_true(check_model(&cases[i]) > 0);
}

static size_t check_of_grid(const char *objective, const struct algorithm *algorithm,
                            const char *data)
{
    int n_outputs = strncmp(objective, "multi:", 6) == 0 ? 4 : 1;
    struct model_case row = {
        .objective = objective, .n_outputs = n_outputs, .n_trees = algorithm->n_trees * n_outputs};
    char name[128];

    snprintf(name, sizeof(name), "%s.%s.%s", objective, algorithm->name, data);
    *strchr(name, ':') = '_';
    row.name = name;
    return check_model(&row);
}

/* Prints how many rows had the same margins and predictions, where there are many. */
static void test_every_objective_and_algorithm(void **state)
{
    bool print = getenv("FOREST_ROWS") != NULL;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(objectives); i++) {
        for (size_t k = 0; k < N_ELEMENTS(algorithms); k++) {
            const struct algorithm *algorithm = &algorithms[k];
            size_t plain = check_of_grid(objectives[i], algorithm, "plain");
            size_t missing = check_of_grid(objectives[i], algorithm, "missing"), categorical = 0;

            if (algorithm->takes_categories)
                categorical = check_of_grid(objectives[i], algorithm, "categorical");
            assert_true(plain > 0 && missing > 0);
            if (print)
                print_message("%-22s %-12s same bits: plain %zu, missing %zu, categorical %zu\n",
                              objectives[i], algorithm->name, plain, missing, categorical);
        }
    }
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
    for (size_t i = 0; i < N_ELEMENTS(objectives); i++)
        check_transform(objectives[i]);
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

/* Which models take which path is what the ones above are for. */
static void test_paths_of_large_models(void **state)
{
    CLEANUP(forest_freep) struct forest *plain = load("many_features", ".ubj");
    CLEANUP(forest_freep) struct forest *nodes = load("many_nodes", ".ubj");
    CLEANUP(forest_freep) struct forest *features = load("too_many_features", ".ubj");
    CLEANUP(forest_freep) struct forest *small = load("lossguide", ".ubj");

    (void)state;
    assert_true(plain->links == NULL && plain->slots.n == 16384);
    assert_true(nodes->links != NULL && nodes->slots.n <= 61);
    assert_true(features->links != NULL && features->slots.n == 65536);
    assert_true(small->links == NULL && small->slots.n <= 13);
}

static void check_codes(float a, float b)
{
    uint32_t of_a = code_of(a, CODE_RIGHT), of_b = code_of(b, CODE_LEFT);

    if (isnan(a) || isnan(b)) {
        assert_true(isnan(a) ? of_a == CODE_RIGHT : of_b == CODE_LEFT);
        return;
    }
    assert_int_equal(a < b, of_a < of_b);
    assert_int_equal(a == b, of_a == of_b);
    assert_true(of_a > CODE_LEFT + 1 && of_a < CODE_RIGHT);
}

/* Of any two bit patterns, neighbours more often than not. */
static void test_codes_have_the_order_of_values(void **state)
{
    static const uint32_t edges[] = {0,          1,          0x007fffff, 0x00800000, 0x3f800000,
                                     0x7f7fffff, 0x7f800000, 0x7f800001, 0x7fffffff, 0x80000000,
                                     0x80000001, 0xff7fffff, 0xff800000, 0xffffffff};
    uint64_t random = 88172645463325252;
    float a, b;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(edges) * N_ELEMENTS(edges); i++) {
        memcpy(&a, &edges[i / N_ELEMENTS(edges)], sizeof(a));
        memcpy(&b, &edges[i % N_ELEMENTS(edges)], sizeof(b));
        check_codes(a, b);
    }
    for (int i = 0; i < 1000000; i++) {
        uint32_t bits, near;

        random ^= random << 13; /* Marsaglia's xorshift */
        random ^= random >> 7;
        random ^= random << 17;
        bits = (uint32_t)(random >> 32);
        near = i % 4 == 0 ? (uint32_t)random : bits + i % 4 - 2;
        memcpy(&a, &bits, sizeof(a));
        memcpy(&b, &near, sizeof(b));
        check_codes(a, b);
    }
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
    assert_true(forest_bytes(large) > 12 * 100 * 16 /* node and edge */ &&
                forest_bytes(large) < 1 << 20);
}

static void check_release(const char *objective, int release, const float *values,
                          const float *expected, float base_score, float margin)
{
    const struct objective *row = NULL;
    float ours[4], link = 0;

    assert_int_equal(objective_find_of_release(objective, strlen(objective), release, &row, NULL),
                     ERR_OK);
    memcpy(ours, values, sizeof(ours));
    row->transform(ours, 4);
    assert_memory_equal(ours, expected, sizeof(ours));
    if (row->link(base_score, &link, NULL) != ERR_OK)
        link = INFINITY;
    assert_true(link == margin);
}

/* What later XGBoosts than the oracle do: their sources say so. */
static void test_objectives_change_with_releases(void **state)
{
    static const float values[] = {3, -1, NAN, 2}, ascending[] = {-1, 3, NAN, 2};

    (void)state;
    check_release("reg:quantileerror", 0, values, values, 0.25f, 0.25f);
    check_release("reg:quantileerror", XGBOOST_RELEASE(2, 0), values, values, 0.25f, 0.25f);
    check_release("reg:quantileerror", XGBOOST_RELEASE(3, 3), values, values, 0.25f, 0.25f);
    check_release("reg:quantileerror", XGBOOST_RELEASE(3, 4), values, ascending, 0.25f, 0.25f);
    check_release("reg:squarederror", XGBOOST_RELEASE(3, 4), values, values, 0.25f, 0.25f);

    const float four[4] = {0}, halves[] = {0.5f, 0.5f, 0.5f, 0.5f};
    float low = -logf(1.0f / 1e-6f - 1.0f), high = -logf(1.0f / (1.0f - 1e-6f) - 1.0f);

    check_release("binary:logistic", XGBOOST_RELEASE(3, 1), four, halves, 0, INFINITY);
    check_release("binary:logistic", XGBOOST_RELEASE(3, 1), four, halves, 1e-7f,
                  -logf(1.0f / 1e-7f - 1.0f));
    check_release("binary:logistic", XGBOOST_RELEASE(3, 2), four, halves, 1e-7f, low);
    check_release("reg:logistic", XGBOOST_RELEASE(3, 2), four, halves, 0, low);
    check_release("reg:logistic", XGBOOST_RELEASE(10, 0), four, halves, 1, high);
    check_release("reg:logistic", XGBOOST_RELEASE(3, 2), four, halves, 0.5f, -0.0f);
    check_release("reg:logistic", XGBOOST_RELEASE(3, 2), four, halves, -0.1f, INFINITY);
    check_release("reg:logistic", XGBOOST_RELEASE(3, 2), four, halves, 1.1f, INFINITY);
}

static void test_free_of_nothing(void **state)
{
    (void)state;
    forest_free(NULL);
}

static int setup(void **state)
{
    (void)state;
    return forest_models_make(&models, "2000");
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
        cmocka_unit_test(test_every_objective_and_algorithm),
        cmocka_unit_test(test_transforms),
        cmocka_unit_test(test_any_number_of_rows),
        cmocka_unit_test(test_paths_of_large_models),
        cmocka_unit_test(test_codes_have_the_order_of_values),
        cmocka_unit_test(test_base_margin),
        cmocka_unit_test(test_bytes_counts_the_nodes),
        cmocka_unit_test(test_objectives_change_with_releases),
        cmocka_unit_test(test_free_of_nothing),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
