/*
 * A file for what does not fit into memory: nameless, readable by nobody else, gone with the
 * process however that ends.
 *
 * Appended to, then read at any place, by any thread. Errors: ERR_IO with what to do about a full
 * disk.
 */
#ifndef PGBOOST_BASE_SPILL_H
#define PGBOOST_BASE_SPILL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* What does not fit, and where it goes. */
struct spill_rule {
    size_t above;       /* bytes in memory; 0: all fits */
    const char *folder; /* the caller's */
};

struct spill;

/* folder must exist and be writable. */
MUST_CHECK enum err_code spill_new(const char *folder, struct spill **ret_spill, struct err *err);
void spill_free(struct spill *spill);
DEFINE_FREEP(struct spill *, spill_free)

/* Appends; *ret_offset (may be NULL) is where the bytes are. */
MUST_CHECK enum err_code spill_append(struct spill *spill, const void *data, size_t n_bytes,
                                      uint64_t *ret_offset, struct err *err);

/* Bytes beyond the end are ERR_CORRUPT: nobody asks for them. */
MUST_CHECK enum err_code spill_read(const struct spill *spill, uint64_t offset, void *data,
                                    size_t n_bytes, struct err *err);

uint64_t spill_bytes(const struct spill *spill);

#endif
