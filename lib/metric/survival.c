/*
 * Likelihoods of survival; the concordance index has a file of its own (concordance.c).
 */
#include "metric/metric_internal.h"

/* ---- Cox's partial likelihood ---- */

struct at_risk {
    double time, hazard, weight;
    bool event;
};

static int compare_falling_times(const void *a, const void *b)
{
    double left = ((const struct at_risk *)a)->time, right = ((const struct at_risk *)b)->time;

    return (left < right) - (left > right);
}

/* The rows of a weight; false when one's time is not a moment or its hazard not one. */
static bool fill_at_risk(const struct metric_input *input, struct at_risk *rows, size_t *ret_n)
{
    size_t n = 0;

    for (size_t i = 0; i < input->n_rows; i++) {
        struct span span = metric_span(input, i);
        double weight = metric_weight(input, i), hazard = input->predictions[i];

        if (!(weight > 0))
            continue;
        if (!(hazard >= 0) || isnan(span.lower) ||
            (span.upper != span.lower && span.upper != INFINITY))
            return false;
        rows[n++] = (struct at_risk){span.lower, hazard, weight, span.upper == span.lower};
    }
    *ret_n = n;
    return true;
}

/*
 * The mean over events of log(Σ of the hazards of those still at risk) − log(the event's own), ties
 * by Breslow 1974: all events of one moment meet the same rows at risk, themselves and those
 * censored then included. Needs hazards, and times that are seen or right-censored.
 */
enum err_code survival_cox(const struct metric_input *input, double *ret_value, struct err *err)
{
    CLEANUP(free_ptr) struct at_risk *rows = calloc(input->n_rows + 1, sizeof(*rows));
    struct sum hazards = {0};
    struct mean mean = {0};
    size_t n;

    if (rows == NULL)
        return err_nomem(err);
    *ret_value = NAN;
    if (!input->hazards || !fill_at_risk(input, rows, &n))
        return ERR_OK;
    qsort(rows, n, sizeof(*rows), compare_falling_times);
    for (size_t begin = 0, end; begin < n; begin = end) {
        for (end = begin; end < n && rows[end].time == rows[begin].time; end++)
            sum_add(&hazards, rows[end].weight * rows[end].hazard);
        for (size_t i = begin; i < end; i++)
            if (rows[i].event)
                mean_add(&mean, log(sum_value(&hazards)) - log(rows[i].hazard), rows[i].weight);
    }
    *ret_value = mean_value(&mean);
    return ERR_OK;
}

/* ---- accelerated failure time ---- */

#define LIKELIHOOD_MIN 1e-12 /* XGBoost's kEps */

/* A distribution of the noise: density, and the weight of either tail without cancellation. */
struct noise {
    double (*density)(double z);
    double (*below)(double z);
    double (*above)(double z);
};

static double normal_density(double z)
{
    return exp(-z * z / 2) / sqrt(2 * M_PI);
}

static double normal_below(double z)
{
    return erfc(-z * M_SQRT1_2) / 2;
}

static double normal_above(double z)
{
    return erfc(z * M_SQRT1_2) / 2;
}

static double logistic_below(double z)
{
    return 1 / (1 + exp(-z));
}

static double logistic_above(double z)
{
    return 1 / (1 + exp(z));
}

static double logistic_density(double z)
{
    return logistic_below(z) * logistic_above(z);
}

/* The least of many: Gumbel's distribution of minima. exp(z − exp(z)), whose product form is
 * infinity × 0 far out. */
static double extreme_density(double z)
{
    return exp(z - exp(z));
}

static double extreme_below(double z)
{
    return -expm1(-exp(z));
}

static double extreme_above(double z)
{
    return exp(-exp(z));
}

static const struct noise noises[] = {
    [METRIC_AFT_NORMAL] = {normal_density, normal_below, normal_above},
    [METRIC_AFT_LOGISTIC] = {logistic_density, logistic_below, logistic_above},
    [METRIC_AFT_EXTREME] = {extreme_density, extreme_below, extreme_above},
};

/* Between two points, by the tails that are smaller. */
static double between(const struct noise *noise, double low, double high)
{
    if (low > 0)
        return noise->above(low) - noise->above(high);
    return noise->below(high) - noise->below(low);
}

/* The likelihood of a row, the predicted time being exp(location): the density of a time that was
 * seen, the probability of a span. log 0 and log ∞ are the infinities the tails know. */
static double likelihood(const struct noise *noise, struct span span, double prediction,
                         double sigma)
{
    double location = log(prediction);
    double low = (log(fmax(span.lower, 0)) - location) / sigma;
    double high = (log(span.upper) - location) / sigma;

    if (span.lower == span.upper)
        return noise->density(low) / (sigma * span.lower);
    return between(noise, low, high);
}

static bool aft_defined(struct span span, double prediction)
{
    return span.lower <= span.upper && span.upper > 0 && prediction > 0 && isfinite(prediction) &&
           (span.lower < span.upper || isfinite(span.lower));
}

/*
 * The mean of −log likelihood of log time = log prediction + sigma × noise (Barnwal, Cho and
 * Hocking 2022), no likelihood counting as less than 1e-12. Needs predicted times, not hazards.
 */
enum err_code survival_aft(const struct metric_input *input, double *ret_value, struct err *err)
{
    double sigma = input->aft_scale == 0 ? 1 : input->aft_scale;
    struct mean mean = {0};

    (void)err;
    *ret_value = NAN;
    if (input->hazards || !(sigma > 0) || (size_t)input->aft >= N_ELEMENTS(noises))
        return ERR_OK;
    for (size_t i = 0; i < input->n_rows; i++) {
        struct span span = metric_span(input, i);
        double loss = NAN;

        if (aft_defined(span, input->predictions[i]))
            loss = -log(fmax(likelihood(&noises[input->aft], span, input->predictions[i], sigma),
                             LIKELIHOOD_MIN));
        mean_add(&mean, loss, metric_weight(input, i));
    }
    *ret_value = mean_value(&mean);
    return ERR_OK;
}
