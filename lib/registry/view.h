/*
 * One immutable view of the registry, and how the next one is made from it.
 *
 * Inside lib/registry only. Everything here belongs to the writer's thread, but for reading a view
 * that was published.
 */
#ifndef PGBOOST_REGISTRY_VIEW_H
#define PGBOOST_REGISTRY_VIEW_H

#include "base/strmap.h"
#include "registry/load.h"
#include "registry/registry.h"

/* A loaded model and how many views show it. Counted by the writer alone: no atomics. */
struct shared_model {
    struct model *model;
    char *row_version; /* of the row that was wanted when it was loaded; NULL: unknown */
    int n_views;
};

struct registry_entry {
    struct registry_project project;
    struct shared_model *shared; /* NULL: no model */
    bool try_again;              /* the problem may pass: load at the next refresh */
};

struct registry_view {
    int n_entries;
    struct registry_entry *entries; /* in the catalog's order */
    struct strmap names;            /* name → index of entries */
    struct arena arena;             /* entries and their strings */
};

MUST_CHECK enum err_code view_new_empty(struct registry_view **ret_view, struct err *err);

/* The view of rows, taking over from `old` the models that stay and loading the others. Fails when
 * the catalog cannot be read; a model that cannot be used is a problem of its entry only.
 * *ret_n_changed: as registry_refresh has it. */
MUST_CHECK enum err_code view_build(const struct registry_view *old,
                                    const struct model_origin *origin, const struct live_rows *rows,
                                    struct registry_view **ret_view, int *ret_n_changed,
                                    struct err *err);

/* Frees the view and every model that no other view shows. */
void view_free(struct registry_view *view);
DEFINE_FREEP(struct registry_view *, view_free)

const struct registry_entry *view_find(const struct registry_view *view, const char *name,
                                       size_t length);

#endif
