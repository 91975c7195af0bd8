/*
 * Fitting the maps of model/calibration.h to rows: the mathematics, without the choice among them.
 *
 *   platt        logistic regression of the class on the margin, by Newton's method with a line
 *                search (Lin, Lin and Weng 2007), on Platt's targets (N₊ + 1) ÷ (N₊ + 2) and
 *                1 ÷ (N₋ + 2) in place of 1 and 0
 *   isotonic     pool adjacent violators (Ayer et al. 1955) on the probability, ties pooled first;
 *                each pool is a level line from its first to its last probability. Levels are kept
 *                within 1 ÷ (n + 2) and 1 − 1 ÷ (n + 2): none is sure. Where there are too many
 *                pools to store, neighbours are pooled further
 *   temperature  the least log loss of softmax(margins ÷ temperature), convex in 1 ÷ temperature
 *                (Guo et al. 2017); from 0.05 to 20
 *
 * A row counts by its weight: N₊, N₋ and n are sums of weights.
 *
 * A map that would not rise with the margin is none: method CALIBRATION_NONE.
 */
#ifndef PGBOOST_TRAIN_CALIBRATION_FIT_H
#define PGBOOST_TRAIN_CALIBRATION_FIT_H

#include "model/calibration.h"

/* Where no folds are given, a row's is its number modulo this. */
#define CALIBRATION_FOLDS 5

struct calibration_rows {
    size_t n;
    int n_outputs;           /* 1: two classes; else as many as there are classes */
    const float *margins;    /* [n × n_outputs] */
    const float *positive;   /* [n] two classes: the transformed probability of class 1 */
    const uint32_t *rising;  /* [n] two classes: the rows by rising `positive` */
    const uint32_t *classes; /* [n] */
    const double *weights;   /* [n] of mean 1; NULL: 1 each */
    const uint32_t *folds;   /* [n] below CALIBRATION_FOLDS; NULL: by number */
    int left_out;            /* this fold is not looked at; -1: all are */
};

static inline uint32_t calibration_fold(const struct calibration_rows *rows, size_t row)
{
    return rows->folds != NULL ? rows->folds[row] : (uint32_t)(row % CALIBRATION_FOLDS);
}
static inline double calibration_weight(const struct calibration_rows *rows, size_t row)
{
    return rows->weights != NULL ? rows->weights[row] : 1;
}

/* The fit's arrays live in the arena. */
typedef enum err_code calibration_fit(const struct calibration_rows *rows, struct arena *arena,
                                      struct calibration *ret_calibration, struct err *err);
calibration_fit platt_fit, isotonic_fit, temperature_fit;

#endif
