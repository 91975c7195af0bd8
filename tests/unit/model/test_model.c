/* From a catalog row to a model, or to the step that failed; predictions from margins. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tiny_model.h"

static struct tiny regression, binary, multiclass;

static int setup(void **state)
{
    (void)state;
    tiny_make(&regression, TINY_REGRESSION, 0.5F);
    tiny_make(&binary, TINY_BINARY, -0.625F);
    tiny_make(&multiclass, TINY_MULTICLASS, 0.0F);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tiny_release(&regression);
    tiny_release(&binary);
    tiny_release(&multiclass);
    return 0;
}

static struct model *open_model(const struct tiny *tiny)
{
    struct model *model = NULL;
    struct err err;

    assert_int_equal(model_open(&tiny->row, &model, &err), ERR_OK);
    return model;
}

static void test_opens(void **state)
{
    CLEANUP(model_freep) struct model *model = open_model(&regression);

    (void)state;
    assert_int_equal(model->id, 7);
    assert_int_equal(model->project_id, 3);
    assert_string_equal(model->project, "tiny \"p\"");
    assert_int_equal(model->task, TASK_REGRESSION);
    assert_int_equal(model->n_labels, 0);
    assert_int_equal(model_n_outputs(model), 1);
    assert_string_equal(model->json_head, "{\"project\":\"tiny \\\"p\\\"\",\"model_id\":7,");
    assert_string_equal(model->column_names[2], "scheduled at");
    assert_string_equal(model->feature_keys[7], "\"on/off~\"");
    assert_string_equal(model->feature_keys[10], "\"price\"");
}

/* The stored bits are the base margin, whatever base_score the bytes hold (0.5). */
static void test_base_margin_by_bits(void **state)
{
    CLEANUP(model_freep) struct model *model = open_model(&binary);

    (void)state;
    assert_true(forest_base_margin(model->forest) == -0.625F);
}

static void test_labels(void **state)
{
    CLEANUP(model_freep) struct model *two = open_model(&binary);
    CLEANUP(model_freep) struct model *three = open_model(&multiclass);

    (void)state;
    assert_int_equal(two->task, TASK_CLASSIFICATION);
    assert_int_equal(two->n_labels, 2);
    assert_int_equal(model_n_outputs(two), 1);
    assert_int_equal(three->n_labels, 3);
    assert_int_equal(model_n_outputs(three), 3);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(three->labels[i].text, tiny_labels[i].text);
        assert_string_equal(three->labels[i].json, tiny_labels[i].json);
        assert_string_equal(three->labels[i].json_key, tiny_labels[i].json_key);
    }
}

static void test_regression_value(void **state)
{
    CLEANUP(model_freep) struct model *model = open_model(&regression);
    float margin = 12.75F;
    double value = 0;

    (void)state;
    model_predict(model, &margin, &value, NULL, NULL);
    assert_true(value == 12.75);
}

static void test_binary_probabilities(void **state)
{
    static const struct {
        float margin, positive;
        int label;
    } cases[] = {
        {0, 0.5F, 0}, /* a tie: the first */
        {-0.0F, 0.5F, 0},   {1e-6F, 0.50000025F, 1}, {-1e-6F, 0.49999975F, 0},
        {1, 0.7310586F, 1}, {-1, 0.26894143F, 0},    {1000, 1, 1},
        {-1000, 0, 0},      {INFINITY, 1, 1},
    };
    CLEANUP(model_freep) struct model *model = open_model(&binary);

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        float margin = cases[i].margin;
        double probabilities[2];
        int label = -1;

        model_predict(model, &margin, NULL, probabilities, &label);
        assert_true(fabs(probabilities[1] - (double)cases[i].positive) < 1e-7);
        assert_true(probabilities[1] == (double)(float)probabilities[1]);
        assert_true(probabilities[0] == 1 - probabilities[1]);
        assert_int_equal(label, cases[i].label);
    }
}

static void test_multiclass_probabilities(void **state)
{
    static const struct {
        float margins[3], probabilities[3];
        int label;
    } cases[] = {
        {{1, 1, 1}, {1 / 3.0F, 1 / 3.0F, 1 / 3.0F}, 0}, /* the first of equals */
        {{0, 1, 1}, {0.15536241F, 0.4223188F, 0.4223188F}, 1},
        {{1, 2, 3}, {0.09003057F, 0.24472848F, 0.66524094F}, 2},
        {{1000, -1000, 0}, {1, 0, 0}, 0},
    };
    CLEANUP(model_freep) struct model *model = open_model(&multiclass);

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        double probabilities[3];
        float outputs[3];
        int label = -1;

        memcpy(outputs, cases[i].margins, sizeof(outputs));
        model_predict(model, outputs, NULL, probabilities, &label);
        for (int k = 0; k < 3; k++)
            assert_true(fabs(probabilities[k] - (double)cases[i].probabilities[k]) < 1e-7);
        assert_int_equal(label, cases[i].label);
    }
}

static struct model *open_calibrated(const struct tiny *tiny, const char *calibration)
{
    struct model_row row = tiny->row;
    struct model *model = NULL;
    struct err err;

    row.calibration = calibration;
    assert_int_equal(model_open(&row, &model, &err), ERR_OK);
    return model;
}

/* The label follows the calibrated probability, not the margin. */
static void test_calibrated_probabilities(void **state)
{
    static const struct {
        const char *calibration;
        float margin;
        double positive;
        int label;
    } cases[] = {
        {"{\"method\":\"platt\",\"slope\":2,\"intercept\":-1}", 1, 0.7310585786300049, 1},
        {"{\"method\":\"platt\",\"slope\":2,\"intercept\":-1}", 0.25F, 0.3775406687981454, 0},
        {"{\"method\":\"isotonic\",\"from\":[0.25,0.75],\"to\":[0.1,0.2]}", 0, 0.15, 0},
        {"{\"method\":\"isotonic\",\"from\":[0.25,0.75],\"to\":[0.1,0.2]}", 9, 0.2, 0},
        {"{\"threshold\":0.5}", 0, 0.5, 1}, /* from the threshold on */
        {"{\"threshold\":0.75}", 1, 0.7310585975646973, 0},
        {"{\"method\":\"platt\",\"slope\":1,\"intercept\":0,\"threshold\":0.25}", -1,
         0.2689414213699951, 1},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        CLEANUP(model_freep) struct model *model = open_calibrated(&binary, cases[i].calibration);
        float margin = cases[i].margin;
        double probabilities[2];
        int label = -1;

        model_predict(model, &margin, NULL, probabilities, &label);
        assert_true(fabs(probabilities[1] - cases[i].positive) < 1e-15);
        assert_true(probabilities[0] == 1 - probabilities[1]);
        assert_int_equal(label, cases[i].label);
    }
}

static void test_softened_probabilities(void **state)
{
    CLEANUP(model_freep)
    struct model *model =
        open_calibrated(&multiclass, "{\"method\":\"temperature\",\"temperature\":2}");
    float outputs[] = {2, 4, 6};
    double expected[] = {0.0900305731703805, 0.2447284710547976, 0.6652409557748219};
    double probabilities[3];
    int label = -1;

    (void)state;
    model_predict(model, outputs, NULL, probabilities, &label);
    for (int k = 0; k < 3; k++)
        assert_true(fabs(probabilities[k] - expected[k]) < 1e-15);
    assert_int_equal(label, 2);
}

/* A change to a good row, and what model_open says of it. */
static void without_bytes(struct model_row *row)
{
    row->bytes = NULL;
}

static void with_one_byte_less(struct model_row *row)
{
    row->n_bytes--;
}

static void with_other_digest(struct model_row *row)
{
    row->sha256 = "00";
}

static void without_digest(struct model_row *row)
{
    row->sha256 = NULL;
}

static void with_other_task(struct model_row *row)
{
    row->task = "clustering";
}

static void without_encoder(struct model_row *row)
{
    row->encoder = NULL;
}

static void with_broken_encoder(struct model_row *row)
{
    row->encoder = "{}";
}

static void with_broken_forest(struct model_row *row)
{
    /* the SHA-256 of "{}", from sha256sum */
    row->bytes = (const uint8_t *)"{}";
    row->n_bytes = 2;
    row->sha256 = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
}

static void as_classification(struct model_row *row)
{
    row->task = "classification";
}

static void with_one_label(struct model_row *row)
{
    row->task = "classification";
    row->labels = "[{\"text\":\"a\",\"json\":\"a\"}]";
}

static void with_three_labels(struct model_row *row)
{
    row->task = "classification";
    row->labels = buf_text(&multiclass.labels);
}

/* two labels fit one output, but squared error gives no probability */
static void with_two_labels(struct model_row *row)
{
    row->task = "classification";
    row->labels = buf_text(&binary.labels);
}

static void with_broken_labels(struct model_row *row)
{
    row->task = "classification";
    row->labels = "[1]";
}

static void with_broken_calibration(struct model_row *row)
{
    row->calibration = "{\"method\":\"platt\",\"slope\":1,\"intercept\":0}";
}

static void without_golden(struct model_row *row)
{
    row->golden = NULL;
}

static void with_empty_golden(struct model_row *row)
{
    row->golden = "{\"inputs\":[],\"margins\":[]}";
}

/* the least more than 0.5 that a sum of about 1 shows */
static void with_other_base_margin(struct model_row *row)
{
    row->base_margin_bits += 2;
}

static const struct {
    void (*change)(struct model_row *row);
    const char *message; /* how it begins */
} broken[] = {
    {without_bytes, "model 7: SHA-256: the model has no bytes"},
    {with_one_byte_less, "model 7: SHA-256: the bytes are not those that were stored"},
    {with_other_digest, "model 7: SHA-256: the bytes are not those that were stored"},
    {without_digest, "model 7: SHA-256: the model has no bytes"},
    {with_other_task, "model 7: row: unknown task \"clustering\""},
    {without_encoder, "model 7: encoder: it is missing"},
    {with_broken_encoder, "model 7: encoder: "},
    {with_broken_forest, "model 7: forest: "},
    {as_classification, "model 7: labels: they are missing"},
    {with_one_label, "model 7: labels: there are fewer than two"},
    {with_three_labels, "model 7: labels: 3 labels do not fit a forest with 1 outputs"},
    {with_two_labels, "model 7: labels: objective \"reg:squarederror\" gives no probabilities"},
    {with_broken_labels, "model 7: labels: not an array of objects"},
    {with_broken_calibration, "model 7: calibration: \"platt\" does not fit 0 labels"},
    {without_golden, "model 7: golden rows: they are missing"},
    {with_empty_golden, "model 7: golden rows: there is not one row in \"inputs\""},
    {with_other_base_margin, "model 7: golden rows: row 0: output 0 is not the margin"},
};

static void test_each_step_can_fail(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(broken); i++) {
        struct model_row row = regression.row;
        struct model *model = NULL;
        struct err err = {0};

        broken[i].change(&row);
        assert_int_equal(model_open(&row, &model, &err), ERR_CORRUPT);
        assert_int_equal(err.code, ERR_CORRUPT);
        assert_null(model);
        if (strncmp(err.message, broken[i].message, strlen(broken[i].message)) != 0)
            fail_msg("expected \"%s\", got \"%s\"", broken[i].message, err.message);
        assert_int_equal(model_open(&row, &model, NULL), ERR_CORRUPT);
    }
}

/* One changed leaf, its digest right: only the golden rows can tell. */
static void test_changed_leaf(void **state)
{
    CLEANUP(free_ptr) char *bytes = malloc(regression.bytes.length);
    static const char leaf[] = {0x41, 0x00, 0x00, 0x00}; /* 8, of tree 2, big-endian */
    struct model_row row = regression.row;
    struct model *model = NULL;
    char digest[SHA256_HEX_SIZE], *at;
    struct err err;

    (void)state;
    memcpy(bytes, regression.bytes.data, regression.bytes.length);
    at = memmem(bytes, regression.bytes.length, leaf, sizeof(leaf));
    assert_non_null(at);
    at[3] = 1;
    assert_int_equal(sha256_hex(bytes, regression.bytes.length, digest, &err), ERR_OK);
    row.bytes = (const uint8_t *)bytes;
    row.sha256 = digest;
    assert_int_equal(model_open(&row, &model, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.message, "golden rows: row "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opens),
        cmocka_unit_test(test_base_margin_by_bits),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_regression_value),
        cmocka_unit_test(test_binary_probabilities),
        cmocka_unit_test(test_multiclass_probabilities),
        cmocka_unit_test(test_calibrated_probabilities),
        cmocka_unit_test(test_softened_probabilities),
        cmocka_unit_test(test_each_step_can_fail),
        cmocka_unit_test(test_changed_leaf),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
