/* The encoder as JSON: exact, strict, and the same through jsonb. */
#include "fixture.h"

#include <math.h>

#include "base/json.h"
#include "base/random.h"

#define N_ROWS     5400
#define N_TRAINING 5000

static const struct {
    const char *name;
    enum pg_type type;
    enum column_as as;
    unsigned n_values; /* distinct texts or whole numbers */
} random_columns[] = {
    {"y", PG_FLOAT8, AS_AUTO, 0},
    {"flag", PG_BOOL, AS_AUTO, 0},
    {"flag \"as\" category", PG_BOOL, AS_CATEGORY, 0},
    {"small", PG_INT2, AS_AUTO, 100},
    {"int\\category", PG_INT4, AS_CATEGORY, 30},
    {"real", PG_FLOAT4, AS_AUTO, 0},
    {"double", PG_FLOAT8, AS_AUTO, 0},
    {"numeric", PG_NUMERIC, AS_AUTO, 0},
    {"few", PG_TEXT_TYPE, AS_AUTO, 20},
    {"more", PG_BPCHAR, AS_AUTO, 300},
    {"many", PG_ENUM, AS_AUTO, 1200},
    {"größe", PG_DATE, AS_AUTO, 0},
    {"at", PG_TIMESTAMP, AS_AUTO, 0},
    {"at [tz]", PG_TIMESTAMPTZ, AS_AUTO, 0},
    {"never", PG_TEXT_TYPE, AS_AUTO, 0},
    {"token", PG_OTHER, AS_AUTO, 10},
    {"scaled", PG_FLOAT8, AS_AUTO, 0},
    {"tiny", PG_NUMERIC, AS_AUTO, 0},
    {"one-hot", PG_INT2, AS_AUTO, 40},
    {"means", PG_TEXT_TYPE, AS_AUTO, 50},
    {"words", PG_TEXT_TYPE, AS_TEXT, 30},
    {"lists", PG_FLOAT8_ARRAY, AS_AUTO, 5},
    {"vector", PG_VECTOR, AS_AUTO, 0},
    {"during", PG_TSTZ_RANGE, AS_AUTO, 0},
    {"tags", PG_TEXT_ARRAY, AS_AUTO, 9},
    {"json", PG_JSON, AS_AUTO, 70},
};

/* What more is said of some of them. */
static const struct column_override options[] = {
    {.column = "scaled", .impute = IMPUTE_MEAN, .scale = SCALE_STANDARD},
    {.column = "tiny", .impute = IMPUTE_RANDOM, .scale = SCALE_ROBUST},
    {.column = "one-hot", .as = AS_CATEGORY, .encode = COLUMN_ONEHOT, .impute = IMPUTE_MODE},
    {.column = "means", .encode = COLUMN_TARGET_MEANS, .impute = IMPUTE_MODE},
};

static double random_double(struct rng *rng)
{
    static const double edges[] = {0, -0.0, HUGE_VAL, -HUGE_VAL, 1e-46, -1e-40, 4e38, 0.1};
    uint64_t pick = rng_below(rng, 20);

    return pick < N_ELEMENTS(edges) ? edges[pick] : (rng_uniform(rng) - 0.5) * exp2((double)pick);
}

/* What a cell points into. */
struct scratch {
    char text[80];
    double items[8];
    struct cell_string tags[8];
    char tag_texts[8][8];
};

static struct cell random_list(struct rng *rng, enum pg_type type, unsigned n,
                               struct scratch *scratch)
{
    size_t n_items = type == PG_TSTZ_RANGE ? 2 : n == 0 ? 3 : rng_below(rng, n);

    for (size_t i = 0; i < n_items; i++)
        scratch->items[i] = rng_below(rng, 5) == 0  ? NAN
                            : type == PG_TSTZ_RANGE ? trunc(rng_uniform(rng) * 1e15)
                                                    : random_double(rng);
    return (struct cell){.kind = CELL_LIST, .items = scratch->items, .n_items = n_items};
}

static struct cell random_tags(struct rng *rng, unsigned n, struct scratch *scratch)
{
    size_t n_items = rng_below(rng, 8);

    for (size_t i = 0; i < n_items; i++) {
        snprintf(scratch->tag_texts[i], 8, "t%u", (unsigned)rng_below(rng, n));
        scratch->tags[i] = (struct cell_string){scratch->tag_texts[i], 2};
    }
    return (struct cell){.kind = CELL_TEXTS, .texts = scratch->tags, .n_items = n_items};
}

static struct cell random_json(struct rng *rng, unsigned n, struct scratch *scratch)
{
    static const char *const lists[] = {"[]", "[1,[2]]", "null", "7"};

    snprintf(scratch->text, sizeof(scratch->text),
             "{\"a\":{\"n\":%.17g},\"c\":\"t%u\",\"b\":%s,\"l\":%s}", rng_uniform(rng),
             (unsigned)rng_below(rng, n), rng_below(rng, 2) ? "true" : "false",
             lists[rng_below(rng, 4)]);
    return json_cell(scratch->text);
}

static struct cell random_cell(struct rng *rng, size_t column, struct scratch *scratch)
{
    enum pg_type type = random_columns[column].type;
    unsigned n = random_columns[column].n_values;

    if (rng_below(rng, 20) == 0 || strcmp(random_columns[column].name, "never") == 0)
        return null_of(type);
    switch (cell_kind_of(type)) {
    case CELL_BOOL:
        return bool_cell(rng_below(rng, 2));
    case CELL_INT:
        return int_cell((int64_t)rng_below(rng, n) - n / 2);
    case CELL_FLOAT4:
        return float_cell((float)random_double(rng));
    case CELL_DOUBLE:
        return double_cell(random_double(rng));
    case CELL_TEXT:
        snprintf(scratch->text, sizeof(scratch->text), "t\"%u\\\xf0\x9f\x98\x80\n",
                 (unsigned)rng_below(rng, n));
        return text_cell(scratch->text);
    case CELL_LIST:
        return random_list(rng, type, n, scratch);
    case CELL_TEXTS:
        return random_tags(rng, n, scratch);
    case CELL_JSON:
        return random_json(rng, n, scratch);
    case CELL_TIMESTAMP:
        break;
    }
    return time_cell((int64_t)rng_below(rng, 2000000000000000) - 500000000000000);
}

/* scale is the target's: means are as small or as large. */
static struct encoder *fit_random(struct fixture *fixture, uint64_t seed, double scale,
                                  double *values)
{
    struct encoder_target target = {1, values, NULL};
    struct rng rng;

    rng_init(&rng, seed);
    fixture->project.timezone = "Europe/Zurich";
    for (size_t i = 0; i < N_ELEMENTS(random_columns); i++) {
        fixture_column(fixture, random_columns[i].name, random_columns[i].type);
        if (random_columns[i].as != AS_AUTO)
            fixture_as(fixture, random_columns[i].name, random_columns[i].as);
    }
    for (size_t i = 0; i < N_ELEMENTS(options); i++)
        fixture->overrides[fixture->project.n_overrides++] = options[i];
    fixture_ready(fixture);
    for (size_t row = 0; row < N_ROWS; row++) {
        struct cell cells[N_ELEMENTS(random_columns)];
        static struct scratch scratch[N_ELEMENTS(random_columns)];

        for (size_t i = 0; i < N_ELEMENTS(random_columns); i++)
            cells[i] = random_cell(&rng, i, &scratch[i]);
        values[row] = rng_uniform(&rng) * scale;
        fixture_row(fixture, cells);
    }
    return fixture_fit(fixture, N_TRAINING, &target);
}

/* jsonb stores numbers as numeric, which prints no exponent: "1.5e-09" becomes "0.0000000015". */
static void put_without_exponent(struct buf *out, const char *text, size_t length)
{
    const char *e = memchr(text, 'e', length);
    char digits[64];
    int n = 0, exponent, point = -1;

    if (e == NULL) {
        buf_append(out, text, length);
        return;
    }
    if (*text == '-') {
        buf_putc(out, '-');
        text++;
    }
    for (const char *c = text; c < e; c++) {
        if (*c == '.')
            point = n;
        else
            digits[n++] = *c;
    }
    exponent = atoi(e + 1) + (point < 0 ? n : point); /* digits before the point */
    if (exponent <= 0) {
        buf_puts(out, "0.");
        for (int i = exponent; i < 0; i++)
            buf_putc(out, '0');
        buf_append(out, digits, (size_t)n);
        return;
    }
    for (int i = 0; i < exponent || i < n; i++) {
        if (i == exponent)
            buf_putc(out, '.');
        buf_putc(out, i < n ? digits[i] : '0');
    }
}

static void through_jsonb(const struct buf *json, struct buf *out)
{
    struct json_reader reader;
    const char *copied = json->data;
    enum json_token token;
    struct err err;

    json_reader_init(&reader, json->data, json->length);
    while ((token = json_next(&reader, &err)) != JSON_END) {
        assert_int_not_equal(token, JSON_ERROR);
        if (token != JSON_NUMBER)
            continue;
        buf_append(out, copied, (size_t)(reader.text - copied));
        put_without_exponent(out, reader.text, reader.length);
        copied = reader.text + reader.length;
    }
    buf_append(out, copied, (size_t)(json->data + json->length - copied));
}

static void check_same_features(const struct encoder *a, const struct encoder *b,
                                const struct fixture *fixture)
{
    size_t n_values = (size_t)a->n_features * N_ROWS;
    CLEANUP(free_ptr) float *from_a = calloc(n_values, sizeof(float));
    CLEANUP(free_ptr) float *from_b = calloc(n_values, sizeof(float));
    struct err err;

    assert_int_equal(a->n_features, b->n_features);
    OK(encoder_apply(a, fixture->frame, fixture->rows, N_ROWS, from_a, &err));
    OK(encoder_apply(b, fixture->frame, fixture->rows, N_ROWS, from_b, &err));
    for (size_t i = 0; i < n_values; i++)
        check_float(from_b[i], from_a[i], a->feature_names[i % (size_t)a->n_features]);
}

/* What a request does, one cell at a time, is what a frame gives. */
static void check_cells(const struct encoder *encoder, const struct fixture *fixture)
{
    CLEANUP(free_ptr) float *row = calloc((size_t)encoder->n_features, sizeof(float));
    CLEANUP(free_ptr) float *cells = calloc((size_t)encoder->n_features, sizeof(float));
    struct err err;

    for (uint32_t i = 0; i < N_ROWS; i += 13) {
        OK(encoder_apply(encoder, fixture->frame, &i, 1, row, &err));
        encode_missing(encoder, cells);
        for (int k = 0; k < encoder->n_columns; k++) {
            const struct encoder_column *column = &encoder->columns[k];
            int index = frame_find(fixture->frame, column->name);
            struct cell cell;

            column_cell(&fixture->frame->columns[index], i, &cell);
            if (!cell.is_null)
                encode_cell(encoder, column, &cell, cells);
        }
        for (int k = 0; k < encoder->n_features; k++)
            check_float(cells[k], row[k], encoder->feature_names[k]);
    }
}

static void test_round_trip(void **state)
{
    static const double scales[] = {1, 3e38, 1e-36};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(scales); i++) {
        CLEANUP(buf_release) struct buf json = {0}, again = {0}, jsonb = {0}, from_jsonb = {0};
        CLEANUP(free_ptr) double *values = calloc(N_ROWS, sizeof(double));
        CLEANUP(encoder_freep) struct encoder *loaded = NULL, *stored = NULL;
        struct fixture fixture = {0};
        struct encoder *encoder = fit_random(&fixture, 7 + i, scales[i], values);
        struct err err;

        assert_int_equal(encoder->columns[9].n_means, 1); /* "many" has means, or this tests less */
        OK(encoder_to_json(encoder, &json, &err));
        OK(encoder_from_json(json.data, json.length, &loaded, &err));
        OK(encoder_to_json(loaded, &again, &err));
        assert_string_equal(again.data, json.data);
        through_jsonb(&json, &jsonb);
        OK(encoder_from_json(jsonb.data, jsonb.length, &stored, &err));
        OK(encoder_to_json(stored, &from_jsonb, &err));
        assert_string_equal(from_jsonb.data, json.data);
        check_same_features(encoder, loaded, &fixture);
        check_cells(loaded, &fixture);
        for (int k = 0; k < encoder->n_features; k++) {
            assert_string_equal(loaded->feature_names[k], encoder->feature_names[k]);
            assert_string_equal(loaded->feature_types[k], encoder->feature_types[k]);
        }
        assert_int_equal(strmap_find(&loaded->other_names, "token", 5), 1);
        encoder_free(encoder);
        fixture_release(&fixture);
    }
}

/* Times whose microseconds are more than a double holds. */
static void test_start_is_exact(void **state)
{
    struct encoder_target target = {0};
    struct fixture fixture = {0};
    CLEANUP(buf_release) struct buf json = {0};
    CLEANUP(encoder_freep) struct encoder *loaded = NULL;
    struct encoder *encoder;
    struct err err;

    (void)state;
    fixture_column(&fixture, "y", PG_INT4);
    fixture_column(&fixture, "at", PG_TIMESTAMP);
    fixture_ready(&fixture);
    fixture_row(&fixture, (struct cell[]){int_cell(0), time_cell(9223371331199999999)});
    encoder = fixture_fit(&fixture, 1, &target);
    OK(encoder_to_json(encoder, &json, &err));
    OK(encoder_from_json(json.data, json.length, &loaded, &err));
    assert_true(loaded->columns[0].start_us == 9223371331199999999);
    encoder_free(encoder);
    fixture_release(&fixture);
}

static const char valid[] =
    "{\"version\":1,\"timezone\":\"UTC\",\"columns\":["
    "{\"name\":\"n\",\"type\":\"int4\",\"encoding\":\"number\",\"first_feature\":0},"
    "{\"name\":\"c\",\"type\":\"text\",\"encoding\":\"category\",\"first_feature\":1,"
    "\"code\":false,\"frequency\":true,\"n_means\":1,\"categories\":[\"a\",\"b\"],"
    "\"frequencies\":[0.75,0.25],\"means\":[1.5,2.5],\"prior\":[2]},"
    "{\"name\":\"d\",\"type\":\"date\",\"encoding\":\"timestamp\",\"first_feature\":3,"
    "\"start_us\":\"-86400000000\"}"
    "],\"features\":[{\"name\":\"n\",\"type\":\"q\"},{\"name\":\"c.mean\",\"type\":\"q\"},"
    "{\"name\":\"c.frequency\",\"type\":\"q\"},{\"name\":\"d.days\",\"type\":\"q\"},"
    "{\"name\":\"d.month\",\"type\":\"q\"},{\"name\":\"d.day\",\"type\":\"q\"},"
    "{\"name\":\"d.weekday\",\"type\":\"q\"}],\"other_columns\":[\"y\"]}";

static void test_valid(void **state)
{
    CLEANUP(encoder_freep) struct encoder *encoder = NULL;
    CLEANUP(buf_release) struct buf json = {0};
    float features[7];
    struct cell cell = text_cell("b");
    struct err err;

    (void)state;
    OK(encoder_from_json(valid, strlen(valid), &encoder, &err));
    OK(encoder_to_json(encoder, &json, &err));
    assert_string_equal(buf_text(&json), valid);
    encode_cell(encoder, &encoder->columns[1], &cell, features);
    check_float(features[1], 2.5F, "mean");
    check_float(features[2], 0.25F, "frequency");
    cell = text_cell("unseen");
    encode_cell(encoder, &encoder->columns[1], &cell, features);
    check_float(features[1], 2, "prior");
    check_float(features[2], 0, "frequency");
}

/* The first `from` of the valid text becomes `to`. */
static const struct {
    const char *from, *to, *message;
} damages[] = {
    {"\"version\":1", "\"version\":2", "it is of version 2, this program knows 1"},
    {"\"version\":1", "\"version\":\"1\"", "\"version\" is not a number"},
    {"\"version\":1,", "", "\"version\" is missing"},
    {"\"version\":1", "\"version\":1,\"colour\":3",
     "it has a member that this program does not know"},
    {"\"timezone\":\"UTC\"", "\"timezone\":\"Atlantis\"", "Atlantis"},
    {"\"timezone\":\"UTC\"", "\"timezone\":3", "\"timezone\" is not a string"},
    {"\"other_columns\":[\"y\"]", "\"other_columns\":{}", "\"other_columns\" is not an array"},
    {"[\"y\"]", "[\"y\",\"y\"]", "\"other_columns\" holds a string twice"},
    {"[\"y\"]", "[null]", "\"other_columns\" holds something other than strings"},
    {"\"int4\"", "\"int5\"", "column 0: \"type\" is not one this program knows"},
    {"\"int4\"", "\"text\"", "column 0: type text cannot be encoded as number"},
    {"\"encoding\":\"number\"", "\"encoding\":\"nombre\"",
     "column 0: \"encoding\" is not one this program knows"},
    {"\"encoding\":\"number\",", "", "column 0: \"encoding\" is missing"},
    {"\"encoding\":\"number\",", "\"encoding\":\"number\",\"start_us\":\"1\",",
     "column 0: it has a member that this program does not know"},
    {"\"encoding\":\"number\"", "\"encoding\":\"category\"", "column 0: \"code\" is missing"},
    {"\"first_feature\":0", "\"first_feature\":1", "column 0: \"first_feature\" is not 0"},
    {"\"first_feature\":3", "\"first_feature\":3.5", "column 2: \"first_feature\" is not 3"},
    {"{\"name\":\"n\",\"type\":\"int4\",\"encoding\":\"number\",\"first_feature\":0}", "7",
     "column 0: \"name\" is missing"},
    {"\"name\":\"c\"", "\"name\":\"n\"", "column 1: column \"n\" is there twice"},
    {"\"frequency\":true", "\"frequency\":1", "column 1: \"frequency\" is not true or false"},
    {"\"n_means\":1", "\"n_means\":2", "column 1: \"means\" has 2 values, expected 4"},
    {"\"n_means\":1", "\"n_means\":-1", "\"n_means\" is not a whole number from 0 to 16"},
    {"\"n_means\":1", "\"n_means\":17", "\"n_means\" is not a whole number from 0 to 16"},
    {"\"n_means\":1", "\"n_means\":1.5", "\"n_means\" is not a whole number from 0 to 16"},
    {"\"n_means\":1", "\"n_means\":1e300", "\"n_means\" is not a whole number from 0 to 16"},
    {"[\"a\",\"b\"]", "[\"a\",\"a\"]", "column 1: \"categories\" holds a string twice"},
    {"[\"a\",\"b\"]", "[\"a\",1]", "\"categories\" holds something other than strings"},
    {"[\"a\",\"b\"]", "[\"a\"]", "column 1: \"frequencies\" has 2 values, expected 1"},
    {"[0.75,0.25]", "[0.75]", "column 1: \"frequencies\" has 1 values, expected 2"},
    {"[0.75,0.25]", "[0.75,null]", "\"frequencies\" holds something other than numbers"},
    {"[0.75,0.25]", "[0.75,1e999]", "too large"},
    {"\"prior\":[2]", "\"prior\":[]", "column 1: \"prior\" has 0 values, expected 1"},
    {"\"code\":false", "\"code\":true", "column 2: \"first_feature\" is not 4"},
    {"\"-86400000000\"", "\"\"", "column 2: \"start_us\" is not a whole number"},
    {"\"-86400000000\"", "\"1x\"", "column 2: \"start_us\" is not a whole number"},
    {"\"-86400000000\"", "\"9223372036854775808\"", "column 2: \"start_us\" is not a whole number"},
    {"\"-86400000000\"", "-86400000000", "column 2: \"start_us\" is not a string"},
    {",{\"name\":\"d.weekday\",\"type\":\"q\"}", "", "\"features\" has 6 values, expected 7"},
    {"\"c.mean\",\"type\":\"q\"", "\"c.mean\",\"type\":\"c\"", "feature 1: \"type\" is not \"q\""},
    {"\"name\":\"c.mean\",", "", "feature 1: \"name\" is missing"},
    {"\"c.mean\"", "\"n\"", "two features are named \"n\""},
    {"\"c.mean\",", "\"c.mean\",\"x\":1,", "feature 1: it has a member"},
    {"\"name\":\"n\"", "\"name\":\"n\",\"name\":\"n\"", "more than once"},
    {"{\"version\":1", "[{\"version\":1", "the encoder: "},
};

static void test_damages(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(damages); i++) {
        CLEANUP(buf_release) struct buf json = {0};
        const char *at = strstr(valid, damages[i].from);
        struct encoder *encoder = NULL;
        struct err err = {0};

        assert_non_null(at);
        buf_append(&json, valid, (size_t)(at - valid));
        buf_puts(&json, damages[i].to);
        buf_puts(&json, at + strlen(damages[i].from));
        if (encoder_from_json(json.data, json.length, &encoder, &err) != ERR_CORRUPT)
            fail_msg("%s → %s: %s", damages[i].from, damages[i].to, err.message);
        assert_null(encoder);
        if (strstr(err.message, damages[i].message) == NULL)
            fail_msg("\"%s\", expected \"%s\"", err.message, damages[i].message);
        assert_int_equal(encoder_from_json(json.data, json.length, &encoder, NULL), ERR_CORRUPT);
    }
}

/* Cut anywhere, it is refused; so is any other JSON. */
static void test_cut(void **state)
{
    static const char *const others[] = {
        "", "null", "[]", "{}", "1", "\"x\"", "{\"version\":null}"};
    struct encoder *encoder = NULL;

    (void)state;
    for (size_t length = 0; length < strlen(valid); length++)
        assert_int_equal(encoder_from_json(valid, length, &encoder, NULL), ERR_CORRUPT);
    for (size_t i = 0; i < N_ELEMENTS(others); i++)
        assert_int_equal(encoder_from_json(others[i], strlen(others[i]), &encoder, NULL),
                         ERR_CORRUPT);
    assert_null(encoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_start_is_exact),
        cmocka_unit_test(test_valid),      cmocka_unit_test(test_damages),
        cmocka_unit_test(test_cut),
    };

    return cmocka_run_group_tests_name("feature/encoder_json", tests, NULL, NULL);
}
