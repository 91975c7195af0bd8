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
    free(shared);
}

static enum err_code shared_new(struct model *model, struct shared_model **ret_shared,
                                struct err *err)
{
    struct shared_model *shared = malloc(sizeof(*shared));

    if (shared == NULL)
        return err_nomem(err);
    *shared = (struct shared_model){.model = model, .n_views = 1};
    *ret_shared = shared;
    return ERR_OK;
}

/* Loading ------------------------------------------------------------------------------------- */

/* Does an error of the origin say something about the model, and not about Postgres? */
static bool is_about_model(enum err_code code)
{
    return code == ERR_NOT_FOUND || code == ERR_CORRUPT || code == ERR_LIMIT || code == ERR_NOMEM;
}

/* *ret_of_catalog: the failure is Postgres's, and the refresh cannot go on. */
static enum err_code load_model(const struct model_origin *origin, int64_t model_id,
                                struct shared_model **ret_shared, bool *ret_of_catalog,
                                struct err *err)
{
    CLEANUP(model_rows_release) struct model_rows rows = {0};
    CLEANUP(model_freep) struct model *model = NULL;
    enum err_code code = origin->fetch(origin->context, model_id, &rows, err);

    *ret_of_catalog = code != ERR_OK && !is_about_model(code);
    TRY(code);
    TRY(model_open(&rows.items[0], &model, err));
    TRY(shared_new(model, ret_shared, err));
    model = NULL;
    return ERR_OK;
}

static void log_problem(const struct registry_project *project)
{
    char name[256], problem[768];

    log_error("model cannot go live", "project=%s model=%" PRId64 " version=%" PRId64 " error=%s",
              log_text(project->name, name, sizeof(name)), project->wanted_model_id,
              project->deploy_version, log_text(project->problem, problem, sizeof(problem)));
}

static void log_live(const struct registry_project *project)
{
    char name[256];

    log_info("model is live", "project=%s model=%" PRId64 " version=%" PRId64,
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
    };
}

/* Was this very deployment tried before, and is trying again of no use? */
static bool known_problem(const struct registry_entry *old, const struct registry_project *project)
{
    return old != NULL && old->project.problem != NULL && !old->try_again &&
           old->project.deploy_version == project->deploy_version &&
           old->project.wanted_model_id == project->wanted_model_id;
}

/* Finds the entry's model: the one that is in memory already, or loads it. When that fails, the
 * project's previous model goes on. problem (of the caller's) holds the reason's text. */
static enum err_code find_model(struct registry_entry *entry, const struct registry_entry *old,
                                const struct model_origin *origin, struct err *problem,
                                struct err *err)
{
    struct registry_project *project = &entry->project;
    bool of_catalog;

    if (project->wanted_model_id == 0)
        return ERR_OK;
    if (old != NULL && old->shared != NULL && old->shared->model->id == project->wanted_model_id) {
        entry->shared = shared_take(old->shared);
        return ERR_OK;
    }
    if (known_problem(old, project)) {
        project->problem = old->project.problem;
        entry->shared = shared_take(old->shared);
        return ERR_OK;
    }
    if (load_model(origin, project->wanted_model_id, &entry->shared, &of_catalog, problem) ==
        ERR_OK) {
        log_live(project);
        return ERR_OK;
    }
    if (of_catalog) {
        if (err != NULL)
            *err = *problem;
        return problem->code;
    }
    project->problem = problem->message;
    entry->try_again = problem->code == ERR_NOMEM;
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

static enum err_code fill_entry(struct registry_entry *entry, const struct live_row *row,
                                const struct registry_entry *old, const struct model_origin *origin,
                                struct arena *arena, struct err *err)
{
    struct err problem = {0};

    if (old != NULL && row->deploy_version < old->project.deploy_version) {
        stay_ahead(entry, old, row->deploy_version, &problem);
    } else {
        entry->project = project_from_row(row);
        TRY(find_model(entry, old, origin, &problem, err));
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

static enum err_code add_entry(struct registry_view *view, const struct registry_view *old_view,
                               const struct model_origin *origin, const struct live_row *row,
                               int *n_unchanged, struct err *err)
{
    const struct registry_entry *old = view_find(old_view, row->project, strlen(row->project));
    struct registry_entry *entry = &view->entries[view->n_entries];
    uint32_t index = strmap_add(&view->names, row->project, strlen(row->project));

    if (index == STRMAP_NONE)
        return err_nomem(err);
    if (index != (uint32_t)view->n_entries)
        return err_set(err, ERR_CORRUPT, "the catalog lists project \"%s\" twice", row->project);
    if (old != NULL && old->project.id != row->project_id)
        old = NULL;    /* deleted and made anew under the same name */
    view->n_entries++; /* from here on view_free knows the entry */
    TRY(fill_entry(entry, row, old, origin, &view->arena, err));
    if (old != NULL && same_project(old->project, entry->project))
        ++*n_unchanged;
    return ERR_OK;
}

enum err_code view_build(const struct registry_view *old, const struct model_origin *origin,
                         const struct live_rows *rows, struct registry_view **ret_view,
                         int *ret_n_changed, struct err *err)
{
    CLEANUP(view_freep) struct registry_view *view = NULL;
    int n_unchanged = 0, n_most = rows->n > old->n_entries ? rows->n : old->n_entries;

    TRY(view_new_empty(&view, err));
    view->entries = arena_alloc_array(&view->arena, (size_t)rows->n + 1, sizeof(*view->entries));
    if (view->entries == NULL)
        return err_nomem(err);
    for (int i = 0; i < rows->n; i++)
        TRY(add_entry(view, old, origin, &rows->items[i], &n_unchanged, err));
    *ret_n_changed = n_most - n_unchanged;
    *ret_view = TAKE_PTR(view);
    return ERR_OK;
}
