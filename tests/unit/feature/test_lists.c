/* Arrays, vectors, points and ranges: each value to its float32s, worked by hand. */
#include "fixture.h"

#include <float.h>
#include <math.h>

#define DAY 86400e6

static const struct {
    const char *what;
    enum pg_type type;
    struct cell rows[4]; /* training rows */
    int n_rows;
    const char *names;
    struct {
        struct cell cell;
        float expected[6];
    } values[8];
    int n_values;
} lists[] = {
    {"one length",
     PG_FLOAT8_ARRAY,
     {LIST_CELL(1, 2, 3), {.kind = CELL_LIST, .is_null = true}, LIST_CELL(4, NAN, 6)},
     3,
     "x.1 x.2 x.3",
     {{LIST_CELL(0.1, -0.0, 1e300), {0.1F, 0, FLT_MAX}},
      {LIST_CELL(4, NAN, -INFINITY), {4, NAN, -FLT_MAX}},
      {LIST_CELL(7, 8), {7, 8, NAN}}, /* shorter: the rest is missing */
      {LIST_CELL(1, 2, 3, 4), {1, 2, 3}},
      {EMPTY_LIST, {NAN, NAN, NAN}},
      {{.kind = CELL_LIST, .is_null = true}, {NAN, NAN, NAN}}},
     6},
    {"lengths vary",
     PG_NUMERIC_ARRAY,
     {LIST_CELL(1), LIST_CELL(1, 2)},
     2,
     "x.len x.mean x.min x.max x.first x.last",
     {{LIST_CELL(3, 1, 2), {3, 2, 1, 3, 3, 2}},
      {LIST_CELL(0.1, 0.2, 0.3), {3, (float)((0.1 + 0.2 + 0.3) / 3), 0.1F, 0.3F, 0.1F, 0.3F}},
      {LIST_CELL(NAN, 4, NAN, 8), {4, 6, 4, 8, NAN, 8}},
      {LIST_CELL(NAN), {1, NAN, NAN, NAN, NAN, NAN}},
      {LIST_CELL(INFINITY, -INFINITY), {2, 0, -FLT_MAX, FLT_MAX, FLT_MAX, -FLT_MAX}},
      {LIST_CELL(-0.0), {1, 0, 0, 0, 0, 0}},
      {EMPTY_LIST, {0, NAN, NAN, NAN, NAN, NAN}},
      {{.kind = CELL_LIST, .is_null = true}, {NAN, NAN, NAN, NAN, NAN, NAN}}},
     8},
    {"always empty",
     PG_INT4_ARRAY,
     {EMPTY_LIST, EMPTY_LIST},
     2,
     "x.len x.mean x.min x.max x.first x.last",
     {{LIST_CELL(5), {1, 5, 5, 5, 5, 5}}},
     1},
    {"always null",
     PG_VECTOR,
     {{.kind = CELL_LIST, .is_null = true}},
     1,
     "x.len x.mean x.min x.max x.first x.last",
     {{LIST_CELL(5, 6), {2, 5.5F, 5, 6, 5, 6}}},
     1},
    {"bits", PG_BIT, {LIST_CELL(1, 0)}, 1, "x.1 x.2", {{LIST_CELL(0, 1), {0, 1}}}, 1},
    {"point", PG_POINT, {LIST_CELL(1, 2)}, 1, "x.x x.y", {{LIST_CELL(-1.5, 2), {-1.5F, 2}}}, 1},
    {"range without a training value",
     PG_INT_RANGE,
     {{.kind = CELL_LIST, .is_null = true}},
     1,
     "x.lower x.upper",
     {{LIST_CELL(1, NAN), {1, NAN}}},
     1},
    {"numbers",
     PG_NUM_RANGE,
     {LIST_CELL(0, 1)},
     1,
     "x.lower x.upper",
     {{LIST_CELL(-INFINITY, 1.5), {-FLT_MAX, 1.5F}}},
     1},
    {"dates since the earliest bound",
     PG_DATE_RANGE,
     {LIST_CELL(NAN, 5 * DAY), LIST_CELL(3 * DAY, 9 * DAY), LIST_CELL(4 * DAY, NAN)},
     3,
     "x.lower x.upper",
     {{LIST_CELL(4 * DAY, 6 * DAY), {1, 3}},
      {LIST_CELL(NAN, 2 * DAY), {NAN, -1}},
      {LIST_CELL(-INFINITY, INFINITY), {NAN, NAN}}},
     3},
    {"timestamps, the upper one first",
     PG_TSTZ_RANGE,
     {LIST_CELL(NAN, -1.5 * DAY), LIST_CELL(0, DAY)},
     2,
     "x.lower x.upper",
     {{LIST_CELL(0, 0.5 * DAY), {1.5F, 2}}},
     1},
};

static void test_lists(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(lists); i++) {
        struct fixture fixture = {0};
        struct encoder_target target = {0};
        struct encoder *encoder =
            fixture_fit_one(&fixture, lists[i].type, (struct column_override){0}, lists[i].rows,
                            (size_t)lists[i].n_rows, &target);

        for (int round = 0; round < 2; round++) {
            check_features_are(encoder, lists[i].names, &"qqqqqq"[6 - encoder->n_features]);
            for (int k = 0; k < lists[i].n_values; k++)
                check_cell(encoder, &lists[i].values[k].cell, lists[i].values[k].expected,
                           lists[i].what);
            encoder = reloaded(encoder);
        }
        encoder_free(encoder);
        fixture_release(&fixture);
    }
}

/* 2000 elements get a feature each; 2001 are summed up. */
static void test_bound(void **state)
{
    static const struct {
        size_t n_items;
        int n_features;
    } bounds[] = {{2000, 2000}, {2001, 6}};
    CLEANUP(free_ptr) double *items = calloc(2001, sizeof(double));

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(bounds); i++) {
        const struct cell cell = {.kind = CELL_LIST, .items = items, .n_items = bounds[i].n_items};
        struct fixture fixture = {0};
        struct encoder_target target = {0};
        struct encoder *encoder =
            fixture_fit_one(&fixture, PG_VECTOR, (struct column_override){0}, &cell, 1, &target);

        assert_int_equal(encoder->n_features, bounds[i].n_features);
        encoder_free(encoder);
        fixture_release(&fixture);
    }
}

static const struct cell_string tags[][4] = {
    {{"red", 3}, {"red", 3}, {"\xff", 1}, {NULL, 0}}, /* once a row, however often */
    {{"blue", 4}, {"red", 3}, {"", 0}, {"\xff", 1}},
    {{"blue", 4}, {"a[b", 3}, {"", 0}, {"rare", 4}},
    {{"a[b", 3}, {"a[b", 3}, {"a[b", 3}, {"blue", 4}},
};

static struct cell tags_cell(const struct cell_string *texts, size_t n)
{
    return (struct cell){.kind = CELL_TEXTS, .texts = texts, .n_items = n};
}

static void test_tags(void **state)
{
    const struct cell rows[] = {tags_cell(tags[0], 4), tags_cell(tags[1], 4), tags_cell(tags[2], 4),
                                tags_cell(tags[3], 4), null_of(PG_TEXT_ARRAY)};
    struct fixture fixture = {0};
    struct encoder_target target = {0};
    struct encoder *encoder = fixture_fit_one(&fixture, PG_TEXT_ARRAY, (struct column_override){0},
                                              rows, N_ELEMENTS(rows), &target);
    const struct cell empty = tags_cell(NULL, 0);

    (void)state;
    for (int round = 0; round < 2; round++) {
        /* blue 3; "" 2, a[b 2, red 2; rare 1 */
        check_features_are(encoder, "x.has.blue x.has. x.has.a_b x.has.red x.len", "iiiiq");
        check_cell(encoder, &rows[0], (float[]){0, 0, 0, 1, 4}, "row 0");
        check_cell(encoder, &rows[1], (float[]){1, 1, 0, 1, 4}, "row 1");
        check_cell(encoder, &rows[3], (float[]){1, 0, 1, 0, 4}, "row 3");
        check_cell(encoder, &rows[4], (float[]){NAN, NAN, NAN, NAN, NAN}, "NULL");
        check_cell(encoder, &empty, (float[]){0, 0, 0, 0, 0}, "empty");
        encoder = reloaded(encoder);
    }
    encoder_free(encoder);
    fixture_release(&fixture);
}

/* At most 64 elements, and none that is longer than a name should be. */
static void test_many_tags(void **state)
{
    char texts[70][300];
    struct cell_string strings[70];
    struct fixture fixture = {0};
    struct encoder_target target = {0};
    struct encoder *encoder;
    struct cell rows[2];

    (void)state;
    for (int i = 0; i < 70; i++) {
        memset(texts[i], 'a', sizeof(texts[i]));
        snprintf(texts[i], sizeof(texts[i]), "t%02d", i);
        strings[i] = (struct cell_string){texts[i], 3};
    }
    strings[0].n_bytes = 257; /* "t00" and more */
    rows[0] = rows[1] = tags_cell(strings, 70);
    encoder =
        fixture_fit_one(&fixture, PG_TEXT_ARRAY, (struct column_override){0}, rows, 2, &target);
    assert_int_equal(encoder->n_features, 65);
    assert_string_equal(encoder->feature_names[0], "x.has.t01");
    assert_string_equal(encoder->feature_names[63], "x.has.t64");
    assert_string_equal(encoder->feature_names[64], "x.len");
    encoder_free(encoder);
    fixture_release(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_many_tags),
    };

    return cmocka_run_group_tests_name("feature/lists", tests, NULL, NULL);
}
