/*
 * Metrics of the probabilities.
 */
#include <float.h>

#include "metric/metric_internal.h"

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
    struct sum loss = {0};

    (void)err;
    for (size_t i = 0; i < input->n_rows; i++) {
        const double *row = input->probabilities + i * (size_t)input->n_classes;
        double sum = 0, of_truth = 0;

        for (int k = 0; k < input->n_classes; k++) {
            double p = clip(row[k]);

            sum += p;
            if ((uint32_t)k == input->classes[i])
                of_truth = p;
        }
        sum_add(&loss, -log(of_truth / sum));
    }
    *ret_value = sum_value(&loss) / (double)input->n_rows;
    return ERR_OK;
}

enum err_code probability_brier(const struct metric_input *input, double *ret_value,
                                struct err *err)
{
    struct sum sum = {0};

    (void)err;
    for (size_t i = 0; i < input->n_rows; i++) {
        double miss = (input->classes[i] == 1) - input->probabilities[i * 2 + 1];

        sum_add(&sum, miss * miss);
    }
    *ret_value = sum_value(&sum) / (double)input->n_rows;
    return ERR_OK;
}

/* ---- ROC AUC ---- */

struct scored {
    double score;
    bool positive;
};

static int compare_scores(const void *a, const void *b)
{
    double left = ((const struct scored *)a)->score, right = ((const struct scored *)b)->score;

    return (left > right) - (left < right);
}

/* Mann and Whitney's U over the product of the sizes: the share of (positive, negative) pairs in
 * the right order, a tie counting half. NaN when one side is empty. Sorts rows. */
static double area_under_roc(struct scored *rows, size_t n)
{
    double n_positive = 0, n_negative = 0;
    struct sum wins = {0};

    qsort(rows, n, sizeof(*rows), compare_scores);
    for (size_t begin = 0, end; begin < n; begin = end) {
        double positive = 0, negative = 0;

        for (end = begin; end < n && rows[end].score == rows[begin].score; end++) {
            positive += rows[end].positive;
            negative += !rows[end].positive;
        }
        sum_add(&wins, positive * (n_negative + negative / 2));
        n_positive += positive;
        n_negative += negative;
    }
    return sum_value(&wins) / (n_positive * n_negative);
}

static double area_of_class(const struct metric_input *input, uint32_t k, struct scored *rows)
{
    for (size_t i = 0; i < input->n_rows; i++) {
        rows[i].score = input->probabilities[i * (size_t)input->n_classes + k];
        rows[i].positive = input->classes[i] == k;
    }
    return area_under_roc(rows, input->n_rows);
}

/* Binary: of the positive class. More: the mean of each class against the rest, NaN when a class
 * does not occur (scikit-learn raises). */
enum err_code probability_roc_auc(const struct metric_input *input, double *ret_value,
                                  struct err *err)
{
    CLEANUP(free_ptr) struct scored *rows = calloc(input->n_rows + 1, sizeof(*rows));
    double sum = 0;

    if (rows == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < input->n_rows * (size_t)input->n_classes; i++) {
        if (isnan(input->probabilities[i])) { /* cannot be ordered */
            *ret_value = NAN;
            return ERR_OK;
        }
    }
    if (input->n_classes == 2) {
        *ret_value = area_of_class(input, 1, rows);
        return ERR_OK;
    }
    for (int k = 0; k < input->n_classes; k++)
        sum += area_of_class(input, (uint32_t)k, rows);
    *ret_value = sum / input->n_classes;
    return ERR_OK;
}
