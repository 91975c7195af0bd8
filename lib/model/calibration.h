/*
 * What stands between a model's margins and its answer: calibrated probabilities, a threshold, and
 * the residuals that intervals are made of.
 *
 * In the way of the data: margins → the objective's transform → calibration (this) → probabilities
 * → label. Fitted by train/calibrate.h on rows that the trees did not learn from, stored with the
 * model as JSON, applied by model_predict alone. All in double.
 *
 *   platt        two classes: 1 / (1 + exp(−(slope · margin + intercept))), slope above 0
 *   isotonic     two classes: from the transformed probability, a line through points that rise,
 *                level before the first and behind the last
 *   temperature  more classes: softmax(margins / temperature)
 *
 * Each rises with the margin: rows keep their order (isotonic: but for new ties), and the most
 * probable of more classes stays it.
 *
 * Stored: {"method": "platt", "slope": …, "intercept": …} or {"method": "isotonic", "from": […],
 * "to": […]} or {"method": "temperature", "temperature": …}; "threshold" beside them or alone;
 * {"residuals": {"rows": n, "ranks": […], "values": […]}} of a regression.
 */
#ifndef PGBOOST_MODEL_CALIBRATION_H
#define PGBOOST_MODEL_CALIBRATION_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"

enum calibration_method {
    CALIBRATION_NONE,
    CALIBRATION_PLATT,
    CALIBRATION_ISOTONIC,
    CALIBRATION_TEMPERATURE,
    CALIBRATION_METHODS
};

/* Points of a line, or residuals: more are not stored. */
#define CALIBRATION_POINTS_MAX 1024

struct calibration {
    enum calibration_method method;
    double slope, intercept;
    double temperature;
    int n_points;
    double *from, *to; /* [n_points] from rises, to does not fall, both within 0 and 1 */

    bool has_threshold;
    double threshold; /* two classes: label 1 from this probability on */

    /* Of n_rows absolute residuals the ranks[i]-th smallest (from 1) is residuals[i]. */
    double n_rows; /* 0: there are none */
    int n_residuals;
    double *ranks, *residuals; /* [n_residuals] ranks rise, residuals do not fall */
};

/* The stored form of one that does something; "" of one that does nothing. */
MUST_CHECK enum err_code calibration_to_json(const struct calibration *calibration,
                                             struct buf *json, struct err *err);

/* And back, for a model with so many labels (0: regression), into the arena. Errors: ERR_CORRUPT
 * (also what does not fit the labels), ERR_NOMEM. */
MUST_CHECK enum err_code calibration_from_json(const char *json, size_t length, int n_labels,
                                               struct arena *arena,
                                               struct calibration *ret_calibration,
                                               struct err *err);

const char *calibration_method_name(enum calibration_method method); /* "none", "platt" … */

/* The probability of label 1 of two, from its margin and what the objective makes of it. */
double calibration_positive(const struct calibration *calibration, float margin, float probability);

/* The probabilities of n labels from their margins; for CALIBRATION_TEMPERATURE. */
void calibration_soften(const struct calibration *calibration, const float *margins, int n,
                        double *ret_probabilities);

/*
 * Half the width of the interval that holds the truth with probability `level` (in (0, 1)), where
 * future rows are like those of the residuals: split conformal (Lei et al. 2018), the
 * ⌈(n + 1) · level⌉-th smallest residual, or the next greater one that is stored. INFINITY where
 * that is beyond those that are stored: calibration_level_max tells the largest level that is not,
 * calibration_rows_for how many rows a level needs.
 */
double calibration_half_width(const struct calibration *calibration, double level);
double calibration_level_max(const struct calibration *calibration);
double calibration_rows_for(double level);

#endif
