#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "train/learning.h"

static double loss_of(int round)
{
    return 1000.0 / round + fabs(round - 333.0);
}

/* So many rounds, the best of them at its lowest loss so far. */
static cJSON *curve_of(int n_rounds, int best)
{
    struct learning learning = {0};
    struct buf text = {0};
    cJSON *json = NULL;

    for (int round = 1; round <= n_rounds; round++)
        learning_add(&learning, round, loss_of(round), round <= best);
    learning_put(&learning, "rmse", &text);
    assert_int_equal(json_parse(buf_text(&text), text.length, "curve", &json, NULL), ERR_OK);
    buf_release(&text);
    return json;
}

static int round_at(const cJSON *json, int i)
{
    return cJSON_GetArrayItem(cJSON_GetObjectItem(json, "rounds"), i)->valueint;
}

/* Whatever the number of rounds: in order, each once, with its own loss, from the first to the last
 * with the best among them, none far from the next. */
static void test_thinning(void **state)
{
    (void)state;
    for (int n = 1; n < 3000; n += n < 410 ? 1 : 97)
        for (int k = 0; k < 3; k++) {
            int best = k == 0 ? 1 : k == 1 ? (n + 1) / 2 : n, widest = 0, seen = 0;
            cJSON *json = curve_of(n, best);
            int n_points = cJSON_GetArraySize(cJSON_GetObjectItem(json, "rounds"));

            assert_string_equal(cJSON_GetObjectItem(json, "metric")->valuestring, "rmse");
            assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "valid")), n_points);
            assert_in_range(n_points, n < LEARNING_POINTS_MAX - 2 ? n : LEARNING_POINTS_MAX / 2 - 1,
                            LEARNING_POINTS_MAX);
            for (int i = 0; i < n_points; i++) {
                int round = round_at(json, i);
                int gap = i > 0 ? round - round_at(json, i - 1) : 1;

                assert_true(gap >= 1);
                widest = gap > widest ? gap : widest;
                seen += round == best;
                assert_true(
                    cJSON_GetArrayItem(cJSON_GetObjectItem(json, "valid"), i)->valuedouble ==
                    loss_of(round));
            }
            assert_int_equal(round_at(json, 0), 1);
            assert_int_equal(round_at(json, n_points - 1), n);
            assert_int_equal(seen, 1);
            assert_true(widest <= 2 * n / (LEARNING_POINTS_MAX - 2) + 1);
            cJSON_Delete(json);
        }
}

static void test_none(void **state)
{
    struct learning learning = {0};
    struct buf text = {0};

    (void)state;
    learning_put(&learning, "log_loss", &text);
    assert_string_equal(buf_text(&text), "{\"metric\":\"log_loss\",\"rounds\":[],\"valid\":[]}");
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thinning),
        cmocka_unit_test(test_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
