#include "catalog/folder.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define DIGITS_MIN 4
#define DIGITS_MAX 18 /* what surely fits uint64_t */

void migration_folder_release(struct migration_folder *folder)
{
    arena_release(&folder->arena);
    *folder = (struct migration_folder){0};
}

static bool ends_in_sql(const char *file)
{
    size_t length = strlen(file);

    return length > 4 && strcmp(file + length - 4, ".sql") == 0;
}

enum err_code migration_name_parse(const char *file, bool *ret_repeatable, uint64_t *ret_number,
                                   struct err *err)
{
    size_t n_digits = strspn(file, "0123456789");
    bool numbered = n_digits >= DIGITS_MIN && n_digits <= DIGITS_MAX && file[n_digits] == '_';
    bool repeatable = strncmp(file, "R_", 2) == 0;
    const char *name = file + (numbered ? n_digits + 1 : 2);

    if (!(numbered || repeatable) || !ends_in_sql(file) || strcmp(name, ".sql") == 0) {
        err_set(err, ERR_INVALID, "the name \"%s\" does not say when the file runs", file);
        err_hint(err,
                 "name it NNNN_name.sql to apply it once, in order of number (0001_features.sql),"
                 " or R_name.sql to apply it again whenever it changed");
        return ERR_INVALID;
    }
    *ret_repeatable = repeatable;
    *ret_number = numbered ? strtoull(file, NULL, 10) : 0;
    return ERR_OK;
}

static int compare_files(const void *a, const void *b)
{
    const struct migration_file *x = a, *y = b;

    if (x->repeatable != y->repeatable)
        return x->repeatable ? 1 : -1;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return strcmp(x->name, y->name);
}

static enum err_code check_numbers(const struct migration_folder *folder, struct err *err)
{
    for (int i = 1; i < folder->n; i++) {
        const struct migration_file *file = &folder->items[i], *before = file - 1;

        if (!file->repeatable && file->number == before->number) {
            err_set(err, ERR_INVALID, "\"%s\" and \"%s\" have the same number", before->name,
                    file->name);
            err_hint(err, "give one of them the next free number");
            return ERR_INVALID;
        }
    }
    return ERR_OK;
}

static enum err_code read_sql(const char *path, struct arena *arena, struct migration_file *file,
                              struct err *err)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    CLEANUP(buf_release) struct buf text = {0};
    const char *start;

    TRY(buf_read_file(&text, path, MIGRATION_BYTES_MAX, err));
    if (memchr(buf_text(&text), '\0', text.length) != NULL)
        return err_set(err, ERR_INVALID, "\"%s\" holds a NUL byte", file->name);
    start = buf_text(&text);
    if (strncmp(start, byte_order_mark, 3) == 0)
        start += 3;
    file->n_bytes = strlen(start);
    file->sql = arena_strndup(arena, start, file->n_bytes);
    return file->sql != NULL ? ERR_OK : err_nomem(err);
}

static enum err_code add_file(struct migration_folder *folder, const char *path, const char *label,
                              const char *file, struct err *err)
{
    CLEANUP(buf_release) struct buf text = {0};
    struct migration_file *item = &folder->items[folder->n];

    TRY(migration_name_parse(file, &item->repeatable, &item->number, err));
    buf_printf(&text, "%s/%s", label, file);
    item->name = arena_strdup(&folder->arena, buf_text(&text));
    if (item->name == NULL)
        return err_nomem(err);
    buf_clear(&text);
    buf_printf(&text, "%s/%s", path, file);
    TRY(buf_check(&text, err));
    TRY(read_sql(buf_text(&text), &folder->arena, item, err));
    folder->n++;
    return ERR_OK;
}

static int is_sql(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && ends_in_sql(entry->d_name);
}

struct listing {
    int n;
    struct dirent **entries;
};

static void listing_release(struct listing *listing)
{
    for (int i = 0; i < listing->n; i++)
        free(listing->entries[i]);
    free(listing->entries);
}

enum err_code migration_folder_read(const char *path, struct migration_folder *ret_folder,
                                    struct err *err)
{
    CLEANUP(migration_folder_release) struct migration_folder folder = {0};
    CLEANUP(listing_release) struct listing listing = {0};
    char absolute[PATH_MAX];
    const char *slash;

    if (realpath(path, absolute) == NULL)
        return err_errno(err, errno, "cannot read the folder \"%s\"", path);
    listing.n = scandir(absolute, &listing.entries, is_sql, alphasort);
    if (listing.n < 0) {
        listing.n = 0;
        return err_errno(err, errno, "cannot read the folder \"%s\"", path);
    }
    folder.items = arena_alloc_array(&folder.arena, (size_t)listing.n + 1, sizeof(*folder.items));
    if (folder.items == NULL)
        return err_nomem(err);
    slash = strrchr(absolute, '/');
    for (int i = 0; i < listing.n; i++)
        TRY(add_file(&folder, absolute, slash + 1, listing.entries[i]->d_name, err));
    qsort(folder.items, (size_t)folder.n, sizeof(*folder.items), compare_files);
    TRY(check_numbers(&folder, err));
    *ret_folder = folder;
    folder = (struct migration_folder){0};
    return ERR_OK;
}
