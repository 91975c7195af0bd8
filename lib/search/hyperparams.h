/*
 * Hyperparameters: the table of the names a user may set, with type, range and the algorithms that
 * have them, and their form as JSON and as XGBoost's parameters.
 */
#ifndef PGBOOST_SEARCH_HYPERPARAMS_H
#define PGBOOST_SEARCH_HYPERPARAMS_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "config/project.h"
#include "xgb/booster.h" /* its struct alone: this module links without XGBoost */

enum hyperparam_type { HYPERPARAM_INT, HYPERPARAM_FLOAT, HYPERPARAM_CHOICE };

struct hyperparam {
    const char *name;    /* XGBoost's */
    unsigned algorithms; /* a bit for each that has it */
    enum hyperparam_type type;
    double low, high;     /* inclusive; INT and FLOAT */
    const char *choices;  /* CHOICE: "depthwise,lossguide" */
    const char *alias_of; /* NULL, or the name it stands for: learning_rate → eta */
    bool ours;            /* the training loop's own, not one of XGBoost's parameters */
};

extern const struct hyperparam hyperparam_table[];
extern const int n_hyperparams;

#define HYPERPARAMS_MAX 40

struct hyperparam_value {
    const struct hyperparam *param; /* never an alias */
    double number;
    char choice[24];
};

/* A setting: values in the order they were set; a later value of a name replaces the earlier. */
struct hyperparams {
    int n;
    struct hyperparam_value values[HYPERPARAMS_MAX];
};

/* The row of a name, of an alias the row it stands for; NULL: there is none. */
const struct hyperparam *hyperparam_find(const char *name);

/* One value by name or alias: number of INT and FLOAT, choice of CHOICE (NULL otherwise). Errors as
 * hyperparams_overlay's. */
MUST_CHECK enum err_code hyperparams_set(struct hyperparams *params, const char *name,
                                         double number, const char *choice, struct err *err);

/* Lays a JSON object ({"eta": 0.1, "max_depth": 6}) over the params of an algorithm, which leaves
 * out what the algorithm does not have. Errors: ERR_CONFIG, field "/hyperparams/NAME", nearest name
 * in the hint, the range in the message. object NULL: nothing. */
MUST_CHECK enum err_code hyperparams_overlay(struct hyperparams *params,
                                             enum algorithm_id algorithm, const cJSON *object,
                                             struct err *err);

/* Is each of the object's values allowed, and does one of the algorithms (bits) have it? Errors as
 * above. */
MUST_CHECK enum err_code hyperparams_check(const cJSON *object, unsigned algorithms,
                                           struct err *err);

/* What is set for a row of the table, or NULL. */
const struct hyperparam_value *hyperparams_value(const struct hyperparams *params,
                                                 const struct hyperparam *param);

/* The number set for a name (not an alias), or fallback. */
double hyperparams_get(const struct hyperparams *params, const char *name, double fallback);

/* The same of a choice. */
const char *hyperparams_choice(const struct hyperparams *params, const char *name,
                               const char *fallback);

/* {"eta":0.1,"grow_policy":"lossguide"}, appended. */
void hyperparams_to_json(const struct hyperparams *params, struct buf *json);

/* As XGBoost's parameters, without those that are ours. ERR_LIMIT when there are more than max. */
MUST_CHECK enum err_code hyperparams_to_booster(const struct hyperparams *params,
                                                struct booster_param *ret_params, int max,
                                                int *ret_n, struct err *err);

#endif
