#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"

static void assert_json(const char *line, const char *expected)
{
    CLEANUP(buf_release) struct buf json = {0};

    log_line_to_json(line, strlen(line), &json);
    assert_string_equal(buf_text(&json), expected);
}

static void test_json(void **state)
{
    (void)state;
    assert_json("level=info msg=\"worker started\" run=7 share=0.25",
                "{\"level\":\"info\",\"msg\":\"worker started\",\"run\":7,\"share\":0.25}");
    assert_json("version=0.1.0 address=127.0.0.1:8080",
                "{\"version\":\"0.1.0\",\"address\":\"127.0.0.1:8080\"}");
    assert_json("error=\"a \\\"b\\\" c\\\\d=e\" sqlstate=42P01",
                "{\"error\":\"a \\\"b\\\" c\\\\d=e\",\"sqlstate\":\"42P01\"}");
    assert_json("n=007 m=1e5 k=-3 j=", "{\"n\":\"007\",\"m\":1e5,\"k\":-3,\"j\":\"\"}");
    assert_json("", "{}");
}

/* Lines that were cut, wherever. */
static void test_json_of_cut_lines(void **state)
{
    (void)state;
    assert_json("a=1 error=\"half a sen", "{\"a\":1,\"error\":\"half a sen\"}");
    assert_json("a=1 error=\"half \\", "{\"a\":1,\"error\":\"half \\\\\"}");
    assert_json("a=1 erro", "{\"a\":1}");
    assert_json("a=\"\xc3\"", "{\"a\":\"\xef\xbf\xbd\"}");
}

static void test_burst(void **state)
{
    struct log_burst burst = {0};
    int n_left_out = -1;

    (void)state;
    for (int i = 0; i < LOG_BURST; i++) {
        assert_true(log_burst_take(&burst, 1000, &n_left_out));
        assert_int_equal(n_left_out, 0);
    }
    for (int i = 0; i < 5; i++)
        assert_false(log_burst_take(&burst, 1000 + LOG_BURST_MS - 1, &n_left_out));
    assert_true(log_burst_take(&burst, 1000 + LOG_BURST_MS, &n_left_out));
    assert_int_equal(n_left_out, 5);
    assert_true(log_burst_take(&burst, 1000 + LOG_BURST_MS, &n_left_out));
    assert_int_equal(n_left_out, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_of_cut_lines),
        cmocka_unit_test(test_burst),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
