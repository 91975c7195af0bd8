#include "base/hash.h"

#include <openssl/evp.h>
#include <pthread.h>

/* Looked up once: by name at each call, libcrypto 3 takes longer to find the algorithm than to hash
 * a short key. */
static EVP_MD *sha256_md;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void fetch_sha256(void)
{
    sha256_md = EVP_MD_fetch(NULL, "SHA256", NULL);
}

enum err_code sha256(const void *data, size_t n_bytes, uint8_t ret_digest[SHA256_SIZE],
                     struct err *err)
{
    uint8_t digest[SHA256_SIZE];

    pthread_once(&sha256_once, fetch_sha256);
    /* libcrypto fails only without memory or without its default provider */
    if (sha256_md == NULL || EVP_Digest(data, n_bytes, digest, NULL, sha256_md, NULL) != 1)
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

/* FNV-1a (Fowler, Noll and Vo), whose low bits alone mix poorly; hence the finalizer of MurmurHash3
 * (Appleby) behind it. */
uint64_t hash64(const void *data, size_t n_bytes)
{
    const unsigned char *bytes = data;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < n_bytes; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    hash = (hash ^ (hash >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    hash = (hash ^ (hash >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
    return hash ^ (hash >> 33);
}
