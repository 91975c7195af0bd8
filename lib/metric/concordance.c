/*
 * The concordance index: how well predictions order the times of events.
 */
#include "metric/metric_internal.h"

struct subject {
    struct span span;
    double weight;
    uint32_t rank; /* of the predicted time among the different ones, from 0 */
};

struct predicted {
    double time;
    size_t subject;
};

/* Sums over ranks: Fenwick 1994. */
struct tree {
    double *sums; /* [n + 1] */
    size_t n;
};

static void tree_add(struct tree *tree, size_t rank, double weight)
{
    for (size_t i = rank + 1; i <= tree->n; i += i & -i)
        tree->sums[i] += weight;
}

/* Over the ranks below. */
static double tree_below(const struct tree *tree, size_t rank)
{
    double sum = 0;

    for (size_t i = rank; i > 0; i -= i & -i)
        sum += tree->sums[i];
    return sum;
}

static int compare_predicted(const void *a, const void *b)
{
    double left = ((const struct predicted *)a)->time, right = ((const struct predicted *)b)->time;

    return (left > right) - (left < right);
}

static int compare_upper(const void *a, const void *b)
{
    double left = (*(const struct subject *const *)a)->span.upper;
    double right = (*(const struct subject *const *)b)->span.upper;

    return (left > right) - (left < right);
}

/* By lower; of equal ones the events that were seen first. */
static int compare_lower(const void *a, const void *b)
{
    const struct span *left = &(*(const struct subject *const *)a)->span;
    const struct span *right = &(*(const struct subject *const *)b)->span;

    if (left->lower != right->lower)
        return left->lower < right->lower ? -1 : 1;
    return (left->upper > left->lower) - (right->upper > right->lower);
}

struct cohort {
    struct subject *subjects; /* [n] those of a weight */
    size_t n;
    uint32_t n_ranks;
    bool not_numbers; /* a time or prediction is NaN, or a span ends before it begins */
    struct subject **by_upper, **by_lower; /* [n] */
    double *sums;                          /* [n + 1] of the tree */
};

static void cohort_release(struct cohort *cohort)
{
    free(cohort->subjects);
    free(cohort->by_upper);
    free(cohort->by_lower);
    free(cohort->sums);
}

static void rank_predictions(struct cohort *cohort, struct predicted *predicted)
{
    qsort(predicted, cohort->n, sizeof(*predicted), compare_predicted);
    for (size_t i = 0; i < cohort->n; i++) {
        if (i == 0 || predicted[i].time != predicted[i - 1].time)
            cohort->n_ranks++;
        cohort->subjects[predicted[i].subject].rank = cohort->n_ranks - 1;
    }
}

static void fill(const struct metric_input *input, struct cohort *cohort,
                 struct predicted *predicted)
{
    for (size_t i = 0; i < input->n_rows; i++) {
        struct span span = metric_span(input, i);
        double weight = metric_weight(input, i);
        double time = input->hazards ? -input->predictions[i] : input->predictions[i];

        if (!(weight > 0))
            continue;
        cohort->not_numbers |= isnan(time) || !(span.lower <= span.upper);
        cohort->subjects[cohort->n] = (struct subject){.span = span, .weight = weight};
        predicted[cohort->n] = (struct predicted){time, cohort->n};
        cohort->n++;
    }
}

static enum err_code cohort_init(const struct metric_input *input, struct cohort *cohort,
                                 struct err *err)
{
    CLEANUP(free_ptr) struct predicted *predicted = calloc(input->n_rows + 1, sizeof(*predicted));

    cohort->subjects = calloc(input->n_rows + 1, sizeof(*cohort->subjects));
    cohort->by_upper = calloc(input->n_rows + 1, sizeof(struct subject *));
    cohort->by_lower = calloc(input->n_rows + 1, sizeof(struct subject *));
    cohort->sums = calloc(input->n_rows + 1, sizeof(double));
    if (predicted == NULL || cohort->subjects == NULL || cohort->by_upper == NULL ||
        cohort->by_lower == NULL || cohort->sums == NULL)
        return err_nomem(err);
    fill(input, cohort, predicted);
    if (cohort->not_numbers)
        return ERR_OK;
    rank_predictions(cohort, predicted);
    for (size_t i = 0; i < cohort->n; i++)
        cohort->by_upper[i] = cohort->by_lower[i] = &cohort->subjects[i];
    qsort(cohort->by_upper, cohort->n, sizeof(struct subject *), compare_upper);
    qsort(cohort->by_lower, cohort->n, sizeof(struct subject *), compare_lower);
    return ERR_OK;
}

/* One event is surely before another: it ends before the other begins or, when both are one moment,
 * the other was censored then and so comes later. */
static bool surely_before(const struct span *first, const struct span *second)
{
    return first->upper < second->lower ||
           (first->upper == second->lower && second->upper > second->lower);
}

/*
 * Of the pairs of which one event was surely first, the share that the predictions order so too, a
 * tie counting half (Harrell, Califf, Pryor, Lee and Rosati, JAMA 1982, where events are seen or
 * right-censored; the rule carries over to any span). Pairs weigh the product of their weights. NaN
 * where no pair can be compared.
 *
 * Subjects go by the time from which they are later than others; those surely before are in a tree
 * over their predictions' ranks by then.
 */
enum err_code survival_concordance(const struct metric_input *input, double *ret_value,
                                   struct err *err)
{
    CLEANUP(cohort_release) struct cohort cohort = {0};
    struct sum concordant = {0}, comparable = {0}, inserted = {0};
    struct tree tree;
    size_t n_inserted = 0;

    TRY(cohort_init(input, &cohort, err));
    tree = (struct tree){cohort.sums, cohort.n_ranks};
    *ret_value = NAN;
    if (cohort.not_numbers)
        return ERR_OK;
    for (size_t i = 0; i < cohort.n; i++) {
        const struct subject *later = cohort.by_lower[i];
        double below, up_to;

        for (; n_inserted < cohort.n &&
               surely_before(&cohort.by_upper[n_inserted]->span, &later->span);
             n_inserted++) {
            tree_add(&tree, cohort.by_upper[n_inserted]->rank, cohort.by_upper[n_inserted]->weight);
            sum_add(&inserted, cohort.by_upper[n_inserted]->weight);
        }
        below = tree_below(&tree, later->rank);
        up_to = tree_below(&tree, later->rank + 1);
        sum_add(&concordant, later->weight * (below + (up_to - below) / 2));
        sum_add(&comparable, later->weight * sum_value(&inserted));
    }
    *ret_value = sum_value(&concordant) / sum_value(&comparable);
    return ERR_OK;
}
