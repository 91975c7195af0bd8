/*
 * A model ready to predict: encoder, forest and labels, verified.
 *
 * In the way of the data: models row → SHA-256 → parse → golden rows give the recorded answers →
 * struct model. A model that fails any step is not a model: ERR_CORRUPT says which step.
 * The same object serves requests, scores, and stands as the champion in a comparison.
 *
 *   model.c        the steps, and predictions from margins
 *   labels.c       the classes of a target column, and their stored form
 *   calibration.c  calibrated probabilities, the threshold, intervals
 *   golden.c       the rows that prove encoder and forest
 *   answer.c       probabilities and explanations as JSON
 *   value.c        one JSON value through the encoder: golden rows and requests share it
 *   members.c      the members of a JSON object in any order
 *
 * Immutable after model_open; read by many threads.
 */
#ifndef PGBOOST_MODEL_MODEL_H
#define PGBOOST_MODEL_MODEL_H

#include "catalog/catalog.h"
#include "feature/encoder.h"
#include "forest/forest.h"
#include "model/calibration.h"

struct label {
    const char *text;     /* as the target's ::text */
    const char *json;     /* as the target column has it: "late", true, 3 */
    const char *json_key; /* the text as a JSON string, for keys of "probabilities" */
};

/* JSON as it stands in answers and, mostly, in requests. */
struct fragment {
    const char *text;
    size_t length;
};

struct model {
    int64_t id, project_id;
    const char *project, *metric, *algorithm;
    enum task task;
    int n_labels; /* 0: regression; 2: binary, label 1 is the positive class */
    struct label *labels;
    struct encoder *encoder;
    struct forest *forest;
    struct calibration calibration;
    const char *json_head;     /* {"project":"…","model_id":…, as every answer begins */
    const char **column_names; /* [encoder->n_columns], for hints */
    const char **feature_keys; /* [encoder->n_features], names as JSON strings */
    /* [encoder->n_columns], then those of encoder->other_names: likewise */
    struct fragment *column_keys;
    struct arena arena;
};

/* From a catalog row with bytes, all of which is copied. Errors: ERR_CORRUPT naming model and step;
 * ERR_NOMEM. */
MUST_CHECK enum err_code model_open(const struct model_row *row, struct model **ret_model,
                                    struct err *err);
/* That of the catalog. Errors: ERR_NOT_FOUND; model_open's; the connection's. */
MUST_CHECK enum err_code model_load(struct pg *pg, int64_t model_id, struct model **ret_model,
                                    struct err *err);
void model_free(struct model *model);
DEFINE_FREEP(struct model *, model_free)

/* What one encoded row gives. */
#define MODEL_OUTPUTS_MAX 4096
int model_n_outputs(const struct model *model);

/* Survival: is its answer a hazard ratio (survival:cox), of which more means sooner, or a time? */
bool model_answers_hazards(const struct model *model);

/* The most probable of n > 0 classes, the first of equals. */
int most_probable(const double *probabilities, int n);

/* The one way from margins to a prediction: requests, test rows and comparisons take it.
 * outputs[n_outputs]: the margins, which the objective's transform replaces. Regression:
 * *ret_value, a float32. Classification: probabilities[n_labels], calibrated where the model is
 * (else float32 of XGBoost's, and of two labels 1 - p beside p), and *ret_label: of two labels with
 * a threshold the second from that probability on, else the most probable, the first of equals.
 * What does not belong to the task is untouched. */
void model_predict(const struct model *model, float *outputs, double *ret_value,
                   double *probabilities, int *ret_label);

/* The stored forms, for the worker that writes them:
 *   labels  [{"text":"late","json":"late"}, …] in class order
 *   golden  {"inputs":[[…]], "margins":[[…]], "rows":[{"raw":{column: value}, "encoded":[…]}]}
 * golden_write takes encoded inputs[n_rows × n_features] with XGBoost's margins[n_rows × n_outputs]
 * and raw rows of the frame (raw_rows[n_raw], may be 0) that it encodes itself. A column that the
 * frame does not have: ERR_CONFLICT. Appends to json. */
MUST_CHECK enum err_code golden_write(const struct encoder *encoder, const float *inputs,
                                      const float *margins, size_t n_rows, int n_outputs,
                                      const struct frame *frame, const uint32_t *raw_rows,
                                      size_t n_raw, struct buf *json, struct err *err);
/* Do the encoder and the forest reproduce them, value == value? ERR_CORRUPT names the row. A
 * document without a single row proves nothing and fails. */
MUST_CHECK enum err_code golden_check(const char *json, size_t length,
                                      const struct encoder *encoder, const struct forest *forest,
                                      struct err *err);

/* Class labels of a target column: its distinct non-null values, in order: false before true,
 * numbers by value, text by bytes. n may be 0 or 1: what that means is the caller's to say. More
 * than MODEL_OUTPUTS_MAX: ERR_DATA. */
struct labels {
    uint32_t n;
    struct label *items;
    uint32_t *classes; /* [frame rows], UINT32_MAX where null */
    struct arena arena;
};
MUST_CHECK enum err_code labels_new(const struct frame *frame, int target,
                                    struct labels *ret_labels, struct err *err);
void labels_release(struct labels *labels);

/* The stored form, and back. Read labels live in the arena. Errors: ERR_CORRUPT, ERR_NOMEM. */
MUST_CHECK enum err_code labels_to_json(const struct label *labels, int n, struct buf *json,
                                        struct err *err);
MUST_CHECK enum err_code labels_from_json(const char *json, size_t length, struct arena *arena,
                                          struct label **ret_labels, int *ret_n, struct err *err);

#endif
