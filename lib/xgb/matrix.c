#include <math.h>
#include <stdio.h>
#include <string.h>

#include "xgb/xgb_internal.h"

#define MAX_BIN_DEFAULT 256 /* XGBoost's */

/* What XGBoost lets pass or words badly. */
static enum err_code check_source(const struct matrix_source *source, struct err *err)
{
    const float *weights = source->weights;

    if (source->n_rows == 0)
        return err_set(err, ERR_DATA, "there are no rows to train on");
    if (source->n_features < 1)
        return err_set(err, ERR_DATA, "there are no features to train on");
    for (size_t i = 0; i < source->n_rows; i++) {
        if (!isfinite(source->labels[i]))
            return err_set(err, ERR_DATA, "label of row %zu is not a finite number", i);
        if (weights != NULL && !(isfinite(weights[i]) && weights[i] >= 0))
            return err_set(err, ERR_DATA, "weight of row %zu is not a number of 0 or more", i);
        if (source->upper != NULL && !(source->upper[i] >= source->labels[i]))
            return err_set(err, ERR_DATA, "the time of row %zu ends before it begins", i);
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

static enum err_code set_info(DMatrixHandle handle, const char *field, const float *values,
                              size_t n, struct err *err)
{
    struct array_interface array;

    array_interface_1d(&array, values, n);
    XGB_TRY(XGDMatrixSetInfoFromInterface(handle, field, array.json), "set labels");
    return ERR_OK;
}

/* Rows by list; XGBoost wants a weight for each list. */
static enum err_code set_lists(DMatrixHandle handle, const struct matrix_source *source,
                               size_t first, size_t n, struct err *err)
{
    const uint32_t *lists = source->lists + first;
    CLEANUP(free_ptr) float *weights = NULL;
    struct array_interface array;
    size_t n_lists = 0;

    array_interface_of_ints(&array, lists, n);
    XGB_TRY(XGDMatrixSetInfoFromInterface(handle, "qid", array.json), "set lists");
    if (source->weights == NULL)
        return ERR_OK;
    weights = malloc(n * sizeof(*weights) + 1);
    if (weights == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || lists[i] != lists[i - 1])
            weights[n_lists++] = source->weights[first + i];
    return set_info(handle, "weight", weights, n_lists, err);
}

static enum err_code set_times(DMatrixHandle handle, const struct matrix_source *source,
                               size_t first, size_t n, struct err *err)
{
    TRY(set_info(handle, "label_lower_bound", source->labels + first, n, err));
    return set_info(handle, "label_upper_bound", source->upper + first, n, err);
}

/* What goes with n rows, from the first-th on. */
static enum err_code describe_rows(const struct matrix *matrix, const struct matrix_source *source,
                                   DMatrixHandle handle, size_t first, size_t n, struct err *err)
{
    bst_ulong n_features = (bst_ulong)matrix->n_features;

    XGB_TRY(XGDMatrixSetStrFeatureInfo(handle, "feature_name", matrix->names, n_features),
            "name the features");
    XGB_TRY(XGDMatrixSetStrFeatureInfo(handle, "feature_type", matrix->types, n_features),
            "set the features' types");
    TRY(set_info(handle, "label", source->labels + first, n, err));
    if (source->upper != NULL)
        TRY(set_times(handle, source, first, n, err));
    if (source->lists != NULL)
        return set_lists(handle, source, first, n, err);
    return source->weights == NULL ? ERR_OK
                                   : set_info(handle, "weight", source->weights + first, n, err);
}

/* XGBoost's walk through the batches. Its callbacks cannot return an error of ours: it is kept
 * here, and the walk ends early. */
struct walk {
    const struct matrix_source *source;
    const struct matrix *matrix;
    DMatrixHandle proxy;
    size_t done;
    struct err err;
};

static void walk_release(struct walk *walk)
{
    if (walk->proxy != NULL)
        (void)XGDMatrixFree(walk->proxy);
}

static void walk_reset(DataIterHandle handle)
{
    ((struct walk *)handle)->done = 0;
}

static enum err_code give_batch(struct walk *walk, size_t n, struct err *err)
{
    const struct matrix_source *source = walk->source;
    struct array_interface array;
    const float *features;

    TRY(source->batch(source->context, walk->done, n, &features, err));
    array_interface_2d(&array, features, n, source->n_features);
    XGB_TRY(XGProxyDMatrixSetDataDense(walk->proxy, array.json), "hand over rows");
    return describe_rows(walk->matrix, source, walk->proxy, walk->done, n, err);
}

/* As many rows as a batch takes, whole lists. */
static size_t rows_of_batch(const struct walk *walk)
{
    const uint32_t *lists = walk->source->lists;
    size_t rest = walk->source->n_rows - walk->done;
    size_t n = rest < walk->source->batch_rows ? rest : walk->source->batch_rows;

    while (lists != NULL && n > 0 && n < rest && lists[walk->done + n] == lists[walk->done + n - 1])
        n--;
    return n;
}

/* 1: a batch was given; 0: there are no more. */
static int walk_next(DataIterHandle handle)
{
    struct walk *walk = handle;
    size_t n = rows_of_batch(walk);

    if (n == 0 && walk->done < walk->source->n_rows)
        err_set(&walk->err, ERR_LIMIT, "a list has more than the %zu rows of a batch",
                walk->source->batch_rows);
    if (n == 0 || walk->err.code != ERR_OK || give_batch(walk, n, &walk->err) != ERR_OK)
        return 0;
    walk->done += n;
    return 1;
}

static enum err_code fill_bins(struct matrix *matrix, const struct matrix_source *source,
                               struct err *err)
{
    CLEANUP(walk_release) struct walk walk = {.source = source, .matrix = matrix};
    char config[96];
    int status;

    snprintf(config, sizeof(config), "{\"missing\":NaN,\"nthread\":%d,\"max_bin\":%d}",
             source->threads, source->max_bin > 0 ? source->max_bin : MAX_BIN_DEFAULT);
    XGB_TRY(XGProxyDMatrixCreate(&walk.proxy), "build the matrix");
    status = XGQuantileDMatrixCreateFromCallback(&walk, walk.proxy, NULL, walk_reset, walk_next,
                                                 config, &matrix->handle);
    if (walk.err.code != ERR_OK) {
        if (err != NULL)
            *err = walk.err;
        return walk.err.code;
    }
    XGB_TRY(status, "build the matrix");
    return ERR_OK;
}

static enum err_code fill_exactly(struct matrix *matrix, const struct matrix_source *source,
                                  struct err *err)
{
    struct array_interface array;
    const float *features;
    char config[64];

    TRY(source->batch(source->context, 0, source->n_rows, &features, err));
    array_interface_2d(&array, features, source->n_rows, source->n_features);
    snprintf(config, sizeof(config), "{\"missing\":NaN,\"nthread\":%d}", source->threads);
    XGB_TRY(XGDMatrixCreateFromDense(array.json, config, &matrix->handle), "build the matrix");
    return describe_rows(matrix, source, matrix->handle, 0, source->n_rows, err);
}

enum err_code matrix_new(const struct matrix_source *source, struct matrix **ret_matrix,
                         struct err *err)
{
    CLEANUP(matrix_freep) struct matrix *matrix = NULL;

    TRY(check_source(source, err));
    matrix = calloc(1, sizeof(*matrix));
    if (matrix == NULL)
        return err_nomem(err);
    matrix->n_rows = source->n_rows;
    matrix->n_features = source->n_features;
    TRY(keep_feature_info(matrix, source->feature_names, source->feature_types, err));
    TRY(source->is_exact ? fill_exactly(matrix, source, err) : fill_bins(matrix, source, err));
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
