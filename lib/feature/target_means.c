#include "feature/target_means.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "feature/encoder_internal.h"

int target_n_means(const struct encoder_target *target)
{
    return target->values != NULL && target->n_outputs <= MEANS_MAX ? target->n_outputs : 0;
}

/* Sums into means and prior; counts[n_categories] and *ret_n_rows beside them. */
static void sum_rows(const struct mean_rows *in, int left_out, double *means, double *prior,
                     size_t *counts, size_t *ret_n_rows)
{
    size_t n_outputs = (size_t)in->target->n_outputs;

    *ret_n_rows = 0;
    for (size_t i = 0; i < in->n_rows; i++) {
        uint32_t category = in->categories[i];

        if ((int)(i % MEAN_FOLDS) == left_out)
            continue;
        ++*ret_n_rows;
        for (size_t k = 0; k < n_outputs; k++)
            prior[k] += encoder_target_value(in->target, in->rows[i], k);
        if (category == STRMAP_NONE)
            continue;
        counts[category]++;
        for (size_t k = 0; k < n_outputs; k++)
            means[category * n_outputs + k] += encoder_target_value(in->target, in->rows[i], k);
    }
}

static enum err_code check_finite(const double *values, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (fabs(values[i]) <= (double)FLT_MAX) /* false for NaN */
            continue;
        err_set(err, ERR_DATA, "the target has no mean that a float32 can hold");
        return err_hint(err, "scale the target in the view, or leave infinite values out");
    }
    return ERR_OK;
}

enum err_code target_means(const struct mean_rows *in, int left_out, double *means, double *prior,
                           struct err *err)
{
    size_t n_outputs = (size_t)in->target->n_outputs;
    CLEANUP(free_ptr) size_t *counts = calloc(in->n_categories + 1, sizeof(*counts));
    size_t n_rows;

    if (counts == NULL)
        return err_nomem(err);
    memset(means, 0, in->n_categories * n_outputs * sizeof(*means));
    memset(prior, 0, n_outputs * sizeof(*prior));
    sum_rows(in, left_out, means, prior, counts, &n_rows);
    for (size_t k = 0; k < n_outputs; k++)
        prior[k] = n_rows == 0 ? 0 : without_tiny(prior[k] / (double)n_rows);
    for (size_t i = 0; i < in->n_categories; i++) {
        for (size_t k = 0; k < n_outputs; k++) {
            double *mean = &means[i * n_outputs + k];

            *mean = counts[i] == 0 ? prior[k]
                                   : without_tiny((*mean + MEAN_SMOOTHING * prior[k]) /
                                                  ((double)counts[i] + MEAN_SMOOTHING));
        }
    }
    TRY(check_finite(prior, n_outputs, err));
    return check_finite(means, in->n_categories * n_outputs, err);
}
