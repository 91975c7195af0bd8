/*
 * A growable byte buffer.
 *
 * Invariants: zeroed memory is a valid empty buffer; `data` is NULL or holds `length` bytes
 * followed by a NUL that is not counted; after a failed allocation `failed` is set, every later
 * append is a no-op, and the owner checks once, at the end (buf_check). Not thread-safe.
 */
#ifndef PGBOOST_BASE_BUF_H
#define PGBOOST_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

struct buf {
    char *data;
    size_t length;
    size_t capacity;
    bool failed;
};

void buf_release(struct buf *buf);
void buf_clear(struct buf *buf); /* empties it, keeps the memory, forgets a failure */

/* Room for n_bytes more; false (and failed set) when there is no memory. */
bool buf_reserve(struct buf *buf, size_t n_bytes);

void buf_append(struct buf *buf, const void *data, size_t n_bytes);
static inline void buf_puts(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}
void buf_putc(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_put_int(struct buf *buf, int64_t value); /* in decimal */
void buf_vprintf(struct buf *buf, const char *format, va_list args) PRINTF_LIKE(2, 0);

/* The text, "" when empty; valid until the next change. */
const char *buf_text(const struct buf *buf);

MUST_CHECK enum err_code buf_check(const struct buf *buf, struct err *err);

/* Reads a whole file, at most max_bytes (ERR_LIMIT beyond), appended to buf. */
MUST_CHECK enum err_code buf_read_file(struct buf *buf, const char *path, size_t max_bytes,
                                       struct err *err);

#endif
