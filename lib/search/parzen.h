/*
 * A Parzen estimator: the density of a set of points, a kernel around each and a broad one, the
 * prior, over the whole space.
 *
 * It is Optuna's multivariate one (samplers/_tpe/parzen_estimator.py: consider_prior and
 * consider_magic_clip set, prior_weight 1, weights default_weights). One kernel is one point in all
 * axes. On an axis of numbers it is a normal distribution truncated to the axis, of standard
 * deviation 0.2 n^(-1 / (axes + 4)) times the range (Scott's rule), but at least the range ÷
 * min(100, n + 2); where values come in steps a value has the mass of its cell. On an axis of
 * choices it gives its own choice 1 + 1 ÷ (n + 1) and every other 1 ÷ (n + 1), brought to a sum of
 * 1. The prior is a normal distribution at the middle, of the range's width; of choices all the
 * same. Kernels weigh alike up to 25 points; of more the newest 25 weigh 1 and the older ones less,
 * along a line down to 1 ÷ n; the prior weighs 1.
 *
 * Not Optuna's: a point may lack an axis (NaN), and then its kernel is the prior there. The density
 * of a point that lacks an axis leaves the axis out.
 */
#ifndef PGBOOST_SEARCH_PARZEN_H
#define PGBOOST_SEARCH_PARZEN_H

#include "base/err.h"
#include "base/random.h"

/* Ends of numbers are those of the outermost cells where values come in steps. */
struct parzen_axis {
    int n_choices; /* 0: numbers */
    double low, high;
    double step; /* 0: any number */
};

struct parzen {
    int n_axes, n_kernels; /* the prior is the last */
    const struct parzen_axis *axes;
    double *points;  /* [n_kernels × n_axes]; the prior's are NaN */
    double *weights; /* [n_kernels], of sum 1 */
    double width;    /* of the kernels of numbers, a share of the axis' range */
};

/* Of n points [n × n_axes], the oldest first. The axes must outlive it. */
MUST_CHECK enum err_code parzen_init(struct parzen *parzen, const struct parzen_axis *axes,
                                     int n_axes, const double *points, int n, struct err *err);
void parzen_release(struct parzen *parzen);

double parzen_log_density(const struct parzen *parzen, const double *point);

/* A point drawn from the density; numbers are not brought to their steps. */
void parzen_draw(const struct parzen *parzen, struct rng *rng, double *ret_point);

/* The share of the density on an axis of numbers that lies below x, or of a choice. */
double parzen_mass_below(const struct parzen *parzen, int axis, double x);
double parzen_mass_of(const struct parzen *parzen, int axis, int choice);

#endif
