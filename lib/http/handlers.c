#include "http/handlers.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "http/routes.h"
#include "http/seeking.h"
#include "predict/csv.h"

/* Of a request's rows; a thread does not hold on to more. */
#define KEEP_FEATURES ((size_t)1 << 20)

/* /predict ------------------------------------------------------------------------------------ */

static enum err_code no_project(const char *name, size_t length, struct err *err)
{
    err_set(err, ERR_NOT_FOUND, "no project \"%.*s\"", (int)(length < 128 ? length : 128), name);
    return err_hint(err, "GET /projects lists them");
}

static enum err_code no_model(const struct registry_project *project, struct err *err)
{
    if (project->problem != NULL) {
        err_set(err, ERR_CONFLICT, "project \"%s\" has no model that can be used: %s",
                project->name, project->problem);
        return err_hint(err, "deploy another with: pgboost deploy %s --model ID", project->name);
    }
    err_set(err, ERR_CONFLICT, "project \"%s\" has no live model yet", project->name);
    return err_hint(err, "train one with: pgboost train %s", project->name);
}

enum err_code handlers_find_model(void *context, const char *name, size_t length, int64_t model_id,
                                  const struct model **ret_model, struct err *err)
{
    const struct model_finder *finder = context;
    const struct registry_project *project = registry_find(finder->view, name, length);

    if (finder->token != NULL && !token_sees(finder->token, name, length))
        return err_set(err, ERR_DENIED, "the token is not good for this project");
    if (project == NULL)
        return no_project(name, length, err);
    if (finder->exchange != NULL)
        finder->exchange->project_id = project->id;
    if (project->model == NULL)
        return no_model(project, err);
    if (model_id != 0 && model_id != project->model->id) {
        err_set(err, ERR_NOT_FOUND,
                "model %" PRId64 " is not live; only the live model can be asked in this version",
                model_id);
        err_hint(err, "live is model %" PRId64 ": leave out \"model_id\" to ask it",
                 project->model->id);
        return err_field(err, "/model_id");
    }
    if (finder->exchange != NULL)
        finder->exchange->model_id = project->model->id;
    *ret_model = project->model;
    return ERR_OK;
}

static void scratch_free(void *scratch)
{
    predict_scratch_release(scratch);
    free(scratch);
}

enum err_code handlers_init(struct http_service *service, struct err *err)
{
    int failure = pthread_key_create(&service->scratch_key, scratch_free);

    return failure == 0 ? ERR_OK : err_errno(err, failure, "cannot make a thread's own memory");
}

void handlers_release(struct http_service *service)
{
    pthread_key_delete(service->scratch_key);
}

struct predict_scratch *handlers_scratch(const struct http_service *service)
{
    struct predict_scratch *scratch = pthread_getspecific(service->scratch_key);

    if (scratch != NULL)
        return scratch;
    scratch = calloc(1, sizeof(*scratch));
    if (scratch != NULL && pthread_setspecific(service->scratch_key, scratch) != 0)
        free(TAKE_PTR(scratch));
    return scratch;
}

void handlers_shrink(struct predict_scratch *scratch)
{
    if (scratch->features_capacity > KEEP_FEATURES)
        predict_scratch_release(scratch);
}

typedef enum err_code (*start_fn)(const char *body, size_t length,
                                  const struct model_source *source,
                                  const struct predict_limits *limits,
                                  struct predict_scratch *scratch, struct buf *reply,
                                  struct predict_waiting **ret_waiting, struct err *err);

/* Under the registry's lock: answers, or notes what rows are wanted first. */
static enum err_code answer(struct exchange *exchange, start_fn start, const struct buf *body,
                            struct predict_scratch *scratch, const struct registry_view *view,
                            struct err *err)
{
    struct http_service *service = exchange->service;
    struct predict_limits limits = {.max_rows = atomic_load(&service->rows_limit)};
    struct model_finder finder = {.view = view, .token = exchange->token, .exchange = exchange};
    struct model_source source = {.find = handlers_find_model, .context = &finder};
    struct predict_waiting *waiting = NULL;

    TRY(start(buf_text(body), body->length, &source, &limits, scratch, &exchange->reply.body,
              &waiting, err));
    return waiting == NULL ? ERR_OK : seeking_new(exchange, waiting, view, err);
}

static enum err_code predict(struct exchange *exchange, start_fn start, const struct buf *body,
                             struct err *err)
{
    struct http_service *service = exchange->service;
    struct predict_scratch *scratch = handlers_scratch(service);
    enum err_code code;

    if (!service->predicts) {
        err_set(err, ERR_NOT_FOUND, "this daemon trains and does not predict: its role is trainer");
        return err_hint(err, "ask one of role all or server");
    }
    if (scratch == NULL)
        return err_nomem(err);
    code = answer(exchange, start, body, scratch, registry_read_lock(service->registry), err);
    registry_read_unlock();
    handlers_shrink(scratch);
    return code;
}

enum err_code handlers_predict(struct exchange *exchange, const struct registry_view *view,
                               const struct buf *body, struct buf *reply, struct err *err)
{
    struct http_service *service = exchange->service;
    struct predict_limits limits = {.max_rows = atomic_load(&service->rows_limit)};
    struct predict_scratch *scratch = handlers_scratch(service);
    struct model_finder finder = {.view = view, .token = exchange->token, .exchange = exchange};
    struct model_source source = {.find = handlers_find_model, .context = &finder};
    enum err_code code;

    if (!service->predicts) {
        err_set(err, ERR_NOT_FOUND, "this daemon trains and does not predict: its role is trainer");
        return err_hint(err, "ask one of role all or server");
    }
    if (scratch == NULL)
        return err_nomem(err);
    code = predict_json(buf_text(body), body->length, &source, &limits, scratch, reply, err);
    handlers_shrink(scratch);
    return code;
}

/* What a query says of a CSV body, on its way to the members of a JSON one. */
struct query {
    struct buf *body;
    enum err_code code;
    struct err *err;
};

/* A number or a literal stands for itself, other text for a string: whether it is one that the
 * member takes, its reader says. */
static void put_value(struct buf *body, const char *value)
{
    size_t length = strlen(value);
    struct json_reader reader;
    enum json_token token;

    json_reader_init(&reader, value, length);
    token = json_next(&reader, NULL);
    if ((token == JSON_NUMBER || token == JSON_TRUE || token == JSON_FALSE) &&
        json_next(&reader, NULL) == JSON_END)
        buf_append(body, value, length);
    else
        json_put_string(body, value, length);
}

static enum MHD_Result put_option(void *cls, enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
    struct query *query = cls;
    char decoded[TARGET_ARGUMENT_MAX];

    (void)kind;
    query->code = target_decode(name, strlen(name), decoded, query->err);
    if (query->code != ERR_OK)
        return MHD_NO;
    json_put_text(query->body, decoded);
    buf_putc(query->body, ':');
    value = value != NULL ? value : "";
    query->code = target_decode(value, strlen(value), decoded, query->err);
    if (query->code != ERR_OK)
        return MHD_NO;
    if (strcmp(name, "project") == 0)
        json_put_text(query->body, decoded); /* "7" may be a name */
    else
        put_value(query->body, decoded);
    buf_putc(query->body, ',');
    return MHD_YES;
}

/* Rows as CSV, everything else in the query: /predict?project=NAME&encoded=true. */
static enum err_code predict_csv(struct exchange *exchange, struct err *err)
{
    size_t max_rows = atomic_load(&exchange->service->rows_limit);
    CLEANUP(buf_release) struct buf body = {0};
    struct query query = {.body = &body, .err = err};

    buf_putc(&body, '{');
    MHD_get_connection_values(exchange->connection, MHD_GET_ARGUMENT_KIND, put_option, &query);
    TRY(query.code);
    TRY(csv_to_table(buf_text(&exchange->body), exchange->body.length, max_rows, &body, err));
    buf_putc(&body, '}');
    TRY(buf_check(&body, err));
    return predict(exchange, predict_start, &body, err);
}

enum err_code handle_predict(struct exchange *exchange, struct err *err)
{
    return exchange->is_csv ? predict_csv(exchange, err)
                            : predict(exchange, predict_start, &exchange->body, err);
}

enum err_code handle_rank(struct exchange *exchange, struct err *err)
{
    return predict(exchange, rank_start, &exchange->body, err);
}

/* /projects ----------------------------------------------------------------------------------- */

static void put_member(struct buf *json, const char *name, const char *value)
{
    buf_printf(json, ",\"%s\":", name);
    json_put_text(json, value);
}

static void put_score(struct buf *json, const char *score)
{
    buf_puts(json, ",\"score\":");
    if (score != NULL)
        json_put_double(json, strtod(score, NULL));
    else
        buf_puts(json, "null");
}

static void put_project(struct buf *json, const struct registry_project *project)
{
    buf_puts(json, "{\"name\":");
    json_put_text(json, project->name);
    put_member(json, "task", project->task);
    put_member(json, "relation", project->relation);
    put_member(json, "target", project->target);
    put_member(json, "metric", project->metric);
    put_score(json, project->score);
    if (project->model != NULL)
        buf_printf(json, ",\"live_model_id\":%" PRId64, project->model->id);
    else
        buf_puts(json, ",\"live_model_id\":null");
    put_member(json, "deployed_at", project->deployed_at);
    put_member(json, "problem", project->problem);
    buf_putc(json, '}');
}

enum err_code handle_projects(struct exchange *exchange, struct err *err)
{
    const struct registry_view *view = registry_read_lock(exchange->service->registry);
    struct buf *json = &exchange->reply.body;
    int n = 0;

    (void)err;
    buf_puts(json, "{\"items\":[");
    for (int i = 0; i < registry_n_projects(view); i++) {
        const struct registry_project *project = registry_at(view, i);

        if (exchange->token != NULL &&
            !token_sees(exchange->token, project->name, strlen(project->name)))
            continue;
        if (n++ > 0)
            buf_putc(json, ',');
        put_project(json, project);
    }
    buf_puts(json, "],\"next\":null}");
    registry_read_unlock();
    return ERR_OK;
}

enum err_code handle_project(struct exchange *exchange, struct err *err)
{
    const struct registry_view *view = registry_read_lock(exchange->service->registry);
    size_t length = strlen(exchange->argument);
    const struct registry_project *project = registry_find(view, exchange->argument, length);

    if (project != NULL)
        put_project(&exchange->reply.body, project);
    registry_read_unlock();
    return project != NULL ? ERR_OK : no_project(exchange->argument, length, err);
}

/* /healthz, / ------------------------------------------------------------------------ */

enum err_code handle_healthz(struct exchange *exchange, struct err *err)
{
    (void)err;
    buf_puts(&exchange->reply.body, "{\"status\":\"alive\"}");
    return ERR_OK;
}

enum err_code handle_options(struct exchange *exchange, struct err *err)
{
    (void)err;
    exchange->reply.status = 204; /* find_route has set Allow */
    return ERR_OK;
}

enum err_code handle_root(struct exchange *exchange, struct err *err)
{
    struct buf *text = &exchange->reply.body;

    (void)err;
    exchange->reply.content_type = "text/plain; charset=utf-8";
    buf_puts(text, "pgboost " PGBOOST_VERSION "\n\n");
    routes_list(text);
    return ERR_OK;
}
