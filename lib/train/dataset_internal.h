/*
 * What the files of a dataset share: each fills its part, in this order. For lib/train/dataset*.c
 * only.
 */
#ifndef PGBOOST_TRAIN_DATASET_INTERNAL_H
#define PGBOOST_TRAIN_DATASET_INTERNAL_H

#include "train/dataset.h"

/* y, and for a classification the classes in the order of their labels; known classes are a
 * model's, in its order, with those it never saw behind them. */
MUST_CHECK enum err_code dataset_read_numbers(struct dataset *dataset, struct err *err);
MUST_CHECK enum err_code dataset_read_classes(struct dataset *dataset, struct err *err);
MUST_CHECK enum err_code dataset_read_known_classes(struct dataset *dataset,
                                                    const struct model *model, struct err *err);

/* weights, of the rows with a target; no one asks what the others would weigh. column: of the
 * frame; -1: there are none. ERR_DATA: it is no number. */
MUST_CHECK enum err_code dataset_read_weights(struct dataset *dataset, int column,
                                              const struct rows *rows, struct err *err);
/* As XGBoost has them. */
double dataset_sum_of_weights(const struct dataset *dataset, const struct rows *rows);
/* Rows of weight 0 alone teach and measure nothing: ERR_DATA, with the part's name. */
MUST_CHECK enum err_code dataset_check_weight(const struct dataset *dataset,
                                              const struct rows *rows, const char *name,
                                              struct err *err);

/* Ranking: lists, of the rows with a target. Then what depends on them: rows put together by list,
 * the newest time of each row's list (of rows that stand by list or not; the caller frees
 * ret_times[frame rows]), whether the rows of each list weigh the same (of rows that stand by
 * list), and whether a part's lists are something to learn from. */
MUST_CHECK enum err_code dataset_read_lists(struct dataset *dataset, const struct project *project,
                                            const struct rows *rows, struct err *err);
MUST_CHECK enum err_code dataset_gather_lists(const struct dataset *dataset, struct rows *rows,
                                              struct err *err);
MUST_CHECK enum err_code dataset_list_times(const struct dataset *dataset, const struct rows *rows,
                                            int64_t **ret_times, struct err *err);
MUST_CHECK enum err_code dataset_check_list_weights(const struct dataset *dataset,
                                                    const struct rows *rows, struct err *err);
MUST_CHECK enum err_code dataset_check_lists(const struct dataset *dataset, const struct rows *rows,
                                             const char *name, struct err *err);

/* Survival: upper, seen, and by what likelihoods are. A part needs an event. */
MUST_CHECK enum err_code dataset_read_times(struct dataset *dataset, const struct project *project,
                                            const struct rows *rows, struct err *err);
MUST_CHECK enum err_code dataset_check_times(const struct dataset *dataset, const struct rows *rows,
                                             const char *name, struct err *err);

/* The split of the rows, in as many folds as the project says or the rows suggest, and whether its
 * parts are something to learn from. */
MUST_CHECK enum err_code dataset_split_rows(const struct project *project, struct dataset *dataset,
                                            const struct rows *rows, struct err *err);

#endif
