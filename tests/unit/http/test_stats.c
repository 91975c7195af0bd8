#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "http/stats.h"

#define N_THREADS 4
#define N_EACH    200000

/* Routes are told apart by their address alone. */
static const char marks[2];
static const struct route *const route_a = (const void *)&marks[0];
static const struct route *const route_b = (const void *)&marks[1];

static uint64_t total(const struct stats_series *series)
{
    uint64_t n = 0;

    for (size_t i = 0; i <= STATS_BUCKETS; i++)
        n += series->n_by_bucket[i];
    return n;
}

static void test_buckets_and_statuses(void **state)
{
    CLEANUP(stats_series_list_release) struct stats_series_list list = {0};
    struct stats *stats;

    (void)state;
    assert_int_equal(stats_new(&stats, NULL), ERR_OK);
    stats_note(stats, route_a, 7, 200, 0);
    stats_note(stats, route_a, 7, 200, 50); /* a bound belongs to its bucket */
    stats_note(stats, route_a, 7, 404, 51);
    stats_note(stats, route_a, 7, 999, 10000001);
    assert_int_equal(stats_collect(stats, &list, NULL), ERR_OK);
    assert_int_equal(list.n, 1);
    assert_ptr_equal(list.items[0].route, route_a);
    assert_int_equal(list.items[0].project_id, 7);
    assert_int_equal(list.items[0].n_by_bucket[0], 2);
    assert_int_equal(list.items[0].n_by_bucket[1], 1);
    assert_int_equal(list.items[0].n_by_bucket[STATS_BUCKETS], 1);
    assert_int_equal(list.items[0].sum_us, 10000102);
    assert_int_equal(stats_statuses[0], 200);
    assert_int_equal(list.items[0].n_by_status[0], 2);
    assert_int_equal(list.items[0].n_by_status[STATS_STATUSES], 1);
    stats_free(stats);
}

/* Projects beyond the bound count for their route. */
static void test_many_projects(void **state)
{
    CLEANUP(stats_series_list_release) struct stats_series_list list = {0};
    struct stats *stats;

    (void)state;
    assert_int_equal(stats_new(&stats, NULL), ERR_OK);
    for (int round = 0; round < 2; round++)
        for (int64_t id = 1; id <= STATS_SERIES_MAX + 1000; id++)
            stats_note(stats, route_a, id, 200, 1);
    stats_note(stats, route_b, 1, 200, 1); /* another route has room for itself */
    assert_int_equal(stats_collect(stats, &list, NULL), ERR_OK);
    assert_int_equal(list.n, STATS_SERIES_MAX + 2);
    for (size_t i = 0; i < list.n; i++)
        if (list.items[i].route == route_a)
            assert_int_equal(total(&list.items[i]), list.items[i].project_id == 0 ? 2000 : 2);
        else
            assert_int_equal(list.items[i].project_id, 0);
    stats_free(stats);
}

struct crowd {
    struct stats *stats;
    atomic_int n_running;
};

static void *note_many(void *cls)
{
    struct crowd *crowd = cls;

    for (int i = 0; i < N_EACH; i++)
        stats_note(crowd->stats, i % 2 == 0 ? route_a : route_b, 1 + i % 3, 200, i % 100);
    atomic_fetch_sub(&crowd->n_running, 1);
    return NULL;
}

static uint64_t collect_total(struct stats *stats)
{
    CLEANUP(stats_series_list_release) struct stats_series_list list = {0};
    uint64_t n = 0;

    assert_int_equal(stats_collect(stats, &list, NULL), ERR_OK);
    for (size_t i = 0; i < list.n; i++)
        n += total(&list.items[i]);
    return n;
}

/* Nothing is lost or counted twice while others note; sums only grow. */
static void test_threads(void **state)
{
    struct crowd crowd = {.n_running = N_THREADS};
    pthread_t threads[N_THREADS];
    uint64_t before = 0;

    (void)state;
    assert_int_equal(stats_new(&crowd.stats, NULL), ERR_OK);
    for (int i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, note_many, &crowd), 0);
    while (atomic_load(&crowd.n_running) > 0) {
        uint64_t now = collect_total(crowd.stats);

        assert_true(now >= before);
        before = now;
    }
    for (int i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(collect_total(crowd.stats), (uint64_t)N_THREADS * N_EACH);
    stats_free(crowd.stats);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets_and_statuses),
        cmocka_unit_test(test_many_projects),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
