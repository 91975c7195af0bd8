/*
 * Measuring: a model's predictions on rows it never saw, beside a baseline on the same rows.
 */
#ifndef PGBOOST_TRAIN_MEASURE_H
#define PGBOOST_TRAIN_MEASURE_H

#include "train/dataset.h"

/* Predictions on n_rows rows in the form metrics take them. Zeroed memory is valid. */
struct predictions {
    size_t n_rows;
    int n_classes;         /* 0: regression */
    double *y;             /* [n_rows] */
    uint32_t *classes;     /* [n_rows] */
    double *values;        /* [n_rows] regression */
    double *probabilities; /* [n_rows × n_classes] */
    uint32_t *chosen;      /* [n_rows] */
    double *weights;       /* [n_rows], or NULL: 1 each */
    uint32_t *lists;       /* [n_rows] ranking */
    double *upper;         /* [n_rows] survival: from y on */
    bool hazards;          /* survival: values are hazard ratios, not times; the caller's to set */
    enum metric_aft aft;
    double aft_scale;
};
void predictions_release(struct predictions *predictions);

/* The truth of rows, with room for predictions. */
MUST_CHECK enum err_code predictions_init(struct predictions *predictions,
                                          const struct dataset *dataset, const struct rows *rows,
                                          struct err *err);
struct metric_input predictions_input(const struct predictions *predictions);

/* Fills row i from transformed outputs: regression the value; binary the positive class's
 * probability; multiclass all of them. */
void predictions_set(struct predictions *predictions, size_t row, const float *outputs);

/* What the model predicts for the rows: its own encoder, forest and calibration, as serving does,
 * block by block, so that the encoded matrix is never in memory as a whole. The model's labels are
 * matched to the dataset's by their text. ERR_CONFLICT: the rows do not have a column that the
 * model takes, or the model has another task. */
MUST_CHECK enum err_code measure_model(const struct model *model, const struct dataset *dataset,
                                       const struct rows *rows, struct predictions *ret,
                                       struct err *err);

/* Every metric of the task as JSON members without braces: "rmse":1.5,"mae":… (null where it is not
 * defined), and the key metric's value. */
MUST_CHECK enum err_code measure_metrics(const struct predictions *predictions,
                                         enum metric_task task, const struct metric *key,
                                         struct buf *json, double *ret_key, struct err *err);

/* What pictures are drawn from (metric/report.h), as JSON members without braces. */
MUST_CHECK enum err_code measure_reports(const struct predictions *predictions,
                                         enum metric_task task, struct buf *json, struct err *err);

/* The loss beside a key metric: the key itself where less of it is better, else the task's own. Of
 * ranking and survival the task's own is 1 - a metric whose best is 1: measure_as_loss. */
const struct metric *measure_loss(const struct metric *key, enum metric_task task);

static inline double measure_as_loss(const struct metric *loss, double value)
{
    return loss->higher_is_better ? 1 - value : value;
}

/* {"metric","value","low","high"}: 1 - loss / the baseline's loss, with its 95 % interval. The loss
 * is measure_loss's. */
MUST_CHECK enum err_code measure_skill(const struct predictions *model,
                                       const struct predictions *baseline, enum metric_task task,
                                       const struct metric *key, int64_t seed, struct buf *json,
                                       struct err *err);

#endif
