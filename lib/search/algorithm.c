#include "search/algorithm.h"

#include <string.h>

/* A dart forgets a part of its trees in each round and weighs the others anew: no margin can be
 * kept from round to round, so that a round costs as much as all before it. */
#define DART_ROUNDS_MAX 300

static const struct algorithm table[N_ALGORITHMS] = {
    [ALGORITHM_XGBOOST] = {.id = ALGORITHM_XGBOOST,
                           .rounds_max = 10000,
                           .params = {{"booster", "gbtree"}}},
    [ALGORITHM_DART] = {.id = ALGORITHM_DART,
                        .rounds_max = DART_ROUNDS_MAX,
                        .params = {{"booster", "dart"}}},
    /* all trees side by side in one round, whose leaves count in full */
    [ALGORITHM_RANDOM_FOREST] = {.id = ALGORITHM_RANDOM_FOREST,
                                 .rounds_max = 1,
                                 .params = {{"booster", "gbtree"}, {"eta", "1"}}},
    /* the one updater whose models do not depend on how threads take turns, and one thread, so that
     * they do not depend on how many there are */
    [ALGORITHM_LINEAR] = {.id = ALGORITHM_LINEAR,
                          .rounds_max = 2000,
                          .is_linear = true,
                          .params = {{"booster", "gblinear"},
                                     {"updater", "coord_descent"},
                                     {"nthread", "1"}}},
};

const struct algorithm *algorithm_of(enum algorithm_id id)
{
    return &table[id];
}

const struct algorithm *algorithm_of_booster(const char *booster, bool is_one_round)
{
    const struct algorithm *found = NULL;

    for (size_t i = 0; i < N_ELEMENTS(table); i++) {
        if (strcmp(table[i].params[0].value, booster) == 0 &&
            (found == NULL || (is_one_round && table[i].rounds_max == 1)))
            found = &table[i];
    }
    return found;
}
