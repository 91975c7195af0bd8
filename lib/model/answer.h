/*
 * What a prediction says beside its value, as JSON: probabilities, and what each column added.
 *
 * In the way of the data: margins → model_predict → here. Requests and tables of scores have these
 * values from the same functions, to the byte.
 */
#ifndef PGBOOST_MODEL_ANSWER_H
#define PGBOOST_MODEL_ANSWER_H

#include "model/model.h"

/* Appends {"late":0.81,"on time":0.19}: probabilities[n_labels], as model_predict gives them. */
void answer_put_probabilities(const struct model *model, const double *probabilities,
                              struct buf *json);

/* How many doubles answer_put_explanation needs to work in. ERR_CONFLICT: the model cannot be
 * explained. */
MUST_CHECK enum err_code answer_explainable(const struct model *model, size_t *ret_n_doubles,
                                            struct err *err);

/* Appends {"bias":…,"columns":{…}}: what each column added to the margins of the encoded row;
 * arrays where there are several. They add up to margins[n_outputs]. */
void answer_put_explanation(const struct model *model, const float *features, const float *margins,
                            double *scratch, struct buf *json);

#endif
