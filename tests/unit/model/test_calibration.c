/* The stored form there and back, what is refused of it, and intervals from residuals. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "model/calibration.h"

/* Good documents, each with the labels it fits. */
static const struct {
    const char *json;
    int n_labels;
} good[] = {
    {"{\"method\":\"platt\",\"slope\":1.25,\"intercept\":-0.1}", 2},
    {"{\"method\":\"platt\",\"slope\":1.25,\"intercept\":-0.1,\"threshold\":0.3}", 2},
    {"{\"method\":\"isotonic\",\"from\":[0.1,0.25,0.5],\"to\":[0.2,0.2,0.7]}", 2},
    {"{\"method\":\"temperature\",\"temperature\":1.5}", 3},
    {"{\"threshold\":0.3}", 2},
    {"{\"residuals\":{\"rows\":5,\"ranks\":[1,2,4,5],\"values\":[0,0.5,0.5,2]}}", 0},
    {"{\"residuals\":{\"rows\":5,\"ranks\":[],\"values\":[]}}", 0},
};

static enum err_code read_exactly(const char *json, size_t length, int n_labels,
                                  struct arena *arena, struct calibration *ret, struct err *err)
{
    CLEANUP(free_ptr) char *copy = malloc(length + 1); /* reading beyond it is found */
    enum err_code code;

    memcpy(copy, json, length);
    copy = realloc(copy, length > 0 ? length : 1);
    code = calibration_from_json(copy, length, n_labels, arena, ret, err);
    return code;
}

static void test_there_and_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(good); i++) {
        CLEANUP(arena_release) struct arena arena = {0};
        CLEANUP(buf_release) struct buf json = {0};
        struct calibration calibration;
        struct err err = {0};

        if (read_exactly(good[i].json, strlen(good[i].json), good[i].n_labels, &arena, &calibration,
                         &err) != ERR_OK)
            fail_msg("%s: %s", good[i].json, err.message);
        assert_int_equal(calibration_to_json(&calibration, &json, &err), ERR_OK);
        assert_string_equal(buf_text(&json), good[i].json);
    }
}

static void test_nothing_is_empty(void **state)
{
    CLEANUP(buf_release) struct buf json = {0};
    struct calibration calibration = {0};

    (void)state;
    assert_int_equal(calibration_to_json(&calibration, &json, NULL), ERR_OK);
    assert_int_equal(json.length, 0);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *json;
        int n_labels;
        const char *message;
    } cases[] = {
        {"", 2, ""},
        {"[]", 2, "not an object"},
        {"{\"methods\":1}", 2, "unknown member \"methods\""},
        {"{\"method\":\"beta\"}", 2, "unknown \"method\""},
        {"{\"method\":\"none\"}", 2, "unknown \"method\""},
        {"{\"method\":1}", 2, "unknown \"method\""},
        {"{\"slope\":1,\"intercept\":0}", 2, "\"method\" is missing"},
        {"{\"method\":\"platt\",\"slope\":1}", 2, "\"intercept\" is missing"},
        {"{\"method\":\"platt\",\"slope\":0,\"intercept\":0}", 2, "\"slope\" is not a number"},
        {"{\"method\":\"platt\",\"slope\":-1,\"intercept\":0}", 2, "\"slope\" is not a number"},
        {"{\"method\":\"platt\",\"slope\":null,\"intercept\":0}", 2, "\"slope\" is not a number"},
        {"{\"method\":\"platt\",\"slope\":1e99,\"intercept\":0}", 2, "\"slope\" is not a number"},
        {"{\"method\":\"platt\",\"slope\":1,\"intercept\":0}", 3,
         "\"platt\" does not fit 3 labels"},
        {"{\"method\":\"platt\",\"slope\":1,\"slope\":1,\"intercept\":0}", 2, ""},
        {"{\"method\":\"temperature\",\"temperature\":1}", 2, "\"temperature\" does not fit 2"},
        {"{\"method\":\"temperature\",\"temperature\":0}", 3, "\"temperature\" is not a number"},
        {"{\"method\":\"temperature\"}", 3, "\"temperature\" is missing"},
        {"{\"method\":\"isotonic\"}", 2, "\"from\" is missing"},
        {"{\"method\":\"isotonic\",\"from\":[],\"to\":[]}", 2, "\"from\" has 0 points"},
        {"{\"method\":\"isotonic\",\"from\":[0],\"to\":[]}", 2,
         "\"from\" has 1 points, \"to\" has 0"},
        {"{\"method\":\"isotonic\",\"from\":[0,0],\"to\":[0,1]}", 2, "item 1 of \"from\" does not"},
        {"{\"method\":\"isotonic\",\"from\":[0,1],\"to\":[1,0]}", 2, "item 1 of \"to\" does not"},
        {"{\"method\":\"isotonic\",\"from\":[0,2],\"to\":[0,1]}", 2, "item 1 of \"from\" is not"},
        {"{\"method\":\"isotonic\",\"from\":[0,\"1\"],\"to\":[0,1]}", 2,
         "item 1 of \"from\" is not"},
        {"{\"method\":\"isotonic\",\"from\":{\"a\":0},\"to\":[0]}", 2, "\"from\" is not an array"},
        {"{\"threshold\":1.5}", 2, "\"threshold\" is not a number from 0 to 1"},
        {"{\"threshold\":0.5}", 3, "a threshold does not fit 3 labels"},
        {"{\"threshold\":0.5}", 0, "a threshold does not fit 0 labels"},
        {"{\"residuals\":{\"rows\":1,\"ranks\":[1],\"values\":[1]}}", 2, "residuals do not fit 2"},
        {"{\"residuals\":[]}", 0, "\"residuals\" is not an object"},
        {"{\"residuals\":{\"rows\":1,\"ranks\":[1]}}", 0, "\"residuals\" is not an object"},
        {"{\"residuals\":{\"rows\":0,\"ranks\":[],\"values\":[]}}", 0, "\"rows\" is not a number"},
        {"{\"residuals\":{\"rows\":1,\"ranks\":[2],\"values\":[1]}}", 0, "item 0 of \"ranks\""},
        {"{\"residuals\":{\"rows\":1,\"ranks\":[1],\"values\":[]}}", 0, "there are 1 ranks and 0"},
        {"{\"residuals\":{\"rows\":2,\"ranks\":[1,2],\"values\":[2,1]}}", 0,
         "item 1 of \"values\""},
        {"{\"residuals\":{\"rows\":1,\"ranks\":[1],\"values\":[-1]}}", 0, "item 0 of \"values\""},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        CLEANUP(arena_release) struct arena arena = {0};
        struct calibration calibration = {.n_points = 77};
        struct err err = {0};

        if (read_exactly(cases[i].json, strlen(cases[i].json), cases[i].n_labels, &arena,
                         &calibration, &err) != ERR_CORRUPT)
            fail_msg("%s was taken", cases[i].json);
        if (strncmp(err.message, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("%s: %s", cases[i].json, err.message);
        assert_int_equal(err.code, ERR_CORRUPT);
        assert_int_equal(calibration.n_points, 77);
    }
}

static void test_too_many_points(void **state)
{
    CLEANUP(arena_release) struct arena arena = {0};
    CLEANUP(buf_release) struct buf json = {0};
    struct calibration calibration;

    (void)state;
    buf_puts(&json, "{\"residuals\":{\"rows\":9999,\"values\":[],\"ranks\":[1");
    for (int i = 2; i <= CALIBRATION_POINTS_MAX + 1; i++)
        buf_printf(&json, ",%d", i);
    buf_puts(&json, "]}}");
    assert_int_equal(calibration_from_json(json.data, json.length, 0, &arena, &calibration, NULL),
                     ERR_CORRUPT);
}

/* Cut anywhere, or with any byte changed: refused, or still a document that answers within its
 * bounds. */
static void check_damaged(const char *json, size_t length, int n_labels)
{
    CLEANUP(arena_release) struct arena arena = {0};
    struct calibration calibration;
    struct err err = {0};
    enum err_code code = read_exactly(json, length, n_labels, &arena, &calibration, &err);

    if (code != ERR_OK) {
        assert_int_equal(code, ERR_CORRUPT);
        return;
    }
    if (n_labels == 2) {
        double p = calibration_positive(&calibration, 0.75F, 0.25F);

        assert_true(p >= 0 && p <= 1);
    } else if (n_labels == 0 && calibration.n_rows > 0) {
        assert_true(calibration_half_width(&calibration, 0.5) >= 0);
    }
}

static void test_damage(void **state)
{
    struct rng rng;

    (void)state;
    rng_init(&rng, 5);
    for (size_t i = 0; i < N_ELEMENTS(good); i++) {
        size_t length = strlen(good[i].json);
        CLEANUP(free_ptr) char *bytes = strdup(good[i].json);

        for (size_t cut = 0; cut < length; cut++)
            check_damaged(bytes, cut, good[i].n_labels);
        for (size_t at = 0; at < length; at++) {
            for (int k = 0; k < 40; k++) {
                char was = bytes[at];

                bytes[at] = k < 20 ? "0123456789-.eE,:[]{}"[k] : (char)rng_next(&rng);
                check_damaged(bytes, length, good[i].n_labels);
                bytes[at] = was;
            }
        }
    }
}

/* Of nine residuals 1 … 9: level .5 takes the fifth, .9 the ninth, more than that a tenth. */
static void test_half_widths(void **state)
{
    static double values[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    static double some[] = {2, 5, 8}, of_some[] = {20, 50, 80};
    struct calibration all = {.n_rows = 9, .n_residuals = 9, .ranks = values, .residuals = values};
    struct calibration thinned = {
        .n_rows = 9, .n_residuals = 3, .ranks = some, .residuals = of_some};

    (void)state;
    assert_true(calibration_half_width(&all, 0.5) == 5);
    assert_true(calibration_half_width(&all, 0.51) == 6);
    assert_true(calibration_half_width(&all, 0.9) == 9);
    assert_true(calibration_half_width(&all, 0.001) == 1);
    assert_true(isinf(calibration_half_width(&all, 0.901)));
    assert_true(fabs(calibration_level_max(&all) - 0.9) < 1e-15);
    /* what is not stored is answered by the next greater one */
    assert_true(calibration_half_width(&thinned, 0.1) == 20);
    assert_true(calibration_half_width(&thinned, 0.3) == 50);
    assert_true(calibration_half_width(&thinned, 0.5) == 50);
    assert_true(calibration_half_width(&thinned, 0.6) == 80);
    assert_true(isinf(calibration_half_width(&thinned, 0.9)));
    assert_true(fabs(calibration_level_max(&thinned) - 0.8) < 1e-15);
    assert_true(calibration_rows_for(0.9) == 9);
    assert_true(calibration_rows_for(0.95) == 19);
    assert_true(calibration_rows_for(0.5) == 1);
    assert_true(calibration_rows_for(0.999) == 999);
    /* the rows that a level takes are enough for it, one less is not */
    for (int i = 1; i < 1000; i++) {
        double level = i / 1000.0, n = calibration_rows_for(level), last = n, before = n - 1;
        struct calibration enough = {
            .n_rows = n, .n_residuals = 1, .ranks = &last, .residuals = values};
        struct calibration fewer = {
            .n_rows = before, .n_residuals = 1, .ranks = &before, .residuals = values};

        assert_true(calibration_half_width(&enough, level) == 1);
        assert_true(before < 1 || isinf(calibration_half_width(&fewer, level)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_nothing_is_empty),
        cmocka_unit_test(test_refusals),       cmocka_unit_test(test_too_many_points),
        cmocka_unit_test(test_damage),         cmocka_unit_test(test_half_widths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
