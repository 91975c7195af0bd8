/*
 * Metrics of the probabilities themselves; those of their order are in scores.c.
 */
#include <float.h>

#include "metric/metric_internal.h"

#define N_BINS        10
#define TOP_K_DEFAULT 3

static const double *row_of(const struct metric_input *input, size_t row)
{
    return input->probabilities + row * (size_t)input->n_classes;
}

/* Into [ε, 1 − ε], ε float64's; NaN stays NaN. */
static double clip(double p)
{
    if (p < DBL_EPSILON)
        return DBL_EPSILON;
    return p > 1 - DBL_EPSILON ? 1 - DBL_EPSILON : p;
}

/* Of clipped probabilities, each row scaled to sum to 1. */
enum err_code probability_log_loss(const struct metric_input *input, double *ret_value,
                                   struct err *err)
{
    struct mean loss = {0};

    (void)err;
    for (size_t i = 0; i < input->n_rows; i++) {
        const double *row = row_of(input, i);
        double sum = 0, of_truth = 0;

        for (int k = 0; k < input->n_classes; k++) {
            double p = clip(row[k]);

            sum += p;
            if ((uint32_t)k == input->classes[i])
                of_truth = p;
        }
        mean_add(&loss, -log(of_truth / sum), metric_weight(input, i));
    }
    *ret_value = mean_value(&loss);
    return ERR_OK;
}

static double square(double x)
{
    return x * x;
}

/* Brier 1950: the squared distance of the probabilities from the truth, over all classes. With two
 * classes the half of it, that of the positive class. */
enum err_code probability_brier(const struct metric_input *input, double *ret_value,
                                struct err *err)
{
    struct mean mean = {0};

    (void)err;
    for (size_t i = 0; i < input->n_rows; i++) {
        const double *row = row_of(input, i);
        double distance = 0;

        if (input->n_classes == 2)
            distance = square((input->classes[i] == 1) - row[1]);
        else
            for (int k = 0; k < input->n_classes; k++)
                distance += square((input->classes[i] == (uint32_t)k) - row[k]);
        mean_add(&mean, distance, metric_weight(input, i));
    }
    *ret_value = mean_value(&mean);
    return ERR_OK;
}

/* Bins of equal width, (b/10, (b+1)/10] and 0 in the first. */
static int bin_of(double p)
{
    double bin = ceil(p * N_BINS) - 1;

    if (!(bin > 0))
        return 0;
    return bin < N_BINS ? (int)bin : N_BINS - 1;
}

/* The mean over rows of |observed share − mean probability| of the row's bin, by the probability of
 * the positive class. */
enum err_code probability_ece(const struct metric_input *input, double *ret_value, struct err *err)
{
    struct sum excess[N_BINS] = {0}, gap = {0}, weights = {0};

    (void)err;
    for (size_t i = 0; i < input->n_rows; i++) {
        double p = row_of(input, i)[1], weight = metric_weight(input, i);

        if (!(weight > 0))
            continue;
        sum_add(&excess[bin_of(p)], weight * ((input->classes[i] == 1) - p));
        sum_add(&weights, weight);
    }
    for (int b = 0; b < N_BINS; b++)
        sum_add(&gap, fabs(sum_value(&excess[b])));
    *ret_value = sum_value(&gap) / sum_value(&weights);
    return ERR_OK;
}

/* Of equal probabilities the first class goes first, as it is chosen first. */
static bool among_first(const double *row, int n_classes, uint32_t truth, size_t k)
{
    size_t n_before = 0;

    for (int j = 0; j < n_classes; j++)
        n_before += row[j] > row[truth] || (row[j] == row[truth] && (uint32_t)j < truth);
    return n_before < k;
}

static bool any_not_number(const double *row, int n_classes)
{
    for (int k = 0; k < n_classes; k++)
        if (isnan(row[k]))
            return true;
    return false;
}

/* The share of rows whose class is among the k most probable ones. */
enum err_code probability_top_k(const struct metric_input *input, double *ret_value,
                                struct err *err)
{
    size_t k = input->k == 0 ? TOP_K_DEFAULT : input->k;
    struct mean mean = {0};

    (void)err;
    for (size_t i = 0; i < input->n_rows; i++) {
        const double *row = row_of(input, i);
        double hit = NAN;

        if (!any_not_number(row, input->n_classes))
            hit = among_first(row, input->n_classes, input->classes[i], k);
        mean_add(&mean, hit, metric_weight(input, i));
    }
    *ret_value = mean_value(&mean);
    return ERR_OK;
}
