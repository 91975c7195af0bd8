/* JSON documents: which paths become features, and what a document gives for them. */
#include "fixture.h"

#include <float.h>
#include <math.h>

static struct encoder *fit(struct fixture *fixture, const char *const *documents, size_t n)
{
    CLEANUP(free_ptr) struct cell *rows = calloc(n + 1, sizeof(*rows));
    struct encoder_target target = {0};

    for (size_t i = 0; i < n; i++)
        rows[i] = documents[i] == NULL ? null_of(PG_JSON) : json_cell(documents[i]);
    return reloaded(
        fixture_fit_one(fixture, PG_JSON, (struct column_override){0}, rows, n, &target));
}

static const struct {
    const char *what;
    const char *rows[5];
    int n_rows;
    const char *names, *types;
    struct {
        const char *document;
        float expected[6];
    } values[12];
    int n_values;
} cases[] = {
    {"kinds of values",
     {"{\"n\": 1, \"s\": \"red\", \"b\": true, \"z\": null, \"l\": [1, {\"x\": 2}]}",
      "{\"n\": 2.5, \"s\": \"red\", \"b\": false, \"o\": {\"p\": 7}}",
      "{\"n\": -3, \"s\": \"blue\", \"b\": null}", NULL},
     4,
     "x.n x.s x.b x.l.len x.o.p",
     "qciqq",
     {{"{\"n\": 0.1, \"s\": \"red\", \"b\": true, \"l\": [], \"o\": {\"p\": 1}}",
       {0.1F, 1, 1, 0, 1}},
      {"{\"l\": [[1, 2], 3, null]}", {NAN, NAN, NAN, 3, NAN}},
      {"{\"n\": \"1\", \"s\": 1, \"b\": 1, \"l\": 1, \"o\": 1}", {NAN, 0, NAN, NAN, NAN}},
      {"{\"n\": null, \"s\": null}", {NAN, NAN, NAN, NAN, NAN}},
      {"{\"n\": 1e400, \"s\": \"r\\u0065d\"}", {FLT_MAX, 1, NAN, NAN, NAN}},
      {"{\"n\": -0, \"s\": \"blue\"}", {0, 0, NAN, NAN, NAN}},
      {"{\"\\u006e\": 4}", {4, NAN, NAN, NAN, NAN}},
      {"{\"n\": 1, \"o\": {\"p\": 2}, \"n\": [1], \"o\": {}}", {NAN, NAN, NAN, NAN, NAN}},
      {"{\"o\": {\"p\": 1, \"p\": 5}}", {NAN, NAN, NAN, NAN, 5}},
      {"{}", {NAN, NAN, NAN, NAN, NAN}},
      {"{\"n\": 1", {NAN, NAN, NAN, NAN, NAN}}, /* no JSON: nothing of it counts */
      {NULL, {NAN, NAN, NAN, NAN, NAN}}},
     12},
    {"mixed values by their JSON text",
     {"{\"m\": 1}", "{\"m\": \"1\"}", "{\"m\": true}", "{\"m\": 1.0}", "{\"m\": \"1\"}"},
     5,
     "x.m",
     "c",
     {{"{\"m\": \"1\"}", {1}}, /* "1" before 1 by bytes; true is rare */
      {"{\"m\": 1}", {2}},
      {"{\"m\": 1e0}", {2}},
      {"{\"m\": 10e-1}", {2}},
      {"{\"m\": true}", {0}},
      {"{\"m\": [1]}", {NAN}}},
     6},
    {"names with dots are names",
     {"{\"a.b\": 1, \"a\": {\"b\": 2}, \"\": 3, \"c\\\\d\": 4}"},
     1,
     "x.a.b x.a\\.b x.c\\\\d",
     "qqq",
     {{"{\"a\": {\"b\": 5}, \"a.b\": 6}", {5, 6, NAN}},
      {"{\"a.b\": 6, \"a\": {\"b\": 5}, \"c\\\\d\": 8}", {5, 6, 8}}},
     2},
    {"a document that is a value",
     {"5", "7", "[1, 2]", "{\"k\": 1}"},
     4,
     "x x.len x.k",
     "qqq",
     {{"3", {3, NAN, NAN}}, {" [0] ", {NAN, 1, NAN}}, {"{\"k\": 2}", {NAN, NAN, 2}}},
     3},
    {"only the last of a name counts in training, too",
     {"{\"a\": 1, \"a\": {\"b\": 2}}", "{\"a\": {\"b\": 1}, \"a\": {\"c\": 1}}"},
     2,
     "x.a.b x.a.c",
     "qq",
     {{"{\"a\": {\"b\": 4, \"c\": 5}}", {4, 5}}},
     1},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct fixture fixture = {0};
        struct encoder *encoder = fit(&fixture, cases[i].rows, (size_t)cases[i].n_rows);

        check_features_are(encoder, cases[i].names, cases[i].types);
        for (int k = 0; k < cases[i].n_values; k++) {
            const char *document = cases[i].values[k].document;
            struct cell cell = document == NULL ? null_of(PG_JSON) : json_cell(document);

            check_cell(encoder, &cell, cases[i].values[k].expected,
                       document == NULL ? "NULL" : document);
        }
        encoder_free(encoder);
        fixture_release(&fixture);
    }
}

/* 1 % of the rows, counting those that are NULL: 2 of 200 do, 1 does not. */
static void test_rare_paths(void **state)
{
    const char *documents[200] = {"{\"a\": 1, \"b\": 1}", "{\"a\": 1}", NULL};
    struct fixture fixture = {0};
    struct encoder *encoder;

    (void)state;
    encoder = fit(&fixture, documents, N_ELEMENTS(documents));
    check_features_are(encoder, "x.a", "q");
    encoder_free(encoder);
    fixture_release(&fixture);
}

/* At most 50 paths: the most frequent, then by bytes. */
static void test_many_paths(void **state)
{
    CLEANUP(buf_release) struct buf all = {0};
    const char *documents[2];
    struct fixture fixture = {0};
    struct encoder *encoder;

    (void)state;
    for (int i = 0; i < 60; i++)
        buf_printf(&all, "%s\"k%02d\": 1", i == 0 ? "{" : ", ", i);
    buf_puts(&all, "}");
    documents[0] = buf_text(&all);
    documents[1] = "{\"k59\": 2}";
    encoder = fit(&fixture, documents, 2);
    assert_int_equal(encoder->n_features, 50);
    assert_string_equal(encoder->feature_names[0], "x.k59");
    assert_string_equal(encoder->feature_names[1], "x.k00");
    assert_string_equal(encoder->feature_names[49], "x.k48");
    encoder_free(encoder);
    fixture_release(&fixture);
}

/* A path of 256 bytes is the longest, a text of 256 the longest category, 64 levels the deepest. */
static void test_bounds(void **state)
{
    char name[260], text[260];
    CLEANUP(buf_release) struct buf fits = {0}, longer = {0}, deep = {0}, deeper = {0};
    const char *documents[3];
    struct fixture fixture = {0};
    struct encoder *encoder;
    struct cell cell;

    (void)state;
    memset(name, 'n', sizeof(name));
    memset(text, 't', sizeof(text));
    buf_printf(&fits, "{\"%.254s\": {\"k\": 1}, \"s\": \"%.256s\"}", name, text);
    buf_printf(&longer, "{\"%.255s\": {\"k\": 1}, \"s\": \"%.257s\"}", name, text);
    documents[0] = buf_text(&fits);
    documents[1] = documents[2] = buf_text(&longer);
    encoder = fit(&fixture, documents, 3);
    assert_int_equal(encoder->n_features, 2); /* s in three rows, the path in one */
    cell = json_cell(documents[0]);
    check_cell(encoder, &cell, (float[]){1, 1}, "fits");
    cell = json_cell(documents[1]);
    check_cell(encoder, &cell, (float[]){0, NAN}, "too long");
    for (int i = 0; i < 63; i++) {
        buf_puts(&deep, "[");
        buf_puts(&deeper, "[");
    }
    for (int i = 0; i < 63; i++)
        buf_puts(&deep, "]");
    buf_puts(&deeper, "[]");
    for (int i = 0; i < 63; i++)
        buf_puts(&deeper, "]");
    buf_clear(&fits);
    buf_printf(&fits, "{\"s\": \"%.256s\", \"x\": %s}", text, buf_text(&deep));
    cell = json_cell(buf_text(&fits));
    check_cell(encoder, &cell, (float[]){1, NAN}, "64 levels");
    buf_clear(&fits);
    buf_printf(&fits, "{\"s\": \"%.256s\", \"x\": %s}", text, buf_text(&deeper));
    cell = json_cell(buf_text(&fits));
    check_cell(encoder, &cell, (float[]){NAN, NAN}, "65 levels");
    encoder_free(encoder);
    fixture_release(&fixture);
}

/* 65 categories at a path: code and frequency. */
static void test_frequencies(void **state)
{
    char texts[130][24];
    const char *documents[131];
    struct fixture fixture = {0};
    struct encoder *encoder;
    struct cell cell = json_cell("{\"c\": \"t7\"}");

    (void)state;
    for (int i = 0; i < 130; i++) {
        snprintf(texts[i], sizeof(texts[i]), "{\"c\": \"t%d\"}", i / 2);
        documents[i] = texts[i];
    }
    documents[130] = "{\"c\": \"t7\"}";
    encoder = fit(&fixture, documents, 131);
    check_features_are(encoder, "x.c x.c.frequency", "cq");
    check_cell(encoder, &cell, (float[]){1, (float)(3.0 / 131)}, "t7");
    encoder_free(encoder);
    fixture_release(&fixture);
}

/* Stored documents that could not have been written. */
static void test_damages(void **state)
{
    static const char before[] =
        "{\"version\":1,\"timezone\":\"UTC\",\"columns\":[{\"name\":\"x\",\"type\":\"",
                      after[] = "}],\"features\":[],\"other_columns\":[]}";
    static const struct {
        enum pg_type type;
        const char *encoding, *message;
    } damages[] = {
        {PG_JSON, "json\",\"first_feature\":0", "\"parts\" is missing"},
        {PG_JSON, "json\",\"first_feature\":0,\"parts\":[1]", "\"path\" is missing"},
        {PG_JSON,
         "json\",\"first_feature\":0,\"parts\":[{\"path\":\"a\",\"encoding\":\"json\",\"length\":"
         "false}]",
         "cannot be encoded so"},
        {PG_JSON,
         "json\",\"first_feature\":0,\"parts\":[{\"path\":\"a\",\"encoding\":\"bool\",\"length\":"
         "true}]",
         "a length that is not a number"},
        {PG_JSON,
         "json\",\"first_feature\":0,\"parts\":[{\"path\":\"a\",\"encoding\":\"bool\",\"length\":"
         "false},"
         "{\"path\":\"a\",\"encoding\":\"number\",\"length\":false}]",
         "path \"a\" is there twice"},
        {PG_JSON,
         "json\",\"first_feature\":0,\"parts\":[{\"path\":\"a\",\"encoding\":\"bool\",\"length\":"
         "false,"
         "\"x\":1}]",
         "a member that this program does not know"},
        {PG_INT4_ARRAY, "list\",\"first_feature\":0,\"length\":0", "that its type can have"},
        {PG_INT4_ARRAY, "list\",\"first_feature\":0,\"length\":2001", "from -1 to 2000"},
        {PG_POINT, "list\",\"first_feature\":0,\"length\":3", "that its type can have"},
        {PG_DATE_RANGE, "list\",\"first_feature\":0,\"length\":2", "\"start_us\" is missing"},
        {PG_TEXT_ARRAY, "tags\",\"first_feature\":0,\"elements\":[\"a\",\"a\"]", "twice"},
        {PG_TEXT_TYPE, "text\",\"first_feature\":0,\"tokens\":[1]", "other than strings"},
        {PG_TEXT_TYPE, "onehot\",\"first_feature\":0", "\"categories\" is missing"},
        {PG_INT4, "number\",\"first_feature\":0,\"scale\":1", "come together"},
        {PG_INT4, "number\",\"first_feature\":0,\"impute\":\"1\"", "is not a number"},
        {PG_FLOAT8, "onehot\",\"first_feature\":0,\"categories\":[]", "cannot be encoded as"},
        {PG_OTHER, "bool\",\"first_feature\":0", "cannot be encoded as"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(damages); i++) {
        CLEANUP(buf_release) struct buf json = {0};
        struct encoder *encoder = NULL;
        struct err err = {0};

        buf_printf(&json, "%s%s\",\"encoding\":\"%s%s", before, pg_type_name(damages[i].type),
                   damages[i].encoding, after);
        assert_int_equal(encoder_from_json(json.data, json.length, &encoder, &err), ERR_CORRUPT);
        if (strstr(err.message, damages[i].message) == NULL)
            fail_msg("\"%s\", expected \"%s\"", err.message, damages[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),       cmocka_unit_test(test_rare_paths),
        cmocka_unit_test(test_many_paths),  cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_frequencies), cmocka_unit_test(test_damages),
    };

    return cmocka_run_group_tests_name("feature/json_columns", tests, NULL, NULL);
}
