/*
 * "importance" of models.metrics, for people: the columns that a model looks at most.
 */
#ifndef PGBOOST_CMD_IMPORTANCE_H
#define PGBOOST_CMD_IMPORTANCE_H

#include "base/buf.h"
#include "list.h"

/* A table of the columns by their mean |SHAP|, or where there is none by permutation, without those
 * of no influence. Nothing where the metrics have no such thing: models of before. */
void importance_put_table(struct buf *out, const char *metrics_json, int64_t model_id, bool colour);

#endif
