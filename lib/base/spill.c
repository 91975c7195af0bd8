#include "base/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

struct spill {
    int fd;
    uint64_t n_bytes;
    char *folder; /* for messages */
};

/* File systems without O_TMPFILE (overlay, NFS) get a name for a moment. */
static int open_named(const char *folder)
{
    CLEANUP(buf_release) struct buf path = {0};
    int fd;

    buf_printf(&path, "%s/spill-XXXXXX", folder);
    if (path.failed) {
        errno = ENOMEM;
        return -1;
    }
    fd = mkostemp(path.data, O_CLOEXEC);
    if (fd >= 0)
        unlink(path.data);
    return fd;
}

static int open_nameless(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    return fd >= 0 || errno == ENOENT || errno == EACCES ? fd : open_named(folder);
}

enum err_code spill_new(const char *folder, struct spill **ret_spill, struct err *err)
{
    CLEANUP(spill_freep) struct spill *spill = calloc(1, sizeof(*spill));

    if (spill == NULL)
        return err_nomem(err);
    spill->fd = -1;
    spill->folder = strdup(folder);
    if (spill->folder == NULL)
        return err_nomem(err);
    spill->fd = open_nameless(folder);
    if (spill->fd < 0) {
        err_errno(err, errno, "cannot create a spill file in \"%s\"", folder);
        return err_hint(err, "\"state_dir\" must be a folder that the worker may write to");
    }
    *ret_spill = TAKE_PTR(spill);
    return ERR_OK;
}

void spill_free(struct spill *spill)
{
    if (spill == NULL)
        return;
    if (spill->fd >= 0)
        close(spill->fd);
    free(spill->folder);
    free(spill);
}

uint64_t spill_bytes(const struct spill *spill)
{
    return spill->n_bytes;
}

enum err_code spill_append(struct spill *spill, const void *data, size_t n_bytes,
                           uint64_t *ret_offset, struct err *err)
{
    const char *from = data;
    size_t n_done = 0;

    while (n_done < n_bytes) {
        ssize_t n =
            pwrite(spill->fd, from + n_done, n_bytes - n_done, (off_t)(spill->n_bytes + n_done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            err_errno(err, errno, "cannot write to the spill file in \"%s\" after %llu MiB",
                      spill->folder, (unsigned long long)(spill->n_bytes >> 20));
            return err_hint(err, "make room there, move \"state_dir\" to a larger disk, or raise "
                                 "\"spill_above\" where there is memory");
        }
        n_done += (size_t)n;
    }
    if (ret_offset != NULL)
        *ret_offset = spill->n_bytes;
    spill->n_bytes += n_bytes;
    return ERR_OK;
}

enum err_code spill_read(const struct spill *spill, uint64_t offset, void *data, size_t n_bytes,
                         struct err *err)
{
    char *to = data;
    size_t n_done = 0;

    while (n_done < n_bytes) {
        ssize_t n = pread(spill->fd, to + n_done, n_bytes - n_done, (off_t)(offset + n_done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "cannot read the spill file in \"%s\"", spill->folder);
        if (n == 0)
            return err_set(err, ERR_CORRUPT, "the spill file in \"%s\" is too short",
                           spill->folder);
        n_done += (size_t)n;
    }
    return ERR_OK;
}
