/*
 * Objectives: what XGBoost does between a margin and a prediction, one row each.
 *
 * The link turns base_score, which models store in output space, into the base margin; the
 * transform turns margins into predictions. Both follow XGBoost's float32 arithmetic step by step
 * (src/objective/ *.cu, src/common/math.h), so that the results are the same bits. Where a release
 * changed one, it has a row of its own: a model is read as the XGBoost that wrote it would read it.
 */
#ifndef PGBOOST_FOREST_OBJECTIVE_H
#define PGBOOST_FOREST_OBJECTIVE_H

#include <stddef.h>

#include "base/err.h"

/* XGBoost's versions in their order; 0 is before all. */
#define XGBOOST_RELEASE(major, minor) ((major)*1000 + (minor))

struct objective {
    const char *name;
    int since; /* the release that changed it to this; 0: none did */
    /* base_score → base margin; ERR_CORRUPT where the score is outside the link's domain. */
    enum err_code (*link)(float base_score, float *ret_margin, struct err *err);
    void (*transform)(float *values, int n); /* in place over the outputs of one row */
};

/* ERR_INVALID for a name that is not in the table. objective_find's row is the oldest of the name.
 */
MUST_CHECK enum err_code objective_find(const char *name, size_t length,
                                        const struct objective **ret_objective, struct err *err);
MUST_CHECK enum err_code objective_find_of_release(const char *name, size_t length, int release,
                                                   const struct objective **ret_objective,
                                                   struct err *err);

/* A model's base_score as its base margins: "5E-1", or from 3.1 on "[5E-1]" or "[5E-1,6E-1]", one
 * for all outputs or one for each. ret_margins[n_outputs]. ERR_CORRUPT where it is none of these or
 * outside the link's domain. */
MUST_CHECK enum err_code objective_base_margins(const struct objective *objective,
                                                const char *base_score, float *ret_margins,
                                                int n_outputs, struct err *err);

#endif
