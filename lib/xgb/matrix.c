#include <math.h>
#include <stdio.h>
#include <string.h>

#include "xgb/xgb_internal.h"

/* What XGBoost lets pass or words badly. */
static enum err_code check_data(size_t n_rows, int n_features, const float *labels,
                                const float *weights, struct err *err)
{
    if (n_rows == 0)
        return err_set(err, ERR_DATA, "there are no rows to train on");
    if (n_features < 1)
        return err_set(err, ERR_DATA, "there are no features to train on");
    for (size_t i = 0; i < n_rows; i++) {
        if (!isfinite(labels[i]))
            return err_set(err, ERR_DATA, "label of row %zu is not a finite number", i);
        if (weights != NULL && !(isfinite(weights[i]) && weights[i] >= 0))
            return err_set(err, ERR_DATA, "weight of row %zu is not a number of 0 or more", i);
    }
    return ERR_OK;
}

static size_t texts_length(const char *const *texts, int n)
{
    size_t length = 0;

    for (int i = 0; i < n; i++)
        length += strlen(texts[i]) + 1;
    return length;
}

static char *copy_texts(const char *const *texts, int n, const char **copies, char *at)
{
    for (int i = 0; i < n; i++) {
        copies[i] = at;
        at = stpcpy(at, texts[i]) + 1;
    }
    return at;
}

static enum err_code keep_feature_info(struct matrix *matrix, const char *const *names,
                                       const char *const *types, struct err *err)
{
    int n = matrix->n_features;
    char *at;

    matrix->names = calloc((size_t)n, sizeof(*matrix->names));
    matrix->types = calloc((size_t)n, sizeof(*matrix->types));
    matrix->texts = malloc(texts_length(names, n) + texts_length(types, n));
    if (matrix->names == NULL || matrix->types == NULL || matrix->texts == NULL)
        return err_nomem(err);
    at = copy_texts(names, n, matrix->names, matrix->texts);
    copy_texts(types, n, matrix->types, at);
    return ERR_OK;
}

static enum err_code set_info(const struct matrix *matrix, const char *field, const float *values,
                              struct err *err)
{
    struct array_interface array;

    array_interface_1d(&array, values, matrix->n_rows);
    XGB_TRY(XGDMatrixSetInfoFromInterface(matrix->handle, field, array.json), "set labels");
    return ERR_OK;
}

static enum err_code fill_matrix(struct matrix *matrix, const float *features, const float *labels,
                                 const float *weights, int threads, struct err *err)
{
    bst_ulong n = (bst_ulong)matrix->n_features;
    struct array_interface array;
    char config[64];

    array_interface_2d(&array, features, matrix->n_rows, matrix->n_features);
    snprintf(config, sizeof(config), "{\"missing\":NaN,\"nthread\":%d}", threads);
    XGB_TRY(XGDMatrixCreateFromDense(array.json, config, &matrix->handle), "build the matrix");
    XGB_TRY(XGDMatrixSetStrFeatureInfo(matrix->handle, "feature_name", matrix->names, n),
            "name the features");
    XGB_TRY(XGDMatrixSetStrFeatureInfo(matrix->handle, "feature_type", matrix->types, n),
            "set the features' types");
    TRY(set_info(matrix, "label", labels, err));
    if (weights != NULL)
        TRY(set_info(matrix, "weight", weights, err));
    return ERR_OK;
}

enum err_code matrix_new(const float *features, size_t n_rows, int n_features,
                         const char *const *feature_names, const char *const *feature_types,
                         const float *labels, const float *weights, int threads,
                         struct matrix **ret_matrix, struct err *err)
{
    CLEANUP(matrix_freep) struct matrix *matrix = NULL;

    TRY(check_data(n_rows, n_features, labels, weights, err));
    matrix = calloc(1, sizeof(*matrix));
    if (matrix == NULL)
        return err_nomem(err);
    matrix->n_rows = n_rows;
    matrix->n_features = n_features;
    TRY(keep_feature_info(matrix, feature_names, feature_types, err));
    TRY(fill_matrix(matrix, features, labels, weights, threads, err));
    *ret_matrix = TAKE_PTR(matrix);
    return ERR_OK;
}

void matrix_free(struct matrix *matrix)
{
    if (matrix == NULL)
        return;
    if (matrix->handle != NULL)
        (void)XGDMatrixFree(matrix->handle);
    free(matrix->names);
    free(matrix->types);
    free(matrix->texts);
    free(matrix);
}

size_t matrix_n_rows(const struct matrix *matrix)
{
    return matrix->n_rows;
}
