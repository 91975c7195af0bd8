/*
 * Curves of many points, thinned to those that make their shape; for the files of lib/metric alone.
 */
#ifndef PGBOOST_METRIC_CURVE_H
#define PGBOOST_METRIC_CURVE_H

#include <stddef.h>

#include "base/err.h"

struct point {
    double x, y, threshold;
};

/* Keeps at most max (≥ 2) of the points, in place and in their order, and returns how many: see
 * report_roc. *ret_distance: how far the farthest of those left out is from the line that passes it
 * by. */
size_t curve_thin(struct point *points, size_t n, size_t max, double *ret_distance);

#endif
