#include "http/admin.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "config/project.h"
#include "model/model.h"

#define BEST_SCORE "best_score"

/* Bodies -------------------------------------------------------------------------------------- */

static void json_freep(cJSON **json)
{
    cJSON_Delete(*json);
}

/* An object, or nothing at all, which counts as {}. */
static enum err_code read_body(const struct exchange *exchange, cJSON **ret_body, struct err *err)
{
    const struct buf *body = &exchange->body;

    if (body->length == 0) {
        *ret_body = cJSON_CreateObject();
        return *ret_body != NULL ? ERR_OK : err_nomem(err);
    }
    TRY(json_parse(buf_text(body), body->length, NULL, ret_body, err));
    if (cJSON_IsObject(*ret_body))
        return ERR_OK;
    return err_set(err, ERR_INVALID, "expected an object");
}

static enum err_code refuse_member(const char *name, const char *reason, struct err *err)
{
    err_set(err, ERR_INVALID, "\"%s\": %s", name, reason);
    return err_field(err, "/%.200s", name);
}

static enum err_code refuse_members(const cJSON *body, struct err *err)
{
    return body->child == NULL ? ERR_OK
                               : refuse_member(body->child->string, "there is no such member", err);
}

static enum err_code read_run_id(const struct exchange *exchange, int64_t *ret_run_id,
                                 struct err *err)
{
    const char *text = exchange->argument;
    char *end;
    long long run_id = strtoll(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || strlen(text) > 18)
        return err_set(err, ERR_NOT_FOUND, "run \"%.40s\" does not exist", text);
    *ret_run_id = run_id;
    return ERR_OK;
}

/* Training ------------------------------------------------------------------------------------ */

static enum err_code accept_run(struct exchange *exchange, int64_t run_id)
{
    exchange->reply.status = MHD_HTTP_ACCEPTED;
    buf_printf(&exchange->reply.body, "{\"run_id\":%" PRId64 "}", run_id);
    return ERR_OK;
}

enum err_code ask_train(struct exchange *exchange, struct pg *pg, struct err *err)
{
    CLEANUP(json_freep) cJSON *body = NULL;
    int64_t run_id;
    bool existing;

    TRY(read_body(exchange, &body, err));
    TRY(refuse_members(body, err));
    TRY(catalog_queue_run(pg, exchange->argument, "http", false, &run_id, &existing, err));
    return accept_run(exchange, run_id);
}

/* Scoring ------------------------------------------------------------------------------------- */

static const struct score_member {
    const char *name, *expected;
    int type; /* cJSON's */
} score_members[] = {
    {"from", "expected a relation's name", cJSON_String},
    {"into", "expected a table's name", cJSON_String},
    {"explain", "expected true or false", cJSON_True | cJSON_False},
    {"atomic", "expected true or false", cJSON_True | cJSON_False},
};

static enum err_code check_score_member(const cJSON *member, struct err *err)
{
    for (size_t i = 0; i < N_ELEMENTS(score_members); i++) {
        const struct score_member *known = &score_members[i];

        if (strcmp(member->string, known->name) != 0)
            continue;
        if ((member->type & known->type) == 0 ||
            (cJSON_IsString(member) && member->valuestring[0] == '\0'))
            return refuse_member(known->name, known->expected, err);
        return ERR_OK;
    }
    return refuse_member(member->string, "there is no such member", err);
}

/* The definition must allow it: a key for the rows, and a table, here or there. */
static enum err_code check_score(const struct exchange *exchange, struct pg *pg, const cJSON *body,
                                 struct err *err)
{
    CLEANUP(project_rows_release) struct project_rows rows = {0};
    CLEANUP(project_freep) struct project *project = NULL;
    const char *definition;

    TRY(catalog_projects(pg, exchange->argument, &rows, err));
    definition = rows.items[0].definition;
    TRY(project_parse(definition, strlen(definition), exchange->argument, &project, err));
    if (cJSON_GetObjectItemCaseSensitive(body, "into") == NULL &&
        (body->child != NULL || project->score.into == NULL))
        return refuse_member("into", "expected a table's name", err);
    if (rows.items[0].live_model_id == 0) {
        err_set(err, ERR_CONFLICT, "project \"%s\" has no live model yet", project->name);
        return err_hint(err, "train one with: pgboost train %s", project->name);
    }
    if (project->key.n > 0)
        return ERR_OK;
    err_set(err, ERR_CONFLICT, "project \"%s\" has no key that could name a row of the table",
            project->name);
    return err_hint(err, "add \"key\" to its definition: the columns that tell rows apart");
}

enum err_code ask_score(struct exchange *exchange, struct pg *pg, struct err *err)
{
    CLEANUP(json_freep) cJSON *body = NULL;
    CLEANUP(buf_release) struct buf overrides = {0};
    const cJSON *member;
    char *text;
    int64_t run_id;

    TRY(read_body(exchange, &body, err));
    cJSON_ArrayForEach (member, body)
        TRY(check_score_member(member, err));
    TRY(check_score(exchange, pg, body, err));
    text = cJSON_PrintUnformatted(body);
    if (text == NULL)
        return err_nomem(err);
    buf_printf(&overrides, "{\"score\":%s}", text);
    cJSON_free(text);
    TRY(buf_check(&overrides, err));
    TRY(catalog_queue_score(pg, exchange->argument, "http",
                            body->child != NULL ? buf_text(&overrides) : NULL, &run_id, err));
    return accept_run(exchange, run_id);
}

enum err_code ask_cancel(struct exchange *exchange, struct pg *pg, struct err *err)
{
    CLEANUP(run_rows_release) struct run_rows rows = {0};
    CLEANUP(json_freep) cJSON *body = NULL;
    int64_t run_id = 0;

    TRY(read_body(exchange, &body, err));
    TRY(refuse_members(body, err));
    TRY(read_run_id(exchange, &run_id, err));
    TRY(catalog_cancel_run(pg, run_id, err));
    TRY(catalog_run(pg, run_id, &rows, err));
    exchange->reply.status = MHD_HTTP_ACCEPTED;
    buf_printf(&exchange->reply.body, "{\"run_id\":%" PRId64 ",\"status\":\"%s\"}", run_id,
               rows.items[0].status);
    return ERR_OK;
}

static void put_text(struct buf *json, const char *name, const char *value)
{
    buf_printf(json, ",\"%s\":", name);
    json_put_text(json, value);
}

static void put_run(struct buf *json, const struct run_row *run)
{
    buf_printf(json, "{\"id\":%" PRId64, run->id);
    put_text(json, "project", run->project);
    put_text(json, "kind", run->kind);
    put_text(json, "status", run->status);
    put_text(json, "trigger", run->trigger);
    put_text(json, "error", run->error);
    put_text(json, "hint", run->hint);
    buf_printf(json, ",\"attempts\":%d,\"cancel_requested\":%s", run->attempts,
               run->cancel_requested ? "true" : "false");
    put_text(json, "created_at", run->created_at);
    put_text(json, "started_at", run->started_at);
    put_text(json, "finished_at", run->finished_at);
    buf_printf(json,
               ",\"progress\":%s,\"model_id\":", run->progress != NULL ? run->progress : "null");
    if (run->model_id != 0)
        buf_printf(json, "%" PRId64 "}", run->model_id);
    else
        buf_puts(json, "null}");
}

enum err_code ask_run(struct exchange *exchange, struct pg *pg, struct err *err)
{
    CLEANUP(run_rows_release) struct run_rows rows = {0};
    int64_t run_id = 0;

    TRY(read_run_id(exchange, &run_id, err));
    TRY(catalog_run(pg, run_id, &rows, err));
    put_run(&exchange->reply.body, &rows.items[0]);
    return buf_check(&exchange->reply.body, err);
}

/* Deploying ----------------------------------------------------------------------------------- */

struct choice {
    const char *strategy; /* in the body; "specific" for a model */
    int64_t model_id;     /* 0: not chosen yet */
};

static enum err_code read_choice(const cJSON *body, struct choice *ret_choice, struct err *err)
{
    struct choice choice = {0};
    const cJSON *member;

    cJSON_ArrayForEach (member, body) {
        if (strcmp(member->string, "model_id") == 0) {
            if (!cJSON_IsNumber(member) || member->valuedouble < 1 || member->valuedouble > 1e15)
                return refuse_member("model_id", "expected a model's number", err);
            choice.model_id = (int64_t)member->valuedouble;
        } else if (strcmp(member->string, "strategy") == 0) {
            if (!cJSON_IsString(member))
                return refuse_member("strategy", "expected a text", err);
            choice.strategy = member->valuestring;
        } else {
            return refuse_member(member->string, "there is no such member", err);
        }
    }
    if ((choice.strategy != NULL) == (choice.model_id != 0)) {
        err_set(err, ERR_INVALID, "expected either \"model_id\" or \"strategy\"");
        return err_hint(err, "strategies are best_score, most_recent and rollback");
    }
    *ret_choice = choice;
    return ERR_OK;
}

/* What a daemon could not serve is not deployed. */
static enum err_code check_model(struct pg *pg, int64_t model_id, struct err *err)
{
    CLEANUP(model_freep) struct model *model = NULL;

    return model_load(pg, model_id, &model, err);
}

static enum err_code deploy(struct exchange *exchange, struct pg *pg, struct choice *choice,
                            struct err *err)
{
    bool changed;

    if (choice->model_id == 0)
        TRY(catalog_choose_model(pg, exchange->argument, choice->strategy, &choice->model_id, err));
    else
        choice->strategy = "specific";
    TRY(check_model(pg, choice->model_id, err));
    TRY(catalog_deploy(pg, exchange->argument, choice->model_id, choice->strategy, NULL, &changed,
                       err));
    buf_printf(&exchange->reply.body, "{\"model_id\":%" PRId64 ",\"changed\":%s}", choice->model_id,
               changed ? "true" : "false");
    return ERR_OK;
}

enum err_code ask_deploy(struct exchange *exchange, struct pg *pg, struct err *err)
{
    CLEANUP(json_freep) cJSON *body = NULL;
    struct choice choice;
    int64_t run_id;

    TRY(read_body(exchange, &body, err));
    TRY(read_choice(body, &choice, err));
    if (choice.strategy == NULL || strcmp(choice.strategy, BEST_SCORE) != 0)
        return deploy(exchange, pg, &choice, err);
    TRY(catalog_queue_contest(pg, exchange->argument, "http", &run_id, err));
    return accept_run(exchange, run_id);
}
