/*
 * The models that make_models.py trains, and what XGBoost answers: made once a test binary, in a
 * temporary directory, or read from $FOREST_MODELS where that is set.
 *
 * The grid of every objective and algorithm has $FOREST_ROWS rows a model; where that is set, the
 * models that have a name have ten times as many.
 */
#ifndef PGBOOST_TESTS_FOREST_MODELS_H
#define PGBOOST_TESTS_FOREST_MODELS_H

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

#define FOREST_MODEL_MAX (256 << 20)

struct forest_models {
    char directory[512];
    bool temporary;
};

/* grid_rows: of a grid's model where $FOREST_ROWS does not say; NULL: without the grid. */
static inline int forest_models_make(struct forest_models *models, const char *grid_rows)
{
    const char *given = getenv("FOREST_MODELS"), *python = getenv("PYTHON");
    const char *rows = getenv("FOREST_ROWS");
    char command[1024], named_rows[32] = "";

    if (given != NULL && given[0] != '\0') {
        snprintf(models->directory, sizeof(models->directory), "%s", given);
        return 0;
    }
    strcpy(models->directory, "/tmp/pgboost-forest-XXXXXX");
    if (mkdtemp(models->directory) == NULL)
        return -1;
    models->temporary = true;
    if (grid_rows != NULL && rows != NULL)
        snprintf(named_rows, sizeof(named_rows), "%ld", 10 * atol(rows));
    else
        rows = grid_rows != NULL ? grid_rows : "";
    snprintf(command, sizeof(command), "%s tests/unit/forest/make_models.py %s %s %s",
             python != NULL ? python : "/usr/bin/python3", models->directory, rows, named_rows);
    if (system(command) == 0)
        return 0;
    fprintf(stderr, "cannot make models: run in the project's folder, with python3-xgboost "
                    "installed (scripts/install-deps --test)\n");
    return -1;
}

static inline void forest_models_remove(struct forest_models *models)
{
    DIR *directory = models->temporary ? opendir(models->directory) : NULL;
    struct dirent *entry;

    if (directory == NULL)
        return;
    while ((entry = readdir(directory)) != NULL)
        unlinkat(dirfd(directory), entry->d_name, 0);
    closedir(directory);
    rmdir(models->directory);
}

/* Reads NAME+suffix of the models; false when that cannot be. */
static inline bool forest_models_read(const struct forest_models *models, const char *name,
                                      const char *suffix, struct buf *bytes)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/%s%s", models->directory, name, suffix);
    return buf_read_file(bytes, path, FOREST_MODEL_MAX, NULL) == ERR_OK;
}

#endif
