/* Damaged and hostile models: refused or loaded, never a crash, never a read out of bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "forest/forest_internal.h"
#include "models.h"

static struct forest_models models;

/* Loads a copy of exactly n bytes, so that a sanitizer sees the first byte beyond. A model that
 * loads must also be safe to walk. */
static enum err_code load_and_walk(const uint8_t *bytes, size_t n, struct err *err)
{
    CLEANUP(free_ptr) uint8_t *copy = malloc(n > 0 ? n : 1);
    CLEANUP(free_ptr) float *row = NULL;
    CLEANUP(free_ptr) float *margins = NULL;
    CLEANUP(free_ptr) double *contributions = NULL, *scratch = NULL;
    CLEANUP(forest_freep) struct forest *forest = NULL;

    assert_non_null(copy);
    memcpy(copy, bytes, n);
    TRY(forest_load(copy, n, &forest, err));
    row = calloc((size_t)forest_n_features(forest), sizeof(*row));
    margins = calloc((size_t)forest_n_outputs(forest), sizeof(*margins));
    contributions = calloc((size_t)forest_n_outputs(forest),
                           ((size_t)forest_n_features(forest) + 1) * sizeof(*contributions));
    scratch = calloc(forest_shap_scratch(forest), sizeof(*scratch));
    assert_non_null(row);
    assert_non_null(margins);
    assert_non_null(contributions);
    assert_non_null(scratch);
    row[forest_n_features(forest) - 1] = 3e9f;
    forest_margin(forest, row, margins);
    forest_transform(forest, margins);
    forest_shap(forest, row, contributions, scratch);
    return ERR_OK;
}

static bool is_refusal(enum err_code code)
{
    return code == ERR_CORRUPT || code == ERR_INVALID || code == ERR_LIMIT;
}

static void test_every_truncation_is_refused(void **state)
{
    static const char *const names[] = {"no_trees", "logistic_half", "one_hot", "dart",
                                        "linear_softprob"};

    (void)state;
    for (size_t m = 0; m < N_ELEMENTS(names); m++) {
        CLEANUP(buf_release) struct buf bytes = {0};
        size_t step;

        assert_true(forest_models_read(&models, names[m], ".ubj", &bytes));
        step = bytes.length > 4000 ? 7 : 1;
        for (size_t n = 0; n < bytes.length; n += step) {
            struct err err = {0};

            assert_int_equal(load_and_walk((const uint8_t *)bytes.data, n, &err), ERR_CORRUPT);
            assert_non_null(strstr(err.message, "model cannot be read: "));
        }
        buf_putc(&bytes, 'Z');
        assert_int_equal(load_and_walk((const uint8_t *)bytes.data, bytes.length, NULL),
                         ERR_CORRUPT);
    }
}

static void mutate(struct rng *rng, char *bytes, size_t n)
{
    static const char interesting[] = {0,   1,   127, (char)128, (char)255, '[',
                                       '{', '$', '#', 'L',       'S'};
    size_t at = rng_below(rng, n);

    switch (rng_below(rng, 4)) {
    case 0:
        bytes[at] ^= (char)(1 << rng_below(rng, 8));
        break;
    case 1:
        bytes[at] = interesting[rng_below(rng, sizeof(interesting))];
        break;
    case 2:
        bytes[at] = (char)rng_next(rng);
        break;
    default: { /* copy a piece over another */
        size_t from = rng_below(rng, n), most = n - (from > at ? from : at);

        memmove(bytes + at, bytes + from, rng_below(rng, most) % 64);
        break;
    }
    }
}

static void test_mutations_never_crash(void **state)
{
    static const char *const names[] = {"logistic_half", "partition", "softprob",
                                        "no_trees",      "dart_half", "linear_softprob"};
    size_t n_refused = 0, n_loaded = 0;
    struct rng rng;

    (void)state;
    rng_init(&rng, 42);
    for (size_t m = 0; m < N_ELEMENTS(names); m++) {
        CLEANUP(buf_release) struct buf bytes = {0};

        assert_true(forest_models_read(&models, names[m], ".ubj", &bytes));
        for (int i = 0; i < 1500; i++) {
            CLEANUP(free_ptr) char *copy = malloc(bytes.length);
            enum err_code code;

            memcpy(copy, bytes.data, bytes.length);
            for (uint64_t k = 1 + rng_below(&rng, 4); k > 0; k--)
                mutate(&rng, copy, bytes.length);
            code = load_and_walk((const uint8_t *)copy, bytes.length, NULL);
            assert_true(code == ERR_OK || is_refusal(code));
            n_refused += code != ERR_OK;
            n_loaded += code == ERR_OK;
        }
    }
    assert_true(n_refused > 100); /* the mutations do reach what is checked … */
    assert_true(n_loaded > 100);  /* … and what is only walked */
}

/* ---- documents made by hand: one tree of three nodes ---- */

struct tree_spec {
    const char *left, *right, *feature; /* three int8 each, as \x.. text */
    const char *categories;             /* members about categories, ready-made; may be NULL */
    size_t categories_length;
    const char *num_feature, *num_class, *base_score, *objective, *num_nodes;
    char tree_info;
    /* Boosters other than the "gbtree" of the tree alone. */
    enum { GBTREE, DART, WEIGHTED_GBTREE, GBLINEAR, DART_WITHOUT_WEIGHTS, UNHEARD } booster;
    const float *weights; /* of the trees, or of the linear model */
    int n_weights;
    const char *version; /* an int8 each; NULL: it does not say */
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

static void put_int8s(struct buf *out, const char *key, const char *three)
{
    put_key(out, key);
    buf_puts(out, "[$i#U\x03");
    buf_append(out, three, 3);
}

static void put_tree(struct buf *out, const struct tree_spec *spec)
{
    buf_puts(out, "{");
    put_int8s(out, "left_children", spec->left);
    put_int8s(out, "right_children", spec->right);
    put_int8s(out, "split_indices", spec->feature);
    put_int8s(out, "default_left", "\x01\x00\x00");
    put_key(out, "split_conditions");
    buf_append(out, "[$d#U\x03\x00\x00\x00\x00\x3f\x80\x00\x00\x40\x00\x00\x00", 18);
    if (spec->categories != NULL)
        buf_append(out, spec->categories, spec->categories_length);
    put_key(out, "tree_param");
    buf_puts(out, "{");
    put_text(out, "num_nodes", spec->num_nodes);
    put_text(out, "size_leaf_vector", "1");
    buf_puts(out, "}}");
}

static void put_weights(struct buf *out, const char *key, const struct tree_spec *spec)
{
    put_key(out, key);
    buf_puts(out, "[");
    for (int i = 0; i < spec->n_weights; i++) {
        uint32_t bits;

        memcpy(&bits, &spec->weights[i], sizeof(bits));
        bits = __builtin_bswap32(bits);
        buf_putc(out, 'd');
        buf_append(out, &bits, sizeof(bits));
    }
    buf_puts(out, "]");
}

/* {"model": {…}} without its last brace. */
static void put_trees(struct buf *out, const struct tree_spec *spec)
{
    buf_puts(out, "{");
    put_key(out, "model");
    buf_puts(out, "{");
    put_key(out, "gbtree_model_param");
    buf_puts(out, "{");
    put_text(out, "num_trees", "1");
    buf_puts(out, "}");
    put_key(out, "tree_info");
    buf_append(out, (char[]){'[', 'i', spec->tree_info, ']'}, 4);
    put_key(out, "trees");
    buf_puts(out, "[");
    put_tree(out, spec);
    buf_puts(out, "]");
    if (spec->booster == WEIGHTED_GBTREE)
        put_weights(out, "weight_drop", spec);
    buf_puts(out, "}");
}

static void put_booster(struct buf *out, const struct tree_spec *spec)
{
    static const char *const names[] = {
        [GBTREE] = "gbtree",
        [DART] = "dart",
        [WEIGHTED_GBTREE] = "gbtree",
        [GBLINEAR] = "gblinear",
        [DART_WITHOUT_WEIGHTS] = "dart",
        [UNHEARD] = "gbnever",
    };

    switch (spec->booster) {
    case DART:
    case DART_WITHOUT_WEIGHTS:
        buf_puts(out, "{");
        put_key(out, "gbtree");
        put_trees(out, spec);
        buf_puts(out, "}");
        if (spec->booster == DART)
            put_weights(out, "weight_drop", spec);
        break;
    case GBLINEAR:
        buf_puts(out, "{");
        put_key(out, "model");
        buf_puts(out, "{");
        put_weights(out, "weights", spec);
        buf_puts(out, "}");
        break;
    default:
        put_trees(out, spec);
    }
    put_text(out, "name", names[spec->booster]);
    buf_puts(out, "}");
}

static void put_model(struct buf *out, const struct tree_spec *spec)
{
    buf_puts(out, "{");
    put_key(out, "learner");
    buf_puts(out, "{");
    put_key(out, "gradient_booster");
    put_booster(out, spec);
    put_key(out, "learner_model_param");
    buf_puts(out, "{");
    put_text(out, "base_score", spec->base_score);
    put_text(out, "num_class", spec->num_class);
    put_text(out, "num_feature", spec->num_feature);
    buf_puts(out, "}");
    put_key(out, "objective");
    buf_puts(out, "{");
    put_text(out, "name", spec->objective);
    buf_puts(out, "}}");
    if (spec->version != NULL) {
        put_key(out, "version");
        buf_puts(out, "[$i#U\x03");
        buf_append(out, spec->version, 3);
    }
    buf_puts(out, "}");
}

static const struct tree_spec good = {
    .left = "\x01\xff\xff",
    .right = "\x02\xff\xff",
    .feature = "\x01\x00\x00",
    .num_feature = "2",
    .num_class = "0",
    .base_score = "5E-1",
    .objective = "reg:squarederror",
    .num_nodes = "3",
};

static enum err_code load_spec(const struct tree_spec *spec, struct forest **ret_forest,
                               struct err *err)
{
    CLEANUP(buf_release) struct buf bytes = {0};

    put_model(&bytes, spec);
    return forest_load((const uint8_t *)bytes.data, bytes.length, ret_forest, err);
}

/* The hand-made model is right where nothing is wrong with it: x[1] < 0 → 1, else 2, missing left.
 */
static void test_hand_made_model(void **state)
{
    static const struct {
        float x, margin;
    } rows[] = {{-1, 1.5f}, {0, 2.5f}, {1, 2.5f}, {-0.0f, 2.5f}, {__builtin_nanf(""), 1.5f}};
    CLEANUP(forest_freep) struct forest *forest = NULL;
    struct err err = {0};

    (void)state;
    if (load_spec(&good, &forest, &err) != ERR_OK)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const float row[2] = {99, rows[i].x};
        float margin;

        forest_margin(forest, row, &margin);
        assert_true(margin == rows[i].margin);
    }
}

/* The same two leaves weigh half: as dart writes it, and as gbtree does from XGBoost 3.3 on. */
static void test_hand_made_weights(void **state)
{
    static const int boosters[] = {DART, WEIGHTED_GBTREE};
    static const float half[] = {0.5f}, row[2] = {99, -1};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(boosters); i++) {
        CLEANUP(forest_freep) struct forest *forest = NULL;
        struct tree_spec spec = good;
        struct err err = {0};
        float margin;

        spec.booster = boosters[i];
        spec.weights = half;
        spec.n_weights = 1;
        if (load_spec(&spec, &forest, &err) != ERR_OK)
            fail_msg("%s", err.message);
        forest_margin(forest, row, &margin);
        assert_true(margin == 0.5f + 0.5f * 1);
    }
}

/* 3 × x[0] - x[1] + 0.25, on a base margin of 0.5. */
static void test_hand_made_linear_model(void **state)
{
    static const float weights[] = {3, -1, 0.25f};
    static const struct {
        float row[2], margin;
    } rows[] = {{{2, 1}, 5.75f},
                {{__builtin_nanf(""), 1}, -0.25f},
                {{2, __builtin_nanf("")}, 6.75f},
                {{__builtin_nanf(""), __builtin_nanf("")}, 0.75f}};
    CLEANUP(forest_freep) struct forest *forest = NULL;
    struct tree_spec spec = good;
    float margins[N_ELEMENTS(rows)], row[2 * N_ELEMENTS(rows)];
    struct err err = {0};

    (void)state;
    spec.booster = GBLINEAR;
    spec.weights = weights;
    spec.n_weights = 3;
    if (load_spec(&spec, &forest, &err) != ERR_OK)
        fail_msg("%s", err.message);
    assert_int_equal(forest_n_trees(forest), 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        memcpy(row + 2 * i, rows[i].row, sizeof(rows[i].row));
    forest_margins(forest, row, N_ELEMENTS(rows), margins);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        assert_true(margins[i] == rows[i].margin);
}

/* XGBoost 3.1 and later may start each output from a score of its own. */
static void test_a_base_score_for_each_output(void **state)
{
    static const float weights[9] = {0}, row[2] = {99, -1};
    CLEANUP(forest_freep) struct forest *forest = NULL;
    CLEANUP(forest_freep) struct forest *linear = NULL;
    struct tree_spec spec = good;
    struct err err = {0};
    float margins[3];

    (void)state;
    spec.base_score = "[1E0,-2E0,3E0]";
    spec.num_class = "3";
    spec.tree_info = 1;
    spec.objective = "multi:softprob";
    if (load_spec(&spec, &forest, &err) != ERR_OK)
        fail_msg("%s", err.message);
    assert_true(forest_base_margin(forest) == 1);
    forest_set_base_margin(forest, 7); /* stands for all of them, where they are one */
    forest_margin(forest, row, margins);
    assert_true(margins[0] == 1 && margins[1] == -1 && margins[2] == 3);

    spec.booster = GBLINEAR;
    spec.weights = weights;
    spec.n_weights = 9;
    if (load_spec(&spec, &linear, &err) != ERR_OK)
        fail_msg("%s", err.message);
    forest_margin(linear, row, margins);
    assert_true(margins[0] == 1 && margins[1] == 1 && margins[2] == 1);
}

/* Quantiles may cross until XGBoost 3.4. */
static void test_a_model_is_of_its_release(void **state)
{
    static const char *const versions[] = {NULL, "\x02\x00\x00", "\x03\x03\x09", "\x03\x04\x00"};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(versions); i++) {
        CLEANUP(forest_freep) struct forest *forest = NULL;
        struct tree_spec spec = good;
        struct err err = {0};
        float values[3] = {3, 1, 2};

        spec.version = versions[i];
        spec.num_class = "3";
        spec.objective = "reg:quantileerror";
        if (load_spec(&spec, &forest, &err) != ERR_OK)
            fail_msg("%s", err.message);
        forest_transform(forest, values);
        assert_true(i < 3 ? values[0] == 3 && values[1] == 1 && values[2] == 2
                          : values[0] == 1 && values[1] == 2 && values[2] == 3);
    }
}

#define GOOD_TREE .left = "\x01\xff\xff", .right = "\x02\xff\xff", .feature = "\x01\x00\x00"
#define GOOD_REST                                                                                  \
    .num_feature = "2", .num_class = "0", .base_score = "5E-1", .objective = "reg:squarederror",   \
    .num_nodes = "3"
#define CATEGORIES(text) .categories = text, .categories_length = sizeof(text) - 1
#define SPLIT_TYPE       "U\x0asplit_type[$U#U\x03\x01\x00\x00"
#define SETS(nodes, segments, sizes)                                                               \
    "U\x10"                                                                                        \
    "categories_nodes" nodes "U\x13"                                                               \
    "categories_segments" segments "U\x10"                                                         \
    "categories_sizes" sizes

static void test_each_check(void **state)
{
    static const float three[] = {1, 2, 3}, not_finite[] = {__builtin_inff()};
    static const struct {
        struct tree_spec spec;
        enum err_code code;
        const char *message;
    } refused[] = {
        {{GOOD_REST, .left = "\x00\xff\xff", .right = "\x02\xff\xff", .feature = "\x01\x00\x00"},
         ERR_CORRUPT,
         "node 0 is reached twice"},
        {{GOOD_REST, .left = "\x02\xff\xff", .right = "\x02\xff\xff", .feature = "\x01\x00\x00"},
         ERR_CORRUPT,
         "node 2 is reached twice"},
        {{GOOD_REST, .left = "\x01\xff\xff", .right = "\x03\xff\xff", .feature = "\x01\x00\x00"},
         ERR_CORRUPT,
         "child 3 is out of range"},
        {{GOOD_REST, .left = "\x01\xff\xff", .right = "\xff\xff\xff", .feature = "\x01\x00\x00"},
         ERR_CORRUPT,
         "child -1 is out of range"},
        {{GOOD_REST, .left = "\xfe\xff\xff", .right = "\x02\xff\xff", .feature = "\x01\x00\x00"},
         ERR_CORRUPT,
         "child -2 is out of range"},
        {{GOOD_REST, .left = "\x01\xff\xff", .right = "\x02\xff\xff", .feature = "\xff\x00\x00"},
         ERR_CORRUPT,
         "feature -1 is out of range"},
        {{GOOD_REST, .left = "\x01\xff\xff", .right = "\x02\xff\xff", .feature = "\x02\x00\x00"},
         ERR_CORRUPT,
         "splits on feature 2 of 2"},
        {{GOOD_REST, GOOD_TREE, .tree_info = 1}, ERR_CORRUPT, "adds to output 1 of 1"},
        {{GOOD_REST, GOOD_TREE, .booster = UNHEARD},
         ERR_INVALID,
         "booster \"gbnever\" is not supported"},
        {{GOOD_REST, GOOD_TREE, .booster = DART_WITHOUT_WEIGHTS},
         ERR_CORRUPT,
         "\"weight_drop\" is missing"},
        {{GOOD_REST, GOOD_TREE, .booster = DART},
         ERR_CORRUPT,
         "model has 1 trees and weights for 0"},
        {{GOOD_REST, GOOD_TREE, .booster = DART, .weights = three, .n_weights = 2},
         ERR_CORRUPT,
         "model has 1 trees and weights for 2"},
        {{GOOD_REST, GOOD_TREE, .booster = WEIGHTED_GBTREE, .weights = three, .n_weights = 2},
         ERR_CORRUPT,
         "model has 1 trees and weights for 2"},
        {{GOOD_REST, GOOD_TREE, .booster = DART, .weights = not_finite, .n_weights = 1},
         ERR_CORRUPT,
         "tree 0 has no finite weight"},
        {{GOOD_REST, GOOD_TREE, .booster = GBLINEAR, .weights = three, .n_weights = 2},
         ERR_CORRUPT,
         "model has 2 weights, expected 3"},
        {{GOOD_REST, GOOD_TREE, .tree_info = -1}, ERR_CORRUPT, "adds to output -1 of 1"},
        {{GOOD_REST, GOOD_TREE, CATEGORIES(SPLIT_TYPE)},
         ERR_CORRUPT,
         "a categorical split has no set"},
        {{GOOD_REST, GOOD_TREE, CATEGORIES(SPLIT_TYPE SETS("[i\x00]", "[i\x00]", "[i\x01]"))},
         ERR_CORRUPT,
         "category set 0 is out of range"},
        {{GOOD_REST, GOOD_TREE,
          CATEGORIES(SPLIT_TYPE "U\x0a"
                                "categories[i\x05]" SETS("[i\x03]", "[i\x00]", "[i\x01]"))},
         ERR_CORRUPT,
         "category set 0 has no node of its own"},
        {{GOOD_REST, GOOD_TREE,
          CATEGORIES(SPLIT_TYPE "U\x0a"
                                "categories[i\x05]" SETS("[i\x00]", "[]", "[i\x01]"))},
         ERR_CORRUPT,
         "category arrays differ in length"},
        {{GOOD_REST, GOOD_TREE,
          CATEGORIES(SPLIT_TYPE "U\x0a"
                                "categories[i\xff]" SETS("[i\x00]", "[i\x00]", "[i\x01]"))},
         ERR_CORRUPT,
         "category -1 is out of range"},
        {{GOOD_REST, GOOD_TREE,
          CATEGORIES(SPLIT_TYPE
                     "U\x0a"
                     "categories[l\x01\x00\x00\x00]" SETS("[i\x00]", "[i\x00]", "[i\x01]"))},
         ERR_CORRUPT,
         "category 16777216 is out of range"},
        {{GOOD_TREE, .num_feature = "0", .num_class = "0", .base_score = "0",
          .objective = "reg:squarederror", .num_nodes = "3"},
         ERR_CORRUPT,
         "model has 0 features"},
        {{GOOD_TREE, .num_feature = "99999999999", .num_class = "0", .base_score = "0",
          .objective = "reg:squarederror", .num_nodes = "3"},
         ERR_CORRUPT,
         "\"num_feature\" is not a number"},
        {{GOOD_TREE, .num_feature = "2", .num_class = "5000", .base_score = "0",
          .objective = "multi:softprob", .num_nodes = "3"},
         ERR_LIMIT,
         "more than 4096 outputs"},
        {{GOOD_TREE, .num_feature = "2", .num_class = "0", .base_score = "0",
          .objective = "reg:unheard", .num_nodes = "3"},
         ERR_INVALID,
         "objective \"reg:unheard\" is not supported"},
        {{GOOD_TREE, .num_feature = "2", .num_class = "0", .base_score = "0",
          .objective = "reg:squarederror", .num_nodes = "4"},
         ERR_CORRUPT,
         "a tree of 3 nodes says it has 4"},
        {{GOOD_TREE, .num_feature = "2", .num_class = "0", .base_score = "1",
          .objective = "binary:logistic", .num_nodes = "3"},
         ERR_CORRUPT,
         "base_score 1 is not between 0 and 1"},
        {{GOOD_TREE, .num_feature = "2", .num_class = "0", .base_score = "0",
          .objective = "count:poisson", .num_nodes = "3"},
         ERR_CORRUPT,
         "base_score 0 is not positive"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(refused); i++) {
        struct forest *forest = NULL;
        struct err err = {0};

        assert_int_equal(load_spec(&refused[i].spec, &forest, &err), refused[i].code);
        assert_null(forest);
        if (strstr(err.message, refused[i].message) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", err.message, refused[i].message);
    }
}

/* Newer XGBoosts write a list; what is not a finite number is refused. */
static void test_base_score_forms(void **state)
{
    static const struct {
        const char *text;
        enum err_code code;
        float margin;
    } forms[] = {
        {"5E-1", ERR_OK, 0.5f},
        {"-1.25", ERR_OK, -1.25f},
        {"1.0123457E2", ERR_OK, 101.23457f},
        {"[5E-1]", ERR_OK, 0.5f},
        {"[5E-1,5E-1]", ERR_CORRUPT, 0},
        {"[5E-1", ERR_CORRUPT, 0},
        {"[]", ERR_CORRUPT, 0},
        {"[5E-1,]", ERR_CORRUPT, 0},
        {"5E-1]", ERR_CORRUPT, 0},
        {"", ERR_CORRUPT, 0},
        {"nan", ERR_CORRUPT, 0},
        {"1e39", ERR_CORRUPT, 0},
        {"0.5x", ERR_CORRUPT, 0},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(forms); i++) {
        CLEANUP(forest_freep) struct forest *forest = NULL;
        struct tree_spec spec = good;
        struct err err = {0};

        spec.base_score = forms[i].text;
        if (load_spec(&spec, &forest, &err) != forms[i].code)
            fail_msg("base_score \"%s\": %s", forms[i].text, err.message);
        if (forms[i].code == ERR_OK)
            assert_true(forest_base_margin(forest) == forms[i].margin);
    }
}

/* 2 MiB of bitmap for 5 bytes of input: bounded by the sets' limit, not by the machine's memory. */
static void test_category_bomb(void **state)
{
    static const char wide[] =
        SPLIT_TYPE "U\x0a"
                   "categories[l\x00\xff\xff\xff]" SETS("[i\x00]", "[i\x00]", "[i\x01]");
    CLEANUP(buf_release) struct buf bytes = {0};
    CLEANUP(buf_release) struct buf bomb = {0};
    struct tree_spec spec = good;
    struct forest *forest = NULL;
    const char *tree;
    size_t before, n_tree;

    (void)state;
    spec.categories = wide;
    spec.categories_length = sizeof(wide) - 1;
    put_model(&bytes, &spec);
    tree = memmem(bytes.data, bytes.length, "trees[", 6);
    assert_non_null(tree);
    before = (size_t)(tree + 6 - bytes.data);
    n_tree = (size_t)((char *)memmem(tree, bytes.length - before, "}}]}", 4) + 2 - (tree + 6));
    buf_append(&bomb, bytes.data, before);
    for (int i = 0; i < 40; i++)
        buf_append(&bomb, bytes.data + before, n_tree);
    buf_append(&bomb, bytes.data + before + n_tree, bytes.length - before - n_tree);
    assert_int_equal(forest_load((const uint8_t *)bomb.data, bomb.length, &forest, NULL),
                     ERR_LIMIT);
}

#define BOMB_TREES 40
#define ALL_CODES  (1U << 24)

/* Trees of one split each, the first by the set at `first`, the others by that at `others`. */
static enum err_code pack_stumps(uint32_t *sets, uint32_t first, uint32_t others)
{
    CLEANUP(forest_freep) struct forest *forest = calloc(1, sizeof(*forest));
    struct planted nodes[4 * BOMB_TREES] = {0};
    struct edge edges[4 * BOMB_TREES] = {0};
    struct tree trees[BOMB_TREES] = {0};
    struct planting planting = {.trees = trees,
                                .nodes = nodes,
                                .sets = sets,
                                .edges = edges,
                                .n_trees = BOMB_TREES,
                                .n_nodes = N_ELEMENTS(nodes)};

    assert_non_null(forest);
    forest->n_features = forest->n_outputs = 1;
    for (uint32_t i = 0; i < N_ELEMENTS(nodes); i++)
        nodes[i].left = i % 4;
    for (uint32_t t = 0; t < BOMB_TREES; t++) {
        trees[t] = (struct tree){.root = 4 * t, .n_nodes = 4, .depth = 1, .has_categories = true};
        nodes[4 * t] =
            (struct planted){.set = t == 0 ? first : others, .left = 2, .is_category = true};
    }
    return forest_pack(&planting, forest, NULL);
}

/* One set of 2 MiB makes those of all splits on its feature as long: bounded as well. */
static void test_category_bomb_by_one_set(void **state)
{
    CLEANUP(free_ptr) uint32_t *sets = calloc(1 + ALL_CODES / 32 + 2, sizeof(*sets));
    uint32_t small = 1 + ALL_CODES / 32;

    (void)state;
    assert_non_null(sets);
    sets[0] = ALL_CODES;
    sets[small] = sets[small + 1] = 1;
    assert_int_equal(pack_stumps(sets, small, small), ERR_OK);
    assert_int_equal(pack_stumps(sets, 0, small), ERR_LIMIT);
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
        cmocka_unit_test(test_every_truncation_is_refused),
        cmocka_unit_test(test_mutations_never_crash),
        cmocka_unit_test(test_hand_made_model),
        cmocka_unit_test(test_hand_made_weights),
        cmocka_unit_test(test_hand_made_linear_model),
        cmocka_unit_test(test_a_base_score_for_each_output),
        cmocka_unit_test(test_a_model_is_of_its_release),
        cmocka_unit_test(test_each_check),
        cmocka_unit_test(test_base_score_forms),
        cmocka_unit_test(test_category_bomb),
        cmocka_unit_test(test_category_bomb_by_one_set),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
