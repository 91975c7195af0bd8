#include "registry/view.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "base/log.h"

/* Shared models ------------------------------------------------------------------------------- */

static struct shared_model *shared_take(struct shared_model *shared)
{
    if (shared != NULL)
        shared->n_views++;
    return shared;
}

static void shared_drop(struct shared_model *shared)
{
    if (shared == NULL || --shared->n_views > 0)
        return;
    model_free(shared->model);
    free(shared->row_version);
    free(shared);
}

static enum err_code shared_new(struct model *model, const char *row_version,
                                struct shared_model **ret_shared, struct err *err)
{
    CLEANUP(free_ptr) char *version = row_version != NULL ? strdup(row_version) : NULL;
    struct shared_model *shared = malloc(sizeof(*shared));

    if (shared == NULL || (version == NULL && row_version != NULL)) {
        free(shared);
        return err_nomem(err);
    }
    *shared = (struct shared_model){.model = model, .row_version = TAKE_PTR(version), .n_views = 1};
    *ret_shared = shared;
    return ERR_OK;
}

/* Logging ------------------------------------------------------------------------------------- */

static void log_problem(const struct registry_project *project)
{
    char name[256], problem[768];

    log_error("model cannot go live",
              "project=%s model=%" PRId64 " deploy_version=%" PRId64 " error=%s",
              log_text(project->name, name, sizeof(name)), project->wanted_model_id,
              project->deploy_version, log_text(project->problem, problem, sizeof(problem)));
}

static void log_live(const struct registry_project *project)
{
    char name[256];

    log_info("model is live", "project=%s model=%" PRId64 " deploy_version=%" PRId64,
             log_text(project->name, name, sizeof(name)), project->wanted_model_id,
             project->deploy_version);
}

/* Entries ------------------------------------------------------------------------------------- */

/* The texts of a project, which are copied and compared alike. */
static const size_t text_offsets[] = {
    offsetof(struct registry_project, name),
    offsetof(struct registry_project, task),
    offsetof(struct registry_project, relation),
    offsetof(struct registry_project, target),
    offsetof(struct registry_project, metric),
    offsetof(struct registry_project, score),
    offsetof(struct registry_project, deployed_at),
    offsetof(struct registry_project, problem),
    offsetof(struct registry_project, serving),
    offsetof(struct registry_project, key),
    offsetof(struct registry_project, time),
    offsetof(struct registry_project, cache_seconds),
    offsetof(struct registry_project, row_version),
};

static const char **text_at(struct registry_project *project, size_t i)
{
    return (const char **)((char *)project + text_offsets[i]);
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* By value: text_at wants projects that may be written. */
static bool same_project(struct registry_project a, struct registry_project b)
{
    for (size_t i = 0; i < N_ELEMENTS(text_offsets); i++)
        if (!same_text(*text_at(&a, i), *text_at(&b, i)))
            return false;
    return a.id == b.id && a.deploy_version == b.deploy_version &&
           a.wanted_model_id == b.wanted_model_id && a.model == b.model;
}

/* Moves borrowed texts into the view's arena. */
static enum err_code own_texts(struct registry_project *project, struct arena *arena,
                               struct err *err)
{
    for (size_t i = 0; i < N_ELEMENTS(text_offsets); i++) {
        const char **text = text_at(project, i);

        if (*text == NULL)
            continue;
        *text = arena_strdup(arena, *text);
        if (*text == NULL)
            return err_nomem(err);
    }
    return ERR_OK;
}

static struct registry_project project_from_row(const struct live_row *row)
{
    return (struct registry_project){
        .name = row->project,
        .task = row->task,
        .relation = row->relation,
        .target = row->target,
        .metric = row->metric,
        .score = row->score,
        .deployed_at = row->deployed_at,
        .serving = row->serving,
        .key = row->key,
        .time = row->time,
        .cache_seconds = row->cache_seconds,
        .id = row->project_id,
        .deploy_version = row->deploy_version,
        .wanted_model_id = row->model_id,
        .row_version = row->row_version,
    };
}

/* Where an entry's model is to be had. */
enum source {
    SOURCE_NONE,   /* none is live */
    SOURCE_AHEAD,  /* the catalog went back: what is live stays */
    SOURCE_MEMORY, /* the old entry has it */
    SOURCE_KNOWN,  /* this very deployment and row were tried before; again is of no use */
    SOURCE_ORIGIN,
};

/* An id alone is not enough: a backup's return may give it to another model. */
static bool is_row_of(const struct shared_model *shared, const struct live_row *row)
{
    return shared != NULL && shared->model->id == row->model_id &&
           same_text(shared->row_version, row->row_version);
}

static enum source source_of(const struct registry_entry *old, const struct live_row *row)
{
    const struct registry_project *project = old != NULL ? &old->project : NULL;

    if (old != NULL && row->deploy_version < project->deploy_version)
        return SOURCE_AHEAD;
    if (row->model_id == 0)
        return SOURCE_NONE;
    if (old == NULL)
        return SOURCE_ORIGIN;
    if (is_row_of(old->shared, row))
        return SOURCE_MEMORY;
    if (project->problem != NULL && !old->try_again &&
        project->deploy_version == row->deploy_version &&
        project->wanted_model_id == row->model_id &&
        same_text(project->row_version, row->row_version))
        return SOURCE_KNOWN;
    return SOURCE_ORIGIN;
}

/* Takes the model over; when there is none, the project's previous one goes on. The problem's text
 * is the load's. */
static enum err_code take_loaded(struct registry_entry *entry, const struct registry_entry *old,
                                 struct load *load, bool is_last_resort, struct err *err)
{
    struct registry_project *project = &entry->project;

    if (load->model != NULL) {
        TRY(shared_new(load->model, load->row->row_version, &entry->shared, err));
        load->model = NULL;
        log_live(project);
        return ERR_OK;
    }
    project->problem = load->problem.message;
    entry->try_again = load->problem.code == ERR_NOMEM || is_last_resort;
    entry->shared = old != NULL ? shared_take(old->shared) : NULL;
    if (old == NULL || !same_text(old->project.problem, project->problem) ||
        old->project.deploy_version != project->deploy_version)
        log_problem(project);
    return ERR_OK;
}

/* The catalog shows an older deployment than the one that is live here (a restored backup, a
 * lagging standby): what is live stays. */
static void stay_ahead(struct registry_entry *entry, const struct registry_entry *old,
                       int64_t catalog_version, struct err *problem)
{
    entry->project = old->project;
    entry->shared = shared_take(old->shared);
    entry->try_again = old->try_again;
    err_set(problem, ERR_CONFLICT,
            "the catalog went back to deployment %" PRId64 "; deployment %" PRId64
            " stays live until pgboostd is restarted",
            catalog_version, old->project.deploy_version);
    entry->project.problem = problem->message;
    if (!same_text(old->project.problem, problem->message))
        log_problem(&entry->project);
}

/* load: the row's, where its source is the origin. */
static enum err_code fill_entry(struct registry_entry *entry, const struct live_row *row,
                                const struct registry_entry *old, struct load *load,
                                bool is_last_resort, struct arena *arena, struct err *err)
{
    struct err problem = {0};

    entry->project = project_from_row(row);
    switch (source_of(old, row)) {
    case SOURCE_NONE:
        break;
    case SOURCE_AHEAD:
        stay_ahead(entry, old, row->deploy_version, &problem);
        break;
    case SOURCE_MEMORY:
        entry->shared = shared_take(old->shared);
        break;
    case SOURCE_KNOWN:
        entry->project.problem = old->project.problem;
        entry->shared = shared_take(old->shared);
        break;
    case SOURCE_ORIGIN:
        TRY(take_loaded(entry, old, load, is_last_resort, err));
        break;
    }
    entry->project.model = entry->shared != NULL ? entry->shared->model : NULL;
    return own_texts(&entry->project, arena, err);
}

/* Views --------------------------------------------------------------------------------------- */

enum err_code view_new_empty(struct registry_view **ret_view, struct err *err)
{
    struct registry_view *view = calloc(1, sizeof(*view));

    if (view == NULL)
        return err_nomem(err);
    *ret_view = view;
    return ERR_OK;
}

void view_free(struct registry_view *view)
{
    if (view == NULL)
        return;
    for (int i = 0; i < view->n_entries; i++)
        shared_drop(view->entries[i].shared);
    strmap_release(&view->names);
    arena_release(&view->arena);
    free(view);
}

const struct registry_entry *view_find(const struct registry_view *view, const char *name,
                                       size_t length)
{
    uint32_t index = strmap_find(&view->names, name, length);

    return index != STRMAP_NONE ? &view->entries[index] : NULL;
}

/* What the old view knows of a row's project; NULL: nothing. */
static const struct registry_entry *old_entry(const struct registry_view *old,
                                              const struct live_row *row)
{
    const struct registry_entry *entry = view_find(old, row->project, strlen(row->project));

    /* Else deleted and made anew under the same name. */
    return entry != NULL && entry->project.id == row->project_id ? entry : NULL;
}

static enum err_code add_entry(struct registry_view *view, const struct registry_entry *old,
                               const struct live_row *row, struct load *load, bool is_last_resort,
                               struct err *err)
{
    uint32_t index = strmap_add(&view->names, row->project, strlen(row->project));

    if (index == STRMAP_NONE)
        return err_nomem(err);
    if (index != (uint32_t)view->n_entries)
        return err_set(err, ERR_CORRUPT, "the catalog lists project \"%s\" twice", row->project);
    view->n_entries++; /* from here on view_free knows the entry */
    return fill_entry(&view->entries[index], row, old, load, is_last_resort, &view->arena, err);
}

/* What is loaded for one view, in the order of its rows. */
struct loads {
    struct load *items;
    int n;
};

static void loads_release(struct loads *loads)
{
    for (int i = 0; i < loads->n; i++)
        model_free(loads->items[i].model); /* those that no entry took over */
    free(loads->items);
}

/* The rows whose models come from the origin. */
static enum err_code plan_loads(const struct registry_view *old, const struct live_rows *rows,
                                struct loads *loads, struct err *err)
{
    loads->items = calloc((size_t)rows->n + 1, sizeof(*loads->items));
    if (loads->items == NULL)
        return err_nomem(err);
    for (int i = 0; i < rows->n; i++)
        if (source_of(old_entry(old, &rows->items[i]), &rows->items[i]) == SOURCE_ORIGIN)
            loads->items[loads->n++].row = &rows->items[i];
    return ERR_OK;
}

/* The first failure that is Postgres's, with which the refresh cannot go on. */
static enum err_code check_origin(const struct loads *loads, struct err *err)
{
    for (int i = 0; i < loads->n; i++) {
        const struct err *problem = &loads->items[i].problem;

        if (problem->code == ERR_OK || load_is_about_model(problem->code))
            continue;
        if (err != NULL)
            *err = *problem;
        return problem->code;
    }
    return ERR_OK;
}

enum err_code view_build(const struct registry_view *old, const struct model_origin *origin,
                         const struct live_rows *rows, struct registry_view **ret_view,
                         int *ret_n_changed, struct err *err)
{
    CLEANUP(view_freep) struct registry_view *view = NULL;
    CLEANUP(loads_release) struct loads loads = {0};
    int n_unchanged = 0, n_most = rows->n > old->n_entries ? rows->n : old->n_entries;

    TRY(view_new_empty(&view, err));
    view->entries = arena_alloc_array(&view->arena, (size_t)rows->n + 1, sizeof(*view->entries));
    if (view->entries == NULL)
        return err_nomem(err);
    TRY(plan_loads(old, rows, &loads, err));
    load_models(origin, loads.items, loads.n);
    TRY(check_origin(&loads, err));
    for (int i = 0, load = 0; i < rows->n; i++) {
        const struct registry_entry *known = old_entry(old, &rows->items[i]);

        TRY(add_entry(view, known, &rows->items[i], &loads.items[load], origin->is_last_resort,
                      err));
        load += loads.items[load].row == &rows->items[i];
        if (known != NULL && same_project(known->project, view->entries[i].project))
            n_unchanged++;
    }
    *ret_n_changed = n_most - n_unchanged;
    *ret_view = TAKE_PTR(view);
    return ERR_OK;
}
