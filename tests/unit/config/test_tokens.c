/* Tokens: made, written as a line, read again, found, limited. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/tokens.h"

static void made_and_read_again(void **state)
{
    CLEANUP(buf_release) struct buf file = {0};
    CLEANUP(tokens_release) struct tokens tokens = {0};
    char path[] = "/tmp/pgboost-test-XXXXXX", text[2][TOKEN_TEXT_MAX];
    struct token *one, *two;
    struct err err = {0};
    int fd = mkstemp(path);

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(token_make(text[i], NULL), ERR_OK);
        assert_int_equal(strlen(text[i]), 47);
    }
    assert_string_not_equal(text[0], text[1]);
    assert_int_equal(token_line("a", text[0], "predict", "p,q", "2", &file, NULL), ERR_OK);
    assert_int_equal(token_line("b", text[1], "predict,admin", NULL, NULL, &file, NULL), ERR_OK);
    assert_int_equal(token_line("c", text[1], "everything", NULL, NULL, &file, &err), ERR_CONFIG);
    *strchr(strchr(file.data, '\n') + 1, '\n') = '\0'; /* without the last one */
    assert_int_equal(write(fd, file.data, strlen(file.data)), strlen(file.data));
    close(fd);
    if (tokens_read(path, &tokens, &err) != ERR_OK)
        fail_msg("%s", err.message);
    unlink(path);
    one = tokens_find(&tokens, text[0], 47);
    two = tokens_find(&tokens, text[1], 47);
    assert_non_null(one);
    assert_non_null(two);
    assert_null(tokens_find(&tokens, text[0], 46));
    assert_int_equal(one->scopes, TOKEN_PREDICT);
    assert_int_equal(two->scopes, TOKEN_PREDICT | TOKEN_ADMIN);
    assert_true(token_sees(one, "q", 1) && !token_sees(one, "r", 1) && !token_sees(one, "qq", 2));
    assert_true(token_sees(two, "r", 1));
}

/* Two a second: two at once, then one each half second; what was not used is not saved up. */
static void rates(void **state)
{
    struct token token = {.rate = 2};
    const int64_t ms = 1000;

    (void)state;
    for (int64_t start = 5000 * ms; start < 50000 * ms; start += 20000 * ms) {
        assert_true(token_spend(&token, start));
        assert_true(token_spend(&token, start + ms));
        assert_false(token_spend(&token, start + 2 * ms));
        assert_false(token_spend(&token, start + 499 * ms));
        assert_true(token_spend(&token, start + 500 * ms));
        assert_false(token_spend(&token, start + 501 * ms));
    }
    token.rate = 0;
    for (int i = 0; i < 1000; i++)
        assert_true(token_spend(&token, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_and_read_again),
        cmocka_unit_test(rates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
