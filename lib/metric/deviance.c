/*
 * Deviances of the Tweedie family: twice the log likelihood that a row's own y would have above
 * that of the prediction. Definitions and domains as in mean_tweedie_deviance; outside of a domain
 * NaN.
 *
 * All are written in u = (y − p) / p, of which a prediction near y leaves u²: the formulas of the
 * textbooks subtract y from p three times over and keep no digit of it where u is 10⁻⁸.
 */
#include "metric/metric_internal.h"

#define VARIANCE_POWER_DEFAULT 1.5

/* Below, ten terms of a series are as good as double. */
#define SMALL   .02
#define N_TERMS 10

/* log(1 + u) − u */
static double log1p_less(double u)
{
    double sum = 0, power = u;

    if (!(fabs(u) < SMALL))
        return log1p(u) - u;
    for (int k = 2; k < 2 + N_TERMS; k++) {
        power *= -u;
        sum += power / k;
    }
    return sum;
}

/* exp(x) − 1 − x */
static double expm1_less(double x)
{
    double sum = 0, term = x;

    if (!(fabs(x) < SMALL))
        return expm1(x) - x;
    for (int k = 2; k < 2 + N_TERMS; k++) {
        term *= x / k;
        sum += term;
    }
    return sum;
}

/* y log(y/p) − y + p = p ((1 + u) log(1 + u) − u) */
static double poisson(double y, double p)
{
    double u = (y - p) / p;

    if (!(y >= 0) || !(p > 0))
        return NAN;
    return 2 * (y == 0 ? p : p * ((1 + u) * log1p_less(u) + u * u));
}

/* log(p/y) + y/p − 1 = u − log(1 + u) */
static double gamma_of(double y, double p)
{
    return y > 0 && p > 0 ? -2 * log1p_less((y - p) / p) : NAN;
}

/* With a = 1 − power and b = 2 − power: y^b / (ab) − y p^a / a + p^b / b, a negative y counting as
 * 0 in y^b; = p^b / (ab) ((1 + u)^b − 1 − bu). */
static double general(double y, double p, double power)
{
    double a = 1 - power, b = 2 - power, u = (y - p) / p, part;

    if (!(p > 0) || (power > 0 && y < 0) || (power > 2 && y == 0))
        return NAN;
    part = y > 0 ? expm1_less(b * log1p(u)) + b * log1p_less(u) : -1 - b * u;
    return 2 * pow(p, b) / (a * b) * part;
}

static double deviance(double y, double p, double power)
{
    if (power == 1)
        return poisson(y, p);
    if (power == 2)
        return gamma_of(y, p);
    return power < 0 || power > 1 ? general(y, p, power) : NAN;
}

static enum err_code mean_deviance(const struct metric_input *input, double power,
                                   double *ret_value)
{
    struct mean mean = {0};

    for (size_t i = 0; i < input->n_rows; i++)
        mean_add(&mean, deviance(input->y[i], input->predictions[i], power),
                 metric_weight(input, i));
    *ret_value = mean_value(&mean);
    return ERR_OK;
}

enum err_code regression_poisson(const struct metric_input *input, double *ret_value,
                                 struct err *err)
{
    (void)err;
    return mean_deviance(input, 1, ret_value);
}

enum err_code regression_gamma(const struct metric_input *input, double *ret_value, struct err *err)
{
    (void)err;
    return mean_deviance(input, 2, ret_value);
}

enum err_code regression_tweedie(const struct metric_input *input, double *ret_value,
                                 struct err *err)
{
    double power = input->variance_power == 0 ? VARIANCE_POWER_DEFAULT : input->variance_power;

    (void)err;
    return mean_deviance(input, power, ret_value);
}
