/*
 * XGBoost's handles and the turning of its errors into ours; for the files of lib/xgb alone.
 */
#ifndef PGBOOST_XGB_XGB_INTERNAL_H
#define PGBOOST_XGB_XGB_INTERNAL_H

#include <xgboost/c_api.h>

#include "xgb/booster.h"

struct matrix {
    DMatrixHandle handle;
    size_t n_rows;
    int n_features;
    /* Copied into every booster trained on it, so that a saved model knows its columns. Point into
     * `texts`. */
    const char **names, **types;
    char *texts;
};

struct booster {
    BoosterHandle handle;
    int n_rounds;
};

/* An array of numpy's array interface, version 3: where XGBoost finds the caller's memory. Valid
 * until the next use of the struct. */
struct array_interface {
    char json[192];
};
void array_interface_2d(struct array_interface *array, const float *data, size_t n_rows,
                        int n_columns);
void array_interface_1d(struct array_interface *array, const float *data, size_t n);
void array_interface_of_ints(struct array_interface *array, const uint32_t *data, size_t n);

/* XGBoost's last error on this thread as ours: "cannot WHAT: its message", without its stack trace
 * and source file. ERR_NOMEM where memory ran out. */
enum err_code xgb_failed(struct err *err, const char *what);

/* A booster that was saved, opened on one thread. */
MUST_CHECK enum err_code booster_open(const void *bytes, size_t n_bytes,
                                      struct booster **ret_booster, struct err *err);
/* The whole booster as UBJSON, appended. */
MUST_CHECK enum err_code booster_save_all(BoosterHandle handle, struct buf *bytes, struct err *err);

/* A copy of a result that XGBoost owns. */
MUST_CHECK enum err_code xgb_copy_result(const bst_ulong *shape, bst_ulong n_dimensions,
                                         const float *result, float **ret_values, size_t *ret_n,
                                         struct err *err);

/* Is it a parameter we let through? */
MUST_CHECK enum err_code xgb_check_param(const struct booster_param *param, struct err *err);

#define XGB_TRY(call, what)                                                                        \
    do {                                                                                           \
        if ((call) != 0)                                                                           \
            return xgb_failed(err, what);                                                          \
    } while (0)

#endif
