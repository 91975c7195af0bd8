/*
 * What every call into XGBoost needs: errors, arrays, the allow-list of parameters.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "xgb/xgb_internal.h"

const char *xgb_version(void)
{
    static _Thread_local char version[32];
    int major, minor, patch;

    XGBoostVersion(&major, &minor, &patch);
    snprintf(version, sizeof(version), "%d.%d.%d", major, minor, patch);
    return version;
}

/* "[11:22:33] ./src/file.cc:12: message\n\nStack trace:\n…" → "message", on one line. */
static void tidy_message(const char *raw, char *tidy, size_t size)
{
    const char *end = strstr(raw, "\nStack trace"), *start = raw, *colon;
    size_t length;

    if (end == NULL)
        end = raw + strlen(raw);
    if (*raw == '[' && (start = strstr(raw, "] ")) != NULL && start < end) {
        start += 2;
        colon = strstr(start, ": "); /* behind the file and line */
        if (colon != NULL && colon < end)
            start = colon + 2;
    } else {
        start = raw;
    }
    while (end > start && (end[-1] == '\n' || end[-1] == '.' || end[-1] == ' '))
        end--;
    length = (size_t)(end - start) < size ? (size_t)(end - start) : size - 1;
    memcpy(tidy, start, length);
    tidy[length] = '\0';
    for (char *c = tidy; *c != '\0'; c++)
        if (*c == '\n')
            *c = ' ';
}

enum err_code xgb_failed(struct err *err, const char *what)
{
    char message[512];

    tidy_message(XGBGetLastError(), message, sizeof(message));
    if (strstr(message, "bad_alloc") != NULL)
        return err_nomem(err);
    return err_set(err, ERR_FAILED, "cannot %s: %s", what, message);
}

void array_interface_2d(struct array_interface *array, const float *data, size_t n_rows,
                        int n_columns)
{
    snprintf(array->json, sizeof(array->json),
             "{\"data\":[%" PRIuPTR ",true],\"shape\":[%zu,%d],\"typestr\":\"<f4\",\"version\":3}",
             (uintptr_t)data, n_rows, n_columns);
}

void array_interface_1d(struct array_interface *array, const float *data, size_t n)
{
    snprintf(array->json, sizeof(array->json),
             "{\"data\":[%" PRIuPTR ",true],\"shape\":[%zu],\"typestr\":\"<f4\",\"version\":3}",
             (uintptr_t)data, n);
}

void array_interface_of_ints(struct array_interface *array, const uint32_t *data, size_t n)
{
    snprintf(array->json, sizeof(array->json),
             "{\"data\":[%" PRIuPTR ",true],\"shape\":[%zu],\"typestr\":\"<u4\",\"version\":3}",
             (uintptr_t)data, n);
}

enum err_code xgb_copy_result(const bst_ulong *shape, bst_ulong n_dimensions, const float *result,
                              float **ret_values, size_t *ret_n, struct err *err)
{
    size_t n = 1;
    float *values;

    for (bst_ulong i = 0; i < n_dimensions; i++)
        n *= shape[i];
    values = malloc(n > 0 ? n * sizeof(*values) : 1);
    if (values == NULL)
        return err_nomem(err);
    if (n > 0)
        memcpy(values, result, n * sizeof(*values));
    *ret_values = values;
    *ret_n = n;
    return ERR_OK;
}

/* In the order of XGBoost's documentation: general, tree, dart, linear, learning task. */
static const struct {
    const char *name;
    const char *only; /* the values it may have, "a or b"; NULL: XGBoost checks */
} allowed[] = {
    {"booster", "gbtree or dart or gblinear"},
    {"nthread", NULL},
    {"seed", NULL},
    {"seed_per_iteration", NULL},
    {"eta", NULL},
    {"gamma", NULL},
    {"max_depth", NULL},
    {"min_child_weight", NULL},
    {"max_delta_step", NULL},
    {"subsample", NULL},
    {"colsample_bytree", NULL},
    {"colsample_bylevel", NULL},
    {"colsample_bynode", NULL},
    {"lambda", NULL},
    {"alpha", NULL},
    {"tree_method", "hist"}, /* exact takes categories for numbers */
    {"scale_pos_weight", NULL},
    {"grow_policy", NULL},
    {"max_leaves", NULL},
    {"max_bin", NULL},
    {"num_parallel_tree", NULL},
    {"max_cat_to_onehot", NULL},
    {"max_cat_threshold", NULL},
    {"rate_drop", NULL},
    {"skip_drop", NULL},
    {"one_drop", NULL},
    {"sample_type", NULL},
    {"normalize_type", NULL},
    {"updater", "coord_descent"}, /* shotgun's models depend on how threads take turns */
    {"feature_selector", NULL},
    {"top_k", NULL},
    {"objective", NULL},
    {"num_class", NULL},
    {"base_score", NULL},
    {"huber_slope", NULL},
    {"tweedie_variance_power", NULL},
    {"aft_loss_distribution", NULL},
    {"aft_loss_distribution_scale", NULL},
};

static enum err_code refuse_param(const char *name, struct err *err)
{
    const char *names[N_ELEMENTS(allowed)], *nearest;

    for (size_t i = 0; i < N_ELEMENTS(allowed); i++)
        names[i] = allowed[i].name;
    err_set(err, ERR_INVALID, "\"%s\" is not a parameter for training", name);
    nearest = nearest_name(name, names, N_ELEMENTS(names));
    if (nearest != NULL)
        err_hint(err, "did you mean \"%s\"?", nearest);
    return ERR_INVALID;
}

static bool is_one_of(const char *only, const char *value)
{
    size_t length = strlen(value), n;

    for (;; only += n + strlen(" or ")) {
        n = strcspn(only, " ");
        if (n == length && memcmp(only, value, n) == 0)
            return true;
        if (only[n] == '\0')
            return false;
    }
}

enum err_code xgb_check_param(const struct booster_param *param, struct err *err)
{
    for (size_t i = 0; i < N_ELEMENTS(allowed); i++) {
        if (strcmp(param->name, allowed[i].name) != 0)
            continue;
        if (allowed[i].only != NULL && !is_one_of(allowed[i].only, param->value))
            return err_set(err, ERR_INVALID, "\"%s\" must be %s", param->name, allowed[i].only);
        return ERR_OK;
    }
    return refuse_param(param->name, err);
}
