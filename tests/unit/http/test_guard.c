#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "http/guard.h"

#define N_THREADS 4
#define N_RELOADS 2000

/* A file of one token, and what a client sends of it. */
struct fixture {
    char path[40], authorization[TOKEN_TEXT_MAX + 8];
};

static int set_up(void **state)
{
    static struct fixture fixture;
    CLEANUP(buf_release) struct buf line = {0};
    char token[TOKEN_TEXT_MAX];
    int fd;

    snprintf(fixture.path, sizeof(fixture.path), "/tmp/pgboost-guard-XXXXXX");
    fd = mkstemp(fixture.path);
    assert_true(fd >= 0);
    assert_int_equal(token_make(token, NULL), ERR_OK);
    assert_int_equal(token_line("shop", token, "predict", NULL, NULL, &line, NULL), ERR_OK);
    assert_int_equal(write(fd, line.data, line.length), (ssize_t)line.length);
    close(fd);
    snprintf(fixture.authorization, sizeof(fixture.authorization), "Bearer %s", token);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    const struct fixture *fixture = *state;

    return unlink(fixture->path);
}

static struct guard *make(const struct fixture *fixture, const char *hosts)
{
    const struct guard_rules rules = {.tokens = fixture->path, .hosts = hosts, .origins = ""};
    struct guard *guard = NULL;

    assert_int_equal(guard_new(&rules, &guard, NULL), ERR_OK);
    return guard;
}

/* As a request of this Host is let in, with the fixture's token: 0 or a status. */
static int admit(const struct fixture *fixture, struct guard_post *post, struct guard_pass *pass,
                 const char *host, struct token **ret_token)
{
    struct head head = {.method = "GET", .version = "HTTP/1.1"};
    const struct guard *guard = guard_pass_renew(pass, post);
    const char *origin = NULL;
    struct err err;
    int status;

    head.value[HEAD_HOST] = host;
    head.n[HEAD_HOST] = head.n[HEAD_AUTHORIZATION] = 1;
    head.value[HEAD_AUTHORIZATION] = fixture->authorization;
    status = guard_admit(guard, pass, &head, &origin, &err);
    if (status != 0)
        return status;
    return guard_authorize(guard, pass, &head, TOKEN_PREDICT, ret_token, &err);
}

/* What a request was let in with stays until the next one of its connection, which is looked at
 * anew. */
static void test_replaced_under_a_request(void **state)
{
    const struct fixture *fixture = *state;
    struct guard_pass pass = {0}, other = {0};
    struct token *token = NULL, *fresh = NULL;
    struct guard_post post;

    guard_post_init(&post);
    guard_post_set(&post, make(fixture, "a.example"));
    assert_int_equal(admit(fixture, &post, &pass, "a.example", &token), 0);
    assert_int_equal(admit(fixture, &post, &pass, "b.example", &fresh), 421);
    for (int i = 0; i < 3; i++)
        guard_post_set(&post, make(fixture, "b.example"));
    assert_string_equal(token->name, "shop");
    assert_int_equal(admit(fixture, &post, &other, "a.example", &fresh), 421);
    assert_int_equal(admit(fixture, &post, &other, "b.example", &fresh), 0);
    assert_ptr_not_equal(fresh, token);
    assert_int_equal(admit(fixture, &post, &pass, "a.example", &token), 421);
    assert_int_equal(admit(fixture, &post, &pass, "b.example", &token), 0);
    assert_ptr_equal(fresh, token);
    guard_pass_release(&pass);
    guard_post_release(&post);
    assert_string_equal(fresh->name, "shop"); /* the other's still */
    guard_pass_release(&other);
}

/* However often it is replaced, no more is held than one guard and those of connections. */
static void test_replaced_guards_are_freed(void **state)
{
    const struct fixture *fixture = *state;
    struct guard_pass pass = {0};
    struct token *token = NULL;
    struct guard_post post;
    size_t before = 0;

    guard_post_init(&post);
    for (int i = 0; i < 110; i++) {
        guard_post_set(&post, make(fixture, "a.example"));
        if (i % 2 == 0)
            assert_int_equal(admit(fixture, &post, &pass, "a.example", &token), 0);
        if (i == 9)
            before = mallinfo2().uordblks;
    }
    assert_true(mallinfo2().uordblks < before + 1000); /* a guard holds several thousand bytes */
    guard_pass_release(&pass);
    guard_post_release(&post);
}

struct crowd {
    const struct fixture *fixture;
    struct guard_post post;
    atomic_bool over;
    atomic_int n_admitted, n_refused;
};

static void *ask(void *context)
{
    struct crowd *crowd = context;

    while (!atomic_load(&crowd->over)) {
        struct guard_pass pass = {0};

        for (int i = 0; i < 3; i++) {
            struct token *token = NULL;
            int status = admit(crowd->fixture, &crowd->post, &pass, "a.example", &token);

            atomic_fetch_add(status == 0 && strcmp(token->name, "shop") == 0 ? &crowd->n_admitted
                                                                             : &crowd->n_refused,
                             1);
        }
        guard_pass_release(&pass);
    }
    return NULL;
}

static void test_replaced_among_threads(void **state)
{
    struct crowd crowd = {.fixture = *state};
    pthread_t threads[N_THREADS];

    guard_post_init(&crowd.post);
    guard_post_set(&crowd.post, make(crowd.fixture, "a.example"));
    for (int i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &crowd), 0);
    for (int i = 0; i < N_RELOADS || atomic_load(&crowd.n_admitted) == 0; i++)
        guard_post_set(&crowd.post, make(crowd.fixture, "a.example"));
    atomic_store(&crowd.over, true);
    for (int i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&crowd.n_refused), 0);
    guard_post_release(&crowd.post);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replaced_under_a_request),
        cmocka_unit_test(test_replaced_guards_are_freed),
        cmocka_unit_test(test_replaced_among_threads),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
