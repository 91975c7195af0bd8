/*
 * A folder of a user's .sql files: which there are, and in what order they run.
 *
 *   NNNN_name.sql   four digits or more: once, in order of number
 *   R_name.sql      after them, in order of name, again whenever it changed
 *
 * Files that do not end in .sql, and hidden ones, are not looked at. Needs no server. Internal to
 * the catalog.
 */
#ifndef PGBOOST_CATALOG_FOLDER_H
#define PGBOOST_CATALOG_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

#define MIGRATION_BYTES_MAX ((size_t)16 << 20)

struct migration_file {
    const char *name; /* FOLDER/FILE: what the catalog remembers it by */
    const char *sql;  /* without a byte order mark */
    size_t n_bytes;
    bool repeatable;
    uint64_t number; /* of those that are not repeatable */
};

struct migration_folder {
    int n;
    struct migration_file *items; /* in the order they run */
    struct arena arena;
};

void migration_folder_release(struct migration_folder *folder);

/* Is the file's name one of the two forms? ERR_INVALID says them. */
MUST_CHECK enum err_code migration_name_parse(const char *file, bool *ret_repeatable,
                                              uint64_t *ret_number, struct err *err);

/* Reads all files, so that what can be wrong with them is known before the first one runs. Two
 * files of one number: ERR_INVALID. A folder is known by the last part of its path. */
MUST_CHECK enum err_code migration_folder_read(const char *path,
                                               struct migration_folder *ret_folder,
                                               struct err *err);

#endif
