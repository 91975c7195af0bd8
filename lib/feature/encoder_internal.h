/*
 * What the encoder's files share. Nobody outside lib/feature includes it.
 *
 * An encoder is built in the same steps whether it is fitted or read from JSON: encoder_new,
 * encoder_add_column for each, the columns' statistics, encoder_lay_out, the features' names. What
 * differs between encodings is in struct encoding_ops, one row each.
 */
#ifndef PGBOOST_FEATURE_ENCODER_INTERNAL_H
#define PGBOOST_FEATURE_ENCODER_INTERNAL_H

#include <float.h>
#include <math.h>

#include "feature/encode_decimal.h"
#include "feature/stored.h"
#include "feature/types.h"

#define MEANS_MAX       16   /* outputs that categories get means of */
#define LABEL_BYTES_MAX 256  /* of an element or a JSON path that gets a feature of its own */
#define LIST_MAX        2000 /* elements that get a feature each */

/* The arguments of a fit. */
struct fit {
    const struct project *project;
    const struct frame *frame;
    const uint32_t *rows;
    size_t n_rows;
    const struct encoder_target *target;
    struct encoder *encoder;
    bool is_linear; /* encoder_fit_linear */
};

/* One encoding. Functions that are NULL have nothing to do. */
struct encoding_ops {
    const char *name;                                       /* "number": stored with encoders */
    int (*n_features)(const struct encoder_column *column); /* NULL: 1 */
    /* XGBoost's type of the column's feature at index; NULL: "q" */
    const char *(*feature_type)(const struct encoder_column *column, int index);
    /* Appends what comes behind the column's name, ".days"; labels as in struct encoder_target */
    void (*put_suffix)(const struct encoder_column *column, int index, const char *const *labels,
                       struct buf *name);
    enum err_code (*fit)(const struct fit *fit, const struct column *from,
                         const struct column_override *how, struct encoder_column *column,
                         struct err *err);
    /* features: the column's own. The cell is not null. */
    void (*encode)(const struct encoder *encoder, const struct encoder_column *column,
                   const struct cell *cell, float *features);
    void (*to_json)(const struct encoder_column *column, struct buf *json);
    enum err_code (*from_json)(struct stored_object *from, struct encoder *encoder,
                               struct encoder_column *column, struct err *err);
};

extern const struct encoding_ops bool_ops, number_ops, category_ops, timestamp_ops, onehot_ops,
    ordinal_ops, list_ops, tags_ops, json_ops, text_ops;
const struct encoding_ops *encoding_ops(enum encoding encoding);
bool encoding_from_name(const char *name, enum encoding *ret_encoding);

/* An encoder with room for n_columns and none yet. */
MUST_CHECK enum err_code encoder_new(const char *timezone, size_t n_columns,
                                     struct encoder **ret_encoder, struct err *err);

/* A name that is a column's already: ERR_CONFLICT. */
MUST_CHECK enum err_code encoder_add_column(struct encoder *encoder, const char *name,
                                            enum pg_type type, enum encoding encoding,
                                            struct encoder_column **ret_column, struct err *err);
MUST_CHECK enum err_code encoder_add_other(struct encoder *encoder, const char *name,
                                           struct err *err);

/* Counts features, says where each column's begin and of which type they are. */
MUST_CHECK enum err_code encoder_lay_out(struct encoder *encoder, struct err *err);

int column_count_features(const struct encoder_column *column);
const char *column_feature_type(const struct encoder_column *column, int index);

/* Gives the features their names. labels as in struct encoder_target. */
MUST_CHECK enum err_code encoder_name_features(struct encoder *encoder, const char *const *labels,
                                               struct err *err);

/* "." and a label, cut to what a name may hold of it. */
void put_label(struct buf *name, const char *text, size_t length);

/* The most frequent categories that get a 0/1 feature each. */
#define ONEHOT_MAX 255

/* The frame's column of that name and type; ERR_CONFLICT when it is not there. */
MUST_CHECK enum err_code encoder_find_column(const struct frame *frame, const char *name,
                                             enum pg_type type, const struct column **ret_column,
                                             struct err *err);

/* For each of the rows the index of its category: STRMAP_NONE when it is null or not kept. The
 * caller frees. */
MUST_CHECK enum err_code category_indices(const struct encoder_column *column,
                                          const struct column *from, const uint32_t *rows,
                                          size_t n_rows, uint32_t **ret_indices, struct err *err);

/* The mean features of the category at index, by these statistics. */
void encode_means(const struct encoder_column *column, uint32_t index, const double *means,
                  const double *prior, float *features);

/* Room for the column's n_categories and n_means. */
MUST_CHECK enum err_code encoder_alloc_categories(struct encoder *encoder,
                                                  struct encoder_column *column,
                                                  size_t n_categories, struct err *err);

static inline void fit_cell(const struct fit *fit, const struct column *from, size_t i,
                            struct cell *ret_cell)
{
    column_cell(from, fit->rows[i], ret_cell);
}

/* Within what a float32 holds; NaN stays. */
static inline void fill_missing(float *features, int n)
{
    for (int i = 0; i < n; i++)
        features[i] = NAN;
}

#endif
