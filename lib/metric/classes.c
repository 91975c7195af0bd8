/*
 * Metrics of the chosen class. All follow from three counts for each class: rows of it, rows
 * predicted as it, rows of both (a confusion matrix would be n_classes² large), each by weight.
 *
 * Macro averages run over the classes that occur, in truth or prediction; 0/0 counts as 0.
 */
#include "metric/metric_internal.h"

/* While they are added up. */
struct class_sums {
    struct sum truth, chosen, both;
};

static void counts_release(struct class_counts *counts)
{
    free(counts->classes);
    *counts = (struct class_counts){0};
}

static void add_rows(const struct metric_input *input, struct class_sums *sums)
{
    for (size_t i = 0; i < input->n_rows; i++) {
        double weight = metric_weight(input, i);

        if (!(weight > 0))
            continue;
        sum_add(&sums[input->classes[i]].truth, weight);
        sum_add(&sums[input->chosen[i]].chosen, weight);
        if (input->classes[i] == input->chosen[i])
            sum_add(&sums[input->classes[i]].both, weight);
    }
}

static enum err_code count_classes(const struct metric_input *input,
                                   struct class_counts *ret_counts, struct err *err)
{
    size_t n = (size_t)input->n_classes;
    CLEANUP(free_ptr) struct class_sums *sums = calloc(n + 1, sizeof(*sums));
    struct class_count *classes = calloc(n + 1, sizeof(*classes));
    struct class_sums all = {0};

    if (sums == NULL || classes == NULL) {
        free(classes);
        return err_nomem(err);
    }
    add_rows(input, sums);
    for (size_t k = 0; k < n; k++) {
        classes[k] = (struct class_count){sum_value(&sums[k].truth), sum_value(&sums[k].chosen),
                                          sum_value(&sums[k].both)};
        sum_add(&all.truth, classes[k].truth);
        sum_add(&all.chosen, classes[k].chosen);
        sum_add(&all.both, classes[k].both);
    }
    *ret_counts = (struct class_counts){
        .classes = classes,
        .n_classes = input->n_classes,
        .all = {sum_value(&all.truth), sum_value(&all.chosen), sum_value(&all.both)},
    };
    return ERR_OK;
}

static double ratio(double part, double whole)
{
    return whole == 0 ? 0 : part / whole;
}

typedef double class_score(const struct class_count *count);

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

static double of_positive_class(const struct class_counts *counts, class_score *score)
{
    return counts->all.truth > 0 ? score(&counts->classes[1]) : NAN;
}

static double macro_average(const struct class_counts *counts, class_score *score,
                            bool only_true_classes)
{
    struct mean mean = {0};

    for (int k = 0; k < counts->n_classes; k++) {
        const struct class_count *count = &counts->classes[k];

        if (count->truth > 0 || (!only_true_classes && count->chosen > 0))
            mean_add(&mean, score(count), 1);
    }
    return mean_value(&mean);
}

double counts_precision(const struct class_counts *counts)
{
    return of_positive_class(counts, precision_of);
}

double counts_recall(const struct class_counts *counts)
{
    return of_positive_class(counts, recall_of);
}

double counts_f1(const struct class_counts *counts)
{
    return of_positive_class(counts, f1_of);
}

double counts_precision_macro(const struct class_counts *counts)
{
    return macro_average(counts, precision_of, false);
}

double counts_recall_macro(const struct class_counts *counts)
{
    return macro_average(counts, recall_of, false);
}

double counts_f1_macro(const struct class_counts *counts)
{
    return macro_average(counts, f1_of, false);
}

/* Recall over the classes that truly occur. */
double counts_balanced_accuracy(const struct class_counts *counts)
{
    return macro_average(counts, recall_of, true);
}

/* Weighted by how often a class truly occurs. */
double counts_f1_weighted(const struct class_counts *counts)
{
    struct mean mean = {0};

    for (int k = 0; k < counts->n_classes; k++)
        mean_add(&mean, f1_of(&counts->classes[k]), counts->classes[k].truth);
    return mean_value(&mean);
}

double counts_accuracy(const struct class_counts *counts)
{
    return counts->all.both / counts->all.truth;
}

/* What truth and choice share beside what they would by chance, each a sum over classes. Written as
 * count × (all − count), which does not cancel as all² − Σ count² does. */
struct chance {
    struct sum together;                /* Σ truth × chosen */
    struct sum truth, chosen, disagree; /* Σ truth × (all − truth), …, Σ truth × (all − chosen) */
};

static struct chance chance_of(const struct class_counts *counts)
{
    struct chance chance = {0};

    for (int k = 0; k < counts->n_classes; k++) {
        const struct class_count *count = &counts->classes[k];

        sum_add(&chance.together, count->truth * count->chosen);
        sum_add(&chance.truth, count->truth * (counts->all.truth - count->truth));
        sum_add(&chance.chosen, count->chosen * (counts->all.chosen - count->chosen));
        sum_add(&chance.disagree, count->truth * (counts->all.chosen - count->chosen));
    }
    return chance;
}

/* Gorodkin 2004: the correlation of truth and choice for any number of classes; 0 when either is
 * constant. */
double counts_mcc(const struct class_counts *counts)
{
    struct chance chance = chance_of(counts);
    double truth = sum_value(&chance.truth), chosen = sum_value(&chance.chosen);

    if (!(counts->all.truth > 0))
        return NAN;
    if (truth == 0 || chosen == 0)
        return 0;
    return (counts->all.both * counts->all.truth - sum_value(&chance.together)) /
           (sqrt(truth) * sqrt(chosen));
}

/* Cohen 1960: 1 − disagreement / disagreement by chance; not defined where chance cannot disagree
 * (truth and choice are all of one class). */
double counts_kappa(const struct class_counts *counts)
{
    struct chance chance = chance_of(counts);
    double disagree = sum_value(&chance.disagree);

    if (!(disagree > 0))
        return NAN;
    return 1 - counts->all.truth * (counts->all.truth - counts->all.both) / disagree;
}

static enum err_code of_counts(const struct metric_input *input, counts_score *score,
                               double *ret_value, struct err *err)
{
    CLEANUP(counts_release) struct class_counts counts = {0};

    TRY(count_classes(input, &counts, err));
    *ret_value = score(&counts);
    return ERR_OK;
}

enum err_code class_accuracy(const struct metric_input *input, double *ret_value, struct err *err)
{
    return of_counts(input, counts_accuracy, ret_value, err);
}

enum err_code class_balanced_accuracy(const struct metric_input *input, double *ret_value,
                                      struct err *err)
{
    return of_counts(input, counts_balanced_accuracy, ret_value, err);
}

enum err_code class_precision_macro(const struct metric_input *input, double *ret_value,
                                    struct err *err)
{
    return of_counts(input, counts_precision_macro, ret_value, err);
}

enum err_code class_recall_macro(const struct metric_input *input, double *ret_value,
                                 struct err *err)
{
    return of_counts(input, counts_recall_macro, ret_value, err);
}

enum err_code class_f1_macro(const struct metric_input *input, double *ret_value, struct err *err)
{
    return of_counts(input, counts_f1_macro, ret_value, err);
}

enum err_code class_f1_weighted(const struct metric_input *input, double *ret_value,
                                struct err *err)
{
    return of_counts(input, counts_f1_weighted, ret_value, err);
}

enum err_code class_precision(const struct metric_input *input, double *ret_value, struct err *err)
{
    return of_counts(input, counts_precision, ret_value, err);
}

enum err_code class_recall(const struct metric_input *input, double *ret_value, struct err *err)
{
    return of_counts(input, counts_recall, ret_value, err);
}

enum err_code class_f1(const struct metric_input *input, double *ret_value, struct err *err)
{
    return of_counts(input, counts_f1, ret_value, err);
}

enum err_code class_mcc(const struct metric_input *input, double *ret_value, struct err *err)
{
    return of_counts(input, counts_mcc, ret_value, err);
}

enum err_code class_kappa(const struct metric_input *input, double *ret_value, struct err *err)
{
    return of_counts(input, counts_kappa, ret_value, err);
}
