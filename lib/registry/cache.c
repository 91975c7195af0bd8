#include "registry/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"

#define KIND       "pgboost cache "
#define MAGIC      KIND "4\n"
#define FILE_MAX   ((size_t)2 << 30)
#define NO_TEXT    UINT64_MAX /* the length of NULL */
#define KEY_DIGITS 16         /* of the catalog's hash, in the folder's name */

#define SYNC_MAX 8 /* files that are brought to the disk one by one; more go together */

struct cache {
    char *folder;
    char catalog[SHA256_HEX_SIZE];
    pthread_mutex_t lock;       /* guards what follows */
    int64_t unsynced[SYNC_MAX]; /* models that the disk may not have yet */
    int n_unsynced;             /* beyond SYNC_MAX only counted */
};

/* Fields -------------------------------------------------------------------------------------- */

enum kind { INTEGER, INTEGER_32, TEXT, BYTES };

struct stored {
    enum kind kind;
    size_t offset, size_offset; /* size_offset of BYTES */
};

#define MODEL(field) offsetof(struct model_row, field)
/* All that model_open looks at. */
static const struct stored model_fields[] = {
    {INTEGER, MODEL(id), 0},       {INTEGER, MODEL(project_id), 0},
    {TEXT, MODEL(project), 0},     {TEXT, MODEL(algorithm), 0},
    {TEXT, MODEL(metric), 0},      {TEXT, MODEL(task), 0},
    {TEXT, MODEL(relation), 0},    {TEXT, MODEL(target), 0},
    {TEXT, MODEL(split), 0},       {TEXT, MODEL(hyperparams), 0},
    {TEXT, MODEL(metrics), 0},     {TEXT, MODEL(encoder), 0},
    {TEXT, MODEL(golden), 0},      {TEXT, MODEL(labels), 0},
    {TEXT, MODEL(calibration), 0}, {INTEGER_32, MODEL(base_margin_bits), 0},
    {TEXT, MODEL(sha256), 0},      {TEXT, MODEL(xgboost_version), 0},
    {TEXT, MODEL(created_at), 0},  {TEXT, MODEL(score), 0},
    {TEXT, MODEL(row_version), 0}, {BYTES, MODEL(bytes), MODEL(n_bytes)},
};

#define LIVE(field) offsetof(struct live_row, field)
static const struct stored live_fields[] = {
    {INTEGER, LIVE(project_id), 0},
    {INTEGER, LIVE(model_id), 0},
    {INTEGER, LIVE(deploy_version), 0},
    {TEXT, LIVE(project), 0},
    {TEXT, LIVE(task), 0},
    {TEXT, LIVE(relation), 0},
    {TEXT, LIVE(target), 0},
    {TEXT, LIVE(metric), 0},
    {TEXT, LIVE(score), 0},
    {TEXT, LIVE(deployed_at), 0},
    {TEXT, LIVE(serving), 0},
    {TEXT, LIVE(key), 0},
    {TEXT, LIVE(time), 0},
    {TEXT, LIVE(cache_seconds), 0},
    {TEXT, LIVE(row_version), 0},
    {INTEGER, LIVE(model_bytes), 0},
};

static void put_u64(struct buf *file, uint64_t value)
{
    buf_append(file, &value, sizeof(value));
}

static void put_block(struct buf *file, const void *data, size_t n_bytes)
{
    put_u64(file, data != NULL ? n_bytes : NO_TEXT);
    if (data != NULL)
        buf_append(file, data, n_bytes);
}

static void put_row(struct buf *file, const struct stored *fields, size_t n, const void *row)
{
    for (size_t i = 0; i < n; i++) {
        const char *at = (const char *)row + fields[i].offset;
        const char *text;

        switch (fields[i].kind) {
        case INTEGER:
            buf_append(file, at, sizeof(int64_t));
            break;
        case INTEGER_32:
            buf_append(file, at, sizeof(uint32_t));
            break;
        case TEXT:
            text = *(const char *const *)at;
            put_block(file, text, text != NULL ? strlen(text) : 0);
            break;
        case BYTES:
            put_block(file, *(const void *const *)at,
                      *(const size_t *)((const char *)row + fields[i].size_offset));
            break;
        }
    }
}

/* What is left of a file. */
struct reader {
    const char *at, *end;
    struct arena *arena;
};

static bool take(struct reader *reader, void *out, size_t n_bytes)
{
    if ((size_t)(reader->end - reader->at) < n_bytes)
        return false;
    memcpy(out, reader->at, n_bytes);
    reader->at += n_bytes;
    return true;
}

/* A copy in the arena with a NUL behind it. */
static bool take_block(struct reader *reader, const void **ret_data, size_t *ret_size)
{
    uint64_t length;
    char *copy;

    if (!take(reader, &length, sizeof(length)))
        return false;
    *ret_data = NULL;
    *ret_size = 0;
    if (length == NO_TEXT)
        return true;
    if (length > (size_t)(reader->end - reader->at))
        return false;
    copy = arena_alloc(reader->arena, length + 1);
    if (copy == NULL)
        return false;
    memcpy(copy, reader->at, length);
    copy[length] = '\0';
    reader->at += length;
    *ret_data = copy;
    *ret_size = length;
    return true;
}

static bool take_row(struct reader *reader, const struct stored *fields, size_t n, void *row)
{
    for (size_t i = 0; i < n; i++) {
        char *at = (char *)row + fields[i].offset;
        const void *data;
        size_t size;

        if (fields[i].kind == INTEGER || fields[i].kind == INTEGER_32) {
            if (!take(reader, at, fields[i].kind == INTEGER ? sizeof(int64_t) : sizeof(uint32_t)))
                return false;
            continue;
        }
        if (!take_block(reader, &data, &size))
            return false;
        memcpy(at, &data, sizeof(data));
        if (fields[i].kind == BYTES)
            memcpy((char *)row + fields[i].size_offset, &size, sizeof(size));
    }
    return true;
}

/* Files --------------------------------------------------------------------------------------- */

static void begin_file(const struct cache *cache, struct buf *file)
{
    buf_puts(file, MAGIC);
    buf_append(file, cache->catalog, SHA256_HEX_SIZE - 1);
}

static enum err_code write_all(int fd, const struct buf *file, const char *path, struct err *err)
{
    for (size_t at = 0; at < file->length;) {
        ssize_t n = write(fd, file->data + at, file->length - at);

        if (n < 0 && errno != EINTR)
            return err_errno(err, errno, "cannot write \"%s\"", path);
        at += n > 0 ? (size_t)n : 0;
    }
    return ERR_OK;
}

static enum err_code sync_fd(int fd, const char *path, struct err *err)
{
    return fsync(fd) == 0 ? ERR_OK : err_errno(err, errno, "cannot write \"%s\"", path);
}

static enum err_code write_beside(const char *path, bool syncs, const struct buf *file,
                                  struct err *err)
{
    CLEANUP(close_fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_errno(err, errno, "cannot make \"%s\"", path);
    TRY(write_all(fd, file, path, err));
    return syncs ? sync_fd(fd, path, err) : ERR_OK;
}

/* Whole or not at all; with `syncs` also when the machine stops. */
static enum err_code end_file(const struct cache *cache, const char *name, bool syncs,
                              struct buf *file, struct err *err)
{
    char path[4096], beside[4200];
    uint8_t digest[SHA256_SIZE];
    enum err_code code;

    TRY(buf_check(file, err));
    TRY(sha256(file->data, file->length, digest, err));
    buf_append(file, digest, sizeof(digest));
    TRY(buf_check(file, err));
    snprintf(path, sizeof(path), "%s/%s", cache->folder, name);
    snprintf(beside, sizeof(beside), "%s.%d.new", path, (int)getpid());
    code = write_beside(beside, syncs, file, err);
    if (code == ERR_OK && rename(beside, path) != 0)
        code = err_errno(err, errno, "cannot put \"%s\" into its place", path);
    if (code != ERR_OK)
        unlink(beside);
    return code;
}

static enum err_code damaged(const struct cache *cache, const char *name, struct err *err)
{
    err_set(err, ERR_CORRUPT, "the cached file \"%s/%s\" is damaged", cache->folder, name);
    return err_hint(err, "it is written anew as soon as Postgres can be reached");
}

/* As an older program wrote it, or a newer one. */
static enum err_code check_kind(const struct cache *cache, const char *name, const struct buf *file,
                                struct err *err)
{
    if (file->length < strlen(MAGIC) || memcmp(file->data, KIND, strlen(KIND)) != 0)
        return damaged(cache, name, err);
    if (memcmp(file->data, MAGIC, strlen(MAGIC)) == 0)
        return ERR_OK;
    err_set(err, ERR_CORRUPT, "the cached file \"%s/%s\" is of another version of pgboost",
            cache->folder, name);
    return err_hint(err, "it is written anew as soon as Postgres can be reached");
}

/* The file's content between its head and its checksum, both of which are right. */
static enum err_code read_file(const struct cache *cache, const char *name, struct buf *file,
                               struct reader *reader, struct err *err)
{
    const size_t head = strlen(MAGIC) + SHA256_HEX_SIZE - 1;
    uint8_t digest[SHA256_SIZE];
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s", cache->folder, name);
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return err_set(err, ERR_NOT_FOUND, "there is no cached file \"%s\"", path);
    TRY(buf_read_file(file, path, FILE_MAX, err));
    TRY(check_kind(cache, name, file, err));
    if (file->length < head + SHA256_SIZE ||
        memcmp(file->data + strlen(MAGIC), cache->catalog, SHA256_HEX_SIZE - 1) != 0)
        return damaged(cache, name, err);
    TRY(sha256(file->data, file->length - SHA256_SIZE, digest, err));
    if (memcmp(digest, file->data + file->length - SHA256_SIZE, SHA256_SIZE) != 0)
        return damaged(cache, name, err);
    reader->at = file->data + head;
    reader->end = file->data + file->length - SHA256_SIZE;
    return ERR_OK;
}

/* Models -------------------------------------------------------------------------------------- */

static void model_name(int64_t model_id, char *name, size_t size)
{
    snprintf(name, size, "model-%" PRId64, model_id);
}

static void note_unsynced(struct cache *cache, int64_t model_id)
{
    pthread_mutex_lock(&cache->lock);
    if (cache->n_unsynced < SYNC_MAX)
        cache->unsynced[cache->n_unsynced] = model_id;
    cache->n_unsynced++;
    pthread_mutex_unlock(&cache->lock);
}

/* The disk's turn. Of one that is gone again nothing is wanted. */
static enum err_code sync_model(const struct cache *cache, int64_t model_id, struct err *err)
{
    char path[4096], name[40];
    CLEANUP(close_fd) int fd = -1;

    model_name(model_id, name, sizeof(name));
    snprintf(path, sizeof(path), "%s/%s", cache->folder, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 ? sync_fd(fd, path, err) : ERR_OK;
}

/* Of many files together: what others have written there goes along. */
static enum err_code sync_folder(const struct cache *cache, struct err *err)
{
    CLEANUP(close_fd) int fd = open(cache->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || syncfs(fd) != 0)
        return err_errno(err, errno, "cannot write \"%s\"", cache->folder);
    return ERR_OK;
}

/* No model is put meanwhile. */
static enum err_code sync_models(struct cache *cache, struct err *err)
{
    if (cache->n_unsynced > SYNC_MAX)
        TRY(sync_folder(cache, err));
    else
        for (int i = 0; i < cache->n_unsynced; i++)
            TRY(sync_model(cache, cache->unsynced[i], err));
    cache->n_unsynced = 0;
    return ERR_OK;
}

static void remove_model(const struct cache *cache, int64_t model_id)
{
    char path[4096], name[40];

    model_name(model_id, name, sizeof(name));
    snprintf(path, sizeof(path), "%s/%s", cache->folder, name);
    unlink(path);
}

enum err_code cache_put_model(struct cache *cache, const struct model_row *row, struct err *err)
{
    CLEANUP(buf_release) struct buf file = {0};
    char name[40];
    enum err_code code;

    model_name(row->id, name, sizeof(name));
    begin_file(cache, &file);
    put_row(&file, model_fields, N_ELEMENTS(model_fields), row);
    code = end_file(cache, name, false, &file, err);
    if (code == ERR_OK)
        note_unsynced(cache, row->id);
    else
        remove_model(cache, row->id);
    return code;
}

/* What was written is whole, or it would not stand there; but an older program may have written it.
 */
bool cache_has_model(const struct cache *cache, int64_t model_id)
{
    char path[4096], name[40], magic[sizeof(MAGIC) - 1];
    ssize_t n = -1;
    int fd;

    model_name(model_id, name, sizeof(name));
    snprintf(path, sizeof(path), "%s/%s", cache->folder, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, magic, sizeof(magic));
        close(fd);
    }
    return n == (ssize_t)sizeof(magic) && memcmp(magic, MAGIC, sizeof(magic)) == 0;
}

enum err_code cache_get_model(struct cache *cache, int64_t model_id, struct model_rows *ret_row,
                              struct err *err)
{
    CLEANUP(model_rows_release) struct model_rows rows = {0};
    CLEANUP(buf_release) struct buf file = {0};
    struct reader reader = {.arena = &rows.arena};
    char name[40];

    model_name(model_id, name, sizeof(name));
    TRY(read_file(cache, name, &file, &reader, err));
    rows.items = arena_alloc_array(&rows.arena, 1, sizeof(*rows.items));
    if (rows.items == NULL)
        return err_nomem(err);
    rows.items[0] = (struct model_row){0};
    if (!take_row(&reader, model_fields, N_ELEMENTS(model_fields), &rows.items[0]) ||
        rows.items[0].id != model_id)
        return damaged(cache, name, err);
    rows.n = 1;
    *ret_row = rows;
    rows = (struct model_rows){0};
    return ERR_OK;
}

/* The list ------------------------------------------------------------------------------------ */

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static bool is_listed(const int64_t *ids, size_t n, const char *name)
{
    int64_t id = strtoll(name + strlen("model-"), NULL, 10);
    char whole[40];

    model_name(id, whole, sizeof(whole));
    return strcmp(whole, name) == 0 && bsearch(&id, ids, n, sizeof(*ids), compare_ids) != NULL;
}

/* Without memory for it they stay until the next time. */
static void remove_others(const struct cache *cache, const struct live_rows *rows)
{
    CLEANUP(free_ptr) int64_t *ids = calloc((size_t)rows->n + 1, sizeof(*ids));
    DIR *dir = ids != NULL ? opendir(cache->folder) : NULL;
    const struct dirent *entry;

    if (dir == NULL)
        return;
    for (int i = 0; i < rows->n; i++)
        ids[i] = rows->items[i].model_id;
    qsort(ids, (size_t)rows->n, sizeof(*ids), compare_ids);
    while ((entry = readdir(dir)) != NULL)
        if (strncmp(entry->d_name, "model-", strlen("model-")) == 0 &&
            !is_listed(ids, (size_t)rows->n, entry->d_name))
            unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
}

enum err_code cache_put_live(struct cache *cache, const struct live_rows *rows, struct err *err)
{
    CLEANUP(buf_release) struct buf file = {0};

    TRY(sync_models(cache, err)); /* the list names nothing that the disk does not have */
    begin_file(cache, &file);
    put_u64(&file, (uint64_t)time(NULL));
    put_u64(&file, (uint64_t)rows->n);
    for (int i = 0; i < rows->n; i++)
        put_row(&file, live_fields, N_ELEMENTS(live_fields), &rows->items[i]);
    TRY(end_file(cache, "live", true, &file, err));
    remove_others(cache, rows);
    return ERR_OK;
}

static bool take_live(struct reader *reader, struct live_rows *rows, int64_t *saved_at)
{
    uint64_t n;

    if (!take(reader, saved_at, sizeof(*saved_at)) || !take(reader, &n, sizeof(n)) ||
        n > (size_t)(reader->end - reader->at))
        return false;
    rows->items = arena_alloc_array(reader->arena, n + 1, sizeof(*rows->items));
    if (rows->items == NULL)
        return false;
    for (uint64_t i = 0; i < n; i++)
        if (!take_row(reader, live_fields, N_ELEMENTS(live_fields), &rows->items[i]))
            return false;
    rows->n = (int)n;
    return true;
}

enum err_code cache_get_live(struct cache *cache, struct live_rows *ret_rows, int64_t *ret_saved_at,
                             struct err *err)
{
    CLEANUP(live_rows_release) struct live_rows rows = {0};
    CLEANUP(buf_release) struct buf file = {0};
    struct reader reader = {.arena = &rows.arena};
    int64_t saved_at;

    TRY(read_file(cache, "live", &file, &reader, err));
    if (!take_live(&reader, &rows, &saved_at))
        return damaged(cache, "live", err);
    *ret_rows = rows;
    rows = (struct live_rows){0};
    if (ret_saved_at != NULL)
        *ret_saved_at = saved_at;
    return ERR_OK;
}

/* Life ---------------------------------------------------------------------------------------- */

/* A checksum tells what is whole, not whose it is: that nobody else has put a model there, the
 * folder says. */
static enum err_code check_owner(const char *folder, struct err *err)
{
    struct stat status;

    if (lstat(folder, &status) != 0)
        return err_errno(err, errno, "cannot read \"%s\"", folder);
    if (S_ISDIR(status.st_mode) && status.st_uid == geteuid() && (status.st_mode & S_IWOTH) == 0)
        return ERR_OK;
    err_set(err, ERR_CONFIG, "others may write to the cache of models \"%s\"", folder);
    return err_hint(err, "remove it: it is made anew, for the daemon's user alone");
}

enum err_code cache_new(const char *state_dir, const char *catalog, struct cache **ret_cache,
                        struct err *err)
{
    CLEANUP(cache_freep) struct cache *cache = calloc(1, sizeof(*cache));
    CLEANUP(buf_release) struct buf folder = {0};

    if (cache == NULL)
        return err_nomem(err);
    pthread_mutex_init(&cache->lock, NULL);
    TRY(sha256_hex(catalog, strlen(catalog), cache->catalog, err));
    buf_printf(&folder, "%s/live-%.*s", state_dir, KEY_DIGITS, cache->catalog);
    TRY(buf_check(&folder, err));
    if (mkdir(buf_text(&folder), 0700) != 0 && errno != EEXIST)
        return err_errno(err, errno, "cannot make the folder \"%s\"", buf_text(&folder));
    TRY(check_owner(buf_text(&folder), err));
    cache->folder = strdup(buf_text(&folder));
    if (cache->folder == NULL)
        return err_nomem(err);
    *ret_cache = TAKE_PTR(cache);
    return ERR_OK;
}

void cache_free(struct cache *cache)
{
    if (cache == NULL)
        return;
    pthread_mutex_destroy(&cache->lock);
    free(cache->folder);
    free(cache);
}
