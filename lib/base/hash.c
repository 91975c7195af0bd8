#include "base/hash.h"

#include <endian.h>
#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

/* Looked up once: by name at each call, libcrypto 3 takes longer to find the algorithm than to hash
 * a short key. */
static EVP_MD *sha256_md;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

/* A thread's own: making one anew costs as much as a short hash. Freed when the thread ends. */
static pthread_key_t context_key;

static void free_context(void *context)
{
    EVP_MD_CTX_free(context);
}

static void fetch_sha256(void)
{
    if (pthread_key_create(&context_key, free_context) == 0)
        sha256_md = EVP_MD_fetch(NULL, "SHA256", NULL);
}

static EVP_MD_CTX *thread_context(void)
{
    EVP_MD_CTX *context = pthread_getspecific(context_key);

    if (context == NULL) {
        context = EVP_MD_CTX_new();
        if (context != NULL && pthread_setspecific(context_key, context) != 0) {
            EVP_MD_CTX_free(context);
            context = NULL;
        }
    }
    return context;
}

static bool digest_all(const void *data, size_t n_bytes, uint8_t digest[SHA256_SIZE])
{
    EVP_MD_CTX *context = sha256_md == NULL ? NULL : thread_context();

    return context != NULL && EVP_DigestInit_ex2(context, sha256_md, NULL) == 1 &&
           EVP_DigestUpdate(context, data, n_bytes) == 1 &&
           EVP_DigestFinal_ex(context, digest, NULL) == 1;
}

enum err_code sha256(const void *data, size_t n_bytes, uint8_t ret_digest[SHA256_SIZE],
                     struct err *err)
{
    uint8_t digest[SHA256_SIZE];

    pthread_once(&sha256_once, fetch_sha256);
    /* libcrypto fails only without memory or without its default provider */
    if (!digest_all(data, n_bytes, digest))
        return err_set(err, ERR_FAILED, "cannot compute a SHA-256: libcrypto refused");
    for (int i = 0; i < SHA256_SIZE; i++)
        ret_digest[i] = digest[i];
    return ERR_OK;
}

enum err_code sha256_hex(const void *data, size_t n_bytes, char ret_hex[SHA256_HEX_SIZE],
                         struct err *err)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SHA256_SIZE];

    TRY(sha256(data, n_bytes, digest, err));
    for (int i = 0; i < SHA256_SIZE; i++) {
        ret_hex[2 * i] = digits[digest[i] >> 4];
        ret_hex[2 * i + 1] = digits[digest[i] & 15];
    }
    ret_hex[SHA256_HEX_SIZE - 1] = '\0';
    return ERR_OK;
}

/* Eight bytes a step: xor, multiply, and the upper half onto the lower, because a double's low bits
 * are often zero and would stay so; the finalizer of MurmurHash3 (Appleby) behind it. */
#define HASH_FACTOR UINT64_C(0x517cc1b727220a95)

static uint64_t hash_word(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * HASH_FACTOR;
    return hash ^ hash >> 32;
}

uint64_t hash64(const void *data, size_t n_bytes)
{
    const unsigned char *bytes = data;
    uint64_t hash = n_bytes, word;

    for (; n_bytes >= sizeof(word); n_bytes -= sizeof(word), bytes += sizeof(word)) {
        memcpy(&word, bytes, sizeof(word));
        hash = hash_word(hash, word);
    }
    if (n_bytes > 0) {
        word = 0;
        memcpy(&word, bytes, n_bytes);
        hash = hash_word(hash, word);
    }
    hash = (hash ^ (hash >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    hash = (hash ^ (hash >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
    return hash ^ (hash >> 33);
}

/* With a secret ------------------------------------------------------------------------------- */

enum err_code hash_secret_init(struct hash_secret *secret, struct err *err)
{
    if (getrandom(secret->words, sizeof(secret->words), 0) != sizeof(secret->words))
        return err_errno(err, errno, "cannot get random bytes");
    return ERR_OK;
}

static uint64_t rotate(uint64_t word, int n_bits)
{
    return word << n_bits | word >> (64 - n_bits);
}

/* SipRound of the paper. */
static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32) + v[3];
    v[2] += v[1];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

uint64_t hash64_secret(const struct hash_secret *secret, const void *data, size_t n_bytes)
{
    const uint64_t *key = secret->words;
    const unsigned char *bytes = data;
    uint64_t v[4] = {key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
                     key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};
    uint64_t word, last = (uint64_t)n_bytes << 56;

    for (; n_bytes >= sizeof(word); n_bytes -= sizeof(word), bytes += sizeof(word)) {
        memcpy(&word, bytes, sizeof(word));
        sip_word(v, le64toh(word));
    }
    for (size_t i = 0; i < n_bytes; i++)
        last |= (uint64_t)bytes[i] << 8 * i;
    sip_word(v, last);
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
