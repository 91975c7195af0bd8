/*
 * The encoder: from typed values to XGBoost's float32 features, the same in training and serving.
 *
 * Fitted on training rows, stored with the model as JSON, applied by one function to one value
 * (encode_cell) whether it came from a frame or from a request. There is no second code path.
 *
 * Each column of the relation that is a feature gives one or more features:
 *   boolean               NAME            0 or 1
 *   numbers               NAME            the value, cast once to float32, -0 as +0, beyond float32
 *                                         clamped to ±FLT_MAX
 *   text, char, enum      NAME            K ≤ 64 kept categories: native code ('c'): 0 is rare or
 *                                         unseen, 1 … K by frequency (ties by bytes)
 *                         NAME, NAME.frequency   64 < K ≤ 1000: native code and share of rows
 *                         NAME.mean (or NAME.mean.LABEL for each of up to 16 classes),
 *                         NAME.frequency  K > 1000: target mean smoothed by 20 prior rows (out of
 *                                         fold on training rows) and share of rows; at most the
 *                                         100,000 most frequent categories
 *   date, timestamp(tz)   NAME.days       days since the earliest training value, fractional
 *                         NAME.month, NAME.day, NAME.weekday (ISO 1-7), NAME.hour (fractional;
 *                         not for date): wall clock, timestamptz in the project's time zone
 * A category is kept when it has at least 2 training rows (all are kept when none has). NULL is NaN
 * everywhere; a rare or unseen category is code 0, frequency 0, the prior mean. Booleans and whole
 * numbers that are declared categories go by their text. Text that is not UTF-8 counts as rare: no
 * request can send it. Names of features are unique and free of what XGBoost refuses ("[", "]",
 * "<"): such characters become "_", a name that is taken gets "_2", "_3" …
 *
 * Refuses: knowing XGBoost, reading Postgres. A fitted encoder may be used by many threads.
 */
#ifndef PGBOOST_FEATURE_ENCODER_H
#define PGBOOST_FEATURE_ENCODER_H

#include "base/zone.h"
#include "feature/schema.h"
#include "frame/frame.h"

enum encoding { ENCODE_BOOL, ENCODE_NUMBER, ENCODE_CATEGORY, ENCODE_TIMESTAMP };

struct encoder_column {
    const char *name;
    enum pg_type type;
    enum encoding encoding;
    int first_feature, n_features;
    /* ENCODE_CATEGORY */
    struct strmap categories; /* kept ones, by code - 1 */
    double *frequencies;      /* [n categories], share of non-null training rows */
    double *means;            /* [n categories × n_means]; n_means 0: unused */
    double *prior;            /* [n_means] */
    int n_means;
    bool has_code, has_frequency;
    /* ENCODE_TIMESTAMP */
    int64_t start_us;
};

struct encoder {
    int n_columns;
    struct encoder_column *columns;
    struct strmap column_names; /* name → column index */
    struct strmap other_names;  /* columns that are not features: ignored in requests */
    int n_features;
    const char **feature_names; /* [n_features] */
    const char **feature_types; /* [n_features]: "q" number, "i" 0/1, "c" category: XGBoost's */
    char *timezone;
    struct zone *zone;
    struct arena arena;
};

/* What the fit needs beside the frame. */
struct encoder_target {
    int n_outputs;             /* columns of `values`: 1 for regression and binary, else classes;
                                  more than 16: no means */
    const double *values;      /* [frame rows × n_outputs] y, or 0/1 per class; NULL: no means */
    const char *const *labels; /* [n_outputs] for names of features; NULL for one output */
};

/* Fits on rows[n_rows] of frame. schema names features among the frame's columns. Errors:
 * ERR_CONFLICT (a feature that the frame does not have, or of another type), ERR_DATA (a target
 * that has no finite mean), those of zone_new for the project's time zone. */
MUST_CHECK enum err_code encoder_fit(const struct schema *schema, const struct project *project,
                                     const struct frame *frame, const uint32_t *rows, size_t n_rows,
                                     const struct encoder_target *target,
                                     struct encoder **ret_encoder, struct err *err);
void encoder_free(struct encoder *encoder);
DEFINE_FREEP(struct encoder *, encoder_free)

/* The one function: writes column->n_features floats at features + column->first_feature. The cell
 * must be of the column's type (cell_kind_of). */
void encode_cell(const struct encoder *encoder, const struct encoder_column *column,
                 const struct cell *cell, float *features);

/* All features missing: what a request starts from. */
void encode_missing(const struct encoder *encoder, float *features);

/* Rows of a frame into matrix[n_rows × n_features], row-major. Columns are found by name and must
 * have the encoder's types: otherwise ERR_CONFLICT naming the column. */
MUST_CHECK enum err_code encoder_apply(const struct encoder *encoder, const struct frame *frame,
                                       const uint32_t *rows, size_t n_rows, float *matrix,
                                       struct err *err);

/* The same for the rows the encoder was fitted on: target means are out of fold (5 folds by row
 * order), so that no row sees its own target. Same arguments as encoder_fit. */
MUST_CHECK enum err_code encoder_apply_training(const struct encoder *encoder,
                                                const struct frame *frame, const uint32_t *rows,
                                                size_t n_rows, const struct encoder_target *target,
                                                float *matrix, struct err *err);

/* JSON: exact (doubles read back to the same bits), also by way of jsonb. */
MUST_CHECK enum err_code encoder_to_json(const struct encoder *encoder, struct buf *json,
                                         struct err *err);
/* Errors: ERR_CORRUPT says what is wrong where. */
MUST_CHECK enum err_code encoder_from_json(const char *text, size_t length,
                                           struct encoder **ret_encoder, struct err *err);

#endif
