#include "search/parzen.h"

#include <float.h>
#include <math.h>

#define WIDTH_MAGNITUDE 0.2
#define KERNELS_FLAT    25 /* the newest, which weigh the same */

void parzen_release(struct parzen *parzen)
{
    free(parzen->points);
    free(parzen->weights);
    *parzen = (struct parzen){0};
}

/* Of n points, the oldest first, then the prior. */
static void set_weights(double *weights, int n)
{
    int n_ramp = n > KERNELS_FLAT ? n - KERNELS_FLAT : 0;
    double oldest = 1.0 / n, sum = 1;

    for (int i = 0; i < n; i++) {
        weights[i] = i >= n_ramp  ? 1
                     : n_ramp > 1 ? oldest + (1 - oldest) * i / (n_ramp - 1)
                                  : oldest;
        sum += weights[i];
    }
    weights[n] = 1;
    for (int i = 0; i <= n; i++)
        weights[i] /= sum;
}

enum err_code parzen_init(struct parzen *parzen, const struct parzen_axis *axes, int n_axes,
                          const double *points, int n, struct err *err)
{
    size_t n_values = (size_t)n * (size_t)n_axes;
    struct parzen made = {.n_axes = n_axes, .n_kernels = n + 1, .axes = axes};

    made.points = calloc(n_values + (size_t)n_axes + 1, sizeof(double));
    made.weights = calloc((size_t)n + 1, sizeof(double));
    if (made.points == NULL || made.weights == NULL) {
        parzen_release(&made);
        return err_nomem(err);
    }
    for (size_t i = 0; i < n_values; i++)
        made.points[i] = points[i];
    for (int i = 0; i < n_axes; i++)
        made.points[n_values + (size_t)i] = NAN;
    set_weights(made.weights, n);
    made.width = WIDTH_MAGNITUDE * pow(n > 0 ? n : 1, -1.0 / (n_axes + 4));
    made.width = fmin(fmax(made.width, 1 / fmin(100, n + 2)), 1);
    *parzen = made;
    return ERR_OK;
}

/* The standard normal distribution's share below x. */
static double normal_below(double x)
{
    return 0.5 * erfc(-x * M_SQRT1_2);
}

/* Its logarithm; far out by the asymptotic series of the tail (Abramowitz and Stegun 26.2.12). */
static double log_normal_below(double x)
{
    double term = 1, sum = 1;

    if (x > -20)
        return x > 0 ? log1p(-normal_below(-x)) : log(normal_below(x));
    for (int i = 1; fabs(term) > DBL_EPSILON; i++) {
        term *= -(2 * i - 1) / (x * x);
        sum += term;
    }
    return -0.5 * x * x - log(-x) - 0.5 * log(2 * M_PI) + log(sum);
}

/* log of the standard normal's share between a and b. */
static double log_normal_between(double a, double b)
{
    double log_a, log_b;

    if (a > 0)
        return log_normal_between(-b, -a);
    if (b > 0)
        return log1p(-normal_below(a) - normal_below(-b));
    log_a = log_normal_below(a);
    log_b = log_normal_below(b);
    return log_b + log1p(-exp(log_a - log_b));
}

/* A kernel on an axis of numbers. */
struct normal {
    double mean, deviation;
};

static struct normal normal_of(const struct parzen *parzen, int axis, double at)
{
    const struct parzen_axis *a = &parzen->axes[axis];
    double range = a->high - a->low;

    if (isnan(at))
        return (struct normal){a->low + range / 2, range};
    return (struct normal){at, range * parzen->width};
}

static double log_number(const struct parzen *parzen, int axis, double at, double x)
{
    const struct parzen_axis *a = &parzen->axes[axis];
    struct normal kernel = normal_of(parzen, axis, at);
    double low = (a->low - kernel.mean) / kernel.deviation;
    double high = (a->high - kernel.mean) / kernel.deviation;
    double z = (x - kernel.mean) / kernel.deviation, half = a->step / 2 / kernel.deviation;

    if (x < a->low || x > a->high)
        return -INFINITY;
    if (a->step > 0)
        return log_normal_between(fmax(z - half, low), fmin(z + half, high)) -
               log_normal_between(low, high);
    return -z * z / 2 - 0.5 * log(2 * M_PI) - log(kernel.deviation) - log_normal_between(low, high);
}

/* A kernel's share of a choice. */
static double choice_share(const struct parzen *parzen, int axis, double at, int choice)
{
    int n = parzen->axes[axis].n_choices;
    double each = 1.0 / parzen->n_kernels;

    if (isnan(at))
        return 1.0 / n;
    return (each + ((int)at == choice)) / (1 + each * n);
}

static double log_kernel(const struct parzen *parzen, int kernel, const double *point)
{
    const double *at = parzen->points + (size_t)kernel * (size_t)parzen->n_axes;
    double sum = log(parzen->weights[kernel]);

    for (int i = 0; i < parzen->n_axes; i++) {
        if (isnan(point[i]))
            continue;
        sum += parzen->axes[i].n_choices > 0 ? log(choice_share(parzen, i, at[i], (int)point[i]))
                                             : log_number(parzen, i, at[i], point[i]);
    }
    return sum;
}

double parzen_log_density(const struct parzen *parzen, const double *point)
{
    double largest = -INFINITY, sum = 0;

    for (int i = 0; i < parzen->n_kernels; i++) { /* log-sum-exp in one pass */
        double value = log_kernel(parzen, i, point);

        if (value <= largest) {
            sum += isinf(value) ? 0 : exp(value - largest);
        } else {
            sum = sum * exp(largest - value) + 1;
            largest = value;
        }
    }
    return log(sum) + largest;
}

/* The kernel at a share u of all weights. */
static int kernel_at(const struct parzen *parzen, double u)
{
    int i = 0;

    for (; i < parzen->n_kernels - 1 && u >= parzen->weights[i]; i++)
        u -= parzen->weights[i];
    return i;
}

static double draw_choice(const struct parzen *parzen, int axis, double at, double u)
{
    int i = 0;

    for (; i < parzen->axes[axis].n_choices - 1; i++) {
        double share = choice_share(parzen, axis, at, i);

        if (u < share)
            break;
        u -= share;
    }
    return i;
}

/* By bisection of the distribution; the mean is within the axis, so that no tail is far. */
static double draw_number(const struct parzen *parzen, int axis, double at, double u)
{
    const struct parzen_axis *a = &parzen->axes[axis];
    struct normal kernel = normal_of(parzen, axis, at);
    double low = (a->low - kernel.mean) / kernel.deviation;
    double high = (a->high - kernel.mean) / kernel.deviation;
    double wanted = normal_below(low) + u * (normal_below(high) - normal_below(low));

    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;

        if (normal_below(middle) < wanted)
            low = middle;
        else
            high = middle;
    }
    return fmin(fmax(kernel.mean + low * kernel.deviation, a->low), a->high);
}

void parzen_draw(const struct parzen *parzen, struct rng *rng, double *ret_point)
{
    int kernel = kernel_at(parzen, rng_uniform(rng));
    const double *at = parzen->points + (size_t)kernel * (size_t)parzen->n_axes;

    for (int i = 0; i < parzen->n_axes; i++)
        ret_point[i] = parzen->axes[i].n_choices > 0
                           ? draw_choice(parzen, i, at[i], rng_uniform(rng))
                           : draw_number(parzen, i, at[i], rng_uniform(rng));
}

double parzen_mass_below(const struct parzen *parzen, int axis, double x)
{
    const struct parzen_axis *a = &parzen->axes[axis];
    double sum = 0;

    for (int i = 0; i < parzen->n_kernels; i++) {
        struct normal k = normal_of(
            parzen, axis, parzen->points[(size_t)i * (size_t)parzen->n_axes + (size_t)axis]);
        double low = normal_below((a->low - k.mean) / k.deviation);
        double high = normal_below((a->high - k.mean) / k.deviation);

        sum += parzen->weights[i] * (normal_below((x - k.mean) / k.deviation) - low) / (high - low);
    }
    return sum;
}

double parzen_mass_of(const struct parzen *parzen, int axis, int choice)
{
    double sum = 0;

    for (int i = 0; i < parzen->n_kernels; i++)
        sum +=
            parzen->weights[i] *
            choice_share(parzen, axis,
                         parzen->points[(size_t)i * (size_t)parzen->n_axes + (size_t)axis], choice);
    return sum;
}
