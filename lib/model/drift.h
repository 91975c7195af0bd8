/*
 * What has changed in a relation since a model was trained on it: columns that are gone or of
 * another type, enum labels that the model does not know. Names and types only; values are read by
 * the run's profile.
 */
#ifndef PGBOOST_MODEL_DRIFT_H
#define PGBOOST_MODEL_DRIFT_H

#include "model/model.h"

struct drift {
    int n_broken;          /* columns that the model can no longer be fed with */
    int n_new_labels;      /* which count as rare */
    struct buf broken;     /* for people: "x" is gone, "y" was int4 and is text */
    struct buf new_labels; /* "mood" has the new labels "calm", "cross" */
};

MUST_CHECK enum err_code drift_find(const struct model *model, const struct relation *relation,
                                    struct drift *ret_drift, struct err *err);
void drift_release(struct drift *drift);

#endif
