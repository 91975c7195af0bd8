/* Models from elsewhere: XGBoost reads what it wrote, whichever version and format. */
#include "xgb/xgb_internal.h"

void saved_model_release(struct saved_model *saved)
{
    arena_release(&saved->arena);
    *saved = (struct saved_model){0};
}

/* A pickle, a model of before 1.0, or no model: XGBoost's own words would not help. */
static enum err_code check_format(const char *bytes, size_t n_bytes, struct err *err)
{
    if (n_bytes > 0 && bytes[0] == '{')
        return ERR_OK;
    err_set(err, ERR_INVALID, "the file is not a model that XGBoost saved as UBJSON or JSON");
    return err_hint(err, "in Python, booster.save_model(\"model.ubj\") writes one");
}

/* "feature_name" or "feature_type" of each feature; NULL where the model has none. */
static enum err_code copy_info(BoosterHandle handle, const char *field, struct saved_model *saved,
                               const char ***ret_texts, struct err *err)
{
    const char **texts, **copies;
    bst_ulong n = 0;

    XGB_TRY(XGBoosterGetStrFeatureInfo(handle, field, &n, &texts), "read the model's features");
    if (n == 0)
        return ERR_OK;
    if (n != (bst_ulong)saved->n_features)
        return err_set(err, ERR_INVALID, "the model has %d features and a %s for %llu",
                       saved->n_features, field, (unsigned long long)n);
    copies = arena_alloc_array(&saved->arena, n, sizeof(*copies));
    if (copies == NULL)
        return err_nomem(err);
    for (bst_ulong i = 0; i < n; i++) {
        copies[i] = arena_strdup(&saved->arena, texts[i]);
        if (copies[i] == NULL)
            return err_nomem(err);
    }
    *ret_texts = copies;
    return ERR_OK;
}

enum err_code saved_model_read(const void *bytes, size_t n_bytes, struct saved_model *ret_saved,
                               struct buf *ubj, struct err *err)
{
    CLEANUP(booster_freep) struct booster *booster = NULL;
    CLEANUP(saved_model_release) struct saved_model saved = {0};
    bst_ulong n_features = 0;

    TRY(check_format(bytes, n_bytes, err));
    TRY(booster_open(bytes, n_bytes, &booster, err));
    XGB_TRY(XGBoosterGetNumFeature(booster->handle, &n_features), "read the model's features");
    if (n_features == 0 || n_features > INT32_MAX)
        return err_set(err, ERR_INVALID, "the model has no features");
    saved.n_features = (int)n_features;
    XGB_TRY(XGBoosterBoostedRounds(booster->handle, &saved.n_rounds), "count the model's rounds");
    TRY(copy_info(booster->handle, "feature_name", &saved, &saved.names, err));
    TRY(copy_info(booster->handle, "feature_type", &saved, &saved.types, err));
    TRY(booster_save_all(booster->handle, ubj, err));
    *ret_saved = saved;
    saved = (struct saved_model){0};
    return ERR_OK;
}
