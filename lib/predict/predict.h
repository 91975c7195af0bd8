/*
 * From a request's JSON to an answer's JSON: the prediction path, without HTTP.
 *
 * Decodes the body in one strict pass straight into feature vectors through the model's encoder, and
 * writes the answer. `POST /predict` and `pgboost predict` are this function. Refuses: waiting for
 * anything, allocating per value (buffers are the caller's and grow once).
 */
#ifndef PGBOOST_PREDICT_PREDICT_H
#define PGBOOST_PREDICT_PREDICT_H

#include "model/model.h"

struct predict_limits {
    size_t max_rows; /* ERR_LIMIT beyond */
};

/* Finds the model a request wants. model_id 0: the live one. Errors: ERR_NOT_FOUND (project, model),
 * ERR_CONFLICT (no live model). The model stays valid until predict_json returns. */
struct model_source {
    enum err_code (*find)(void *context, const char *project, size_t project_length,
                          int64_t model_id, const struct model **ret_model, struct err *err);
    void *context;
};

/* Buffers of one thread, reused from request to request. Zeroed memory is valid. */
struct predict_scratch {
    float *features; /* grows to rows × features */
    size_t features_capacity;
    float *outputs;
    size_t outputs_capacity;
    struct buf text; /* unescaped strings */
};
void predict_scratch_release(struct predict_scratch *scratch);

/* body → answer (appended to reply). The body's members: project, features | columns + rows,
 * model_id, encoded; see models/README.md and the README. Errors: ERR_INVALID with field the JSON
 * pointer (RFC 6901) of what is wrong; ERR_LIMIT; those of find. On failure reply is as it was. */
MUST_CHECK enum err_code predict_json(const char *body, size_t length,
                                      const struct model_source *source,
                                      const struct predict_limits *limits,
                                      struct predict_scratch *scratch, struct buf *reply,
                                      struct err *err);

#endif
