/* What predict_json answers. Margins are worked out on paper from tiny_trees. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "asking_group.h"

static void must_ask(const char *body)
{
    enum err_code code = ask(&asking, body);

    if (code != ERR_OK)
        fail_msg("%s: %s %s", body, asking.err.field, asking.err.message);
}

/* The answer as a tree, read strictly; the caller deletes it. */
static cJSON *answer_to(const char *body)
{
    cJSON *root = NULL;
    struct err err;

    must_ask(body);
    assert_int_equal(json_parse(asking.reply.data, asking.reply.length, "reply", &root, &err),
                     ERR_OK);
    return root;
}

static const cJSON *at(const cJSON *root, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, name);

    assert_non_null(item);
    return item;
}

#define HEAD "{\"project\":\"tiny \\\"p\\\"\",\"model_id\":7,"
#define P    "\"project\":\"regression\""

static void test_answers_to_the_byte(void **state)
{
    static const struct {
        const char *body, *reply;
    } cases[] = {
        /* nothing is known: 0.5 + 1 - 0.5 + 0.125 */
        {"{" P ",\"features\":{}}", HEAD "\"prediction\":1.125}"},
        {"{" P ",\"features\":[]}", HEAD "\"predictions\":[]}"},
        {"{" P ",\"features\":[{}]}", HEAD "\"predictions\":[{\"prediction\":1.125}]}"},
        {"{" P ",\"columns\":[],\"rows\":[]}", HEAD "\"predictions\":[]}"},
        {"{" P ",\"columns\":[],\"rows\":[[],[]]}",
         HEAD "\"predictions\":[{\"prediction\":1.125},{\"prediction\":1.125}]}"},
        /* 0.5 + 4 + 0.25 + 8 */
        {"{" P ",\"features\":{\"distance\":2000,\"carrier\":\"AA\",\"on/off~\":false,"
         "\"scheduled at\":\"2013-01-01T13:00:00+00:00\"}}",
         HEAD "\"prediction\":12.75}"},
        /* the same as text, by escapes, with other columns of the relation and white space */
        {" {\n\t" P " ,\"features\" : { \"id\" : {\"any\":[1,2]}, \"delay\":\"?\", "
         "\"d\\u0069stance\":\"2e3\",\"carrier\":\"\\u0041A\",\"on\\/off~\":\"off\","
         "\"scheduled at\":\"2013-01-01 15:00:00+02\"} } \n",
         HEAD "\"prediction\":12.75}"},
        /* any order of members */
        {"{\"features\":{\"distance\":2000,\"carrier\":\"UA\"},\"model_id\":7,\"encoded\":false," P
         "}",
         HEAD "\"prediction\":2.125}"},
        {"{\"\\u0070roject\":\"regr\\u0065ssion\",\"features\":{}}", HEAD "\"prediction\":1.125}"},
        {"{\"rows\":[[true,2000],[false,null],[null,0]],\"columns\":[\"on/off~\",\"distance\"]," P
         "}",
         HEAD "\"predictions\":[{\"prediction\":2.125},{\"prediction\":1.875},"
              "{\"prediction\":1.125}]}"},
        {"{\"rows\":[[\"x\",2000,[]]],\"columns\":[\"delay\",\"distance\",\"id\"]," P "}",
         HEAD "\"predictions\":[{\"prediction\":2.125}]}"},
        {"{\"features\":[{\"distance\":2000},{},{\"distance\":2000,\"carrier\":\"Ünï\"}]," P "}",
         HEAD "\"predictions\":[{\"prediction\":2.125},{\"prediction\":1.125},"
              "{\"prediction\":4.125}]}"},
        /* what is switched off or null may be named */
        {"{" P ",\"features\":{},\"explain\":false,\"interval\":null,\"key\":null,\"keys\":null,"
         "\"encoded\":null,\"model_id\":null,\"rows\":null,\"columns\":null}",
         HEAD "\"prediction\":1.125}"},
        /* 1 - 0.5 + 0.125 - 0.625 = 0: a tie goes to the first label */
        {"{\"project\":\"binary\",\"features\":{}}",
         HEAD "\"prediction\":\"on \\\"time\\\"\",\"probabilities\":"
              "{\"on \\\"time\\\"\":0.5,\"🛫\\\\\":0.5}}"},
        {"{\"project\":\"binary\",\"features\":{},\"encoded\":true}",
         HEAD "\"prediction\":\"on \\\"time\\\"\",\"probabilities\":"
              "{\"on \\\"time\\\"\":0.5,\"🛫\\\\\":0.5},\"encoded\":{\"distance\":null,"
              "\"carrier\":null,\"scheduled at.days\":null,\"scheduled at.month\":null,"
              "\"scheduled at.day\":null,\"scheduled at.weekday\":null,"
              "\"scheduled at.hour\":null,\"on/off~\":null,\"seats\":null,\"ratio\":null,"
              "\"price\":null},\"margin\":0}"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        must_ask(cases[i].body);
        assert_string_equal(buf_text(&asking.reply), cases[i].reply);
    }
}

/* Trees' means over their training rows: 2.25, -0.3125, 4.0625. A missing distance goes left to 1,
 * a missing carrier to 2: each order in which the two become known counts half. */
static void test_explanations(void **state)
{
    static const struct {
        const char *body, *reply;
    } cases[] = {
        {"{" P ",\"features\":{},\"explain\":true}",
         HEAD "\"prediction\":1.125,\"explanation\":{\"bias\":6.5,\"columns\":{"
              "\"distance\":-0.875,\"carrier\":-0.375,\"scheduled at\":-3.9375,"
              "\"on/off~\":-0.1875,\"seats\":0,\"ratio\":0,\"price\":0}}}"},
        {"{" P ",\"rows\":[[2000,\"AA\"]],\"columns\":[\"distance\",\"carrier\"],"
         "\"explain\":true}",
         HEAD "\"predictions\":[{\"prediction\":4.125,\"explanation\":{\"bias\":6.5,\"columns\":{"
              "\"distance\":1.375,\"carrier\":0.375,\"scheduled at\":-3.9375,"
              "\"on/off~\":-0.1875,\"seats\":0,\"ratio\":0,\"price\":0}}}]}"},
        {"{" P ",\"features\":[],\"explain\":true}", HEAD "\"predictions\":[]}"},
        {"{\"project\":\"binary\",\"features\":{},\"explain\":true}",
         HEAD "\"prediction\":\"on \\\"time\\\"\",\"probabilities\":"
              "{\"on \\\"time\\\"\":0.5,\"🛫\\\\\":0.5},\"explanation\":{\"bias\":5.375,"
              "\"columns\":{\"distance\":-0.875,\"carrier\":-0.375,\"scheduled at\":-3.9375,"
              "\"on/off~\":-0.1875,\"seats\":0,\"ratio\":0,\"price\":0}}}"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        must_ask(cases[i].body);
        assert_string_equal(buf_text(&asking.reply), cases[i].reply);
    }
}

/* Each class has a tree of its own. */
static void test_explanations_of_several_classes(void **state)
{
    const char *explanation;

    (void)state;
    must_ask("{\"project\":\"multiclass\",\"features\":{},\"encoded\":true,\"explain\":true}");
    explanation = strstr(buf_text(&asking.reply), "\"margin\":");
    assert_non_null(explanation);
    assert_string_equal(explanation,
                        "\"margin\":[1,-0.5,0.125],\"explanation\":{\"bias\":"
                        "[2.25,-0.3125,4.0625],\"columns\":{\"distance\":[-0.875,0,0],"
                        "\"carrier\":[-0.375,0,0],\"scheduled at\":[0,0,-3.9375],"
                        "\"on/off~\":[0,-0.1875,0],\"seats\":[0,0,0],\"ratio\":[0,0,0],"
                        "\"price\":[0,0,0]}}}");
}

static void test_encoded_in_the_models_order(void **state)
{
    (void)state;
    must_ask(
        "{" P ",\"encoded\":true,\"features\":{\"price\":\"12.50\",\"ratio\":0.1,\"seats\":5,"
        "\"on/off~\":true,\"scheduled at\":\"2013-02-03 17:30:00+00\",\"carrier\":\"q\\\"\\\\\","
        "\"distance\":-0.0}}");
    /* 33 days and 12.5 hours after 2013-01-01 05:00; a Sunday; 1 - 0.5 + 8 + 0.5 */
    assert_string_equal(buf_text(&asking.reply),
                        HEAD "\"prediction\":9,\"encoded\":{\"distance\":0,\"carrier\":3,"
                             "\"scheduled at.days\":33.520832,\"scheduled at.month\":2,"
                             "\"scheduled at.day\":3,\"scheduled at.weekday\":7,"
                             "\"scheduled at.hour\":17.5,\"on/off~\":1,\"seats\":5,\"ratio\":0.1,"
                             "\"price\":12.5},\"margin\":9}");
}

static void test_encoded_stands_in_each_item(void **state)
{
    cJSON *root = answer_to("{\"project\":\"multiclass\",\"encoded\":true,"
                            "\"columns\":[\"seats\"],\"rows\":[[1],[2]]}");

    (void)state;
    for (int i = 0; i < 2; i++) {
        const cJSON *item = cJSON_GetArrayItem(at(root, "predictions"), i);

        assert_int_equal(cJSON_GetArraySize(at(item, "encoded")), TINY_N_FEATURES);
        assert_int_equal(at(at(item, "encoded"), "seats")->valueint, i + 1);
        assert_int_equal(cJSON_GetArraySize(at(item, "margin")), 3);
        assert_true(cJSON_GetArrayItem(at(item, "margin"), 0)->valuedouble == 1);
        assert_true(cJSON_GetArrayItem(at(item, "margin"), 1)->valuedouble == -0.5);
        assert_true(cJSON_GetArrayItem(at(item, "margin"), 2)->valuedouble == 0.125);
    }
    assert_null(cJSON_GetObjectItemCaseSensitive(root, "encoded"));
    cJSON_Delete(root);
}

/* Margins 1, -0.5, 0.125: softmax by numpy. */
static void test_probabilities_by_label(void **state)
{
    static const double expected[] = {0.60975901, 0.13605562, 0.25418537};
    cJSON *root = answer_to("{\"project\":\"multiclass\",\"features\":{}}");
    const cJSON *probabilities = at(root, "probabilities");
    double sum = 0;

    (void)state;
    assert_string_equal(at(root, "prediction")->valuestring, "on \"time\"");
    assert_int_equal(cJSON_GetArraySize(probabilities), 3);
    for (int i = 0; i < 3; i++) {
        const cJSON *item = cJSON_GetArrayItem(probabilities, i);

        assert_string_equal(item->string, tiny_labels[i].text);
        sum += item->valuedouble;
        if (fabs(item->valuedouble - expected[i]) > 1e-6)
            fail_msg("label %d: %.9g", i, item->valuedouble);
    }
    assert_true(fabs(sum - 1) < 1e-6);
    cJSON_Delete(root);
}

/* The rule of numbers: what a value in a request becomes. */
static void test_values(void **state)
{
    static const struct {
        const char *column, *value, *encoded;
    } cases[] = {
        {"distance", "5", "5"},
        {"distance", "\"5\"", "5"},
        {"distance", "\"5.25e1\"", "52.5"},
        {"distance", "\"NaN\"", "null"},
        {"distance", "\"Infinity\"", "3.4028235e+38"},
        {"distance", "\"-Infinity\"", "-3.4028235e+38"},
        {"distance", "1e39", "3.4028235e+38"},
        {"distance", "-1e39", "-3.4028235e+38"},
        {"distance", "1e308", "3.4028235e+38"},
        {"distance", "-0", "0"},
        {"distance", "-0.0", "0"},
        {"distance", "1e-400", "0"},
        {"distance", "16777217", "16777216"},
        /* by way of the nearest double, 1 + 2^-24, which is halfway between two float32 */
        {"distance", "1.00000005960464477540", "1"},
        /* the same decimal goes straight to float4 */
        {"ratio", "1.00000005960464477540", "1.0000001"},
        {"ratio", "\"0.1\"", "0.1"},
        {"ratio", "\"NaN\"", "null"},
        {"price", "12.50", "12.5"},
        {"price", "\"1e400\"", "3.4028235e+38"},
        {"seats", "5", "5"},
        {"seats", "\"5\"", "5"},
        {"seats", "5.0", "5"},
        {"seats", "-2147483648", "-2.1474836e+09"},
        {"on/off~", "true", "1"},
        {"on/off~", "false", "0"},
        {"on/off~", "\"t\"", "1"},
        {"on/off~", "\"false\"", "0"},
        {"on/off~", "null", "null"},
        {"carrier", "\"UA\"", "1"},
        {"carrier", "\"\\u00dcn\\u00ef\"", "4"},
        {"carrier", "\"Ünï\"", "4"},
        {"carrier", "\"never seen\"", "0"},
        {"carrier", "\"\"", "0"},
        {"carrier", "null", "null"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        char body[256], expected[64];

        snprintf(body, sizeof(body), "{" P ",\"encoded\":true,\"features\":{\"%s\":%s}}",
                 cases[i].column, cases[i].value);
        snprintf(expected, sizeof(expected), "\"%s\":%s%s", cases[i].column, cases[i].encoded,
                 strcmp(cases[i].column, "price") == 0 ? "}" : ",");
        must_ask(body);
        if (strstr(buf_text(&asking.reply), expected) == NULL)
            fail_msg("%s: expected %s in %s", body, expected, buf_text(&asking.reply));
    }
}

/* One by one, as objects and as a table: the same answers as encoder and forest give from the
 * frame. */
static void test_rows_of_the_frame(void **state)
{
    const struct tiny *tiny = &asking.tiny[TINY_REGRESSION];
    CLEANUP(buf_release) struct buf body = {0};

    (void)state;
    for (uint32_t row = 0; row < TINY_N_ROWS; row++) {
        float features[TINY_N_FEATURES], margin;
        cJSON *root;

        assert_int_equal(encoder_apply(tiny->encoder, tiny->frame, &row, 1, features, &asking.err),
                         ERR_OK);
        forest_margin(tiny->forest, features, &margin);
        buf_clear(&body);
        buf_puts(&body, "{" P ",\"features\":{");
        for (int i = 0; i < TINY_N_COLUMNS; i++) {
            struct cell cell;

            column_cell(&tiny->frame->columns[i], row, &cell);
            buf_puts(&body, i > 0 ? "," : "");
            json_put_text(&body, tiny_names[i]);
            buf_putc(&body, ':');
            if (cell.is_null)
                buf_puts(&body, "null");
            else
                cell_to_json(tiny_types[i], &cell, &body);
        }
        buf_puts(&body, "},\"encoded\":true}");
        root = answer_to(buf_text(&body));
        assert_true((float)at(root, "margin")->valuedouble == margin);
        for (int i = 0; i < TINY_N_FEATURES; i++) {
            const cJSON *item = cJSON_GetArrayItem(at(root, "encoded"), i);

            assert_string_equal(item->string, tiny->encoder->feature_names[i]);
            assert_true(cJSON_IsNull(item) ? isnan(features[i])
                                           : (float)item->valuedouble == features[i]);
        }
        cJSON_Delete(root);
    }
}

static void test_the_reply_is_appended(void **state)
{
    static const struct predict_limits limits = {.max_rows = 1};
    CLEANUP(buf_release) struct buf reply = {0};
    static const char *const body = "{" P ",\"features\":{}}";

    (void)state;
    buf_puts(&reply, "before ");
    assert_int_equal(
        predict_json(body, strlen(body), &asking.source, &limits, &asking.scratch, &reply, NULL),
        ERR_OK);
    assert_string_equal(buf_text(&reply), "before " HEAD "\"prediction\":1.125}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_to_the_byte),
        cmocka_unit_test(test_explanations),
        cmocka_unit_test(test_explanations_of_several_classes),
        cmocka_unit_test(test_encoded_in_the_models_order),
        cmocka_unit_test(test_encoded_stands_in_each_item),
        cmocka_unit_test(test_probabilities_by_label),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_rows_of_the_frame),
        cmocka_unit_test(test_the_reply_is_appended),
    };

    return cmocka_run_group_tests(tests, asking_setup, asking_teardown);
}
