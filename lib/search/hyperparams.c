#include "search/hyperparams.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/nearest.h"

#define INT(low, high)   HYPERPARAM_INT, low, high, NULL, NULL, false
#define FLOAT(low, high) HYPERPARAM_FLOAT, low, high, NULL, NULL, false
#define CHOICE(choices)  HYPERPARAM_CHOICE, 0, 0, choices, NULL, false
#define OURS(low, high)  HYPERPARAM_INT, low, high, NULL, NULL, true
#define ALIAS(name)      HYPERPARAM_FLOAT, 0, 0, NULL, name, false

/* Ranges are XGBoost's where it has one, else bounds beyond any use. */
const struct hyperparam hyperparam_table[] = {
    {"n_estimators", OURS(1, 100000)},          /* most rounds */
    {"early_stopping_rounds", OURS(0, 100000)}, /* 0: by early_stopping_patience */
    {"eta", FLOAT(1e-6, 1)},
    {"max_depth", INT(0, 64)}, /* 0: no limit */
    {"min_child_weight", FLOAT(0, 1e9)},
    {"gamma", FLOAT(0, 1e9)},
    {"subsample", FLOAT(0.01, 1)},
    {"colsample_bytree", FLOAT(0.01, 1)},
    {"colsample_bylevel", FLOAT(0.01, 1)},
    {"colsample_bynode", FLOAT(0.01, 1)},
    {"lambda", FLOAT(0, 1e9)},
    {"alpha", FLOAT(0, 1e9)},
    {"grow_policy", CHOICE("depthwise,lossguide")},
    {"max_leaves", INT(0, 65536)}, /* 0: no limit */
    {"max_bin", INT(2, 65536)},
    {"max_delta_step", FLOAT(0, 1e9)},
    {"max_cat_to_onehot", INT(1, 1000000)},
    {"max_cat_threshold", INT(1, 1000000)},
    {"scale_pos_weight", FLOAT(1e-6, 1e9)},
    {"num_parallel_tree", INT(1, 10000)},
    {"huber_slope", FLOAT(1e-9, 1e9)},               /* reg:pseudohubererror */
    {"tweedie_variance_power", FLOAT(1.001, 1.999)}, /* reg:tweedie */
    {"learning_rate", ALIAS("eta")},
    {"min_split_loss", ALIAS("gamma")},
    {"reg_lambda", ALIAS("lambda")},
    {"reg_alpha", ALIAS("alpha")},
};
const int n_hyperparams = (int)N_ELEMENTS(hyperparam_table);

_Static_assert(N_ELEMENTS(hyperparam_table) <= HYPERPARAMS_MAX, "every parameter fits at once");

/* By name; an alias gives what it stands for. */
static const struct hyperparam *find(const char *name)
{
    for (int i = 0; i < n_hyperparams; i++) {
        const struct hyperparam *param = &hyperparam_table[i];

        if (strcmp(param->name, name) == 0)
            return param->alias_of != NULL ? find(param->alias_of) : param;
    }
    return NULL;
}

static void set_field(const char *name, struct err *err)
{
    CLEANUP(buf_release) struct buf pointer = {0};

    buf_puts(&pointer, "/hyperparams");
    json_pointer_append(&pointer, name);
    err_field(err, "%s", buf_text(&pointer));
}

static enum err_code refuse_name(const char *name, struct err *err)
{
    const char *names[N_ELEMENTS(hyperparam_table)], *nearest;

    for (int i = 0; i < n_hyperparams; i++)
        names[i] = hyperparam_table[i].name;
    nearest = nearest_name(name, names, n_hyperparams);
    err_set(err, ERR_CONFIG, "hyperparameter \"%.64s\" does not exist", name);
    set_field(name, err);
    if (nearest != NULL)
        err_hint(err, "did you mean \"%s\"?", nearest);
    else
        err_hint(err, "models/README.md lists the hyperparameters");
    return ERR_CONFIG;
}

static enum err_code refuse_value(const struct hyperparam *param, const char *name, struct err *err)
{
    if (param->type == HYPERPARAM_CHOICE)
        err_set(err, ERR_CONFIG, "hyperparameter \"%s\" must be one of %s", name, param->choices);
    else
        err_set(err, ERR_CONFIG, "hyperparameter \"%s\" must be a %s from %g to %g", name,
                param->type == HYPERPARAM_INT ? "whole number" : "number", param->low, param->high);
    set_field(name, err);
    return ERR_CONFIG;
}

/* Is choice one of the comma-separated choices? */
static bool is_choice(const char *choices, const char *choice)
{
    size_t length = choice != NULL ? strlen(choice) : 0;

    while (length > 0 && *choices != '\0') {
        size_t n = strcspn(choices, ",");

        if (n == length && memcmp(choices, choice, n) == 0)
            return true;
        choices += n + (choices[n] == ',');
    }
    return false;
}

static bool is_allowed(const struct hyperparam *param, double number, const char *choice)
{
    if (param->type == HYPERPARAM_CHOICE)
        return is_choice(param->choices, choice);
    if (choice != NULL || !(number >= param->low && number <= param->high))
        return false;
    return param->type != HYPERPARAM_INT || number == floor(number);
}

/* The place of a parameter that is set already, or the next free one: there is one for each row of
 * the table. */
static struct hyperparam_value *value_of(struct hyperparams *params, const struct hyperparam *param)
{
    for (int i = 0; i < params->n; i++)
        if (params->values[i].param == param)
            return &params->values[i];
    return &params->values[params->n++];
}

enum err_code hyperparams_set(struct hyperparams *params, const char *name, double number,
                              const char *choice, struct err *err)
{
    const struct hyperparam *param = find(name);
    struct hyperparam_value *value;

    if (param == NULL)
        return refuse_name(name, err);
    if (!is_allowed(param, number, choice))
        return refuse_value(param, name, err);
    value = value_of(params, param);
    *value = (struct hyperparam_value){.param = param};
    if (param->type == HYPERPARAM_CHOICE)
        snprintf(value->choice, sizeof(value->choice), "%s", choice);
    else
        value->number = number;
    return ERR_OK;
}

/* All or nothing: params stays as it was when one value is refused. */
enum err_code hyperparams_overlay(struct hyperparams *params, const cJSON *object, struct err *err)
{
    struct hyperparams laid = *params;
    const cJSON *item;

    cJSON_ArrayForEach (item, object) {
        /* Neither a number nor a text: a number that no range holds. */
        double number = cJSON_IsNumber(item) ? item->valuedouble : (double)NAN;
        const char *choice = cJSON_IsString(item) ? item->valuestring : NULL;

        TRY(hyperparams_set(&laid, item->string, number, choice, err));
    }
    *params = laid;
    return ERR_OK;
}

double hyperparams_get(const struct hyperparams *params, const char *name, double fallback)
{
    for (int i = 0; i < params->n; i++)
        if (strcmp(params->values[i].param->name, name) == 0)
            return params->values[i].number;
    return fallback;
}

void hyperparams_to_json(const struct hyperparams *params, struct buf *json)
{
    buf_putc(json, '{');
    for (int i = 0; i < params->n; i++) {
        const struct hyperparam_value *value = &params->values[i];

        if (i > 0)
            buf_putc(json, ',');
        json_put_text(json, value->param->name);
        buf_putc(json, ':');
        if (value->param->type == HYPERPARAM_CHOICE)
            json_put_text(json, value->choice);
        else
            json_put_double(json, value->number);
    }
    buf_putc(json, '}');
}

enum err_code hyperparams_to_booster(const struct hyperparams *params,
                                     struct booster_param *ret_params, int max, int *ret_n,
                                     struct err *err)
{
    int n = 0;

    for (int i = 0; i < params->n; i++) {
        const struct hyperparam_value *value = &params->values[i];
        struct booster_param *param = &ret_params[n];

        if (value->param->ours)
            continue;
        if (n == max)
            return err_set(err, ERR_LIMIT, "more than %d training parameters", max);
        snprintf(param->name, sizeof(param->name), "%s", value->param->name);
        if (value->param->type == HYPERPARAM_CHOICE)
            snprintf(param->value, sizeof(param->value), "%s", value->choice);
        else /* nine digits name a float32, which is what XGBoost keeps */
            snprintf(param->value, sizeof(param->value), "%.9g", value->number);
        n++;
    }
    *ret_n = n;
    return ERR_OK;
}
