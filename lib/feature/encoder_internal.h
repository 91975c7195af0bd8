/*
 * What the encoder's files share. Nobody outside lib/feature includes it.
 *
 * An encoder is built in the same steps whether it is fitted or read from JSON: encoder_new,
 * encoder_add_column for each, the columns' statistics, encoder_lay_out, the features' names.
 */
#ifndef PGBOOST_FEATURE_ENCODER_INTERNAL_H
#define PGBOOST_FEATURE_ENCODER_INTERNAL_H

#include "feature/encoder.h"

#define MEANS_MAX 16 /* outputs that categories get means of */

const char *encoding_name(enum encoding encoding);
bool encoding_from_name(const char *name, enum encoding *ret_encoding);

/* What a type becomes; and whether it could become that under some "as". */
enum encoding encoding_of(enum pg_type type, enum column_as as);
bool encoding_possible(enum pg_type type, enum encoding encoding);

/* An encoder with room for n_columns and none yet. */
MUST_CHECK enum err_code encoder_new(const char *timezone, size_t n_columns,
                                     struct encoder **ret_encoder, struct err *err);

/* A name that is a column's already: ERR_CONFLICT. */
MUST_CHECK enum err_code encoder_add_column(struct encoder *encoder, const char *name,
                                            enum pg_type type, enum encoding encoding,
                                            struct encoder_column **ret_column, struct err *err);
MUST_CHECK enum err_code encoder_add_other(struct encoder *encoder, const char *name,
                                           struct err *err);

/* Room for the column's n_categories and n_means. */
MUST_CHECK enum err_code encoder_alloc_categories(struct encoder *encoder,
                                                  struct encoder_column *column,
                                                  size_t n_categories, struct err *err);

/* Counts features, says where each column's begin and of which type they are. */
MUST_CHECK enum err_code encoder_lay_out(struct encoder *encoder, struct err *err);

/* Gives the features their names. labels as in struct encoder_target. */
MUST_CHECK enum err_code encoder_name_features(struct encoder *encoder, const char *const *labels,
                                               struct err *err);

/* The frame's column of that name and type; ERR_CONFLICT when it is not there. */
MUST_CHECK enum err_code encoder_find_column(const struct frame *frame, const char *name,
                                             enum pg_type type, const struct column **ret_column,
                                             struct err *err);

/* The text that a category goes by. The cell is not null; text points into it or into scratch. */
struct category_text {
    const char *text;
    size_t length;
    char scratch[24]; /* of a boolean or an int64 */
};
void category_text(const struct cell *cell, struct category_text *ret_text);

/* For each of the rows the index of its category: STRMAP_NONE when it is null or not kept. The
 * caller frees. */
MUST_CHECK enum err_code category_indices(const struct encoder_column *column,
                                          const struct column *from, const uint32_t *rows,
                                          size_t n_rows, uint32_t **ret_indices, struct err *err);

#endif
