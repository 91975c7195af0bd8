/*
 * Objectives: what XGBoost does between a margin and a prediction, one row each.
 *
 * The link turns base_score, which models store in output space, into the base margin; the
 * transform turns margins into predictions. Both follow XGBoost 1.7.4's float32 arithmetic step by
 * step (src/objective/ *.cu, src/common/math.h), so that the results are the same bits.
 */
#ifndef PGBOOST_FOREST_OBJECTIVE_H
#define PGBOOST_FOREST_OBJECTIVE_H

#include <stddef.h>

#include "base/err.h"

struct objective {
    const char *name;
    /* base_score → base margin; ERR_CORRUPT where the score is outside the link's domain. */
    enum err_code (*link)(float base_score, float *ret_margin, struct err *err);
    void (*transform)(float *values, int n); /* in place over the outputs of one row */
};

/* ERR_INVALID for a name that is not in the table. */
MUST_CHECK enum err_code objective_find(const char *name, size_t length,
                                        const struct objective **ret_objective, struct err *err);

#endif
