/*
 * How often each text stands in the training rows, and which of them are kept. For lib/feature.
 */
#ifndef PGBOOST_FEATURE_TALLY_H
#define PGBOOST_FEATURE_TALLY_H

#include "feature/encoder_internal.h"

struct tally {
    const struct strmap *texts; /* a column's dictionary; NULL: own */
    struct strmap own;
    size_t *counts; /* [n texts] */
    size_t *seen;   /* [n texts] of tally_once: the last row that has it, from 1 */
    size_t capacity;
    size_t n_rows; /* that have a text */
};
void tally_release(struct tally *tally);

MUST_CHECK enum err_code tally_add(struct tally *tally, const char *text, size_t length,
                                   struct err *err);

/* However often row has the text, it counts once. Rows come one after the other. Beyond n_max
 * distinct texts (0: no bound) new ones are not counted. */
MUST_CHECK enum err_code tally_once(struct tally *tally, size_t row, const char *text,
                                    size_t length, uint32_t n_max, struct err *err);

/* The training rows of a column by the texts that its values go by as categories. */
MUST_CHECK enum err_code tally_column(struct tally *tally, const struct fit *fit,
                                      const struct column *from, struct err *err);

struct keep_rule {
    size_t n_max;
    size_t rows_least;
    bool or_all;      /* keep all when none has as many rows */
    size_t bytes_max; /* longer texts are not kept; 0: no bound */
};

struct candidate {
    const struct strmap_key *key;
    size_t count;
};

/* The texts that are kept, the most frequent first, equals by their bytes. The caller frees. */
MUST_CHECK enum err_code tally_choose(const struct tally *tally, const struct keep_rule *rule,
                                      struct candidate **ret_kept, size_t *ret_n, struct err *err);

/* tally_choose into a map. */
MUST_CHECK enum err_code tally_keep(const struct tally *tally, const struct keep_rule *rule,
                                    struct strmap *kept, struct err *err);

/* Neither JSON nor a request can hold other texts. */
bool is_storable(const char *text, size_t length);

/* By bytes, the shorter first: for qsort's callers. */
int compare_keys(const struct strmap_key *a, const struct strmap_key *b);

/* The text that a category goes by. The cell is not null; text points into it or into scratch. */
struct category_text {
    const char *text;
    size_t length;
    char scratch[24]; /* of a boolean or an int64 */
};
void category_text(const struct cell *cell, struct category_text *ret_text);
uint32_t category_index(const struct encoder_column *column, const struct cell *cell);

/* Sets what a null category counts as, from the definition; mode is the most frequent text. */
MUST_CHECK enum err_code category_impute(const struct tally *tally,
                                         const struct column_override *how, struct encoder *encoder,
                                         struct encoder_column *column, struct err *err);

/* Reads and writes of every encoding by category: "impute", a text. */
void category_put_impute(const struct encoder_column *column, struct buf *json);
MUST_CHECK enum err_code category_read_impute(struct stored_object *from, struct encoder *encoder,
                                              struct encoder_column *column, struct err *err);

#endif
