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
 *   found.c    rows of the relation, looked up by key, into feature vectors
 *   reply.c    the answer
 *   rank.c     … in order, best first
 *   csv.c      CSV as such a body's columns and rows
 */
#ifndef PGBOOST_PREDICT_PREDICT_H
#define PGBOOST_PREDICT_PREDICT_H

#include "lookup/lookup.h"
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
 * has no residuals for intervals, or rows are named by key); those of find. On failure reply is as
 * it was. */
MUST_CHECK enum err_code predict_json(const char *body, size_t length,
                                      const struct model_source *source,
                                      const struct predict_limits *limits,
                                      struct predict_scratch *scratch, struct buf *reply,
                                      struct err *err);

/* Rows that a body names and that must be read before it can be answered. */
struct predict_wanted {
    enum lookup_form form;
    struct json_reader values; /* as struct lookup_ask has it */
    int64_t model_id;          /* of the model that was found */
    int64_t asked_model_id;    /* as struct model_source has it */
    const char *project;       /* its name; NUL-terminated, of length bytes */
    size_t project_length;
};
struct predict_waiting;

/* predict_json for bodies that may name their rows by "key" or "keys". *ret_waiting NULL: it is
 * answered. Else nothing is written yet, and predict_finish goes on once the rows are there; body
 * must stay as it is until then. */
MUST_CHECK enum err_code predict_start(const char *body, size_t length,
                                       const struct model_source *source,
                                       const struct predict_limits *limits,
                                       struct predict_scratch *scratch, struct buf *reply,
                                       struct predict_waiting **ret_waiting, struct err *err);

/* POST /rank, likewise. Members: project, candidates | keys | where, features (beside the latter
 * two), top, label, model_id. Errors as well: ERR_INVALID for a model that gives no order. */
MUST_CHECK enum err_code rank_start(const char *body, size_t length,
                                    const struct model_source *source,
                                    const struct predict_limits *limits,
                                    struct predict_scratch *scratch, struct buf *reply,
                                    struct predict_waiting **ret_waiting, struct err *err);

const struct predict_wanted *predict_wanted(const struct predict_waiting *waiting);

/* The rows' fields are the columns of model's encoder, in its order. A row that is not there is an
 * error in its place. Errors as predict_json. */
MUST_CHECK enum err_code predict_finish(const struct predict_waiting *waiting,
                                        const struct model *model, const struct lookup_rows *found,
                                        const struct predict_limits *limits,
                                        struct predict_scratch *scratch, struct buf *reply,
                                        struct err *err);
void predict_waiting_free(struct predict_waiting *waiting);

#endif
