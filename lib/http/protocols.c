#include "http/protocols.h"

#include <string.h>

#include "base/json.h"
#include "http/handlers.h"
#include "predict/csv.h"
#include "predict/tensors.h"

/* Metadata --------------------------------------------------------------------------------------
 */

enum err_code handle_v2(struct exchange *exchange, struct err *err)
{
    (void)err;
    buf_puts(&exchange->reply.body,
             "{\"name\":\"pgboost\",\"version\":\"" PGBOOST_VERSION "\",\"extensions\":[]}");
    return ERR_OK;
}

enum err_code handle_v2_live(struct exchange *exchange, struct err *err)
{
    (void)err;
    buf_puts(&exchange->reply.body, "{\"live\":true}");
    return ERR_OK;
}

enum err_code handle_v2_ready(struct exchange *exchange, struct err *err)
{
    struct http_service *service = exchange->service;
    bool ready =
        registry_loaded(service->registry) && !atomic_load(&service->draining) && service->predicts;

    (void)err;
    exchange->reply.status = ready ? 0 : MHD_HTTP_SERVICE_UNAVAILABLE;
    buf_printf(&exchange->reply.body, "{\"ready\":%s}", ready ? "true" : "false");
    return ERR_OK;
}

static enum err_code put_model(struct exchange *exchange, const struct registry_view *view,
                               bool whole, struct err *err)
{
    struct buf *json = &exchange->reply.body;
    const struct model *model;

    TRY(handlers_find_model(exchange, view, exchange->argument, strlen(exchange->argument), 0,
                            &model, err));
    if (whole) {
        tensors_put_metadata(model, json);
        return ERR_OK;
    }
    buf_puts(json, "{\"name\":");
    json_put_text(json, model->project);
    buf_puts(json, ",\"ready\":true}");
    return ERR_OK;
}

static enum err_code show_model(struct exchange *exchange, bool whole, struct err *err)
{
    const struct registry_view *view = registry_read_lock(exchange->service->registry);
    enum err_code code = put_model(exchange, view, whole, err);

    registry_read_unlock();
    return code;
}

enum err_code handle_v2_model(struct exchange *exchange, struct err *err)
{
    return show_model(exchange, true, err);
}

enum err_code handle_v2_model_ready(struct exchange *exchange, struct err *err)
{
    return show_model(exchange, false, err);
}

/* Predicting ------------------------------------------------------------------------------------
 */

/* A body of /predict, on its way: {"project":…, what the translation appends. */
static void begin_body(struct buf *body, const char *project)
{
    buf_puts(body, "{\"project\":");
    json_put_text(body, project);
    buf_putc(body, ',');
}

/* A body of /predict that another was rewritten as; its errors speak of that one. */
static enum err_code predict_rewritten(struct exchange *exchange, const struct registry_view *view,
                                       const struct tensors_places *places, const struct buf *body,
                                       struct buf *answer, struct err *err)
{
    enum err_code code = handlers_predict(exchange, predict_start, view, body, answer, err);

    if (code != ERR_OK)
        tensors_place(places, err);
    return code;
}

static enum err_code infer(struct exchange *exchange, const struct registry_view *view,
                           const struct model *model, struct tensors_request *request,
                           struct err *err)
{
    size_t max_rows = atomic_load(&exchange->service->rows_limit);
    CLEANUP(buf_release) struct buf body = {0};
    CLEANUP(buf_release) struct buf answer = {0};

    begin_body(&body, model->project);
    TRY(tensors_from_oip(buf_text(&exchange->body), exchange->body.length, model, max_rows, request,
                         &body, err));
    buf_putc(&body, '}');
    TRY(predict_rewritten(exchange, view, &request->places, &body, &answer, err));
    return tensors_to_oip(buf_text(&answer), answer.length, model, request, &exchange->reply.body,
                          err);
}

static enum err_code invoke(struct exchange *exchange, const struct registry_view *view,
                            const struct model *model, struct err *err)
{
    size_t max_rows = atomic_load(&exchange->service->rows_limit);
    struct tensors_places places = {0};
    CLEANUP(buf_release) struct buf body = {0};
    CLEANUP(buf_release) struct buf answer = {0};

    begin_body(&body, model->project);
    if (exchange->is_csv)
        TRY(csv_to_table(buf_text(&exchange->body), exchange->body.length, max_rows, &body, err));
    else
        TRY(tensors_from_mlflow(buf_text(&exchange->body), exchange->body.length, model, max_rows,
                                &places, &body, err));
    buf_putc(&body, '}');
    TRY(predict_rewritten(exchange, view, &places, &body, &answer, err));
    return tensors_to_mlflow(buf_text(&answer), answer.length, &exchange->reply.body, err);
}

/* One view over the whole of it: the columns of one model and the answer of another must not meet.
 */
enum err_code handle_v2_infer(struct exchange *exchange, struct err *err)
{
    CLEANUP(tensors_request_release) struct tensors_request request = {0};
    const struct registry_view *view = registry_read_lock(exchange->service->registry);
    const struct model *model;
    enum err_code code = handlers_find_model(exchange, view, exchange->argument,
                                             strlen(exchange->argument), 0, &model, err);

    if (code == ERR_OK)
        code = infer(exchange, view, model, &request, err);
    registry_read_unlock();
    return code;
}

enum err_code handle_invocations(struct exchange *exchange, struct err *err)
{
    const char *given =
        MHD_lookup_connection_value(exchange->connection, MHD_GET_ARGUMENT_KIND, "project");
    const struct registry_view *view;
    const struct model *model;
    char project[TARGET_ARGUMENT_MAX];
    enum err_code code;

    if (given == NULL) {
        err_set(err, ERR_INVALID, "the query does not say which project is asked");
        return err_hint(err, "POST /invocations?project=NAME");
    }
    TRY(target_decode(given, strlen(given), project, err));
    view = registry_read_lock(exchange->service->registry);
    code = handlers_find_model(exchange, view, project, strlen(project), 0, &model, err);
    if (code == ERR_OK)
        code = invoke(exchange, view, model, err);
    registry_read_unlock();
    return code;
}
