/*
 * Metrics of the order in which probabilities put the rows. All are NaN where a class that they
 * compare does not occur.
 */
#include "metric/metric_internal.h"

/* Mann and Whitney's U over the product of the sizes: the share of (positive, negative) pairs in
 * the right order, a tie counting half. */
static double area_under_roc(const struct steps *steps)
{
    struct sum above = {0}, wins = {0};

    for (size_t i = 0; i < steps->n; i++) {
        const struct step *step = &steps->items[i];

        sum_add(&wins, step->negative * (sum_value(&above) + step->positive / 2));
        sum_add(&above, step->positive);
    }
    return sum_value(&wins) / (steps->positive * steps->negative);
}

static enum err_code area_of_class(const struct metric_input *input, uint32_t k, double *ret_area,
                                   struct err *err)
{
    CLEANUP(steps_release) struct steps steps = {0};

    TRY(steps_of(input, k, &steps, err));
    *ret_area = area_under_roc(&steps);
    return ERR_OK;
}

/* Binary: of the positive class. More: the mean of each class against the rest, NaN when a class
 * does not occur (scikit-learn raises). */
enum err_code score_roc_auc(const struct metric_input *input, double *ret_value, struct err *err)
{
    struct mean mean = {0};
    double area;

    if (input->n_classes == 2)
        return area_of_class(input, 1, ret_value, err);
    for (int k = 0; k < input->n_classes; k++) {
        TRY(area_of_class(input, (uint32_t)k, &area, err));
        mean_add(&mean, area, 1);
    }
    *ret_value = mean_value(&mean);
    return ERR_OK;
}

/* Σ (recall − recall before) × precision over the thresholds: no interpolation, which would be too
 * kind (Davis and Goadrich 2006). */
enum err_code score_pr_auc(const struct metric_input *input, double *ret_value, struct err *err)
{
    CLEANUP(steps_release) struct steps steps = {0};
    struct sum positive = {0}, passed = {0}, area = {0};

    TRY(steps_of(input, 1, &steps, err));
    for (size_t i = 0; i < steps.n; i++) {
        const struct step *step = &steps.items[i];

        sum_add(&positive, step->positive);
        sum_add(&passed, step->positive + step->negative);
        sum_add(&area, step->positive * sum_value(&positive) / sum_value(&passed));
    }
    *ret_value = sum_value(&area) / steps.positive;
    return ERR_OK;
}

/* The largest true positive rate less the false one over the thresholds: one-sided, so that scores
 * in the wrong order are worth 0. */
enum err_code score_ks(const struct metric_input *input, double *ret_value, struct err *err)
{
    CLEANUP(steps_release) struct steps steps = {0};
    struct sum positive = {0}, negative = {0};
    double best = 0;

    TRY(steps_of(input, 1, &steps, err));
    for (size_t i = 0; i < steps.n; i++) {
        sum_add(&positive, steps.items[i].positive);
        sum_add(&negative, steps.items[i].negative);
        best = fmax(best,
                    sum_value(&positive) / steps.positive - sum_value(&negative) / steps.negative);
    }
    *ret_value = steps.positive > 0 && steps.negative > 0 ? best : NAN;
    return ERR_OK;
}

/* How many times more positives the tenth of the rows with the highest probabilities holds than a
 * tenth drawn at random: from 0 to 10. */
enum err_code score_lift(const struct metric_input *input, double *ret_value, struct err *err)
{
    CLEANUP(steps_release) struct steps steps = {0};

    TRY(steps_of(input, 1, &steps, err));
    *ret_value = steps_first(&steps, .1).positive / steps.positive / .1;
    return ERR_OK;
}
