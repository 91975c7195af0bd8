/*
 * Hashes: SHA-256 (libcrypto's) for what must be identified, a fast 64-bit one for tables, and one
 * with a secret for tables whose keys a client chooses.
 */
#ifndef PGBOOST_BASE_HASH_H
#define PGBOOST_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SHA256_SIZE     32
#define SHA256_HEX_SIZE 65 /* with the NUL */

MUST_CHECK enum err_code sha256(const void *data, size_t n_bytes, uint8_t ret_digest[SHA256_SIZE],
                                struct err *err);

/* Lower-case hexadecimal, as Postgres's encode(sha256(…), 'hex') prints it. */
MUST_CHECK enum err_code sha256_hex(const void *data, size_t n_bytes, char ret_hex[SHA256_HEX_SIZE],
                                    struct err *err);

/* Not for adversaries, and another one on machines of another byte order or in another release. */
uint64_t hash64(const void *data, size_t n_bytes);

/* A table's own, so that nobody who does not know it can choose keys that collide. ERR_IO: the
 * kernel gives no random bytes. */
struct hash_secret {
    uint64_t words[2];
};
MUST_CHECK enum err_code hash_secret_init(struct hash_secret *secret, struct err *err);

/* SipHash-1-3 (Aumasson, Bernstein: SipHash: a fast short-input PRF, 2012). */
uint64_t hash64_secret(const struct hash_secret *secret, const void *data, size_t n_bytes);

#endif
