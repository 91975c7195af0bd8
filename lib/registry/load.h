/*
 * Models that are not in memory yet, opened by several threads.
 *
 * They are shared out in batches, each to the thread that is free first: it fetches the batch's
 * rows from their origin and opens them (SHA-256, golden rows), while others do so with theirs. A
 * batch is small, so that no more than a few MiB of rows are held by a thread. The caller's thread
 * is one of them; a single model needs no other.
 *
 * Inside lib/registry only.
 */
#ifndef PGBOOST_REGISTRY_LOAD_H
#define PGBOOST_REGISTRY_LOAD_H

#include "model/model.h"

/* A model that is wanted, and what became of it. */
struct load {
    const struct live_row *row;
    const struct model_row *found; /* by the origin; NULL: the problem says why not */
    struct model *model;           /* NULL: not opened, the problem says why */
    struct err problem;
};

/* Rows of a batch, alive until they are opened. */
#define LOAD_BATCH_MAX 16
struct load_rows {
    struct model_rows together;             /* of one answer of Postgres */
    struct model_rows each[LOAD_BATCH_MAX]; /* of a file each */
};

/* Where models come from. */
struct model_origin {
    /* Sets `found`, or `problem`, of each of n ≤ LOAD_BATCH_MAX loads; the rows are ret_rows' own.
     * Called by several threads at once. */
    void (*fetch)(void *context, struct load *loads, int n, struct load_rows *ret_rows);
    void *context;
    int n_threads;
    bool is_last_resort; /* what it does not have another origin may have later */
};

/* Does an error of the origin say something about the model, and not about Postgres? Once one does
 * not, what is left is not loaded, with no model and no problem. */
bool load_is_about_model(enum err_code code);

/* The caller owns the models. */
void load_models(const struct model_origin *origin, struct load *loads, int n);

#endif
