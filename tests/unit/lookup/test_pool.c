/* The pool against a server that takes connections and never says a word: every ask ends in its
 * time, and counts once. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include <pthread.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "lookup/lookup.h"

#define N_ASKS 20

struct fixture {
    int fd; /* listens; who connects waits in its backlog for ever */
    struct lookup *lookup;
    pthread_mutex_t lock;
    pthread_cond_t came;
    int n_ended;
};

struct client {
    struct lookup_ask ask;
    struct fixture *fixture;
    struct err err;
    char signature[24];
};

static void fixture_init(struct fixture *fixture, int queue_max, int timeout_ms)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(name);
    char dsn[100];

    *fixture = (struct fixture){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_true(fixture->fd >= 0);
    assert_int_equal(bind(fixture->fd, (struct sockaddr *)&name, size), 0);
    assert_int_equal(listen(fixture->fd, 64), 0);
    assert_int_equal(getsockname(fixture->fd, (struct sockaddr *)&name, &size), 0);
    snprintf(dsn, sizeof(dsn), "host=127.0.0.1 port=%d dbname=x user=x sslmode=disable",
             ntohs(name.sin_port));
    pthread_mutex_init(&fixture->lock, NULL);
    pthread_cond_init(&fixture->came, NULL);
    assert_int_equal(lookup_new(&(struct lookup_options){.dsn = dsn,
                                                         .n_connections = 1,
                                                         .queue_max = queue_max,
                                                         .cache_bytes = 1000,
                                                         .timeout_ms = timeout_ms},
                                &fixture->lookup, NULL),
                     ERR_OK);
}

static void fixture_release(struct fixture *fixture)
{
    lookup_free(fixture->lookup);
    close(fixture->fd);
    pthread_cond_destroy(&fixture->came);
    pthread_mutex_destroy(&fixture->lock);
}

static void end(struct client *client)
{
    struct fixture *fixture = client->fixture;

    lookup_ended(fixture->lookup, &client->ask);
    pthread_mutex_lock(&fixture->lock);
    fixture->n_ended++;
    pthread_cond_signal(&fixture->came);
    pthread_mutex_unlock(&fixture->lock);
}

static void done(struct lookup_ask *ask, const struct lookup_rows *rows)
{
    struct client *client = (void *)((char *)ask - offsetof(struct client, ask));

    assert_null(rows);
    assert_true(client->err.message[0] != '\0');
    end(client);
}

/* Asks of different signatures do not go together. */
static bool put(struct fixture *fixture, struct client *client, int i)
{
    *client = (struct client){.fixture = fixture};
    snprintf(client->signature, sizeof(client->signature), "model %d", i);
    client->ask = (struct lookup_ask){.form = LOOKUP_KEY,
                                      .signature = client->signature,
                                      .signature_length = strlen(client->signature),
                                      .keep_ms = 1000,
                                      .done = done,
                                      .err = &client->err};
    json_reader_init(&client->ask.values, "7", 1);
    if (lookup_put(fixture->lookup, &client->ask, &client->err))
        return true;
    end(client);
    return false;
}

/* What became of all, of which n were put. */
static struct lookup_counts count(struct fixture *fixture, int n)
{
    struct lookup_counts counts;
    uint64_t n_results = 0;

    lookup_count(fixture->lookup, &counts);
    for (int i = 0; i < LOOKUP_RESULTS; i++)
        n_results += counts.n_by_result[i];
    assert_int_equal(n_results, n);
    assert_int_equal(counts.n_waiting, 0);
    return counts;
}

static void wait_for_all(struct fixture *fixture, int n)
{
    pthread_mutex_lock(&fixture->lock);
    while (fixture->n_ended < n)
        pthread_cond_wait(&fixture->came, &fixture->lock);
    pthread_mutex_unlock(&fixture->lock);
}

static void every_ask_ends_and_counts_once(void **state)
{
    static struct client clients[N_ASKS];
    struct fixture fixture;
    struct lookup_counts counts;
    int64_t began_ms = clock_ms();
    int n_refused = 0;
    uint64_t n_timed = 0;

    (void)state;
    fixture_init(&fixture, 5, 300);
    for (int i = 0; i < N_ASKS; i++)
        n_refused += !put(&fixture, &clients[i], i);
    wait_for_all(&fixture, N_ASKS);
    assert_true(clock_ms() - began_ms < 20 * 1000);
    counts = count(&fixture, N_ASKS);
    assert_int_equal(counts.n_by_result[LOOKUP_QUEUE_FULL], n_refused);
    assert_int_equal(counts.n_by_result[LOOKUP_FOUND], 0);
    assert_int_equal(counts.n_by_result[LOOKUP_UNREACHABLE] + counts.n_by_result[LOOKUP_OVERDUE] +
                         counts.n_by_result[LOOKUP_TIMED_OUT],
                     N_ASKS - n_refused);
    for (int i = 0; i <= LOOKUP_BUCKETS; i++)
        n_timed += counts.n_by_bucket[i];
    assert_int_equal(n_timed, N_ASKS - n_refused);
    fixture_release(&fixture);
}

/* At most one of them is under way, and has its time; what waits is refused, as is who comes later.
 */
static void what_waits_at_the_end_counts(void **state)
{
    static struct client clients[4];
    struct fixture fixture;
    struct lookup_counts counts;
    int64_t began_ms = clock_ms();

    (void)state;
    fixture_init(&fixture, 5, 1000);
    for (int i = 0; i < 3; i++)
        assert_true(put(&fixture, &clients[i], i));
    lookup_stop(fixture.lookup);
    assert_true(clock_ms() - began_ms < 20 * 1000);
    assert_int_equal(fixture.n_ended, 3);
    assert_false(put(&fixture, &clients[3], 3));
    assert_non_null(strstr(clients[3].err.message, "stopping"));
    counts = count(&fixture, 4);
    assert_in_range(counts.n_by_result[LOOKUP_STOPPED], 1, 4);
    fixture_release(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_ask_ends_and_counts_once),
        cmocka_unit_test(what_waits_at_the_end_counts),
    };

    return cmocka_run_group_tests_name("lookup/pool", tests, NULL, NULL);
}
