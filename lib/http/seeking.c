#include "http/seeking.h"

#include <stddef.h>
#include <string.h>

#include "http/handlers.h"

#define TRIES 5 /* of models that are replaced while their rows are read */

struct seeking {
    struct lookup_ask ask;
    struct exchange *exchange;
    struct predict_waiting *waiting;
    struct buf signature;
    int64_t model_id; /* whose columns are read */
    int n_tries;
    bool is_outdated; /* another model is live by now */
};

static void seeking_free(struct seeking *seeking)
{
    if (seeking == NULL)
        return;
    predict_waiting_free(seeking->waiting);
    buf_release(&seeking->signature);
    free(seeking);
}
DEFINE_FREEP(struct seeking *, seeking_free)

/* What is read ----------------------------------------------------------------------------------
 */

static enum err_code find_project(const struct seeking *seeking, const struct registry_view *view,
                                  const struct registry_project **ret_project,
                                  const struct model **ret_model, struct err *err)
{
    const struct predict_wanted *wanted = predict_wanted(seeking->waiting);

    TRY(handlers_find_model(seeking->exchange, view, wanted->project, wanted->project_length,
                            wanted->asked_model_id, ret_model, err));
    *ret_project = registry_find(view, wanted->project, wanted->project_length);
    return ERR_OK;
}

static void put_text(struct buf *signature, const char *text, size_t length)
{
    buf_append(signature, &length, sizeof(length));
    buf_append(signature, text, length);
}

static enum err_code add_name(struct arena *arena, const char **names, int *n, const char *name,
                              size_t length, struct err *err)
{
    if (*n == LOOKUP_KEYS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d columns", LOOKUP_KEYS_MAX);
    names[*n] = arena_strndup(arena, name, length);
    if (names[*n] == NULL)
        return err_nomem(err);
    ++*n;
    return ERR_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The columns of "where", sorted: one statement does for all orders. names[LOOKUP_KEYS_MAX] */
static enum err_code where_names(const struct predict_wanted *wanted, struct arena *arena,
                                 const char **names, int *n, struct err *err)
{
    CLEANUP(buf_release) struct buf scratch = {0};
    struct json_reader reader = wanted->values;
    const char *name;
    size_t length;

    json_next(&reader, err); /* the object, which request_read has seen whole */
    while (json_next(&reader, err) == JSON_KEY) {
        TRY(json_text(&reader, &scratch, &name, &length, err));
        if (add_name(arena, names, n, name, length, err) != ERR_OK) {
            err_prefix(err, "\"where\"");
            return err_field(err, "/where");
        }
        TRY(json_skip(&reader, json_next(&reader, err), err));
    }
    qsort(names, (size_t)*n, sizeof(*names), compare_names);
    return ERR_OK;
}

static enum err_code sign_where(const struct predict_wanted *wanted, struct buf *signature,
                                struct err *err)
{
    CLEANUP(arena_release) struct arena arena = {0};
    const char *names[LOOKUP_KEYS_MAX];
    int n = 0;

    TRY(where_names(wanted, &arena, names, &n, err));
    for (int i = 0; i < n; i++)
        put_text(signature, names[i], strlen(names[i]));
    return ERR_OK;
}

/* All that the spec is made of. */
static enum err_code sign(struct seeking *seeking, const struct registry_view *view,
                          struct err *err)
{
    const struct predict_wanted *wanted = predict_wanted(seeking->waiting);
    const struct registry_project *project = NULL;
    const struct model *model = NULL;
    struct buf *signature = &seeking->signature;

    TRY(find_project(seeking, view, &project, &model, err));
    if (project->key == NULL) {
        err_set(err, ERR_CONFLICT, "project \"%s\" has no key to find rows by", project->name);
        return err_hint(err, "name its columns as \"key\" in the definition, and apply that");
    }
    seeking->model_id = model->id;
    seeking->ask.keep_ms =
        project->cache_seconds != NULL ? (int64_t)(strtod(project->cache_seconds, NULL) * 1000) : 0;
    buf_clear(signature);
    buf_append(signature, &project->id, sizeof(project->id));
    buf_append(signature, &model->id, sizeof(model->id));
    buf_putc(signature, wanted->form == LOOKUP_WHERE ? 'w' : 'k');
    put_text(signature, project->serving, strlen(project->serving));
    put_text(signature, project->key, strlen(project->key));
    put_text(signature, project->time != NULL ? project->time : "",
             project->time != NULL ? strlen(project->time) : 0);
    if (wanted->form == LOOKUP_WHERE) {
        buf_append(signature, &seeking->ask.max_rows, sizeof(seeking->ask.max_rows));
        TRY(sign_where(wanted, signature, err));
    }
    TRY(buf_check(signature, err));
    seeking->ask.signature = signature->data;
    seeking->ask.signature_length = signature->length;
    return ERR_OK;
}

/* The spec --------------------------------------------------------------------------------------
 */

/* A column's name, or an array of them. */
static enum err_code describe_key(const char *json, struct lookup_spec *spec, struct err *err)
{
    CLEANUP(buf_release) struct buf scratch = {0};
    struct json_reader reader;
    enum json_token token;
    const char *name;
    size_t length;

    json_reader_init(&reader, json, strlen(json));
    while ((token = json_next(&reader, err)) != JSON_END && token != JSON_ERROR) {
        if (token != JSON_STRING)
            continue;
        TRY(json_text(&reader, &scratch, &name, &length, err));
        TRY(add_name(&spec->arena, spec->keys, &spec->n_keys, name, length, err));
    }
    return token == JSON_END ? ERR_OK : ERR_INVALID;
}

static enum err_code describe_columns(const struct encoder *encoder, struct lookup_spec *spec,
                                      struct err *err)
{
    spec->columns =
        arena_alloc_array(&spec->arena, (size_t)encoder->n_columns + 1, sizeof(*spec->columns));
    if (spec->columns == NULL)
        return err_nomem(err);
    for (int i = 0; i < encoder->n_columns; i++) {
        spec->columns[i] = (struct lookup_column){
            .name = arena_strdup(&spec->arena, encoder->columns[i].name),
            .type = encoder->columns[i].type,
        };
        if (spec->columns[i].name == NULL)
            return err_nomem(err);
    }
    spec->n_columns = encoder->n_columns;
    return ERR_OK;
}

static enum err_code describe_project(const struct registry_project *project,
                                      const struct model *model, struct lookup_spec *spec,
                                      struct err *err)
{
    struct arena *arena = &spec->arena;

    spec->relation = arena_strdup(arena, project->serving);
    spec->timezone = arena_strdup(arena, model->encoder->timezone);
    spec->keys = arena_alloc_array(arena, LOOKUP_KEYS_MAX, sizeof(*spec->keys));
    spec->where = arena_alloc_array(arena, LOOKUP_KEYS_MAX, sizeof(*spec->where));
    if (project->time != NULL)
        spec->time_column = arena_strdup(arena, project->time);
    if (spec->relation == NULL || spec->timezone == NULL || spec->keys == NULL ||
        spec->where == NULL || (project->time != NULL && spec->time_column == NULL))
        return err_nomem(err);
    TRY(describe_key(project->key, spec, err));
    return describe_columns(model->encoder, spec, err);
}

static struct seeking *seeking_of(struct lookup_ask *ask)
{
    return (void *)((char *)ask - offsetof(struct seeking, ask));
}

static enum err_code describe(struct lookup_ask *ask, struct lookup_spec *spec, struct err *err)
{
    struct seeking *seeking = seeking_of(ask);
    const struct predict_wanted *wanted = predict_wanted(seeking->waiting);
    const struct registry_view *view = registry_read_lock(seeking->exchange->service->registry);
    const struct registry_project *project = NULL;
    const struct model *model = NULL;
    enum err_code code = find_project(seeking, view, &project, &model, err);

    if (code == ERR_OK && (model->id != seeking->model_id || project->key == NULL)) {
        seeking->is_outdated = true;
        code = err_set(err, ERR_CONFLICT, "the model was replaced while its rows were read");
    }
    if (code == ERR_OK)
        code = describe_project(project, model, spec, err);
    registry_read_unlock();
    spec->max_rows = ask->max_rows;
    if (code == ERR_OK && wanted->form == LOOKUP_WHERE)
        code = where_names(wanted, &spec->arena, spec->where, &spec->n_where, err);
    return code;
}

/* The answer ------------------------------------------------------------------------------------
 */

/* For the model that is live now. False: those are not its rows. */
static bool ask_again(struct seeking *seeking, struct err *err)
{
    struct http_service *service = seeking->exchange->service;
    const struct registry_view *view = registry_read_lock(service->registry);
    enum err_code code = ++seeking->n_tries < TRIES ? sign(seeking, view, err) : err->code;

    registry_read_unlock();
    seeking->is_outdated = false;
    return code == ERR_OK && lookup_put(service->lookup, &seeking->ask, err);
}

static enum err_code finish(struct seeking *seeking, const struct lookup_rows *rows,
                            const struct registry_view *view, struct err *err)
{
    struct exchange *exchange = seeking->exchange;
    struct http_service *service = exchange->service;
    struct predict_limits limits = {.max_rows = atomic_load(&service->rows_limit)};
    struct predict_scratch *scratch = handlers_scratch(service);
    const struct registry_project *project = NULL;
    const struct model *model = NULL;
    enum err_code code;

    if (scratch == NULL)
        return err_nomem(err);
    TRY(find_project(seeking, view, &project, &model, err));
    seeking->is_outdated = model->id != seeking->model_id;
    if (seeking->is_outdated)
        return err_set(err, ERR_CONFLICT, "the model was replaced while its rows were read");
    code =
        predict_finish(seeking->waiting, model, rows, &limits, scratch, &exchange->reply.body, err);
    handlers_shrink(scratch);
    return code;
}

/* On a thread of the pool. */
static void done(struct lookup_ask *ask, const struct lookup_rows *rows)
{
    struct seeking *seeking = seeking_of(ask);
    struct exchange *exchange = seeking->exchange;
    enum err_code code = ERR_FAILED;

    if (rows != NULL) {
        const struct registry_view *view = registry_read_lock(exchange->service->registry);

        code = finish(seeking, rows, view, &exchange->err);
        registry_read_unlock();
    }
    if (seeking->is_outdated && ask_again(seeking, &exchange->err))
        return;
    lookup_ended(exchange->service->lookup, ask);
    exchange_handled(exchange, code == ERR_OK ? ERR_OK : exchange->err.code);
    seeking_free(seeking);
    MHD_resume_connection(exchange->connection);
}

/* Life ------------------------------------------------------------------------------------------
 */

enum err_code seeking_new(struct exchange *exchange, struct predict_waiting *waiting,
                          const struct registry_view *view, struct err *err)
{
    CLEANUP(seeking_freep) struct seeking *seeking = calloc(1, sizeof(*seeking));
    const struct predict_wanted *wanted = predict_wanted(waiting);

    if (seeking == NULL) {
        predict_waiting_free(waiting);
        return err_nomem(err);
    }
    seeking->exchange = exchange;
    seeking->waiting = waiting;
    seeking->ask = (struct lookup_ask){
        .form = wanted->form,
        .values = wanted->values,
        .max_rows = atomic_load(&exchange->service->rows_limit),
        .describe = describe,
        .done = done,
        .err = &exchange->err,
    };
    TRY(sign(seeking, view, err));
    exchange->seeking = TAKE_PTR(seeking);
    return ERR_OK;
}

bool seeking_put(struct seeking *seeking)
{
    struct exchange *exchange = seeking->exchange;

    if (lookup_put(exchange->service->lookup, &seeking->ask, &exchange->err))
        return true;
    lookup_ended(exchange->service->lookup, &seeking->ask);
    seeking_free(seeking);
    return false;
}
