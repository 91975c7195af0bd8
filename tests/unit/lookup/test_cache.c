/* Rows that are kept: found by what was asked, for so long, within so many bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "lookup/cache.h"

#define HOUR_MS (3600 * 1000)

struct fixture {
    struct row_cache *cache;
    struct lookup_plan plan;
    char key[32], text[32];
    struct lookup_ask ask;
};

static void fixture_init(struct fixture *fixture, size_t max_bytes)
{
    *fixture = (struct fixture){.plan = {.n_columns = 2}};
    assert_int_equal(row_cache_new(max_bytes, &fixture->cache, NULL), ERR_OK);
}

static const struct lookup_ask *ask_in_words(struct fixture *fixture, const char *signature,
                                             const char *key, int64_t keep_ms)
{
    fixture->ask = (struct lookup_ask){.form = LOOKUP_KEY,
                                       .signature = signature,
                                       .signature_length = strlen(signature),
                                       .keep_ms = keep_ms};
    json_reader_init(&fixture->ask.values, key, strlen(key));
    return &fixture->ask;
}

static const struct lookup_ask *ask_for(struct fixture *fixture, const char *signature, int key,
                                        int64_t keep_ms)
{
    snprintf(fixture->key, sizeof(fixture->key), "{\"id\": %d}", key);
    return ask_in_words(fixture, signature, fixture->key, keep_ms);
}

/* The text of the key's number, and NULL behind it. */
static void keep_of(struct fixture *fixture, const char *signature, int key, int64_t read_us,
                    uint64_t era)
{
    PGresAttDesc columns[] = {{.name = "n"}, {.name = "a"}, {.name = "b"}};
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    struct lookup_row row = {.result = result};
    struct lookup_rows rows = {&fixture->plan, 1, &row};
    int length = snprintf(fixture->text, sizeof(fixture->text), "row %d", key);

    assert_true(PQsetResultAttrs(result, 3, columns));
    assert_true(PQsetvalue(result, 0, 0, NULL, -1));
    assert_true(PQsetvalue(result, 0, 1, fixture->text, length));
    assert_true(PQsetvalue(result, 0, 2, NULL, -1));
    row_cache_keep(fixture->cache, ask_for(fixture, signature, key, HOUR_MS), &rows, &row, read_us,
                   era);
    PQclear(result);
}

static void keep(struct fixture *fixture, const char *signature, int key, int64_t read_us)
{
    keep_of(fixture, signature, key, read_us, row_cache_era(fixture->cache));
}

static void check_row(const struct kept_row *kept, int key)
{
    struct lookup_row row = {.kept = kept};
    struct pg_field field;
    char text[32];

    snprintf(text, sizeof(text), "row %d", key);
    assert_true(lookup_field(&row, 0, &field));
    assert_int_equal(field.n_bytes, strlen(text));
    assert_memory_equal(field.data, text, field.n_bytes);
    assert_false(lookup_field(&row, 1, &field));
}

static bool finds(struct fixture *fixture, const char *signature, int key, int64_t keep_ms)
{
    struct kept_row *kept =
        row_cache_find(fixture->cache, ask_for(fixture, signature, key, keep_ms));

    if (kept == NULL)
        return false;
    check_row(kept, key);
    row_cache_let_go(fixture->cache, kept);
    return true;
}

static void found_by_what_was_asked(void **state)
{
    struct fixture fixture;
    struct row_cache_counts counts;

    (void)state;
    fixture_init(&fixture, 1 << 20);
    assert_false(finds(&fixture, "model 1", 7, HOUR_MS));
    keep(&fixture, "model 1", 7, clock_us());
    assert_true(finds(&fixture, "model 1", 7, HOUR_MS));
    assert_false(finds(&fixture, "model 2", 7, HOUR_MS));
    assert_false(finds(&fixture, "model 1", 77, HOUR_MS));
    keep(&fixture, "model 1", 7, clock_us()); /* once more: in place of the first */
    row_cache_count(fixture.cache, &counts);
    assert_int_equal(counts.n_hits, 1);
    assert_int_equal(counts.n_misses, 3);
    assert_int_equal(counts.n_rows, 1);
    row_cache_free(fixture.cache);
}

/* However a key is written, but not in whatever form. */
static void found_in_other_words(void **state)
{
    static const struct {
        const char *key;
        bool is_same;
    } cases[] = {
        {"{\"id\":7}", true},
        {" { \"id\"\n:\t7 } ", true},
        {"{\"\\u0069d\": 7}", true},
        {"{\"id\": \"7\"}", false},
        {"{\"id\": 7.0}", false},
        {"[7]", false},
        {"7", false},
    };
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture, 1 << 20);
    keep(&fixture, "model 1", 7, clock_us());
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct kept_row *kept =
            row_cache_find(fixture.cache, ask_in_words(&fixture, "model 1", cases[i].key, HOUR_MS));

        assert_int_equal(kept != NULL, cases[i].is_same);
        if (kept != NULL)
            row_cache_let_go(fixture.cache, kept);
    }
    row_cache_free(fixture.cache);
}

static uint64_t hash_of(struct fixture *fixture)
{
    struct kept_row *kept;
    uint64_t hash;

    keep(fixture, "model 1", 7, clock_us());
    kept = row_cache_find(fixture->cache, ask_for(fixture, "model 1", 7, HOUR_MS));
    assert_non_null(kept);
    hash = kept->hash;
    row_cache_let_go(fixture->cache, kept);
    return hash;
}

/* Who knows the hashes of one daemon knows nothing of another's. */
static void hashes_have_a_secret(void **state)
{
    struct fixture one, other;

    (void)state;
    fixture_init(&one, 1 << 20);
    fixture_init(&other, 1 << 20);
    assert_true(hash_of(&one) == hash_of(&one));
    assert_true(hash_of(&one) != hash_of(&other));
    row_cache_free(one.cache);
    row_cache_free(other.cache);
}

static void as_long_as_the_ask_allows(void **state)
{
    struct fixture fixture;
    struct row_cache_counts counts;

    (void)state;
    fixture_init(&fixture, 1 << 20);
    keep(&fixture, "model 1", 7, clock_us() - 60 * 1000000);
    assert_true(finds(&fixture, "model 1", 7, HOUR_MS));
    assert_false(finds(&fixture, "model 1", 7, 59 * 1000));
    row_cache_count(fixture.cache, &counts);
    assert_int_equal(counts.n_rows, 0);
    assert_int_equal(counts.n_bytes, 0);
    row_cache_free(fixture.cache);
}

static void within_its_bytes(void **state)
{
    struct fixture fixture;
    struct row_cache_counts counts;
    size_t n_found = 0;

    (void)state;
    fixture_init(&fixture, 100000);
    for (int key = 0; key < 5000; key++) {
        keep(&fixture, "model 1", key, clock_us());
        assert_true(finds(&fixture, "model 1", 0, HOUR_MS)); /* asked for all the time: it stays */
        row_cache_count(fixture.cache, &counts);
        assert_true(counts.n_bytes <= 100000);
    }
    for (int key = 0; key < 5000; key++)
        n_found += finds(&fixture, "model 1", key, HOUR_MS);
    assert_int_equal(n_found, counts.n_rows);
    assert_in_range(n_found, 100, 2000);
    assert_true(finds(&fixture, "model 1", 4999, HOUR_MS));
    assert_false(finds(&fixture, "model 1", 1, HOUR_MS));
    row_cache_free(fixture.cache);
}

/* Of a relation that was another meanwhile. */
static void a_row_of_before_is_not_kept(void **state)
{
    struct fixture fixture;
    uint64_t era;

    (void)state;
    fixture_init(&fixture, 1 << 20);
    era = row_cache_era(fixture.cache);
    row_cache_forget(fixture.cache, "model 1", strlen("model 1"));
    keep_of(&fixture, "model 1", 7, clock_us(), era);
    assert_false(finds(&fixture, "model 1", 7, HOUR_MS));
    keep_of(&fixture, "model 1", 7, clock_us(), era + 1);
    assert_true(finds(&fixture, "model 1", 7, HOUR_MS));
    row_cache_free(fixture.cache);
}

/* Of one signature, and not of one that begins with it. */
static void forgotten_by_signature(void **state)
{
    struct fixture fixture;
    struct row_cache_counts counts;

    (void)state;
    fixture_init(&fixture, 1 << 20);
    for (int key = 0; key < 10; key++) {
        keep(&fixture, "model 1", key, clock_us());
        keep(&fixture, "model 10", key, clock_us());
    }
    row_cache_forget(fixture.cache, "model 1", strlen("model 1"));
    for (int key = 0; key < 10; key++) {
        assert_false(finds(&fixture, "model 1", key, HOUR_MS));
        assert_true(finds(&fixture, "model 10", key, HOUR_MS));
    }
    row_cache_count(fixture.cache, &counts);
    assert_int_equal(counts.n_rows, 10);
    row_cache_free(fixture.cache);
}

static void a_row_stays_while_it_is_read(void **state)
{
    struct fixture fixture;
    struct kept_row *kept;

    (void)state;
    fixture_init(&fixture, 1 << 20);
    keep(&fixture, "model 1", 7, clock_us());
    kept = row_cache_find(fixture.cache, ask_for(&fixture, "model 1", 7, HOUR_MS));
    assert_non_null(kept);
    row_cache_forget(fixture.cache, "model 1", strlen("model 1"));
    assert_false(finds(&fixture, "model 1", 7, HOUR_MS));
    check_row(kept, 7);
    row_cache_let_go(fixture.cache, kept);
    row_cache_free(fixture.cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_by_what_was_asked), cmocka_unit_test(found_in_other_words),
        cmocka_unit_test(hashes_have_a_secret),    cmocka_unit_test(a_row_of_before_is_not_kept),
        cmocka_unit_test(forgotten_by_signature),  cmocka_unit_test(as_long_as_the_ask_allows),
        cmocka_unit_test(within_its_bytes),        cmocka_unit_test(a_row_stays_while_it_is_read),
    };

    return cmocka_run_group_tests_name("lookup/cache", tests, NULL, NULL);
}
