/* SHAP values: those worked out by hand, by brute force over all sets of features, and by XGBoost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "forest/forest_step.h"
#include "models.h"

static struct forest_models models;

static const char *const names[] = {
    "squarederror",
    "no_missing",
    "one_hot",
    "partition",
    "partition_deep",
    "logistic",
    "logistic_half",
    "softprob",
    "softmax",
    "forest",
    "one_leaf",
    "forest_softprob",
    "no_trees",
    "lossguide",
    "no_trees_softprob",
    "pruned",
    "two_targets",
    "reg_logistic",
    "logitraw",
    "hinge",
    "poisson",
    "gamma",
    "tweedie",
    "pseudohuber",
    "squaredlogerror",
    "cox",
    "aft",
    "pairwise",
    "absoluteerror",
    "ndcg",
    "map",
    "wide",
    "dart",
    "dart_forest",
    "dart_by_weight",
    "dart_half",
    "dart_no_trees",
    "dart_two_targets",
    "linear",
    "linear_no_missing",
    "linear_softprob",
    "linear_logistic",
    "linear_not_trained",
};

/* NAME.shap: see make_models.py. */
struct oracle {
    struct buf bytes;
    size_t n_rows, n_features, n_outputs;
    const float *rows, *contributions;
};

static void oracle_read(const char *name, struct oracle *oracle)
{
    const int32_t *head;

    *oracle = (struct oracle){0};
    assert_true(forest_models_read(&models, name, ".shap", &oracle->bytes));
    head = (const int32_t *)oracle->bytes.data;
    oracle->n_rows = (size_t)head[0];
    oracle->n_features = (size_t)head[1];
    oracle->n_outputs = (size_t)head[2];
    oracle->rows = (const float *)(head + 3);
    oracle->contributions = oracle->rows + oracle->n_rows * oracle->n_features;
}

static struct forest *load(const char *name)
{
    CLEANUP(buf_release) struct buf bytes = {0};
    struct forest *forest = NULL;
    struct err err = {0};

    assert_true(forest_models_read(&models, name, ".ubj", &bytes));
    if (forest_load((const uint8_t *)bytes.data, bytes.length, &forest, &err) != ERR_OK)
        fail_msg("%s: %s", name, err.message);
    return forest;
}

/* A forest with room to explain a row. */
struct explained {
    struct forest *forest;
    double *contributions, *scratch;
    size_t width;
};

static void explained_init(struct explained *explained, struct forest *forest)
{
    explained->forest = forest;
    explained->width = (size_t)forest_n_features(forest) + 1;
    explained->contributions =
        calloc((size_t)forest_n_outputs(forest) * explained->width, sizeof(double));
    explained->scratch = malloc(forest_shap_scratch(forest) * sizeof(double));
    assert_non_null(explained->contributions);
    assert_non_null(explained->scratch);
}

static void explained_release(struct explained *explained)
{
    forest_free(explained->forest);
    free(explained->contributions);
    free(explained->scratch);
}

/* One output of one row. XGBoost adds in float32, so what may differ grows with what is added. */
static void compare(const char *name, size_t row, const double *ours, const float *theirs, size_t n,
                    float margin)
{
    double sum = 0, scale = fmax(1, fabs((double)margin));

    for (size_t i = 0; i < n; i++)
        scale = fmax(scale, fabs((double)theirs[i]));
    for (size_t i = 0; i < n; i++) {
        sum += ours[i];
        if (!(fabs(ours[i] - (double)theirs[i]) <= 1e-5 * scale))
            fail_msg("%s: row %zu, feature %zu: %.9g, XGBoost says %.9g", name, row, i, ours[i],
                     (double)theirs[i]);
    }
    if (!(fabs(sum - (double)margin) <= 1e-5 * scale))
        fail_msg("%s: row %zu: contributions add up to %.9g, the margin is %.9g", name, row, sum,
                 (double)margin);
}

static void check_model(const char *name)
{
    struct explained explained;
    struct oracle oracle;

    oracle_read(name, &oracle);
    explained_init(&explained, load(name));
    assert_true(forest_has_covers(explained.forest));
    assert_int_equal(explained.width, oracle.n_features + 1);
    assert_int_equal(forest_n_outputs(explained.forest), oracle.n_outputs);
    for (size_t row = 0; row < oracle.n_rows; row++) {
        const float *features = oracle.rows + row * oracle.n_features;
        float margins[8];

        forest_margin(explained.forest, features, margins);
        forest_shap(explained.forest, features, explained.contributions, explained.scratch);
        for (size_t k = 0; k < oracle.n_outputs; k++)
            compare(name, row, explained.contributions + k * explained.width,
                    oracle.contributions + (row * oracle.n_outputs + k) * explained.width,
                    explained.width, margins[k]);
    }
    explained_release(&explained);
    buf_release(&oracle.bytes);
}

static void test_as_xgboost(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(names); i++)
        check_model(names[i]);
}

/* ---- brute force ---- */

/* What the tree says below a node when only the features in the set are known. */
static double known(const struct forest *forest, size_t at, const float *features, unsigned set)
{
    size_t left = left_of(forest, at);

    if (left == at)
        return (double)forest->nodes[at].leaf;
    if (set >> feature_of(forest, at) & 1)
        return known(forest, step_row(forest, at, features), features, set);
    return (double)forest->edges[left].share * known(forest, left, features, set) +
           (double)forest->edges[left + 1].share * known(forest, left + 1, features, set);
}

/* Shapley's own formula, for the first output. values[2^n] of each set of features. */
static double shapley(const double *values, unsigned n, unsigned feature)
{
    static const double factorials[] = {1, 1, 2, 6, 24, 120, 720};
    double sum = 0;

    for (unsigned set = 0; set < 1u << n; set++) {
        unsigned size = (unsigned)__builtin_popcount(set);

        if (!(set >> feature & 1))
            sum += factorials[size] * factorials[n - size - 1] / factorials[n] *
                   (values[set | 1u << feature] - values[set]);
    }
    return sum;
}

static void test_as_by_brute_force(void **state)
{
    static const char *const some[] = {"squarederror", "one_hot", "partition_deep",
                                       "lossguide",    "pruned",  "dart_by_weight"};

    (void)state;
    for (size_t m = 0; m < N_ELEMENTS(some); m++) {
        struct explained explained;
        struct oracle oracle;

        oracle_read(some[m], &oracle);
        explained_init(&explained, load(some[m]));
        for (size_t row = 0; row < 20; row++) {
            const float *features = oracle.rows + row * 6;
            double values[64] = {0};

            for (unsigned set = 0; set < 64; set++)
                for (uint32_t t = 0; t < explained.forest->n_trees; t++)
                    values[set] +=
                        known(explained.forest, explained.forest->trees[t].root, features, set);
            forest_shap(explained.forest, features, explained.contributions, explained.scratch);
            for (unsigned feature = 0; feature < 6; feature++)
                assert_true(fabs(explained.contributions[feature] - shapley(values, 6, feature)) <
                            1e-12);
            assert_true(fabs(explained.contributions[6] - values[0] -
                             (double)forest_base_margin(explained.forest)) < 1e-12);
        }
        explained_release(&explained);
        buf_release(&oracle.bytes);
    }
}

/* ---- by hand: two splits ---- */

/* x0 < 0: (second < -4 or x1 < 0: 8, else 4), else 16. covers: of nodes 0 … 4. */
struct hand {
    char second;         /* the feature of the second split */
    float condition;     /* of the second split */
    const float *covers; /* [5], or NULL: none are stored */
};

static void put_key(struct buf *out, const char *key)
{
    buf_printf(out, "U%c%s", (char)strlen(key), key);
}

static void put_text(struct buf *out, const char *key, const char *text)
{
    put_key(out, key);
    buf_printf(out, "SU%c%s", (char)strlen(text), text);
}

static void put_bytes(struct buf *out, const char *key, const char *five)
{
    put_key(out, key);
    buf_puts(out, "[$i#U\x05");
    buf_append(out, five, 5);
}

static void put_floats(struct buf *out, const char *key, const float *five)
{
    put_key(out, key);
    buf_puts(out, "[$d#U\x05");
    for (int i = 0; i < 5; i++) {
        uint32_t bits;

        memcpy(&bits, &five[i], sizeof(bits));
        bits = __builtin_bswap32(bits);
        buf_append(out, &bits, sizeof(bits));
    }
}

static struct forest *load_hand(const struct hand *hand)
{
    const char features[] = {0, hand->second, 0, 0, 0};
    const float conditions[] = {0, hand->condition, 16, 8, 4};
    CLEANUP(buf_release) struct buf out = {0};
    struct forest *forest = NULL;
    struct err err = {0};

    buf_puts(&out, "{U\x07learner{U\x10gradient_booster{U\x05model{U\x12gbtree_model_param{");
    put_text(&out, "num_trees", "1");
    buf_puts(&out, "}");
    put_key(&out, "tree_info");
    buf_append(&out, "[i\0]", 4);
    buf_puts(&out, "U\x05trees[{");
    put_bytes(&out, "left_children", "\x01\x03\xff\xff\xff");
    put_bytes(&out, "right_children", "\x02\x04\xff\xff\xff");
    put_bytes(&out, "split_indices", features);
    put_bytes(&out, "default_left", "\x00\x01\x00\x00\x00");
    put_floats(&out, "split_conditions", conditions);
    if (hand->covers != NULL)
        put_floats(&out, "sum_hessian", hand->covers);
    buf_puts(&out, "U\x0atree_param{");
    put_text(&out, "num_nodes", "5");
    buf_puts(&out, "}}]}");
    put_text(&out, "name", "gbtree");
    buf_puts(&out, "}U\x13learner_model_param{");
    put_text(&out, "base_score", "1E0");
    put_text(&out, "num_class", "0");
    put_text(&out, "num_feature", "2");
    buf_puts(&out, "}U\x09objective{");
    put_text(&out, "name", "reg:squarederror");
    buf_puts(&out, "}}}");
    if (forest_load((const uint8_t *)out.data, out.length, &forest, &err) != ERR_OK)
        fail_msg("%s", err.message);
    return forest;
}

static const float covers[] = {8, 2, 6, 1, 1};
static const float no_rows[] = {8, 0, 8, 0, 0};
static const float odd_covers[] = {8, NAN, 6, -1, INFINITY};

/* With covers, no feature known: (8 + 4 + 6 × 16) / 8 = 13.5; x0 < 0 known: 6, x0 >= 0 known: 16;
 * x1 < 0 known: (2 × 8 + 6 × 16) / 8 = 14, x1 >= 0 known: 13. Each contribution is the mean over
 * both orders in which the features become known. */
static void test_by_hand(void **state)
{
    static const struct {
        struct hand hand;
        float row[2];
        double contributions[3];
    } cases[] = {
        {{1, 0, covers}, {-1, -1}, {(6 - 13.5 + 8 - 14) / 2, (8 - 6 + 14 - 13.5) / 2, 14.5}},
        {{1, 0, covers}, {-1, 1}, {(6 - 13.5 + 4 - 13) / 2, (4 - 6 + 13 - 13.5) / 2, 14.5}},
        {{1, 0, covers}, {1, -1}, {(16 - 13.5 + 16 - 14) / 2, (0 + 14 - 13.5) / 2, 14.5}},
        {{1, 0, covers}, {1, 1}, {(16 - 13.5 + 16 - 13) / 2, (0 + 13 - 13.5) / 2, 14.5}},
        /* missing: x0 goes right, x1 left */
        {{1, 0, covers}, {NAN, NAN}, {2.25, 0.25, 14.5}},
        /* one feature asked twice has it all */
        {{0, -4, covers}, {-5, 9}, {8 - 13.5, 0, 14.5}},
        {{0, -4, covers}, {-1, 9}, {4 - 13.5, 0, 14.5}},
        {{0, -4, covers}, {1, 9}, {16 - 13.5, 0, 14.5}},
        /* a branch that no training row took: absent, x0 leads to 16; below it, to both alike */
        {{1, 0, no_rows}, {-1, -1}, {(6 - 16 + 8 - 16) / 2.0, (8 - 6 + 0) / 2.0, 17}},
        {{1, 0, no_rows}, {1, -1}, {0, 0, 17}},
        {{0, -4, no_rows}, {-5, 0}, {8 - 16, 0, 17}},
        /* covers that are none count as halves: 11 = (6 + 16) / 2 */
        {{1, 0, odd_covers}, {1, -1}, {(16 - 11 + 16 - 12) / 2.0, (0 + 12 - 11) / 2.0, 12}},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct explained explained;

        explained_init(&explained, load_hand(&cases[i].hand));
        forest_shap(explained.forest, cases[i].row, explained.contributions, explained.scratch);
        for (size_t k = 0; k < 3; k++)
            if (!(fabs(explained.contributions[k] - cases[i].contributions[k]) < 1e-12))
                fail_msg("case %zu, feature %zu: %.17g, expected %.17g", i, k,
                         explained.contributions[k], cases[i].contributions[k]);
        explained_release(&explained);
    }
}

static void test_a_model_may_lack_covers(void **state)
{
    CLEANUP(forest_freep) struct forest *with = load_hand(&(struct hand){1, 0, covers});
    CLEANUP(forest_freep) struct forest *without = load_hand(&(struct hand){1, 0, NULL});

    (void)state;
    assert_true(forest_has_covers(with));
    assert_false(forest_has_covers(without));
}

/* Beyond what is asked for, nothing is written; what was there does not matter. */
static void test_scratch_and_results_are_as_large_as_they_say(void **state)
{
    CLEANUP(forest_freep) struct forest *forest = load("softprob");
    size_t n_scratch = forest_shap_scratch(forest), n = 4 * 7;
    CLEANUP(free_ptr) double *scratch = malloc((n_scratch + 1) * sizeof(double));
    CLEANUP(free_ptr) double *first = malloc((n + 1) * sizeof(double));
    CLEANUP(free_ptr) double *second = malloc((n + 1) * sizeof(double));
    const float row[6] = {0.5F, 1, NAN, -1, 42, 0};

    (void)state;
    scratch[n_scratch] = first[n] = second[n] = 0.25;
    memset(scratch, 0xff, n_scratch * sizeof(double));
    memset(first, 0xff, n * sizeof(double));
    forest_shap(forest, row, first, scratch);
    memset(scratch, 0x55, n_scratch * sizeof(double));
    memset(second, 0x55, n * sizeof(double));
    forest_shap(forest, row, second, scratch);
    assert_memory_equal(first, second, n * sizeof(double));
    assert_true(scratch[n_scratch] == 0.25 && first[n] == 0.25 && second[n] == 0.25);
}

static void test_the_bias_follows_the_base_margin(void **state)
{
    struct explained explained;
    const float row[2] = {-1, -1};

    (void)state;
    explained_init(&explained, load_hand(&(struct hand){1, 0, covers}));
    forest_set_base_margin(explained.forest, 100);
    forest_shap(explained.forest, row, explained.contributions, explained.scratch);
    assert_true(explained.contributions[2] == 113.5);
    explained_release(&explained);
}

static int setup(void **state)
{
    (void)state;
    return forest_models_make(&models, NULL);
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
        cmocka_unit_test(test_as_xgboost),
        cmocka_unit_test(test_as_by_brute_force),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_a_model_may_lack_covers),
        cmocka_unit_test(test_scratch_and_results_are_as_large_as_they_say),
        cmocka_unit_test(test_the_bias_follows_the_base_margin),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
