#include "train/frozen.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/log.h"

#define PIECE_BYTES  ((size_t)1 << 20)
#define KEY_BYTES    ((FROZEN_KEY_SIZE - 1) / 2)
#define PREFIX       "rows-"
#define FORGET_AFTER (7 * 24 * 3600) /* seconds */

/* What the bytes begin with: the form's name and the columns' SHA-256. */
#define FORM        "pgboost rows 1\n"
#define HEADER_SIZE (sizeof(FORM) - 1 + SHA256_HEX_SIZE)

struct frozen {
    char *folder;
    char key[FROZEN_KEY_SIZE];
    char header[HEADER_SIZE + 1];
    int fd; /* -1: in the catalog, or not kept */
    bool complete;
    struct buf pending;      /* of frozen_new: not yet written */
    struct control *control; /* of frozen_open, from the catalog */
    int number;              /* of the next piece */
    struct {
        char *bytes;
        size_t n, skip;
    } pieces[2]; /* the one handed out, and the one before it */
    int at;
    bool is_first;
    struct pg_copy_tape tape;
};

static void put_path(const char *folder, const char *key, bool complete, struct buf *path)
{
    buf_printf(path, "%s/" PREFIX "%s%s", folder, key, complete ? "" : ".part");
}

void frozen_free(struct frozen *frozen)
{
    CLEANUP(buf_release) struct buf path = {0};

    if (frozen == NULL)
        return;
    if (frozen->fd >= 0)
        close(frozen->fd);
    if (frozen->fd >= 0 && !frozen->complete) {
        put_path(frozen->folder, frozen->key, false, &path);
        if (!path.failed)
            unlink(path.data);
    }
    for (int i = 0; i < 2; i++)
        free(frozen->pieces[i].bytes);
    buf_release(&frozen->pending);
    free(frozen->folder);
    free(frozen);
}

static enum err_code frozen_alloc(const char *folder, const char *columns,
                                  struct frozen **ret_frozen, struct err *err)
{
    CLEANUP(frozen_freep) struct frozen *frozen = calloc(1, sizeof(*frozen));
    char hex[SHA256_HEX_SIZE];

    if (frozen == NULL)
        return err_nomem(err);
    frozen->fd = -1;
    frozen->is_first = true;
    frozen->folder = strdup(folder);
    if (frozen->folder == NULL)
        return err_nomem(err);
    TRY(sha256_hex(columns, strlen(columns), hex, err));
    snprintf(frozen->header, sizeof(frozen->header), FORM "%s\n", hex);
    frozen->tape.context = frozen;
    *ret_frozen = TAKE_PTR(frozen);
    return ERR_OK;
}

const char *frozen_key(const struct frozen *frozen)
{
    return frozen->key;
}

const struct pg_copy_tape *frozen_tape(struct frozen *frozen)
{
    return &frozen->tape;
}

/* Keeping -------------------------------------------------------------------------------------- */

static void give_up(struct frozen *frozen, int error)
{
    log_warning("the run's rows are not kept: should its worker die, it starts over",
                "folder=\"%s\" reason=\"%s\"", frozen->folder, strerror(error));
    if (frozen->fd < 0)
        return;
    close(frozen->fd);
    frozen->fd = -1;
    frozen_remove(frozen->folder, frozen->key);
    buf_release(&frozen->pending);
}

static void flush(struct frozen *frozen)
{
    size_t n_done = 0;

    while (frozen->fd >= 0 && n_done < frozen->pending.length) {
        ssize_t n =
            write(frozen->fd, frozen->pending.data + n_done, frozen->pending.length - n_done);

        if (n >= 0)
            n_done += (size_t)n;
        else if (errno != EINTR)
            give_up(frozen, errno);
    }
    frozen->pending.length = 0;
}

static enum err_code keep(void *context, const void *bytes, size_t n_bytes, struct err *err)
{
    struct frozen *frozen = context;

    (void)err;
    if (frozen->fd < 0)
        return ERR_OK;
    buf_append(&frozen->pending, bytes, n_bytes);
    if (frozen->pending.failed)
        give_up(frozen, ENOMEM);
    else if (frozen->pending.length >= PIECE_BYTES)
        flush(frozen);
    return ERR_OK;
}

static bool make_key(char *key)
{
    uint8_t bytes[KEY_BYTES];

    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
        return false;
    for (int i = 0; i < KEY_BYTES; i++)
        snprintf(key + 2 * (size_t)i, 3, "%02x", bytes[i]);
    return true;
}

enum err_code frozen_new(const char *folder, const char *columns, struct frozen **ret_frozen,
                         struct err *err)
{
    CLEANUP(frozen_freep) struct frozen *frozen = NULL;
    CLEANUP(buf_release) struct buf path = {0};

    TRY(frozen_alloc(folder, columns, &frozen, err));
    frozen->tape.keep = keep;
    if (!make_key(frozen->key))
        return err_errno(err, errno, "cannot read random bytes");
    put_path(folder, frozen->key, false, &path);
    TRY(buf_check(&path, err));
    frozen->fd = open(path.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (frozen->fd < 0)
        give_up(frozen, errno);
    TRY(keep(frozen, frozen->header, HEADER_SIZE, err));
    *ret_frozen = TAKE_PTR(frozen);
    return ERR_OK;
}

static enum err_code read_piece(int fd, char *bytes, size_t *ret_n, struct err *err)
{
    *ret_n = 0;
    while (*ret_n < PIECE_BYTES) {
        ssize_t n = read(fd, bytes + *ret_n, PIECE_BYTES - *ret_n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "cannot read the rows that were kept");
        if (n == 0)
            break;
        *ret_n += (size_t)n;
    }
    return ERR_OK;
}

static enum err_code upload(const char *path, struct control *control, struct err *err)
{
    CLEANUP(free_ptr) char *bytes = malloc(PIECE_BYTES);
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct pg *pg;
    size_t n;

    if (bytes == NULL)
        return err_nomem(err);
    if (fd < 0)
        return err_errno(err, errno, "cannot open the rows that were kept");
    for (int number = 0;; number++) {
        TRY(control_check(control, err));
        TRY(read_piece(fd, bytes, &n, err));
        if (n == 0)
            return ERR_OK;
        TRY(control_pg(control, &pg, err));
        TRY(catalog_put_rows(pg, control_lease(control), number, bytes, n, err));
    }
}

enum err_code frozen_publish(struct frozen *frozen, struct control *control, bool in_table,
                             struct err *err)
{
    CLEANUP(buf_release) struct buf part = {0}, path = {0};
    struct pg *pg;

    flush(frozen);
    put_path(frozen->folder, frozen->key, false, &part);
    put_path(frozen->folder, frozen->key, true, &path);
    TRY(buf_check(&part, err));
    TRY(buf_check(&path, err));
    if (frozen->fd >= 0 && rename(part.data, path.data) != 0)
        give_up(frozen, errno);
    if (frozen->fd < 0 && in_table) {
        err_set(err, ERR_IO, "the rows cannot be kept in \"%s\"", frozen->folder);
        return err_hint(err, "\"snapshot\": \"table\" takes them from there: make room, or move "
                             "\"state_dir\"");
    }
    frozen->complete = frozen->fd >= 0;
    if (in_table)
        TRY(upload(path.data, control, err));
    TRY(control_pg(control, &pg, err));
    return catalog_set_rows(pg, control_lease(control), frozen->complete ? frozen->key : NULL,
                            in_table, err);
}

/* Reading again -------------------------------------------------------------------------------- */

static enum err_code download(struct frozen *frozen, char *bytes, size_t *ret_n, struct err *err)
{
    struct pg *pg;

    TRY(control_pg(frozen->control, &pg, err));
    return catalog_get_rows(pg, control_lease(frozen->control)->run_id, frozen->number++, bytes,
                            PIECE_BYTES, ret_n, err);
}

/* The next piece into the room of the one before the last. */
static enum err_code load(struct frozen *frozen, struct err *err)
{
    int at = 1 - frozen->at;

    if (frozen->pieces[at].bytes == NULL)
        frozen->pieces[at].bytes = malloc(PIECE_BYTES);
    if (frozen->pieces[at].bytes == NULL)
        return err_nomem(err);
    frozen->at = at;
    frozen->pieces[at].skip = 0;
    if (frozen->fd >= 0)
        return read_piece(frozen->fd, frozen->pieces[at].bytes, &frozen->pieces[at].n, err);
    return download(frozen, frozen->pieces[at].bytes, &frozen->pieces[at].n, err);
}

static enum err_code next(void *context, const void **ret_bytes, size_t *ret_n_bytes,
                          struct err *err)
{
    struct frozen *frozen = context;

    if (!frozen->is_first) /* which is there: frozen_open looked at it */
        TRY(load(frozen, err));
    frozen->is_first = false;
    *ret_bytes = frozen->pieces[frozen->at].bytes + frozen->pieces[frozen->at].skip;
    *ret_n_bytes = frozen->pieces[frozen->at].n - frozen->pieces[frozen->at].skip;
    return ERR_OK;
}

enum err_code frozen_open(const char *folder, struct control *control, const char *columns,
                          struct frozen **ret_frozen, struct err *err)
{
    const struct lease *lease = control_lease(control);
    CLEANUP(frozen_freep) struct frozen *frozen = NULL;
    CLEANUP(buf_release) struct buf path = {0};

    *ret_frozen = NULL;
    if (lease->rows_key == NULL)
        return ERR_OK;
    TRY(frozen_alloc(folder, columns, &frozen, err));
    frozen->tape.next = next;
    frozen->complete = true;
    put_path(folder, lease->rows_key, true, &path);
    TRY(buf_check(&path, err));
    frozen->fd = open(path.data, O_RDONLY | O_CLOEXEC);
    if (frozen->fd < 0 && !lease->rows_in_table)
        return ERR_OK;
    frozen->control = control;
    TRY(load(frozen, err));
    if (frozen->pieces[frozen->at].n < HEADER_SIZE ||
        memcmp(frozen->pieces[frozen->at].bytes, frozen->header, HEADER_SIZE) != 0)
        return ERR_OK;
    frozen->pieces[frozen->at].skip = HEADER_SIZE;
    if (frozen->fd >= 0)
        futimens(frozen->fd, NULL); /* someone has asked for it */
    *ret_frozen = TAKE_PTR(frozen);
    return ERR_OK;
}

/* The end -------------------------------------------------------------------------------------- */

static void remove_old(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    time_t now = time(NULL);

    if (dir == NULL)
        return;
    while ((entry = readdir(dir)) != NULL) {
        struct stat status;

        if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0 &&
            fstatat(dirfd(dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(status.st_mode) && status.st_mtime < now - FORGET_AFTER)
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
}

void frozen_remove(const char *folder, const char *key)
{
    for (int complete = 0; key != NULL && key[0] != '\0' && complete < 2; complete++) {
        CLEANUP(buf_release) struct buf path = {0};

        put_path(folder, key, complete, &path);
        if (!path.failed)
            unlink(path.data);
    }
    remove_old(folder);
}
