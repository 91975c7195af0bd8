/* Numbers, booleans and times: each value to its float32s, worked by hand. */
#include "fixture.h"

#include <float.h>
#include <math.h>

/* From the first training value's encoder: one column beside the target. */
static struct encoder *fit_one(struct fixture *fixture, enum pg_type type, enum column_as as,
                               const struct cell *cells, size_t n)
{
    struct encoder_target target = {0};

    fixture_column(fixture, "y", PG_INT4);
    fixture_column(fixture, "x", type);
    if (as != AS_AUTO)
        fixture_as(fixture, "x", as);
    fixture_ready(fixture);
    for (size_t i = 0; i < n; i++)
        fixture_row(fixture, (struct cell[]){int_cell(0), cells[i]});
    return fixture_fit(fixture, n, &target);
}

static const struct {
    enum pg_type type;
    struct cell cell;
    float expected;
} numbers[] = {
    {PG_BOOL, {.kind = CELL_BOOL, .bool_value = true}, 1},
    {PG_BOOL, {.kind = CELL_BOOL, .bool_value = false}, 0},
    {PG_BOOL, {.kind = CELL_BOOL, .is_null = true}, NAN},
    {PG_INT2, {.kind = CELL_INT, .int_value = -32768}, -32768},
    {PG_INT4, {.kind = CELL_INT, .int_value = 16777217}, 16777216}, /* tie to even */
    {PG_INT4, {.kind = CELL_INT, .int_value = 16777219}, 16777220},
    {PG_INT4, {.kind = CELL_INT, .int_value = 0}, 0},
    {PG_INT4, {.kind = CELL_INT, .is_null = true}, NAN},
    {PG_INT8, {.kind = CELL_INT, .int_value = INT64_MAX}, 9223372036854775808.0F},
    {PG_INT8, {.kind = CELL_INT, .int_value = INT64_MIN}, -9223372036854775808.0F},
    /* 2^53 + 2^29 + 1: by way of the double it is a tie, straight to float32 it would round up */
    {PG_INT8, {.kind = CELL_INT, .int_value = INT64_C(9007199791611905)}, 9007199254740992.0F},
    {PG_FLOAT4, {.kind = CELL_FLOAT4, .float_value = 0.1F}, 0.1F},
    {PG_FLOAT4, {.kind = CELL_FLOAT4, .float_value = -0.0F}, 0},
    {PG_FLOAT4, {.kind = CELL_FLOAT4, .float_value = INFINITY}, FLT_MAX},
    {PG_FLOAT4, {.kind = CELL_FLOAT4, .float_value = -INFINITY}, -FLT_MAX},
    {PG_FLOAT4, {.kind = CELL_FLOAT4, .float_value = FLT_TRUE_MIN}, FLT_TRUE_MIN},
    {PG_FLOAT4, {.kind = CELL_FLOAT4, .float_value = NAN}, NAN},
    {PG_FLOAT4, {.kind = CELL_FLOAT4, .is_null = true}, NAN},
    {PG_FLOAT8, {.kind = CELL_DOUBLE, .double_value = 0.1}, 0.1F},
    {PG_FLOAT8, {.kind = CELL_DOUBLE, .double_value = -0.0}, 0},
    {PG_FLOAT8, {.kind = CELL_DOUBLE, .double_value = HUGE_VAL}, FLT_MAX}, /* also 1e400 */
    {PG_FLOAT8, {.kind = CELL_DOUBLE, .double_value = -HUGE_VAL}, -FLT_MAX},
    {PG_FLOAT8, {.kind = CELL_DOUBLE, .double_value = 3.5e38}, FLT_MAX},
    {PG_FLOAT8, {.kind = CELL_DOUBLE, .double_value = -DBL_MAX}, -FLT_MAX},
    {PG_FLOAT8, {.kind = CELL_DOUBLE, .double_value = FLT_MAX}, FLT_MAX},
    {PG_FLOAT8, {.kind = CELL_DOUBLE, .double_value = 1e-40}, 0x1.16c2p-133F}, /* denormal */
    {PG_FLOAT8, {.kind = CELL_DOUBLE, .double_value = 1e-46}, 0},
    {PG_FLOAT8, {.kind = CELL_DOUBLE, .double_value = -1e-46}, 0}, /* not -0 */
    {PG_FLOAT8, {.kind = CELL_DOUBLE, .double_value = DBL_TRUE_MIN}, 0},
    {PG_FLOAT8, {.kind = CELL_DOUBLE, .double_value = NAN}, NAN},
    {PG_FLOAT8, {.kind = CELL_DOUBLE, .is_null = true}, NAN},
    {PG_NUMERIC, {.kind = CELL_DOUBLE, .double_value = 16777217}, 16777216},
    {PG_NUMERIC, {.kind = CELL_DOUBLE, .double_value = HUGE_VAL}, FLT_MAX},
    {PG_NUMERIC, {.kind = CELL_DOUBLE, .is_null = true}, NAN},
};

static void test_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(numbers); i++) {
        struct fixture fixture = {0};
        struct encoder *encoder = fit_one(&fixture, numbers[i].type, AS_AUTO, &numbers[i].cell, 1);
        float cell = 7, row = 7;
        struct err err;
        char what[32];

        snprintf(what, sizeof(what), "number %zu", i);
        assert_int_equal(encoder->n_features, 1);
        assert_string_equal(encoder->feature_names[0], "x");
        assert_string_equal(encoder->feature_types[0], numbers[i].type == PG_BOOL ? "i" : "q");
        encode_cell(encoder, &encoder->columns[0], &numbers[i].cell, &cell);
        check_float(cell, numbers[i].expected, what);
        OK(encoder_apply(encoder, fixture.frame, fixture.rows, 1, &row, &err));
        check_float(row, numbers[i].expected, what);
        encoder_free(encoder);
        fixture_release(&fixture);
    }
}

static void test_bool_as_number(void **state)
{
    struct fixture fixture = {0};
    struct cell cell = bool_cell(true);
    struct encoder *encoder = fit_one(&fixture, PG_BOOL, AS_NUMBER, &cell, 1);
    float feature;

    (void)state;
    encode_cell(encoder, &encoder->columns[0], &cell, &feature);
    check_float(feature, 1, "true");
    encoder_free(encoder);
    fixture_release(&fixture);
}

/* Microseconds since 2000 by Python's datetime; hours as fractions of 60ths. */
#define HOUR(h, m, s) ((float)((h) + ((m) + (s) / 60.0) / 60.0))
static const struct {
    const char *what;
    enum pg_type type;
    const char *timezone;
    int64_t start_us, value_us;
    float days, month, day, weekday, hour;
} times[] = {
    {"1999-12-31", PG_DATE, "UTC", -86400000000, -86400000000, 0, 12, 31, 5, NAN},
    {"1970-01-01", PG_DATE, "UTC", 0, -946684800000000, -10957, 1, 1, 4, NAN},
    {"2013-03-30, zone of no matter", PG_DATE, "Europe/Zurich", 0, 417916800000000, 4837, 3, 30, 6,
     NAN},
    {"2013-01-01 05:00", PG_TIMESTAMP, "UTC", 410227200000000, 410331600000000, (float)(29.0 / 24),
     1, 1, 2, 5},
    {"1999-12-31 18:30", PG_TIMESTAMP, "Europe/Zurich", 0, -19800000000, (float)(-5.5 / 24), 12, 31,
     5, 18.5F},
    {"2012-02-29 23:59:59.999999", PG_TIMESTAMP, "UTC", 383875199999999, 383875199999999, 0, 2, 29,
     3, (float)(86399999999.0 / 3600e6)},
    {"in UTC", PG_TIMESTAMPTZ, "UTC", 418003200000000, 418006799000000, (float)(3599.0 / 86400), 3,
     31, 7, HOUR(0, 59, 59)},
    /* Zurich springs from 02:00 to 03:00 at 01:00 UTC … */
    {"before summer", PG_TIMESTAMPTZ, "Europe/Zurich", 418006799000000, 418006799000000, 0, 3, 31,
     7, HOUR(1, 59, 59)},
    {"summer", PG_TIMESTAMPTZ, "Europe/Zurich", 418006799000000, 418006800000000,
     (float)(1.0 / 86400), 3, 31, 7, 3},
    /* … and lives through 02:30 twice in October: an hour of days apart, the same hour */
    {"first 02:30", PG_TIMESTAMPTZ, "Europe/Zurich", 436149000000000, 436149000000000, 0, 10, 27, 7,
     2.5F},
    {"second 02:30", PG_TIMESTAMPTZ, "Europe/Zurich", 436149000000000, 436152600500000,
     (float)(3600.5 / 86400), 10, 27, 7, (float)(9000.5 / 3600)},
    {"the year turns in Zurich", PG_TIMESTAMPTZ, "Europe/Zurich", 0, 410311800000000,
     (float)(410311800000000 / 86400e6), 1, 1, 2, 0.5F},
    /* Postgres's last timestamp after its first: more than an int64 of microseconds */
    {"294276-12-31", PG_TIMESTAMP, "UTC", -211813488000000000, 9223371331199999999, 109203528.0F,
     12, 31, 7, 24},
};

static void test_times(void **state)
{
    static const char *const names[] = {"x.days", "x.month", "x.day", "x.weekday", "x.hour"};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(times); i++) {
        struct fixture fixture = {.project = {.timezone = times[i].timezone}};
        const struct cell cells[] = {null_of(times[i].type), time_cell(times[i].start_us + 1000),
                                     time_cell(times[i].start_us)};
        const struct cell value = time_cell(times[i].value_us);
        const float expected[] = {times[i].days, times[i].month, times[i].day, times[i].weekday,
                                  times[i].hour};
        int n = times[i].type == PG_DATE ? 4 : 5;
        struct encoder *encoder = fit_one(&fixture, times[i].type, AS_TIMESTAMP, cells, 3);
        float features[5];

        assert_int_equal(encoder->n_features, n);
        assert_true(encoder->columns[0].start_us == times[i].start_us);
        encode_cell(encoder, &encoder->columns[0], &value, features);
        for (int k = 0; k < n; k++) {
            char what[96];

            snprintf(what, sizeof(what), "%s: %s", times[i].what, names[k]);
            assert_string_equal(encoder->feature_names[k], names[k]);
            assert_string_equal(encoder->feature_types[k], "q");
            check_float(features[k], expected[k], what);
        }
        encode_cell(encoder, &encoder->columns[0], &cells[0], features);
        for (int k = 0; k < n; k++)
            check_float(features[k], NAN, "a NULL time");
        encoder_free(encoder);
        fixture_release(&fixture);
    }
}

/* A column that is always NULL still has its features, whatever the type. */
static void test_all_null(void **state)
{
    static const struct {
        enum pg_type type;
        int n_features;
    } columns[] = {{PG_BOOL, 1},      {PG_INT8, 1}, {PG_FLOAT4, 1},    {PG_NUMERIC, 1},
                   {PG_TEXT_TYPE, 1}, {PG_DATE, 4}, {PG_TIMESTAMP, 5}, {PG_TIMESTAMPTZ, 5}};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(columns); i++) {
        struct fixture fixture = {0};
        const struct cell null = null_of(columns[i].type);
        struct encoder *encoder = fit_one(&fixture, columns[i].type, AS_AUTO, &null, 1);
        float features[5];
        struct err err;

        assert_int_equal(encoder->n_features, columns[i].n_features);
        OK(encoder_apply(encoder, fixture.frame, fixture.rows, 1, features, &err));
        for (int k = 0; k < encoder->n_features; k++)
            check_float(features[k], NAN, "a NULL");
        encoder_free(encoder);
        fixture_release(&fixture);
    }
}

/* Rows are taken in the order asked for, features lie side by side, what was not set is missing. */
static void test_matrix(void **state)
{
    static const float expected[] = {1, 30, 2, NAN, 0, NAN, 1, 10};
    struct fixture fixture = {0};
    struct encoder_target target = {0};
    struct encoder *encoder;
    float matrix[8], missing[2] = {0};
    struct err err;

    (void)state;
    fixture_column(&fixture, "y", PG_INT4);
    fixture_column(&fixture, "flag", PG_TEXT_TYPE);
    fixture_column(&fixture, "n", PG_INT2);
    fixture_ready(&fixture);
    fixture_row(&fixture, (struct cell[]){int_cell(0), text_cell("a"), int_cell(10)});
    fixture_row(&fixture, (struct cell[]){int_cell(0), text_cell("b"), null_of(PG_INT2)});
    fixture_row(&fixture, (struct cell[]){int_cell(0), text_cell("a"), int_cell(30)});
    fixture_row(&fixture, (struct cell[]){int_cell(0), text_cell("b"), int_cell(40)});
    fixture_row(&fixture, (struct cell[]){int_cell(0), text_cell("c"), null_of(PG_INT2)});
    encoder = fixture_fit(&fixture, 4, &target);
    OK(encoder_apply(encoder, fixture.frame, (uint32_t[]){2, 1, 4, 0}, 4, matrix, &err));
    for (size_t i = 0; i < N_ELEMENTS(expected); i++)
        check_float(matrix[i], expected[i], "matrix");
    encode_missing(encoder, missing);
    check_float(missing[0], NAN, "missing");
    check_float(missing[1], NAN, "missing");
    assert_int_equal(strmap_find(&encoder->column_names, "n", 1), 1);
    assert_int_equal(strmap_find(&encoder->other_names, "y", 1), 0);
    assert_int_equal(strmap_find(&encoder->column_names, "y", 1), STRMAP_NONE);
    encoder_free(encoder);
    fixture_release(&fixture);
}

/* A frame that lost a column, or has it as another type. */
static void test_conflicts(void **state)
{
    struct fixture fixture = {0};
    struct encoder_target target = {0};
    const char *const names[] = {"y", "x"};
    struct encoder *encoder = NULL, *refused = NULL;
    CLEANUP(frame_freep) struct frame *other = NULL, *without = NULL;
    float feature;
    struct err err;

    (void)state;
    fixture_column(&fixture, "y", PG_INT4);
    fixture_column(&fixture, "x", PG_INT4);
    fixture_ready(&fixture);
    encoder = fixture_fit(&fixture, 0, &target);
    OK(frame_new(names, (enum pg_type[]){PG_INT4, PG_INT8}, 2, &other, &err));
    OK(frame_new(names, (enum pg_type[]){PG_INT4}, 1, &without, &err));
    assert_int_equal(encoder_apply(encoder, other, NULL, 0, &feature, &err), ERR_CONFLICT);
    assert_string_equal(err.message, "column \"x\" is of type int8, the encoder reads int4");
    assert_int_equal(encoder_apply(encoder, without, NULL, 0, &feature, &err), ERR_CONFLICT);
    assert_string_equal(err.message, "the rows have no column \"x\", which the encoder reads");
    assert_int_equal(
        encoder_fit(fixture.schema, &fixture.project, without, NULL, 0, &target, &refused, &err),
        ERR_CONFLICT);
    assert_null(refused);
    fixture.project.timezone = "Europe/Atlantis";
    assert_int_equal(encoder_fit(fixture.schema, &fixture.project, fixture.frame, NULL, 0, &target,
                                 &refused, &err),
                     ERR_INVALID);
    assert_null(refused);
    encoder_free(encoder);
    encoder_free(NULL);
    fixture_release(&fixture);
}

/* XGBoost's Python refuses "[", "]" and "<"; two names must never be one. */
static void test_names(void **state)
{
    static const char *const expected[] = {
        "a_b",   "a_b_2",     "a_b_2_2", "t.days", "t.days_2",        "t.month",
        "t.day", "t.weekday", "größe",   "x_y_",   "\"quoted\" name",
    };
    struct fixture fixture = {0};
    struct encoder_target target = {0};
    struct encoder *encoder;

    (void)state;
    fixture_column(&fixture, "y", PG_INT4);
    fixture_column(&fixture, "a[b", PG_INT4);
    fixture_column(&fixture, "a]b", PG_INT4);
    fixture_column(&fixture, "a<b_2", PG_INT4);
    fixture_column(&fixture, "t.days", PG_INT4);
    fixture_column(&fixture, "t", PG_DATE);
    fixture_column(&fixture, "größe", PG_INT4);
    fixture_column(&fixture, "x\ny\xff", PG_INT4);
    fixture_column(&fixture, "\"quoted\" name", PG_INT4);
    fixture_ready(&fixture);
    encoder = fixture_fit(&fixture, 0, &target);
    assert_int_equal(encoder->n_features, N_ELEMENTS(expected));
    for (size_t i = 0; i < N_ELEMENTS(expected); i++)
        assert_string_equal(encoder->feature_names[i], expected[i]);
    encoder_free(encoder);
    fixture_release(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_bool_as_number),
        cmocka_unit_test(test_times),   cmocka_unit_test(test_all_null),
        cmocka_unit_test(test_matrix),  cmocka_unit_test(test_conflicts),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests_name("feature/encode", tests, NULL, NULL);
}
