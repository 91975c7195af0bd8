/*
 * What can be predicted without a model: the answers that a model has to beat, on the same rows.
 *
 *   mean, median   regression: of the training rows
 *   last           regression with a time column: the newest training row's value (its rows' mean)
 *   prior          classification: the classes' shares among the training rows
 *   majority       classification: the most frequent class, with certainty
 *   linear         regression and classification: train/baseline_linear.h
 *   random_order   ranking: rows all alike, so that every order is as likely (metric/ranking.c)
 *   kaplan_meier   survival by times: the training rows' median (dataset_median_time)
 *   equal_hazards  survival by hazards: rows all alike
 *
 * Each row counts by its weight. The first that fits the task is the one that scores are shown
 * beside.
 */
#ifndef PGBOOST_TRAIN_BASELINE_H
#define PGBOOST_TRAIN_BASELINE_H

#include "train/measure.h"

struct baseline {
    const char *name;
    unsigned tasks; /* of enum metric_task */
    enum { BASELINE_ANY, BASELINE_BY_TIME, BASELINE_TIMES, BASELINE_HAZARDS } needs;
    /* Fills values, or probabilities and chosen, of predictions that were initialised. */
    enum err_code (*predict)(const struct dataset *dataset, const struct rows *training,
                             struct predictions *predictions, struct err *err);
}; /* predict NULL: one that is fitted to the features */

/* The index-th baseline that fits the dataset, from 0; NULL: there are no more. */
const struct baseline *baseline_at(const struct dataset *dataset, int index);

/* why says why there is none, where it is not empty. */
MUST_CHECK enum err_code baseline_predict(const struct baseline *baseline,
                                          const struct project *project,
                                          const struct dataset *dataset,
                                          const struct rows *training, const struct rows *rows,
                                          struct predictions *ret, struct buf *why,
                                          struct err *err);

#endif
