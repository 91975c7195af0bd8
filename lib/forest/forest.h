/*
 * The forest: XGBoost's model, evaluated by our own code, bit for bit what XGBoost answers.
 *
 * Reads XGBoost's UBJSON (XGBoosterSaveModelToBuffer, "ubj", versions 1.7 to 3.x) of every booster:
 * gbtree and dart, random forests among them, with numerical and categorical splits, and gblinear,
 * which is not a forest and is asked the same questions. Of every objective of 1.7; of later ones
 * reg:quantileerror. Not: trees with a vector in each leaf. Hostile bytes are refused, never crash:
 * every count, index and child is checked, trees must be trees (each node reached once, no cycles),
 * sizes are bounded by the bytes that are there.
 *
 * Rules (XGBoost's cpu_predictor): NaN goes default_left; a categorical value in the node's set
 * goes right, else left (also when negative or beyond the set); else left when x < condition. The
 * margin starts at the base margin and adds the leaves in tree order, in float32; dart's are
 * multiplied by their tree's weight before. gblinear: see forest_linear.c.
 *
 * "What XGBoost answers" is what it answers for a DMatrix on x86-64: for dart, predicting in place
 * rounds otherwise; where a processor's multiply and add are one, its compiler may fuse gblinear's.
 *
 * Refuses: linking XGBoost, knowing what a feature means. A loaded forest is read by many threads.
 */
#ifndef PGBOOST_FOREST_FOREST_H
#define PGBOOST_FOREST_FOREST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct forest;

/* A model beyond these is refused: callers hold rows and margins in arrays of this size. */
#define FOREST_OUTPUTS_MAX  4096
#define FOREST_FEATURES_MAX 1000000

MUST_CHECK enum err_code forest_load(const uint8_t *bytes, size_t n_bytes,
                                     struct forest **ret_forest, struct err *err);
void forest_free(struct forest *forest);
DEFINE_FREEP(struct forest *, forest_free)

int forest_n_features(const struct forest *forest);
int forest_n_outputs(const struct forest *forest); /* 1, or the number of classes */
int forest_n_trees(const struct forest *forest);   /* gblinear: 0 */
const char *forest_objective(const struct forest *forest);
const char *forest_booster(const struct forest *forest); /* gbtree, dart or gblinear */
float forest_base_margin(const struct forest *forest);   /* of the first output */
size_t forest_bytes(const struct forest *forest);        /* memory it holds */

/* The base margin the model was stored with, by its bits: libm's logf may differ between hosts.
 * Outputs that differ in theirs (XGBoost 3.1 and later) keep what was loaded. */
void forest_set_base_margin(struct forest *forest, float base_margin);

/* Margins of one row: features[n_features] (NaN is missing) → ret_margins[n_outputs]. */
void forest_margin(const struct forest *forest, const float *features, float *ret_margins);

/* Margins of n_rows rows, row-major, in blocks; the same bits as one by one. */
void forest_margins(const struct forest *forest, const float *features, size_t n_rows,
                    float *ret_margins);

/* Explanations: exact SHAP values, those of XGBoost's pred_contribs=True (path-dependent TreeSHAP,
 * Lundberg et al. 2018), in double. ret_contributions[n_outputs × (n_features + 1)]: what each
 * feature of the row adds to each output's margin, the bias last (the base margin and the mean of
 * the trees over their training rows). They add up to the margin, but for its float32 rounding.
 *
 * scratch[forest_shap_scratch()] is room to work in; nothing is allocated. Only where the model has
 * the covers of its nodes (XGBoost's sum_hessian): forest_has_covers, always so where there are no
 * splits. Where a path asks more than 512 different features, the values are close in place of
 * exact. gblinear: each feature adds weight × value, as pred_contribs has it. */
bool forest_has_covers(const struct forest *forest);
size_t forest_shap_scratch(const struct forest *forest);
void forest_shap(const struct forest *forest, const float *features, double *ret_contributions,
                 double *scratch);

/* XGBoost's transform of the objective from margins to predictions, in place over values[n_outputs]
 * (softprob: probabilities; logistic: the positive class's; softmax: the class's index in
 * values[0]). ERR_INVALID at load for an objective that is not in the table. */
void forest_transform(const struct forest *forest, float *values);

#endif
