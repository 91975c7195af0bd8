/*
 * Calibration: what is fitted to rows that the trees did not learn from, so that probabilities mean
 * what they say, the label is chosen where the project wants it, and intervals hold what they
 * promise.
 *
 * In the way of the data: the best trial's margins of the validation rows → calibrate → the model's
 * `calibration` → model_predict. Two things to know of these rows: their margins are those of the
 * trial's booster, whose twin, refitted with them, is what is served; and early stopping looked at
 * them.
 *
 * Classification. A map is fitted where there are rows enough (platt, temperature: 200; isotonic:
 * 1,000; of two classes, 20 of each). "auto" cross-validates each of the task by log loss, in five
 * folds, by row number or of whole groups where the split is by group, and keeps the best where it
 * is better than none in 95 % of paired bootstrap replicates; a map that the project names is kept
 * wherever it can be fitted. The threshold is searched behind the map. Regression: the absolute
 * residuals. A row counts by its weight everywhere.
 */
#ifndef PGBOOST_TRAIN_CALIBRATE_H
#define PGBOOST_TRAIN_CALIBRATE_H

#include "forest/objective.h"
#include "train/measure.h"

/* May the project ask for what it asks for? n_classes is 0 while the rows are not known.
 * ERR_CONFIG, field "/calibration" or "/threshold". */
MUST_CHECK enum err_code calibrate_check(const struct project *project, enum task task,
                                         int n_classes, struct err *err);

struct calibrate_input {
    const struct project *project;
    const struct dataset *dataset;
    const struct rows *rows;           /* that the trees did not learn from */
    const float *margins;              /* [rows × outputs] */
    const struct objective *objective; /* whose transform makes predictions of them */
};

/* Appends what is stored with the model ("": nothing), and members of its metrics, each with a
 * comma before it, that say what was done and why. */
MUST_CHECK enum err_code calibrate(const struct calibrate_input *input, struct buf *stored,
                                   struct buf *report, struct err *err);

/* Appends ,"coverage":{"0.9":{"covered":…,"half_width":…},…}: the share of truths within intervals
 * of some levels; null where a level takes more residuals than there are. Nothing where there are
 * none. */
void coverage_write(const struct calibration *calibration, const struct predictions *predictions,
                    struct buf *json);

#endif
