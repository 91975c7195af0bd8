/*
 * XGBoost's C API, behind types of our own. The only module that includes <xgboost/c_api.h>; linked
 * into the worker alone.
 *
 * Facts it rests on: hist always (the exact method treats categories as numbers); a booster lives
 * and dies on one thread (prediction caches are per thread); parameters are checked against an
 * allow-list before XGBoost sees them, because it accepts any name; base_score is always set (0.5
 * where the caller gives none).
 * Every return code is checked; XGBoost's message becomes err's.
 */
#ifndef PGBOOST_XGB_BOOSTER_H
#define PGBOOST_XGB_BOOSTER_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct matrix; /* DMatrix with labels */
struct booster;

/* Rows to train on come in batches, so that neither they nor a copy of them need be in memory at
 * once: XGBoost keeps the bin of each value (a quantile matrix). It asks for all batches several
 * times over. Rows to be judged on (is_exact) come as one batch and keep their values, of which
 * XGBoost makes a copy: in the bins of other rows a category that these do not have would count as
 * its neighbour. */
struct matrix_source {
    size_t n_rows;
    size_t batch_rows; /* at most so many at a time; is_exact: all */
    int n_features;
    const char *const *feature_names, *const *feature_types; /* [n_features]; "q", "i", "c" */
    const float *labels;                                     /* [n_rows] finite */
    const float *weights;                                    /* [n_rows], or NULL */
    /* Ranking: [n_rows] the list of a row, never falling; rows of one weigh the same. A batch ends
     * where a list does, and batch_rows is enough for the longest: of a list in two batches XGBoost
     * would make two. With fewer bins than values, and weights, bins depend on the batches. Else
     * NULL. */
    const uint32_t *lists;
    /* survival:aft: [n_rows] the ends of times that begin at the labels, which they are not below;
     * INFINITY: none. Else NULL. */
    const float *upper;
    /* Rows first … first + n - 1, row-major, NaN missing; they stay until the next call. */
    enum err_code (*batch)(void *context, size_t first, size_t n, const float **ret_features,
                           struct err *err);
    void *context;
    bool is_exact;
    int max_bin; /* that of the boosters to come; 0: XGBoost's 256 */
    int threads;
};

/* Nothing of source is kept. ERR_DATA: no rows, no features, labels or weights that are no finite
 * numbers, a time that ends before it begins; batch's errors. */
MUST_CHECK enum err_code matrix_new(const struct matrix_source *source, struct matrix **ret_matrix,
                                    struct err *err);
void matrix_free(struct matrix *matrix);
DEFINE_FREEP(struct matrix *, matrix_free)
size_t matrix_n_rows(const struct matrix *matrix);

/* A booster for training on train (and to be evaluated on valid, may be NULL): names and values are
 * XGBoost's; n_params pairs. ERR_INVALID for a name that is not known here; a value that XGBoost
 * refuses may only fail at the first update. */
struct booster_param {
    char name[32];
    char value[48];
};
MUST_CHECK enum err_code booster_new(const struct matrix *train, const struct matrix *valid,
                                     const struct booster_param *params, int n_params,
                                     struct booster **ret_booster, struct err *err);
void booster_free(struct booster *booster);
DEFINE_FREEP(struct booster *, booster_free)

/* One more round (rounds count from 0). */
MUST_CHECK enum err_code booster_update(struct booster *booster, const struct matrix *train,
                                        struct err *err);
int booster_rounds(const struct booster *booster);

/* Output margins of a matrix: ret_margins[n_rows × n_outputs] is allocated, the caller frees.
 * Cached by XGBoost for train and valid, so that a call after each round costs one tree. */
MUST_CHECK enum err_code booster_margins(struct booster *booster, const struct matrix *matrix,
                                         float **ret_margins, size_t *ret_n, struct err *err);

/* The first n_rounds rounds (1 … booster_rounds; 0 only before the first) as UBJSON, appended to
 * bytes, with the features' names and types. */
MUST_CHECK enum err_code booster_save(struct booster *booster, int n_rounds, struct buf *bytes,
                                      struct err *err);

/* Margins of a saved model of any booster for encoded rows (NaN missing, finite else), by XGBoost
 * itself: what golden rows record. */
MUST_CHECK enum err_code saved_margins(const void *bytes, size_t n_bytes, const float *features,
                                       size_t n_rows, int n_features, float **ret_margins,
                                       size_t *ret_n, struct err *err);

/* XGBoost's own importance of each feature of a saved model. Of trees: "weight", the number of
 * splits by the feature; "gain" and "cover", the means over these splits of the loss they took away
 * and of the rows they divide (sum of hessians); "total_gain", "total_cover". A linear booster has
 * "weight" alone, the coefficient, one for each output. ret_values[n_features × *ret_n_outputs],
 * which the caller frees: NaN where no split asks for the feature. */
MUST_CHECK enum err_code saved_scores(const void *bytes, size_t n_bytes, const char *kind,
                                      int n_features, float **ret_values, int *ret_n_outputs,
                                      struct err *err);

/* A model that was saved elsewhere, by XGBoost 1.7 or later, as JSON or UBJSON: what it says of
 * itself, and the same model as UBJSON of this XGBoost, appended to ubj. Hostile bytes may crash
 * XGBoost: for a process that may crash. ERR_INVALID for bytes that are no such model. */
struct saved_model {
    int n_features, n_rounds;
    const char **names, **types; /* [n_features], or NULL where the file has none */
    struct arena arena;
};
void saved_model_release(struct saved_model *saved);
MUST_CHECK enum err_code saved_model_read(const void *bytes, size_t n_bytes,
                                          struct saved_model *ret_saved, struct buf *ubj,
                                          struct err *err);

const char *xgb_version(void); /* "1.7.4" */

#endif
