/*
 * The encoder: from typed values to XGBoost's float32 features, the same in training and serving.
 *
 * Fitted on training rows, stored with the model as JSON, applied by one function to one value
 * (encode_cell) whether it came from a frame or from a request. There is no second code path.
 *
 * Each column of the relation that is a feature has one encoding and gives one or more features.
 * An encoding is a row of a table and a file of its own, encode_*.c, which says how it fits and
 * encodes; models/README.md has every rule for users:
 *   bool, number      NAME             encode_number.c (numbers may be imputed and scaled)
 *   category          NAME …           encode_category.c: code, frequency, target means
 *   onehot, ordinal   NAME.is.LABEL …  encode_onehot.c
 *   timestamp         NAME.days …      encode_timestamp.c
 *   list              NAME.1 …         encode_list.c: arrays of numbers, vectors, points, ranges
 *   tags              NAME.has.X …     encode_tags.c: arrays of text
 *   json              NAME.PATH …      encode_json.c
 *   text              NAME.word.X …    encode_text.c
 *
 * NULL is NaN everywhere, unless the definition imputes it. A value becomes a float32 once: beyond
 * float32 it is clamped to ±FLT_MAX, -0 is +0. Names of features are unique and free of what
 * XGBoost refuses ("[", "]", "<"): such characters become "_", a name that is taken gets "_2",
 * "_3" …
 *
 * Refuses: knowing XGBoost, reading Postgres. A fitted encoder may be used by many threads, and
 * encoding allocates nothing.
 */
#ifndef PGBOOST_FEATURE_ENCODER_H
#define PGBOOST_FEATURE_ENCODER_H

#include "base/zone.h"
#include "feature/schema.h"
#include "frame/frame.h"

enum encoding {
    ENCODE_BOOL,
    ENCODE_NUMBER,
    ENCODE_CATEGORY,
    ENCODE_TIMESTAMP,
    ENCODE_ONEHOT,
    ENCODE_ORDINAL,
    ENCODE_LIST,
    ENCODE_TAGS,
    ENCODE_JSON,
    ENCODE_TEXT,
    ENCODE_TYPES
};

struct encoder_column {
    const char *name;
    enum pg_type type;
    enum encoding encoding;
    int first_feature, n_features;
    struct cell imputed; /* what a null counts as; itself null where nothing is imputed */
    /* ENCODE_NUMBER: (value - center) / scale */
    bool is_scaled;
    double center, scale; /* scale 0: a column that was constant */
    /* ENCODE_CATEGORY, ENCODE_ONEHOT, ENCODE_ORDINAL; elements of ENCODE_TAGS, tokens of
     * ENCODE_TEXT */
    struct strmap categories; /* kept ones, by code - 1 */
    double *frequencies;      /* [n categories], share of non-null training rows */
    double *means;            /* [n categories × n_means]; n_means 0: unused */
    double *prior;            /* [n_means] */
    int n_means;
    bool has_code, has_frequency;
    /* ENCODE_TIMESTAMP, and ENCODE_LIST of dates and timestamps */
    int64_t start_us;
    /* ENCODE_LIST */
    int length; /* of every list; -1: they vary */
    /* ENCODE_JSON: columns of their own, named by their paths; first_feature counts from the
     * column's first */
    struct encoder_column *parts;
    int n_parts;
    struct strmap paths;        /* of the parts and of all that lie above them */
    struct json_parts *at_path; /* [n paths] */
    bool is_length;             /* of a part: the length of the array at its path */
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
    int n_outputs;        /* 1 for regression and binary, else classes; more than 16: no means */
    const double *values; /* [frame rows] y or, of several outputs, the class; NULL: no means */
    const char *const *labels; /* [n_outputs] for names of features; NULL for one output */
};

/* What a mean averages: the target itself, or whether it is the class. */
static inline double encoder_target_value(const struct encoder_target *target, size_t row,
                                          size_t output)
{
    return target->n_outputs == 1 ? target->values[row] : target->values[row] == (double)output;
}

/* Fits on rows[n_rows] of frame. schema names features among the frame's columns. Errors:
 * ERR_CONFLICT (a feature that the frame does not have, or of another type), ERR_DATA (a target
 * that has no finite mean, columns that give no feature), ERR_CONFIG (target means of too many
 * classes), those of zone_new for the project's time zone. */
MUST_CHECK enum err_code encoder_fit(const struct schema *schema, const struct project *project,
                                     const struct frame *frame, const uint32_t *rows, size_t n_rows,
                                     const struct encoder_target *target,
                                     struct encoder **ret_encoder, struct err *err);

/* The same for a linear model, which takes a category's code for a quantity and a missing value for
 * 0: where the definition says nothing else, numbers and booleans are imputed by their mean and
 * scaled (standard), categories, those in documents too, are one-hot. */
MUST_CHECK enum err_code encoder_fit_linear(const struct schema *schema,
                                            const struct project *project,
                                            const struct frame *frame, const uint32_t *rows,
                                            size_t n_rows, const struct encoder_target *target,
                                            struct encoder **ret_encoder, struct err *err);
void encoder_free(struct encoder *encoder);
DEFINE_FREEP(struct encoder *, encoder_free)

/* The one function: writes column->n_features floats at features + column->first_feature. The cell
 * must be of the column's type (cell_kind_of). */
void encode_cell(const struct encoder *encoder, const struct encoder_column *column,
                 const struct cell *cell, float *features);

/* Every column missing, or imputed: what a request starts from. */
void encode_missing(const struct encoder *encoder, float *features);

/* Rows of a frame into matrix[n_rows × n_features], row-major. Columns are found by name and must
 * have the encoder's types: otherwise ERR_CONFLICT naming the column. */
MUST_CHECK enum err_code encoder_apply(const struct encoder *encoder, const struct frame *frame,
                                       const uint32_t *rows, size_t n_rows, float *matrix,
                                       struct err *err);

/* The rows the encoder was fitted on get target means out of fold (row i is of fold i % 5), so that
 * no row sees its own target. Arguments as of encoder_fit; all but the target must outlive the
 * folds. */
struct encoder_folds;
MUST_CHECK enum err_code encoder_folds_new(const struct encoder *encoder, const struct frame *frame,
                                           const uint32_t *rows, size_t n_rows,
                                           const struct encoder_target *target,
                                           struct encoder_folds **ret_folds, struct err *err);
void encoder_folds_free(struct encoder_folds *folds);
DEFINE_FREEP(struct encoder_folds *, encoder_folds_free)

/* encoder_apply to n of the folds' rows, from the first-th on. */
MUST_CHECK enum err_code encoder_apply_folds(const struct encoder_folds *folds, size_t first,
                                             size_t n, float *matrix, struct err *err);

/* JSON: exact (doubles read back to the same bits), also by way of jsonb. */
MUST_CHECK enum err_code encoder_to_json(const struct encoder *encoder, struct buf *json,
                                         struct err *err);
/* Errors: ERR_CORRUPT says what is wrong where. */
MUST_CHECK enum err_code encoder_from_json(const char *text, size_t length,
                                           struct encoder **ret_encoder, struct err *err);

#endif
