#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void buf_release(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){0};
}

void buf_clear(struct buf *buf)
{
    buf->length = 0;
    buf->failed = false;
    if (buf->data != NULL)
        buf->data[0] = '\0';
}

bool buf_reserve(struct buf *buf, size_t n_bytes)
{
    size_t needed, capacity;
    char *data;

    if (buf->failed)
        return false;
    if (__builtin_add_overflow(buf->length, n_bytes, &needed) ||
        __builtin_add_overflow(needed, 1, &needed))
        goto fail;
    if (needed <= buf->capacity)
        return true;
    capacity = buf->capacity < 64 ? 64 : buf->capacity;
    while (capacity < needed)
        if (__builtin_mul_overflow(capacity, 2, &capacity))
            goto fail;
    data = realloc(buf->data, capacity);
    if (data == NULL)
        goto fail;
    data[buf->length] = '\0'; /* new memory has no NUL yet */
    buf->data = data;
    buf->capacity = capacity;
    return true;
fail:
    buf->failed = true;
    return false;
}

void buf_append(struct buf *buf, const void *data, size_t n_bytes)
{
    if (n_bytes == 0 || !buf_reserve(buf, n_bytes))
        return;
    memcpy(buf->data + buf->length, data, n_bytes);
    buf->length += n_bytes;
    buf->data[buf->length] = '\0';
}

void buf_putc(struct buf *buf, char c)
{
    buf_append(buf, &c, 1);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    buf_vprintf(buf, format, args);
    va_end(args);
}

void buf_vprintf(struct buf *buf, const char *format, va_list args)
{
    va_list again;
    size_t room;
    int length;

    if (!buf_reserve(buf, 0))
        return;
    room = buf->capacity - buf->length;
    va_copy(again, args);
    length = vsnprintf(buf->data + buf->length, room, format, again);
    va_end(again);
    if (length < 0) {
        buf->failed = true;
        return;
    }
    if ((size_t)length >= room) {
        if (!buf_reserve(buf, (size_t)length))
            return;
        vsnprintf(buf->data + buf->length, (size_t)length + 1, format, args);
    }
    buf->length += (size_t)length;
}

void buf_put_int(struct buf *buf, int64_t value)
{
    char digits[24], *at = digits + sizeof(digits);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do
        *--at = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (value < 0)
        *--at = '-';
    buf_append(buf, at, (size_t)(digits + sizeof(digits) - at));
}

const char *buf_text(const struct buf *buf)
{
    return buf->data != NULL ? buf->data : "";
}

enum err_code buf_check(const struct buf *buf, struct err *err)
{
    return buf->failed ? err_nomem(err) : ERR_OK;
}

static enum err_code read_fd(struct buf *buf, int fd, const char *path, size_t max_bytes,
                             struct err *err)
{
    size_t start = buf->length;

    for (;;) {
        ssize_t n;

        if (!buf_reserve(buf, 65536))
            return err_nomem(err);
        n = read(fd, buf->data + buf->length, 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "cannot read \"%s\"", path);
        buf->length += (size_t)n;
        buf->data[buf->length] = '\0';
        if (n == 0)
            return ERR_OK;
        if (buf->length - start > max_bytes)
            return err_set(err, ERR_LIMIT, "\"%s\" is larger than %zu bytes", path, max_bytes);
    }
}

enum err_code buf_read_file(struct buf *buf, const char *path, size_t max_bytes, struct err *err)
{
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t start = buf->length;
    enum err_code code;

    if (fd < 0)
        return err_errno(err, errno, "cannot open \"%s\"", path);
    code = read_fd(buf, fd, path, max_bytes, err);
    if (code != ERR_OK && buf->data != NULL) {
        buf->length = start; /* a file is read whole or not at all */
        buf->data[start] = '\0';
    }
    return code;
}
