/*
 * XGBoost's booster "gblinear": a weighted sum in place of trees.
 *
 * Its own order of additions decides the bits (GBLinear::Pred): the bias and the base margin first,
 * then the features in their order, each product rounded to float32. A missing value is passed
 * over. It knows one base margin, the first, whatever the number of outputs.
 */
#include <math.h>

#include "forest/forest_internal.h"

void linear_margin(const struct forest *forest, const float *features, float *ret_margins)
{
    size_t n_features = (size_t)forest->n_features, n_outputs = (size_t)forest->n_outputs;
    const float *weights = forest->weights, *biases = weights + n_features * n_outputs;

    for (size_t k = 0; k < n_outputs; k++)
        ret_margins[k] = biases[k] + forest->base_margins[0];
    for (size_t f = 0; f < n_features; f++, weights += n_outputs) {
        if (isnan(features[f]))
            continue;
        for (size_t k = 0; k < n_outputs; k++)
            ret_margins[k] += features[f] * weights[k];
    }
}

/* As pred_contribs has it: a feature adds its term, whatever its mean over the training rows. */
void linear_shap(const struct forest *forest, const float *features, double *ret_contributions)
{
    size_t n_features = (size_t)forest->n_features, n_outputs = (size_t)forest->n_outputs;

    for (size_t k = 0; k < n_outputs; k++) {
        const float *weights = forest->weights + k;
        double *contributions = ret_contributions + k * (n_features + 1);

        for (size_t f = 0; f < n_features; f++)
            contributions[f] =
                isnan(features[f]) ? 0 : (double)features[f] * (double)weights[f * n_outputs];
        contributions[n_features] =
            (double)weights[n_features * n_outputs] + (double)forest->base_margins[0];
    }
}
