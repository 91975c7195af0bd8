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
#define ALIAS(name)      ALL, HYPERPARAM_FLOAT, 0, 0, NULL, name, false

/* Who has it; an alias goes by what it stands for. */
#define DART    ALGORITHM_BIT(ALGORITHM_DART)
#define LINEAR  ALGORITHM_BIT(ALGORITHM_LINEAR)
#define BOOSTED (ALGORITHM_BIT(ALGORITHM_XGBOOST) | DART | LINEAR)
#define TREES   (ALGORITHM_BIT(ALGORITHM_XGBOOST) | DART | ALGORITHM_BIT(ALGORITHM_RANDOM_FOREST))
#define ALL     (ALGORITHM_BIT(N_ALGORITHMS) - 1)

/* Ranges are XGBoost's where it has one, else bounds beyond any use. */
const struct hyperparam hyperparam_table[] = {
    {"n_estimators", BOOSTED, OURS(1, 100000)},          /* most rounds */
    {"early_stopping_rounds", BOOSTED, OURS(0, 100000)}, /* 0: by early_stopping_patience */
    {"eta", BOOSTED, FLOAT(1e-6, 1)},
    {"max_depth", TREES, INT(0, 64)}, /* 0: no limit */
    {"min_child_weight", TREES, FLOAT(0, 1e9)},
    {"gamma", TREES, FLOAT(0, 1e9)},
    {"subsample", TREES, FLOAT(0.01, 1)},
    {"colsample_bytree", TREES, FLOAT(0.01, 1)},
    {"colsample_bylevel", TREES, FLOAT(0.01, 1)},
    {"colsample_bynode", TREES, FLOAT(0.01, 1)},
    {"lambda", ALL, FLOAT(0, 1e9)},
    {"alpha", ALL, FLOAT(0, 1e9)},
    {"grow_policy", TREES, CHOICE("depthwise,lossguide")},
    {"max_leaves", TREES, INT(0, 65536)}, /* 0: no limit */
    {"max_bin", TREES, INT(2, 65536)},
    {"max_delta_step", TREES, FLOAT(0, 1e9)},
    {"max_cat_to_onehot", TREES, INT(1, 1000000)},
    {"max_cat_threshold", TREES, INT(1, 1000000)},
    {"scale_pos_weight", ALL, FLOAT(1e-6, 1e9)},
    {"num_parallel_tree", TREES, INT(1, 10000)},
    {"rate_drop", DART, FLOAT(0, 1)},
    {"skip_drop", DART, FLOAT(0, 1)},
    {"one_drop", DART, INT(0, 1)},
    {"sample_type", DART, CHOICE("uniform,weighted")},
    {"normalize_type", DART, CHOICE("tree,forest")},
    {"feature_selector", LINEAR, CHOICE("cyclic,shuffle,random,greedy,thrifty")},
    {"top_k", LINEAR, INT(0, 1000000)},                                /* 0: no limit */
    {"huber_slope", ALL, FLOAT(1e-9, 1e9)},                            /* reg:pseudohubererror */
    {"tweedie_variance_power", ALL, FLOAT(1.001, 1.999)},              /* reg:tweedie */
    {"aft_loss_distribution", ALL, CHOICE("normal,logistic,extreme")}, /* survival:aft */
    {"aft_loss_distribution_scale", ALL, FLOAT(1e-3, 1e3)},            /* survival:aft */
    {"learning_rate", ALIAS("eta")},
    {"min_split_loss", ALIAS("gamma")},
    {"reg_lambda", ALIAS("lambda")},
    {"reg_alpha", ALIAS("alpha")},
};
const int n_hyperparams = (int)N_ELEMENTS(hyperparam_table);

_Static_assert(N_ELEMENTS(hyperparam_table) <= HYPERPARAMS_MAX, "every parameter fits at once");

const struct hyperparam *hyperparam_find(const char *name)
{
    for (int i = 0; i < n_hyperparams; i++) {
        const struct hyperparam *param = &hyperparam_table[i];

        if (strcmp(param->name, name) == 0)
            return param->alias_of != NULL ? hyperparam_find(param->alias_of) : param;
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
    const struct hyperparam *param = hyperparam_find(name);
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

static enum err_code set_item(struct hyperparams *params, const cJSON *item, struct err *err)
{
    /* Neither a number nor a text: a number that no range holds. */
    double number = cJSON_IsNumber(item) ? item->valuedouble : (double)NAN;
    const char *choice = cJSON_IsString(item) ? item->valuestring : NULL;

    return hyperparams_set(params, item->string, number, choice, err);
}

/* All or nothing: params stays as it was when one value is refused. */
enum err_code hyperparams_overlay(struct hyperparams *params, enum algorithm_id algorithm,
                                  const cJSON *object, struct err *err)
{
    struct hyperparams laid = *params, others = {0};
    const cJSON *item;

    cJSON_ArrayForEach (item, object) {
        const struct hyperparam *param = hyperparam_find(item->string);
        bool fits = param == NULL || (param->algorithms & ALGORITHM_BIT(algorithm));

        TRY(set_item(fits ? &laid : &others, item, err));
    }
    *params = laid;
    return ERR_OK;
}

static enum err_code refuse_misfit(const struct hyperparam *param, const char *name,
                                   struct err *err)
{
    CLEANUP(buf_release) struct buf names = {0};

    for (int id = 0; id < N_ALGORITHMS; id++)
        if (param->algorithms & ALGORITHM_BIT(id))
            buf_printf(&names, "%s%s", names.length > 0 ? ", " : "",
                       algorithm_name((enum algorithm_id)id));
    err_set(err, ERR_CONFIG, "none of the \"algorithms\" has a hyperparameter \"%s\"", name);
    set_field(name, err);
    return err_hint(err, "it is one of %s", buf_text(&names));
}

enum err_code hyperparams_check(const cJSON *object, unsigned algorithms, struct err *err)
{
    struct hyperparams params = {0};
    const cJSON *item;

    cJSON_ArrayForEach (item, object) {
        TRY(set_item(&params, item, err));
        if (!(hyperparam_find(item->string)->algorithms & algorithms))
            return refuse_misfit(hyperparam_find(item->string), item->string, err);
    }
    return ERR_OK;
}

const struct hyperparam_value *hyperparams_value(const struct hyperparams *params,
                                                 const struct hyperparam *param)
{
    for (int i = 0; i < params->n; i++)
        if (params->values[i].param == param)
            return &params->values[i];
    return NULL;
}

double hyperparams_get(const struct hyperparams *params, const char *name, double fallback)
{
    for (int i = 0; i < params->n; i++)
        if (strcmp(params->values[i].param->name, name) == 0)
            return params->values[i].number;
    return fallback;
}

const char *hyperparams_choice(const struct hyperparams *params, const char *name,
                               const char *fallback)
{
    for (int i = 0; i < params->n; i++)
        if (strcmp(params->values[i].param->name, name) == 0)
            return params->values[i].choice;
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
