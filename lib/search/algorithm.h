/*
 * The algorithms that compete, a row each: what XGBoost is told of them whatever the setting, and
 * how long they train. Which hyperparameters they have is in the table of those, which settings are
 * tried first in the portfolio.
 */
#ifndef PGBOOST_SEARCH_ALGORITHM_H
#define PGBOOST_SEARCH_ALGORITHM_H

#include "config/project.h"
#include "xgb/booster.h" /* its struct alone: this module links without XGBoost */

#define ALGORITHM_PARAMS_MAX 3

struct algorithm {
    enum algorithm_id id;
    int rounds_max; /* where "n_estimators" does not say */
    bool is_linear; /* it takes encoder_fit_linear's features, as they are, not in bins */
    struct booster_param params[ALGORITHM_PARAMS_MAX]; /* an empty name ends */
};

const struct algorithm *algorithm_of(enum algorithm_id id);

/* The algorithm that makes models of XGBoost's booster ("dart"), of trees grown side by side in one
 * round or not; NULL: none does. */
const struct algorithm *algorithm_of_booster(const char *booster, bool is_one_round);

#endif
