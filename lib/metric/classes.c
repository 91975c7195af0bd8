/*
 * Metrics of the chosen class. All follow from three counts for each class: rows of it, rows
 * predicted as it, rows of both (a confusion matrix would be n_classes² large).
 *
 * Macro averages run over the classes that occur, in truth or prediction; 0/0 counts as 0.
 */
#include "metric/metric_internal.h"

struct class_count {
    double truth, chosen, both;
};

static enum err_code count_classes(const struct metric_input *input,
                                   struct class_count **ret_counts, struct err *err)
{
    struct class_count *counts = calloc((size_t)input->n_classes, sizeof(*counts));

    if (counts == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < input->n_rows; i++) {
        counts[input->classes[i]].truth++;
        counts[input->chosen[i]].chosen++;
        if (input->classes[i] == input->chosen[i])
            counts[input->classes[i]].both++;
    }
    *ret_counts = counts;
    return ERR_OK;
}

static double ratio(double part, double whole)
{
    return whole == 0 ? 0 : part / whole;
}

static double precision_of(const struct class_count *count)
{
    return ratio(count->both, count->chosen);
}

static double recall_of(const struct class_count *count)
{
    return ratio(count->both, count->truth);
}

static double f1_of(const struct class_count *count)
{
    return ratio(2 * count->both, count->truth + count->chosen);
}

static enum err_code macro_average(const struct metric_input *input,
                                   double (*score)(const struct class_count *count),
                                   bool only_true_classes, double *ret_value, struct err *err)
{
    CLEANUP(free_ptr) struct class_count *counts = NULL;
    double sum = 0, n = 0;

    TRY(count_classes(input, &counts, err));
    for (int k = 0; k < input->n_classes; k++) {
        if (counts[k].truth > 0 || (!only_true_classes && counts[k].chosen > 0)) {
            sum += score(&counts[k]);
            n++;
        }
    }
    *ret_value = sum / n; /* no rows: NaN */
    return ERR_OK;
}

enum err_code class_precision(const struct metric_input *input, double *ret_value, struct err *err)
{
    return macro_average(input, precision_of, false, ret_value, err);
}

enum err_code class_recall(const struct metric_input *input, double *ret_value, struct err *err)
{
    return macro_average(input, recall_of, false, ret_value, err);
}

enum err_code class_f1(const struct metric_input *input, double *ret_value, struct err *err)
{
    return macro_average(input, f1_of, false, ret_value, err);
}

/* Recall over the classes that truly occur. */
enum err_code class_balanced_accuracy(const struct metric_input *input, double *ret_value,
                                      struct err *err)
{
    return macro_average(input, recall_of, true, ret_value, err);
}

enum err_code class_accuracy(const struct metric_input *input, double *ret_value, struct err *err)
{
    size_t n_right = 0;

    (void)err;
    for (size_t i = 0; i < input->n_rows; i++)
        n_right += input->classes[i] == input->chosen[i];
    *ret_value = (double)n_right / (double)input->n_rows;
    return ERR_OK;
}

/* Gorodkin 2004: the correlation of truth and choice for any number of classes; 0 when either is
 * constant. */
enum err_code class_mcc(const struct metric_input *input, double *ret_value, struct err *err)
{
    CLEANUP(free_ptr) struct class_count *counts = NULL;
    double n = (double)input->n_rows, n_right = 0;
    double truth_chosen = 0, truth_truth = 0, chosen_chosen = 0, variances;

    TRY(count_classes(input, &counts, err));
    for (int k = 0; k < input->n_classes; k++) {
        n_right += counts[k].both;
        truth_chosen += counts[k].truth * counts[k].chosen;
        truth_truth += counts[k].truth * counts[k].truth;
        chosen_chosen += counts[k].chosen * counts[k].chosen;
    }
    variances = (n * n - truth_truth) * (n * n - chosen_chosen);
    if (input->n_rows == 0)
        *ret_value = NAN;
    else
        *ret_value = variances == 0 ? 0 : (n_right * n - truth_chosen) / sqrt(variances);
    return ERR_OK;
}
