#include <string.h>

#include "xgb/xgb_internal.h"

/* From the start to the last round; every row's margins side by side, however many outputs. */
#define PREDICT_MARGINS                                                                            \
    "\"type\":1,\"iteration_begin\":0,\"iteration_end\":0,\"strict_shape\":false"

static enum err_code set_param(struct booster *booster, const char *name, const char *value,
                               struct err *err)
{
    XGB_TRY(XGBoosterSetParam(booster->handle, name, value), "set a training parameter");
    return ERR_OK;
}

/* What every booster of ours starts from; of these a caller may only change base_score. */
static enum err_code set_fixed_params(struct booster *booster, struct err *err)
{
    static const struct {
        const char *name, *value;
    } fixed[] = {
        {"booster", "gbtree"}, {"tree_method", "hist"},
        {"base_score", "0.5"}, /* from 2.0 on XGBoost would estimate it */
        {"verbosity", "0"},    {"disable_default_eval_metric", "1"}, /* we measure ourselves */
    };

    for (size_t i = 0; i < N_ELEMENTS(fixed); i++)
        TRY(set_param(booster, fixed[i].name, fixed[i].value, err));
    return ERR_OK;
}

static enum err_code set_params(struct booster *booster, const struct booster_param *params,
                                int n_params, struct err *err)
{
    for (int i = 0; i < n_params; i++) {
        TRY(xgb_check_param(&params[i], err));
        TRY(set_param(booster, params[i].name, params[i].value, err));
    }
    return ERR_OK;
}

enum err_code booster_new(const struct matrix *train, const struct matrix *valid,
                          const struct booster_param *params, int n_params,
                          struct booster **ret_booster, struct err *err)
{
    /* Matrices named here get their margins cached from round to round. */
    const DMatrixHandle matrices[2] = {train->handle, valid != NULL ? valid->handle : NULL};
    CLEANUP(booster_freep) struct booster *booster = calloc(1, sizeof(*booster));
    bst_ulong n = (bst_ulong)train->n_features;

    if (booster == NULL)
        return err_nomem(err);
    XGB_TRY(XGBoosterCreate(matrices, valid != NULL ? 2 : 1, &booster->handle), "start training");
    TRY(set_fixed_params(booster, err));
    TRY(set_params(booster, params, n_params, err));
    XGB_TRY(XGBoosterSetStrFeatureInfo(booster->handle, "feature_name", train->names, n),
            "name the model's features");
    XGB_TRY(XGBoosterSetStrFeatureInfo(booster->handle, "feature_type", train->types, n),
            "set the model's types");
    *ret_booster = TAKE_PTR(booster);
    return ERR_OK;
}

void booster_free(struct booster *booster)
{
    if (booster == NULL)
        return;
    if (booster->handle != NULL)
        (void)XGBoosterFree(booster->handle);
    free(booster);
}

enum err_code booster_update(struct booster *booster, const struct matrix *train, struct err *err)
{
    XGB_TRY(XGBoosterUpdateOneIter(booster->handle, booster->n_rounds, train->handle), "train");
    booster->n_rounds++;
    return ERR_OK;
}

int booster_rounds(const struct booster *booster)
{
    return booster->n_rounds;
}

static enum err_code predict_margins(BoosterHandle booster, DMatrixHandle matrix,
                                     float **ret_margins, size_t *ret_n, struct err *err)
{
    const bst_ulong *shape;
    const float *result;
    bst_ulong n_dimensions;

    XGB_TRY(XGBoosterPredictFromDMatrix(booster, matrix, "{" PREDICT_MARGINS ",\"training\":false}",
                                        &shape, &n_dimensions, &result),
            "predict");
    return xgb_copy_result(shape, n_dimensions, result, ret_margins, ret_n, err);
}

enum err_code booster_margins(struct booster *booster, const struct matrix *matrix,
                              float **ret_margins, size_t *ret_n, struct err *err)
{
    return predict_margins(booster->handle, matrix->handle, ret_margins, ret_n, err);
}

enum err_code booster_save_all(BoosterHandle handle, struct buf *bytes, struct err *err)
{
    const char *saved;
    bst_ulong n_saved;

    XGB_TRY(XGBoosterSaveModelToBuffer(handle, "{\"format\":\"ubj\"}", &n_saved, &saved),
            "save the model");
    buf_append(bytes, saved, n_saved);
    return buf_check(bytes, err);
}

enum err_code booster_save(struct booster *booster, int n_rounds, struct buf *bytes,
                           struct err *err)
{
    CLEANUP(booster_freep) struct booster *cut = NULL;

    if (n_rounds < 0 || n_rounds > booster->n_rounds)
        return err_set(err, ERR_INVALID, "cannot save %d rounds of %d", n_rounds,
                       booster->n_rounds);
    if (n_rounds == booster->n_rounds)
        return booster_save_all(booster->handle, bytes, err);
    if (n_rounds == 0) /* to XGBoost, 0 means all of them */
        return err_set(err, ERR_INVALID, "cannot save a model without a round");
    cut = calloc(1, sizeof(*cut));
    if (cut == NULL)
        return err_nomem(err);
    XGB_TRY(XGBoosterSlice(booster->handle, 0, n_rounds, 1, &cut->handle), "cut the model");
    return booster_save_all(cut->handle, bytes, err);
}

enum err_code booster_open(const void *bytes, size_t n_bytes, struct booster **ret_booster,
                           struct err *err)
{
    CLEANUP(booster_freep) struct booster *booster = calloc(1, sizeof(*booster));

    if (booster == NULL)
        return err_nomem(err);
    XGB_TRY(XGBoosterCreate(NULL, 0, &booster->handle), "open the model");
    TRY(set_param(booster, "nthread", "1", err));
    TRY(set_param(booster, "verbosity", "0", err));
    XGB_TRY(XGBoosterLoadModelFromBuffer(booster->handle, bytes, n_bytes), "open the model");
    *ret_booster = TAKE_PTR(booster);
    return ERR_OK;
}

/* XGBoost itself takes rows that are too narrow for rows whose last features are missing. */
static enum err_code check_width(const struct booster *booster, int n_features, struct err *err)
{
    bst_ulong n = 0;

    XGB_TRY(XGBoosterGetNumFeature(booster->handle, &n), "read the model's features");
    if (n != (bst_ulong)n_features)
        return err_set(err, ERR_FAILED, "cannot predict: the model takes %llu features, not %d",
                       (unsigned long long)n, n_features);
    return ERR_OK;
}

/* Not in place: gblinear cannot, and dart's sums are rounded otherwise there. */
enum err_code saved_margins(const void *bytes, size_t n_bytes, const float *features, size_t n_rows,
                            int n_features, float **ret_margins, size_t *ret_n, struct err *err)
{
    CLEANUP(booster_freep) struct booster *booster = NULL;
    struct array_interface array;
    DMatrixHandle matrix;
    enum err_code code;

    TRY(booster_open(bytes, n_bytes, &booster, err));
    TRY(check_width(booster, n_features, err));
    array_interface_2d(&array, features, n_rows, n_features);
    XGB_TRY(XGDMatrixCreateFromDense(array.json, "{\"missing\":NaN,\"nthread\":1}", &matrix),
            "build the matrix");
    code = predict_margins(booster->handle, matrix, ret_margins, ret_n, err);
    (void)XGDMatrixFree(matrix);
    return code;
}
