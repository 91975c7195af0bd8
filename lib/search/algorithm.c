#include "search/algorithm.h"

#include <string.h>

/* A dart forgets a part of its trees in each round and weighs the others anew: no margin can be
 * kept from round to round, so that a round costs as much as all before it. */
#define DART_ROUNDS_MAX 300

static const struct algorithm table[N_ALGORITHMS] = {
    [ALGORITHM_XGBOOST] = {ALGORITHM_XGBOOST, 10000, {{"booster", "gbtree"}}},
    [ALGORITHM_DART] = {ALGORITHM_DART, DART_ROUNDS_MAX, {{"booster", "dart"}}},
    /* all trees side by side in one round, whose leaves count in full */
    [ALGORITHM_RANDOM_FOREST] = {ALGORITHM_RANDOM_FOREST, 1, {{"booster", "gbtree"}, {"eta", "1"}}},
    /* the one updater whose models do not depend on how threads take turns */
    [ALGORITHM_LINEAR] = {ALGORITHM_LINEAR,
                          2000,
                          {{"booster", "gblinear"}, {"updater", "coord_descent"}}},
};

const struct algorithm *algorithm_of(enum algorithm_id id)
{
    return &table[id];
}

const struct algorithm *algorithm_of_booster(const char *booster, bool is_one_round)
{
    const struct algorithm *found = NULL;

    for (size_t i = 0; i < N_ELEMENTS(table); i++) {
        if (strcmp(table[i].params[0].value, booster) != 0)
            continue;
        if (found == NULL || (is_one_round && table[i].rounds_max == 1))
            found = &table[i];
    }
    return found;
}
