/* Importance as XGBoost has it. */
#include <math.h>

#include "xgb/xgb_internal.h"

/* Features are named by their numbers, so that whatever they are called they are told apart. */
static enum err_code write_config(const char *kind, int n_features, struct buf *config,
                                  struct err *err)
{
    buf_printf(config, "{\"importance_type\":\"%s\",\"feature_names\":[", kind);
    for (int i = 0; i < n_features; i++)
        buf_printf(config, "%s\"%d\"", i > 0 ? "," : "", i);
    buf_puts(config, "]}");
    return buf_check(config, err);
}

/* names[n] and scores[n × n_outputs] into values by feature. */
static enum err_code place(const char *const *names, const float *scores, size_t n,
                           size_t n_outputs, int n_features, float *values, struct err *err)
{
    for (size_t i = 0; i < (size_t)n_features * n_outputs; i++)
        values[i] = NAN;
    for (size_t i = 0; i < n; i++) {
        long feature = strtol(names[i], NULL, 10);

        if (feature < 0 || feature >= n_features)
            return err_set(err, ERR_FAILED, "XGBoost scores a feature \"%s\" of %d", names[i],
                           n_features);
        for (size_t k = 0; k < n_outputs; k++)
            values[(size_t)feature * n_outputs + k] = scores[i * n_outputs + k];
    }
    return ERR_OK;
}

enum err_code saved_scores(const void *bytes, size_t n_bytes, const char *kind, int n_features,
                           float **ret_values, int *ret_n_outputs, struct err *err)
{
    CLEANUP(booster_freep) struct booster *booster = NULL;
    CLEANUP(buf_release) struct buf config = {0};
    CLEANUP(free_ptr) float *values = NULL;
    bst_ulong n = 0, n_dimensions = 0;
    const bst_ulong *shape;
    const char **names;
    const float *scores;
    size_t n_outputs;

    TRY(booster_open(bytes, n_bytes, &booster, err));
    TRY(write_config(kind, n_features, &config, err));
    XGB_TRY(XGBoosterFeatureScore(booster->handle, buf_text(&config), &n, &names, &n_dimensions,
                                  &shape, &scores),
            "score the model's features");
    n_outputs = n_dimensions == 2 ? shape[1] : 1;
    values = calloc((size_t)n_features * n_outputs + 1, sizeof(*values));
    if (values == NULL)
        return err_nomem(err);
    TRY(place(names, scores, n, n_outputs, n_features, values, err));
    *ret_values = TAKE_PTR(values);
    *ret_n_outputs = (int)n_outputs;
    return ERR_OK;
}
