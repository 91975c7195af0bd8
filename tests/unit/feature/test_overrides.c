/* What a definition may say of a column: imputing, scaling, other encodings of categories. */
#include "fixture.h"

#include <float.h>
#include <math.h>

#define NULL_INT                                                                                   \
    {                                                                                              \
        .kind = CELL_INT, .is_null = true                                                          \
    }
#define INT(value)                                                                                 \
    {                                                                                              \
        .kind = CELL_INT, .int_value = value                                                       \
    }

/* Nine, of which one is null: 1 2 2 4 5 7 7 12. Sum 40, mean 5, squares around it 92. */
static const struct cell numbers[] = {INT(7), INT(2), NULL_INT, INT(1), INT(12),
                                      INT(2), INT(5), INT(7),   INT(4)};

static const struct {
    const char *what;
    struct column_override how;
    float of_null, of_seven;
} cases[] = {
    {"nothing", {0}, NAN, 7},
    {"mean", {.impute = IMPUTE_MEAN}, 5, 7},
    {"median", {.impute = IMPUTE_MEDIAN}, 4.5F, 7},
    {"mode", {.impute = IMPUTE_MODE}, 2, 7}, /* 2 and 7 are twice there: the smaller */
    {"min", {.impute = IMPUTE_MIN}, 1, 7},
    {"max", {.impute = IMPUTE_MAX}, 12, 7},
    {"zero", {.impute = IMPUTE_ZERO}, 0, 7},
    {"number", {.impute = IMPUTE_NUMBER, .impute_number = -1.5}, -1.5F, 7},
    {"large number", {.impute = IMPUTE_NUMBER, .impute_number = -1e300}, -FLT_MAX, 7},
    /* splitmix64's first number of seed 42 is 0xbdd732262feb6e95: 8 · 0.7415… = 5.9 → the sixth */
    {"random", {.impute = IMPUTE_RANDOM}, 5, 7},
    {"standard", {.scale = SCALE_STANDARD}, NAN, 0x1.2df60cp-1F}, /* 2 / sqrt(11.5) */
    {"min_max", {.scale = SCALE_MIN_MAX}, NAN, (float)(6.0 / 11)},
    {"max_abs", {.scale = SCALE_MAX_ABS}, NAN, (float)(7.0 / 12)},
    {"robust", {.scale = SCALE_ROBUST}, NAN, (float)(2.5 / 5)}, /* quartiles 2 and 7 */
    {"both", {.impute = IMPUTE_MEAN, .scale = SCALE_MIN_MAX}, (float)(4.0 / 11), (float)(6.0 / 11)},
};

static void test_numbers(void **state)
{
    const struct cell null = null_of(PG_INT4), seven = int_cell(7);

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct fixture fixture = {.project = {.seed = 42}};
        struct encoder_target target = {0};
        struct encoder *encoder =
            fixture_fit_one(&fixture, PG_INT4, cases[i].how, numbers, N_ELEMENTS(numbers), &target);

        for (int round = 0; round < 2; round++) {
            float missing;

            check_features_are(encoder, "x", "q");
            check_cell(encoder, &null, &cases[i].of_null, cases[i].what);
            check_cell(encoder, &seven, &cases[i].of_seven, cases[i].what);
            encode_missing(encoder, &missing); /* as a request that leaves the column out */
            check_float(missing, cases[i].of_null, cases[i].what);
            encoder = reloaded(encoder);
        }
        encoder_free(encoder);
        fixture_release(&fixture);
    }
}

/* Columns without a value, or with one only; values beyond float32. */
static void test_edges(void **state)
{
    static const struct cell none[] = {NULL_INT};
    static const struct cell same[] = {INT(3), NULL_INT, INT(3)};
    static const struct {
        const struct cell *rows;
        size_t n;
        struct column_override how;
        float of_null, of_three, of_five;
    } edges[] = {
        {none, 1, {.impute = IMPUTE_MEAN, .scale = SCALE_STANDARD}, NAN, 3, 5},
        {none, 1, {.impute = IMPUTE_RANDOM}, NAN, 3, 5},
        {none, 1, {.impute = IMPUTE_ZERO, .scale = SCALE_MIN_MAX}, 0, 3, 5},
        {same, 3, {.scale = SCALE_STANDARD}, NAN, 0, 0},
        {same, 3, {.scale = SCALE_MIN_MAX}, NAN, 0, 0},
        {same, 3, {.scale = SCALE_ROBUST}, NAN, 0, 0},
        {same, 3, {.impute = IMPUTE_MODE, .scale = SCALE_MAX_ABS}, 1, 1, (float)(5.0 / 3)},
    };
    const struct cell null = null_of(PG_INT4), three = int_cell(3), five = int_cell(5);

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(edges); i++) {
        struct fixture fixture = {0};
        struct encoder_target target = {0};
        struct encoder *encoder = reloaded(
            fixture_fit_one(&fixture, PG_INT4, edges[i].how, edges[i].rows, edges[i].n, &target));
        char what[32];

        snprintf(what, sizeof(what), "edge %zu", i);
        check_cell(encoder, &null, &edges[i].of_null, what);
        check_cell(encoder, &three, &edges[i].of_three, what);
        check_cell(encoder, &five, &edges[i].of_five, what);
        encoder_free(encoder);
        fixture_release(&fixture);
    }
}

/* ±Infinity, and what is beyond float32, stays out of every statistic. */
static void test_infinite(void **state)
{
    const struct cell rows[] = {double_cell(HUGE_VAL), double_cell(-HUGE_VAL), null_of(PG_FLOAT8),
                                double_cell(1e300),    double_cell(-2),        double_cell(1)};
    struct column_override how = {.impute = IMPUTE_MAX, .scale = SCALE_MAX_ABS};
    struct fixture fixture = {0};
    struct encoder_target target = {0};
    struct encoder *encoder =
        reloaded(fixture_fit_one(&fixture, PG_FLOAT8, how, rows, N_ELEMENTS(rows), &target));

    (void)state;
    check_cell(encoder, &rows[0], (float[]){FLT_MAX / 2}, "infinity");
    check_cell(encoder, &rows[1], (float[]){-FLT_MAX / 2}, "-infinity");
    check_cell(encoder, &rows[2], (float[]){0.5F}, "NULL as the maximum");
    check_cell(encoder, &rows[3], (float[]){FLT_MAX / 2}, "1e300");
    check_cell(encoder, &rows[4], (float[]){-1}, "a value");
    encoder_free(encoder);
    fixture_release(&fixture);
}

/* Booleans that are imputed are numbers; times, spans and money always are. */
static void test_types(void **state)
{
    static const enum pg_type types[] = {PG_TIME, PG_INTERVAL, PG_MONEY};
    const struct cell flags[] = {bool_cell(true), bool_cell(true), bool_cell(false),
                                 null_of(PG_BOOL), bool_cell(false)};
    struct fixture fixture = {0};
    struct encoder_target target = {0};
    struct encoder *encoder = reloaded(fixture_fit_one(
        &fixture, PG_BOOL, (struct column_override){.impute = IMPUTE_MEAN}, flags, 5, &target));

    (void)state;
    check_features_are(encoder, "x", "q");
    check_cell(encoder, &flags[0], (float[]){1}, "true");
    check_cell(encoder, &flags[3], (float[]){0.5F}, "NULL");
    encoder_free(encoder);
    fixture_release(&fixture);
    for (size_t i = 0; i < N_ELEMENTS(types); i++) {
        const struct cell cell = double_cell(90.25);

        fixture = (struct fixture){0};
        encoder = reloaded(
            fixture_fit_one(&fixture, types[i], (struct column_override){0}, &cell, 1, &target));
        check_features_are(encoder, "x", "q");
        check_cell(encoder, &cell, (float[]){90.25F}, pg_type_name(types[i]));
        encoder_free(encoder);
        fixture_release(&fixture);
    }
}

/* a 3, b 2, c 1, one NULL; the target's mean is 24 / 7. */
static const char *const labels[] = {"a", "b", "a", NULL, "c", "b", "a"};
static const double values[] = {1, 2, 3, 0, 10, 4, 4};
static const char *const sizes[] = {"c", "a"};

static const struct {
    const char *what;
    struct column_override how;
    const char *names, *types;
    float of_null[3], of_a[3], of_b[3], of_c[3], of_unseen[3];
} categories[] = {
    {"one-hot",
     {.encode = COLUMN_ONEHOT},
     "x.is.a x.is.b",
     "ii",
     {NAN, NAN},
     {1, 0},
     {0, 1},
     {0, 0},
     {0, 0}},
    {"one-hot, the mode for NULL",
     {.encode = COLUMN_ONEHOT, .impute = IMPUTE_MODE},
     "x.is.a x.is.b",
     "ii",
     {1, 0},
     {1, 0},
     {0, 1},
     {0, 0},
     {0, 0}},
    {"ordinal",
     {.encode = COLUMN_ORDINAL, .ordinal = {2, (const char **)sizes}},
     "x",
     "q",
     {NAN},
     {1},
     {-1},
     {0},
     {-1}},
    {"ordinal, a label for NULL",
     {.encode = COLUMN_ORDINAL,
      .ordinal = {2, (const char **)sizes},
      .impute = IMPUTE_LABEL,
      .impute_label = "c"},
     "x",
     "q",
     {0},
     {1},
     {-1},
     {0},
     {-1}},
    {"frequency",
     {.encode = COLUMN_FREQUENCY},
     "x.frequency",
     "q",
     {NAN},
     {0.5F},
     {(float)(2.0 / 6)},
     {0},
     {0}},
    {"native, a label that is rare",
     {.impute = IMPUTE_LABEL, .impute_label = "c"},
     "x",
     "c",
     {0},
     {1},
     {2},
     {0},
     {0}},
    {"target",
     {.encode = COLUMN_TARGET_MEANS},
     "x.mean",
     "q",
     {NAN},
     {(float)((8 + 20 * (24.0 / 7)) / 23)},
     {(float)((6 + 20 * (24.0 / 7)) / 22)},
     {(float)(24.0 / 7)},
     {(float)(24.0 / 7)}},
    {"target, NULL counts as b",
     {.encode = COLUMN_TARGET_MEANS, .impute = IMPUTE_LABEL, .impute_label = "b"},
     "x.mean",
     "q",
     {(float)((6 + 20 * (24.0 / 7)) / 23)},
     {(float)((8 + 20 * (24.0 / 7)) / 23)},
     {(float)((6 + 20 * (24.0 / 7)) / 23)},
     {(float)(24.0 / 7)},
     {(float)(24.0 / 7)}},
};

static struct cell label_cell(const char *label)
{
    return label == NULL ? null_of(PG_TEXT_TYPE) : text_cell(label);
}

static void test_categories(void **state)
{
    struct cell rows[N_ELEMENTS(labels)];

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(labels); i++)
        rows[i] = label_cell(labels[i]);
    for (size_t i = 0; i < N_ELEMENTS(categories); i++) {
        const struct {
            const char *label;
            const float *expected;
        } expected[] = {{NULL, categories[i].of_null},
                        {"a", categories[i].of_a},
                        {"b", categories[i].of_b},
                        {"c", categories[i].of_c},
                        {"unseen", categories[i].of_unseen}};
        struct fixture fixture = {0};
        struct encoder_target target = {1, values, NULL};
        struct encoder *encoder = fixture_fit_one(&fixture, PG_TEXT_TYPE, categories[i].how, rows,
                                                  N_ELEMENTS(rows), &target);

        for (int round = 0; round < 2; round++) {
            check_features_are(encoder, categories[i].names, categories[i].types);
            for (size_t k = 0; k < N_ELEMENTS(expected); k++) {
                struct cell cell = label_cell(expected[k].label);

                check_cell(encoder, &cell, expected[k].expected, categories[i].what);
            }
            encoder = reloaded(encoder);
        }
        encoder_free(encoder);
        fixture_release(&fixture);
    }
}

/* On training rows an imputed NULL has the mean of its category out of fold, too. */
static void test_imputed_out_of_fold(void **state)
{
    struct column_override how = {
        .encode = COLUMN_TARGET_MEANS, .impute = IMPUTE_LABEL, .impute_label = "b"};
    struct cell rows[N_ELEMENTS(labels)];
    struct fixture fixture = {0};
    struct encoder_target target = {1, values, NULL};
    struct encoder *encoder;
    float matrix[N_ELEMENTS(labels)];
    struct err err;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(labels); i++)
        rows[i] = label_cell(labels[i]);
    encoder = fixture_fit_one(&fixture, PG_TEXT_TYPE, how, rows, N_ELEMENTS(rows), &target);
    OK(fixture_apply_training(&fixture, encoder, N_ELEMENTS(rows), &target, matrix, &err));
    /* fold 3 is row 3 alone: 24 / 6 without it, and b is 2 and 4 */
    check_float(matrix[3], (float)((6 + 20 * 4.0) / 22), "the NULL");
    /* fold 1 is rows 1 and 6: 18 / 5, and b is 0 and 4 */
    check_float(matrix[1], (float)((4 + 20 * 3.6) / 22), "a b");
    encoder_free(encoder);
    fixture_release(&fixture);
}

/* Ids and numbers as categories go by their text; 255 features at most. */
static void test_onehot_bound(void **state)
{
    struct column_override how = {.as = AS_CATEGORY, .encode = COLUMN_ONEHOT};
    struct cell rows[600];
    struct fixture fixture = {0};
    struct encoder_target target = {0};
    struct encoder *encoder;

    (void)state;
    for (int i = 0; i < 600; i++)
        rows[i] = int_cell(i / 2);
    encoder = reloaded(fixture_fit_one(&fixture, PG_INT8, how, rows, 600, &target));
    assert_int_equal(encoder->n_features, 255);
    assert_string_equal(encoder->feature_names[0], "x.is.0");
    assert_string_equal(encoder->feature_names[1], "x.is.1");
    assert_string_equal(encoder->feature_names[2], "x.is.10"); /* by bytes */
    encoder_free(encoder);
    fixture_release(&fixture);
}

static void test_refusals(void **state)
{
    static const double classes[17] = {0};
    struct column_override how = {.column = "a/b", .encode = COLUMN_TARGET_MEANS};
    struct encoder_target target = {17, classes, NULL};
    struct fixture fixture = {0};
    struct encoder *encoder = NULL;
    const uint32_t row = 0;
    struct err err;

    (void)state;
    fixture_column(&fixture, "y", PG_INT4);
    fixture_column(&fixture, "a/b", PG_TEXT_TYPE);
    fixture.overrides[fixture.project.n_overrides++] = how;
    fixture_ready(&fixture);
    fixture_row(&fixture, (struct cell[]){int_cell(0), text_cell("a")});
    assert_int_equal(encoder_fit(fixture.schema, &fixture.project, fixture.frame, &row, 1, &target,
                                 &encoder, &err),
                     ERR_CONFIG);
    assert_string_equal(
        err.message, "key \"columns\": column \"a/b\": \"encode\": \"target\" needs a target with "
                     "a mean: a number, or at most 16 classes");
    assert_string_equal(err.field, "/columns/a~1b/encode");
    assert_null(encoder);
    fixture_release(&fixture);
    /* one-hot of a column that is always null gives no feature */
    fixture = (struct fixture){0};
    fixture_column(&fixture, "y", PG_INT4);
    fixture_column(&fixture, "x", PG_TEXT_TYPE);
    fixture.overrides[fixture.project.n_overrides++] =
        (struct column_override){.column = "x", .encode = COLUMN_ONEHOT};
    fixture_ready(&fixture);
    fixture_row(&fixture, (struct cell[]){int_cell(0), null_of(PG_TEXT_TYPE)});
    target = (struct encoder_target){0};
    assert_int_equal(encoder_fit(fixture.schema, &fixture.project, fixture.frame, &row, 1, &target,
                                 &encoder, &err),
                     ERR_DATA);
    assert_string_equal(err.message, "no column has a value to learn from");
    fixture_release(&fixture);
}

/* Where nothing is said, and where something is. Of x: 1, 3, null: mean 2, deviation 1. */
static void test_linear(void **state)
{
    static const struct column_override said[] = {
        {.column = "said", .impute = IMPUTE_ZERO, .scale = SCALE_MAX_ABS},
        {.column = "rank", .encode = COLUMN_FREQUENCY},
    };
    struct fixture fixture = {0};
    struct encoder_target target = {0};
    struct encoder *encoder = NULL;
    uint32_t rows[] = {0, 1, 2};
    float matrix[3 * 8];
    struct err err;

    (void)state;
    fixture_column(&fixture, "y", PG_INT4);
    fixture_column(&fixture, "x", PG_FLOAT8);
    fixture_column(&fixture, "flag", PG_BOOL);
    fixture_column(&fixture, "said", PG_INT4);
    fixture_column(&fixture, "colour", PG_TEXT_TYPE);
    fixture_column(&fixture, "rank", PG_TEXT_TYPE);
    fixture_column(&fixture, "doc", PG_JSON);
    memcpy(fixture.overrides, said, sizeof(said));
    fixture.project.n_overrides = (int)N_ELEMENTS(said);
    fixture_ready(&fixture);
    fixture_row(&fixture,
                (struct cell[]){int_cell(0), double_cell(1), bool_cell(false), int_cell(4),
                                text_cell("red"), text_cell("a"), text_cell("\"k\"")});
    fixture_row(&fixture, (struct cell[]){int_cell(0), double_cell(3), bool_cell(true), int_cell(8),
                                          text_cell("red"), text_cell("a"), text_cell("\"k\"")});
    fixture_row(&fixture,
                (struct cell[]){int_cell(0), null_of(PG_FLOAT8), null_of(PG_BOOL), null_of(PG_INT4),
                                text_cell("blue"), null_of(PG_TEXT_TYPE), null_of(PG_JSON)});
    OK(encoder_fit_linear(fixture.schema, &fixture.project, fixture.frame, rows, 3, &target,
                          &encoder, &err));
    encoder = reloaded(encoder);
    check_features_are(encoder, "x flag said colour.is.red rank.frequency doc.is.\"k\"", "qqqiqi");
    OK(encoder_apply(encoder, fixture.frame, rows, 3, matrix, &err));
    for (int row = 0; row < 3; row++) {
        static const float expected[3][6] = {
            {-1, -1, 0.5F, 1, 1, 1}, {1, 1, 1, 1, 1, 1}, {0, 0, 0, 0, NAN, NAN}};

        for (int i = 0; i < 6; i++)
            check_float(matrix[row * 6 + i], expected[row][i], "linear");
    }
    encoder_free(encoder);
    fixture_release(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),      cmocka_unit_test(test_edges),
        cmocka_unit_test(test_infinite),     cmocka_unit_test(test_types),
        cmocka_unit_test(test_categories),   cmocka_unit_test(test_imputed_out_of_fold),
        cmocka_unit_test(test_onehot_bound), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_linear),
    };

    return cmocka_run_group_tests_name("feature/overrides", tests, NULL, NULL);
}
