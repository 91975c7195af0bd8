/*
 * From a request's JSON to an answer's JSON: the prediction path, without HTTP.
 *
 * Decodes the body in one strict pass straight into feature vectors through the model's encoder (in
 * two where the rows come before the project), and writes the answer. `POST /predict` and `pgboost
 * predict` are this function. Refuses: waiting for anything, allocating per value (buffers are the
 * caller's and grow once).
 *
 *   predict.c  the whole way on one page
 *   request.c  the body's members and options
 *   rows.c     rows into feature vectors
 *   reply.c    the answer
 *   csv.c      CSV as such a body's columns and rows
 */
#ifndef PGBOOST_PREDICT_PREDICT_H
#define PGBOOST_PREDICT_PREDICT_H

#include "model/model.h"

struct predict_limits {
    size_t max_rows; /* ERR_LIMIT beyond */
};

/* Finds the model a request wants. model_id 0: the live one. Errors: ERR_NOT_FOUND (project,
 * model), ERR_CONFLICT (no live model). The model stays valid until predict_json returns. Asked a
 * second time where the first answer was an error, or "model_id" comes behind the rows. */
struct model_source {
    enum err_code (*find)(void *context, const char *project, size_t project_length,
                          int64_t model_id, const struct model **ret_model, struct err *err);
    void *context;
};

/* Buffers of one thread, reused from request to request. Zeroed memory is valid. */
struct predict_scratch {
    float *features; /* grows to rows × features */
    size_t features_capacity;
    float *outputs; /* margins of all rows, then room for one row's to be transformed */
    size_t outputs_capacity;
    double *probabilities; /* of one row */
    size_t probabilities_capacity;
    unsigned char *seen; /* which of the relation's columns this row has named */
    size_t seen_capacity;
    uint32_t *columns; /* what "columns" names, in its order */
    size_t columns_capacity;
    uint32_t *order; /* the columns that the last row named, in its order: most rows are alike */
    size_t order_capacity;
    struct cell_scratch cell; /* unescaped strings, and lists */
    double *shap;             /* one row's contributions, then room for forest_shap to work in */
    size_t shap_capacity;
};
void predict_scratch_release(struct predict_scratch *scratch);

/* body → answer (appended to reply). The body's members: project, features | columns + rows,
 * model_id, encoded, explain, interval, in any order; a member that is null counts as absent.
 * Errors: ERR_INVALID with field the JSON pointer (RFC 6901) of what is wrong, empty when the body
 * is not JSON; ERR_LIMIT (too many rows, too deep); ERR_CONFLICT (the model cannot be explained, or
 * has no residuals for intervals); those of find. On failure reply is as it was. */
MUST_CHECK enum err_code predict_json(const char *body, size_t length,
                                      const struct model_source *source,
                                      const struct predict_limits *limits,
                                      struct predict_scratch *scratch, struct buf *reply,
                                      struct err *err);

#endif
