/* Hashes, random numbers and the clock. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/radix.h"
#include "base/random.h"

/* FIPS 180-4's examples. */
static void sha256_of_standard_texts(void **state)
{
    static const struct {
        const char *text, *hex;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        char hex[SHA256_HEX_SIZE];
        uint8_t digest[SHA256_SIZE];
        struct err err;

        assert_int_equal(sha256_hex(cases[i].text, strlen(cases[i].text), hex, &err), ERR_OK);
        assert_string_equal(hex, cases[i].hex);
        assert_int_equal(sha256(cases[i].text, strlen(cases[i].text), digest, &err), ERR_OK);
        assert_int_equal(digest[0] >> 4, hex[0] >= 'a' ? hex[0] - 'a' + 10 : hex[0] - '0');
    }
}

/* As hash.c describes it, computed in Python. */
static void hash64_is_what_it_says(void **state)
{
    static const struct {
        const char *text;
        uint64_t hash;
    } cases[] = {
        {"", UINT64_C(0x0000000000000000)},
        {"a", UINT64_C(0x1eaeca30bf5f6016)},
        {"foobar", UINT64_C(0xf96353778b150454)},
        {"eight by", UINT64_C(0x2c5d7af794057f92)},
        {"more than eight", UINT64_C(0x386598ba9a5d005f)},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++)
        assert_true(hash64(cases[i].text, strlen(cases[i].text)) == cases[i].hash);
}

/* libcrypto's SipHash of as many rounds. */
static uint64_t siphash(const struct hash_secret *secret, const uint8_t *data, size_t n_bytes)
{
    size_t size = 8;
    unsigned compressions = 1, finalizations = 3;
    uint8_t key[16], digest[8];
    uint64_t hash = 0;
    OSSL_PARAM params[] = {OSSL_PARAM_size_t("size", &size),
                           OSSL_PARAM_uint("c-rounds", &compressions),
                           OSSL_PARAM_uint("d-rounds", &finalizations), OSSL_PARAM_END};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);

    for (int i = 0; i < 16; i++)
        key[i] = (uint8_t)(secret->words[i / 8] >> 8 * (i % 8));
    assert_int_equal(EVP_MAC_init(context, key, sizeof(key), params), 1);
    assert_int_equal(EVP_MAC_update(context, data, n_bytes), 1);
    assert_int_equal(EVP_MAC_final(context, digest, &size, sizeof(digest)), 1);
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(mac);
    for (int i = 8; i-- > 0;)
        hash = hash << 8 | digest[i];
    return hash;
}

static void hash64_secret_is_siphash(void **state)
{
    struct hash_secret secret, other;
    uint8_t data[70];

    (void)state;
    assert_int_equal(hash_secret_init(&secret, NULL), ERR_OK);
    assert_int_equal(hash_secret_init(&other, NULL), ERR_OK);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 37 + 200);
    for (size_t n_bytes = 0; n_bytes <= sizeof(data); n_bytes++) {
        assert_true(hash64_secret(&secret, data, n_bytes) == siphash(&secret, data, n_bytes));
        assert_true(hash64_secret(&secret, data, n_bytes) != hash64_secret(&other, data, n_bytes));
    }
}

static int compare_hashes(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

/* A million rows of small whole numbers as doubles: what tables are made of. */
static void hash64_tells_rows_of_small_doubles_apart(void **state)
{
    enum { N = 1000000 };
    static uint64_t hashes[N];

    (void)state;
    for (int width = 2; width <= 3; width++) {
        int base = width == 2 ? 1000 : 100;

        for (int i = 0; i < N; i++) {
            double row[3] = {i % base, i / base % base, i / base / base};

            hashes[i] = hash64(row, (size_t)width * sizeof(*row));
        }
        qsort(hashes, N, sizeof(*hashes), compare_hashes);
        for (int i = 1; i < N; i++)
            assert_true(hashes[i - 1] != hashes[i]);
    }
}

/* Against qsort's answer; keys of all widths, many of them alike. */
static int compare_items(const void *left, const void *right)
{
    const struct radix_item *a = left, *b = right;

    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

static void radix_sorts_and_keeps_the_order_of_equals(void **state)
{
    enum { N = 5000 };
    static struct radix_item items[N], room[N], expected[N];
    struct rng rng;

    (void)state;
    rng_init(&rng, 9);
    for (int round = 0; round < 70; round++) {
        size_t n = round == 0 ? 0 : round == 1 ? 1 : 1 + rng_below(&rng, N);
        struct radix_item *sorted;

        for (size_t i = 0; i < n; i++)
            items[i] = expected[i] = (struct radix_item){
                round < 65 ? rng_next(&rng) >> (64 - (round < 1    ? 1
                                                      : round > 64 ? 64
                                                                   : round))
                           : radix_key_of_int((int64_t)rng_below(&rng, 100) - 50),
                (uint32_t)i};
        qsort(expected, n, sizeof(*expected), compare_items);
        sorted = radix_sort(items, room, n);
        for (size_t i = 0; i < n; i++) {
            assert_true(sorted[i].key == expected[i].key);
            assert_int_equal(sorted[i].index, expected[i].index);
        }
    }
    assert_true(radix_key_of_int(INT64_MIN) == 0 && radix_key_of_int(-1) < radix_key_of_int(0));
}

/* The first numbers of Vigna's splitmix64.c from the state 1234567. */
static void splitmix64(void **state)
{
    static const uint64_t numbers[] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
                                       UINT64_C(9817491932198370423), UINT64_C(4593380528125082431),
                                       UINT64_C(16408922859458223821)};
    struct rng rng;

    (void)state;
    rng_init(&rng, 1234567);
    for (size_t i = 0; i < N_ELEMENTS(numbers); i++)
        assert_true(rng_next(&rng) == numbers[i]);
}

static void uniform_stays_below_one(void **state)
{
    struct rng rng;
    double sum = 0;

    (void)state;
    rng_init(&rng, 3);
    for (int i = 0; i < 100000; i++) {
        double u = rng_uniform(&rng);

        assert_true(u >= 0 && u < 1);
        sum += u;
    }
    assert_true(sum > 49500 && sum < 50500); /* 5 standard deviations are 456 */
}

static void below_is_even(void **state)
{
    int counts[7] = {0};
    struct rng rng;

    (void)state;
    rng_init(&rng, 4);
    for (int i = 0; i < 70000; i++)
        counts[rng_below(&rng, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_true(counts[i] > 9500 && counts[i] < 10500);
    assert_true(rng_below(&rng, 1) == 0);
    for (int i = 0; i < 100; i++)
        assert_true(rng_below(&rng, (UINT64_C(1) << 63) + 1) <= UINT64_C(1) << 63);
}

static void deadlines(void **state)
{
    int64_t now = clock_ms();

    (void)state;
    assert_true(clock_ms() >= now);
    assert_true(deadline_in(-1) == DEADLINE_NEVER);
    assert_true(deadline_in(INT64_MAX) == DEADLINE_NEVER);
    assert_true(deadline_in(1000) >= now + 1000);
    assert_int_equal(deadline_left_ms(DEADLINE_NEVER), -1);
    assert_int_equal(deadline_left_ms(now - 1), 0);
    assert_int_equal(deadline_left_ms(INT64_MIN), 0);
    assert_int_equal(deadline_left_ms(DEADLINE_NEVER - 1), INT_MAX);
    assert_in_range(deadline_left_ms(now + 60000), 1, 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_of_standard_texts),
        cmocka_unit_test(hash64_is_what_it_says),
        cmocka_unit_test(hash64_secret_is_siphash),
        cmocka_unit_test(hash64_tells_rows_of_small_doubles_apart),
        cmocka_unit_test(radix_sorts_and_keeps_the_order_of_equals),
        cmocka_unit_test(splitmix64),
        cmocka_unit_test(uniform_stays_below_one),
        cmocka_unit_test(below_is_even),
        cmocka_unit_test(deadlines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
