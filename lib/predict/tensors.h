/*
 * Bodies of other protocols as the body of /predict, and its answer as theirs, so that all are read
 * and answered by the same code.
 *
 * Open Inference Protocol, version 2 (REST): one tensor a column, of shape [n] or [n, 1], or one
 * matrix [n, columns] that has the model's columns in their order. MLflow's /invocations:
 * dataframe_split, dataframe_records, instances, inputs. Values are copied as they stand: no digit
 * is lost. A null is a missing value.
 *
 * Refuses: tensors in binary, shapes that do not fit the data, types that do not fit the values.
 * Pure functions.
 */
#ifndef PGBOOST_PREDICT_TENSORS_H
#define PGBOOST_PREDICT_TENSORS_H

#include "model/model.h"

/* Where the body has what /predict calls columns, rows and features; NULL: under that name. */
struct tensors_places {
    const char *columns, *rows, *features;
    bool by_tensor; /* a column each, the rows' values in it */
};

/* What an answer repeats of its request, and an error needs to point into it. */
struct tensors_request {
    struct buf id; /* a JSON string; empty: none was given */
    struct tensors_places places;
};
void tensors_request_release(struct tensors_request *request);

/* Appends "columns":[…],"rows":[…]. ERR_INVALID with field, ERR_LIMIT beyond max_rows. */
MUST_CHECK enum err_code tensors_from_oip(const char *body, size_t length,
                                          const struct model *model, size_t max_rows,
                                          struct tensors_request *ret_request, struct buf *json,
                                          struct err *err);

/* Likewise, or appends "features":[…]. */
MUST_CHECK enum err_code tensors_from_mlflow(const char *body, size_t length,
                                             const struct model *model, size_t max_rows,
                                             struct tensors_places *ret_places, struct buf *json,
                                             struct err *err);

/* Points an error of the rewritten body's into the one that was sent. */
void tensors_place(const struct tensors_places *places, struct err *err);

/* The answer of predict_json for many rows, rewritten. */
MUST_CHECK enum err_code tensors_to_oip(const char *answer, size_t length,
                                        const struct model *model,
                                        const struct tensors_request *request, struct buf *json,
                                        struct err *err);
MUST_CHECK enum err_code tensors_to_mlflow(const char *answer, size_t length, struct buf *json,
                                           struct err *err);

/* The model's metadata: its columns as inputs, what it answers as outputs. */
void tensors_put_metadata(const struct model *model, struct buf *json);

#endif
