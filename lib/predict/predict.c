#include "predict/predict.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "model/answer.h"
#include "predict/request.h"

void predict_scratch_release(struct predict_scratch *scratch)
{
    free(scratch->features);
    free(scratch->outputs);
    free(scratch->probabilities);
    free(scratch->seen);
    free(scratch->columns);
    free(scratch->order);
    cell_scratch_release(&scratch->cell);
    free(scratch->shap);
    *scratch = (struct predict_scratch){0};
}

enum err_code predict_evaluate(const struct model *model, const struct rows *rows,
                               struct predict_scratch *scratch, struct err *err)
{
    size_t n_outputs = (size_t)model_n_outputs(model), n;
    size_t n_labels = model->n_labels > 0 ? (size_t)model->n_labels : 1;
    double *probabilities;
    float *outputs;

    if (__builtin_mul_overflow(rows->n, n_outputs, &n) || __builtin_add_overflow(n, n_outputs, &n))
        return err_nomem(err);
    outputs = scratch_grow(scratch->outputs, &scratch->outputs_capacity, n, sizeof(*outputs));
    if (outputs == NULL)
        return err_nomem(err);
    scratch->outputs = outputs;
    probabilities = scratch_grow(scratch->probabilities, &scratch->probabilities_capacity, n_labels,
                                 sizeof(*probabilities));
    if (probabilities == NULL)
        return err_nomem(err);
    scratch->probabilities = probabilities;
    if (rows->single)
        forest_margin(model->forest, scratch->features, outputs);
    else
        forest_margins(model->forest, scratch->features, rows->n, outputs);
    return ERR_OK;
}

/* Room for one row's contributions and for the work on them. */
static enum err_code prepare_explanations(const struct model *model,
                                          struct predict_scratch *scratch, struct err *err)
{
    size_t n;
    double *shap;

    TRY(answer_explainable(model, &n, err));
    shap = scratch_grow(scratch->shap, &scratch->shap_capacity, n, sizeof(*shap));
    if (shap == NULL)
        return err_nomem(err);
    scratch->shap = shap;
    return ERR_OK;
}

static enum err_code refuse_interval(const struct model *model, double level, struct err *err)
{
    const struct calibration *calibration = &model->calibration;

    if (model->n_labels > 0) {
        err_set(err, ERR_INVALID,
                "an interval is of a number, and model %" PRId64 " chooses between labels",
                model->id);
        err_field(err, "/interval");
        return err_hint(err, "leave it out: \"probabilities\" say how sure the model is");
    }
    if (model->task != TASK_REGRESSION) {
        err_set(err, ERR_INVALID,
                "an interval is of a regression, and the task of model %" PRId64 " is %s",
                model->id, task_name(model->task));
        err_field(err, "/interval");
        return err_hint(err, "leave it out");
    }
    if (calibration->n_rows == 0) {
        err_set(err, ERR_CONFLICT,
                "model %" PRId64 " has no intervals: no residuals are stored with it", model->id);
        err_field(err, "/interval");
        return err_hint(err, "train the project again: imported models and those of older versions "
                             "have none");
    }
    err_set(err, ERR_INVALID,
            "an interval of %.15g takes %.0f validation rows, and model %" PRId64 " had %.0f",
            level, calibration_rows_for(level), model->id, calibration->n_rows);
    err_field(err, "/interval");
    return err_hint(err, "ask for one of at most %g",
                    floor(calibration_level_max(calibration) * 1e4 + 1e-9) / 1e4);
}

static enum err_code prepare_intervals(const struct model *model, struct request *request,
                                       struct err *err)
{
    if (model->n_labels > 0 || model->calibration.n_rows == 0)
        return refuse_interval(model, request->interval, err);
    request->half_width = calibration_half_width(&model->calibration, request->interval);
    return isfinite(request->half_width) ? ERR_OK : refuse_interval(model, request->interval, err);
}

enum err_code predict_check(struct buf *reply, size_t length, struct err *err)
{
    if (!reply->failed)
        return ERR_OK;
    reply->failed = false;
    reply->length = length;
    if (reply->data != NULL)
        reply->data[length] = '\0';
    return err_nomem(err);
}

/* The rows are decoded. */
static enum err_code answer(const struct model *model, const struct request *request,
                            const struct rows *rows, struct predict_scratch *scratch,
                            struct buf *reply, struct err *err)
{
    size_t length = reply->length;

    TRY(predict_evaluate(model, rows, scratch, err));
    if (request->explain)
        TRY(prepare_explanations(model, scratch, err));
    TRY(buf_check(reply, err));
    reply_write(model, request, rows, scratch, reply);
    return predict_check(reply, length, err);
}

/* One body on its way. */
struct prediction {
    const struct model_source *source;
    const struct predict_limits *limits;
    struct predict_scratch *scratch;
    struct request request;
    const struct model *model; /* NULL: not found yet */
    int64_t model_id;          /* as it was asked for */
    struct rows rows;
    bool has_rows; /* by that model */
};

enum err_code predict_find(const struct request *request, const struct model_source *source,
                           struct predict_scratch *scratch, const struct model **ret_model,
                           struct err *err)
{
    const char *project;
    size_t length;

    TRY(request_project(request, &scratch->cell.string, &project, &length, err));
    return source->find(source->context, project, length, request->model_id, ret_model, err);
}

static enum err_code find(struct prediction *prediction, struct err *err)
{
    struct request *request = &prediction->request;

    TRY(predict_find(request, prediction->source, prediction->scratch, &prediction->model, err));
    prediction->model_id = request->model_id;
    return ERR_OK;
}

static enum err_code decode(struct prediction *prediction, struct err *err)
{
    return rows_decode(&prediction->request, prediction->model, prediction->limits,
                       prediction->scratch, &prediction->rows, err);
}

/* Are all rows here, now that this member is? */
static bool are_complete(const struct request *request, enum request_member member)
{
    return member == REQUEST_FEATURES ||
           (member == REQUEST_ROWS && request_has(request, REQUEST_COLUMNS) &&
            !request_has(request, REQUEST_FEATURES));
}

/* Rows whose model can be known by now. Whatever is wrong with them, or with what names the model,
 * is said in its turn. */
static bool take_rows(void *context, struct request *request, enum request_member member,
                      struct json_reader *reader)
{
    struct prediction *prediction = context;
    struct err unused;

    if (!request_has(request, member) || !are_complete(request, member))
        return false;
    if (request_model_id(request, &unused) != ERR_OK || find(prediction, &unused) != ERR_OK ||
        decode(prediction, &unused) != ERR_OK)
        return false;
    prediction->has_rows = true;
    *reader = prediction->rows.after;
    return true;
}

/* Rows that must be read first ----------------------------------------------------------------- */

static enum lookup_form form_of(const struct request *request)
{
    return request_has(request, REQUEST_KEY)    ? LOOKUP_KEY
           : request_has(request, REQUEST_KEYS) ? LOOKUP_KEYS
                                                : LOOKUP_WHERE;
}

enum err_code predict_wait(const struct request *request, const struct model *model,
                           struct predict_waiting **ret_waiting, struct err *err)
{
    static const enum request_member members[] = {
        [LOOKUP_KEY] = REQUEST_KEY, [LOOKUP_KEYS] = REQUEST_KEYS, [LOOKUP_WHERE] = REQUEST_WHERE};
    enum lookup_form form = form_of(request);
    size_t length = strlen(model->project);
    struct predict_waiting *waiting;
    char *project;

    if (ret_waiting == NULL) {
        err_set(err, ERR_CONFLICT, "rows are looked up by a daemon alone");
        err_field(err, "/%s", request->members[members[form]].name);
        return err_hint(err, "ask pgboostd, or send the row's columns as \"features\"");
    }
    waiting = malloc(sizeof(*waiting) + length + 1);
    if (waiting == NULL)
        return err_nomem(err);
    project = memcpy((char *)(waiting + 1), model->project, length + 1);
    waiting->request = *request;
    waiting->wanted = (struct predict_wanted){
        .form = form,
        .values = request->members[members[form]].value,
        .model_id = model->id,
        .asked_model_id = request->model_id,
        .project = project,
        .project_length = length,
    };
    *ret_waiting = waiting;
    return ERR_OK;
}

const struct predict_wanted *predict_wanted(const struct predict_waiting *waiting)
{
    return &waiting->wanted;
}

void predict_waiting_free(struct predict_waiting *waiting)
{
    free(waiting);
}

enum err_code predict_finish(const struct predict_waiting *waiting, const struct model *model,
                             const struct lookup_rows *found, const struct predict_limits *limits,
                             struct predict_scratch *scratch, struct buf *reply, struct err *err)
{
    struct request request = waiting->request;
    struct rows rows;

    if (request.interval > 0)
        TRY(prepare_intervals(model, &request, err));
    TRY(rows_from_found(&request, model, limits, found, scratch, &rows, err));
    if (request.form == REQUEST_OF_RANK)
        return rank_rows(model, &request, &rows, scratch, reply, err);
    return answer(model, &request, &rows, scratch, reply, err);
}

/* The way -------------------------------------------------------------------------------------- */

enum err_code predict_start(const char *body, size_t length, const struct model_source *source,
                            const struct predict_limits *limits, struct predict_scratch *scratch,
                            struct buf *reply, struct predict_waiting **ret_waiting,
                            struct err *err)
{
    struct prediction prediction;
    struct request *request = &prediction.request;
    struct err unused;

    prediction.source = source;
    prediction.limits = limits;
    prediction.scratch = scratch;
    prediction.model = NULL;
    prediction.has_rows = false;
    if (err == NULL)
        err = &unused;
    TRY(request_read(REQUEST_OF_PREDICT, body, length, &scratch->cell.string, take_rows,
                     &prediction, request, err));
    if (prediction.model == NULL || prediction.model_id != request->model_id) {
        prediction.has_rows = false;
        TRY(find(&prediction, err));
    }
    if (request->interval > 0)
        TRY(prepare_intervals(prediction.model, request, err));
    if (request_names_rows(request))
        return predict_wait(request, prediction.model, ret_waiting, err);
    if (!prediction.has_rows)
        TRY(decode(&prediction, err));
    return answer(prediction.model, request, &prediction.rows, scratch, reply, err);
}

enum err_code predict_json(const char *body, size_t length, const struct model_source *source,
                           const struct predict_limits *limits, struct predict_scratch *scratch,
                           struct buf *reply, struct err *err)
{
    return predict_start(body, length, source, limits, scratch, reply, NULL, err);
}
