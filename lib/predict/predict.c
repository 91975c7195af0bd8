#include "predict/predict.h"

#include <inttypes.h>
#include <math.h>

#include "predict/request.h"

void predict_scratch_release(struct predict_scratch *scratch)
{
    free(scratch->features);
    free(scratch->outputs);
    free(scratch->probabilities);
    free(scratch->seen);
    free(scratch->columns);
    cell_scratch_release(&scratch->cell);
    free(scratch->shap);
    *scratch = (struct predict_scratch){0};
}

/* Margins of all rows, with room behind them for one row's, and for its probabilities. */
static enum err_code evaluate(const struct model *model, const struct rows *rows,
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

    if (!forest_has_covers(model->forest)) {
        err_set(err, ERR_CONFLICT,
                "model %" PRId64 " cannot be explained: it does not say how many "
                "training rows went which way",
                model->id);
        return err_hint(err, "train the project again");
    }
    if (__builtin_mul_overflow((size_t)model_n_outputs(model),
                               (size_t)model->encoder->n_features + 1, &n) ||
        __builtin_add_overflow(n, forest_shap_scratch(model->forest), &n))
        return err_nomem(err);
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

/* Either the whole answer or nothing of it. */
static enum err_code answer(const struct model *model, const struct request *request,
                            const struct rows *rows, const struct predict_scratch *scratch,
                            struct buf *reply, struct err *err)
{
    size_t length = reply->length;

    TRY(buf_check(reply, err));
    reply_write(model, request, rows, scratch, reply);
    if (!reply->failed)
        return ERR_OK;
    reply->failed = false;
    reply->length = length;
    if (reply->data != NULL)
        reply->data[length] = '\0';
    return err_nomem(err);
}

enum err_code predict_json(const char *body, size_t length, const struct model_source *source,
                           const struct predict_limits *limits, struct predict_scratch *scratch,
                           struct buf *reply, struct err *err)
{
    struct request request;
    struct rows rows;
    const struct model *model = NULL;
    const char *project;
    size_t project_length;
    struct err unused;

    if (err == NULL)
        err = &unused;
    TRY(request_read(body, length, &scratch->cell.string, &request, err));
    TRY(request_project(&request, &scratch->cell.string, &project, &project_length, err));
    TRY(source->find(source->context, project, project_length, request.model_id, &model, err));
    if (request.interval > 0)
        TRY(prepare_intervals(model, &request, err));
    TRY(rows_decode(&request, model, limits, scratch, &rows, err));
    TRY(evaluate(model, &rows, scratch, err));
    if (request.explain)
        TRY(prepare_explanations(model, scratch, err));
    return answer(model, &request, &rows, scratch, reply, err);
}
