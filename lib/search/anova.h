/*
 * Functional ANOVA of points in the unit cube (Hutter, Hoos and Leyton-Brown, ICML 2014).
 *
 * A forest of 64 regression trees is grown, each on as many points drawn with replacement, by the
 * splits that take away most of the squared error, until the values of a leaf are the same. A tree
 * is a function on the cube: its variance over the cube is V, the variance of its mean along one
 * dimension, all others averaged out over the cube, is V_d. The effect of d is the forest's mean of
 * V_d ÷ V. Effects add up to at most 1; the rest belongs to combinations of dimensions.
 */
#ifndef PGBOOST_SEARCH_ANOVA_H
#define PGBOOST_SEARCH_ANOVA_H

#include <stdint.h>

#include "base/err.h"

#define ANOVA_POINTS_MAX 1000 /* a tree is grown on at most so many */

/* Of points [n × n_dimensions] with their values [n], finite; ret_effects [n_dimensions]. */
MUST_CHECK enum err_code anova_effects(const double *points, const double *values, int n,
                                       int n_dimensions, uint64_t seed, double *ret_effects,
                                       struct err *err);

#endif
