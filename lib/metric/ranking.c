/*
 * Metrics of rankings: rows in lists, each list ordered by its scores.
 *
 * Tied scores leave the order open: each metric is then its mean over all orders of the ties, by
 * the closed forms of McSherry and Najork, "Computing information retrieval performance measures
 * efficiently in the presence of tied scores", ECIR 2008 (ndcg_score does the same). "Relevant" is
 * y > 0. Lists without a relevant row: see metric.h.
 */
#include "metric/metric_internal.h"

#define K_DEFAULT 10

struct ranked {
    double score, relevance;
};

struct list {
    struct ranked *rows; /* [n] by falling score */
    size_t n;
    size_t k;           /* how many of the first count */
    double *relevances; /* [n] falling: the ideal order */
    double n_relevant;
};

/* Rows of one score: positions begin to end, from 0. */
struct tie {
    size_t begin, end;
    double size, n_relevant, relevance;
};

/* The tie that begins at a row. */
static struct tie tie_at(const struct list *list, size_t begin)
{
    struct tie tie = {.begin = begin, .end = begin};
    struct sum relevance = {0};

    for (; tie.end < list->n && list->rows[tie.end].score == list->rows[begin].score; tie.end++) {
        tie.n_relevant += list->rows[tie.end].relevance > 0;
        sum_add(&relevance, list->rows[tie.end].relevance);
    }
    tie.size = (double)(tie.end - begin);
    tie.relevance = sum_value(&relevance);
    return tie;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static double discount(size_t position)
{
    return 1 / log2((double)position + 2);
}

/* Järvelin and Kekäläinen 2002, the gain being the relevance itself (XGBoost's is 2^relevance − 1).
 */
static double ndcg_of(const struct list *list)
{
    struct sum gain = {0}, ideal = {0};

    if (list->n_relevant == 0)
        return NAN;
    for (struct tie tie = {0}; tie.end < smaller(list->k, list->n);) {
        tie = tie_at(list, tie.end);
        for (size_t i = tie.begin; i < smaller(list->k, tie.end); i++)
            sum_add(&gain, tie.relevance / tie.size * discount(i));
    }
    for (size_t i = 0; i < smaller(list->k, list->n); i++)
        sum_add(&ideal, list->relevances[i] * discount(i));
    return sum_value(&gain) / sum_value(&ideal);
}

/* The mean, over the relevant rows that the first k could hold, of the precision at each one's
 * position (0 where it is not among the first k): a perfect order is worth 1. */
static double average_precision_of(const struct list *list)
{
    struct sum precisions = {0};
    double before = 0;

    if (list->n_relevant == 0)
        return NAN;
    for (struct tie tie = {0}; tie.end < smaller(list->k, list->n);) {
        tie = tie_at(list, tie.end);
        for (size_t i = tie.begin; i < smaller(list->k, tie.end); i++) {
            double others = tie.size > 1 ? (double)(i - tie.begin) / (tie.size - 1) : 0;
            double hits = before + 1 + others * (tie.n_relevant - 1);

            if (tie.n_relevant > 0)
                sum_add(&precisions, tie.n_relevant / tie.size * hits / (double)(i + 1));
        }
        before += tie.n_relevant;
    }
    return sum_value(&precisions) / fmin(list->n_relevant, (double)list->k);
}

/* 1 / the position of the first relevant row, all rows looked at. In a tie of m rows, r of them
 * relevant, the first relevant one is at j with probability C(m − j, r − 1) / C(m, r). */
static double reciprocal_rank_of(const struct list *list)
{
    struct tie tie = {0};
    struct sum mean = {0};
    double probability;

    if (list->n_relevant == 0)
        return NAN;
    do
        tie = tie_at(list, tie.end);
    while (tie.n_relevant == 0);
    probability = tie.n_relevant / tie.size;
    for (size_t i = tie.begin; i < tie.end && probability > 0; i++) {
        double left = tie.size - (double)(i - tie.begin) - 1; /* rows behind this one */

        sum_add(&mean, probability / (double)(i + 1));
        probability *= left > 0 ? (left + 1 - tie.n_relevant) / left : 0;
    }
    return sum_value(&mean);
}

/* The share of relevant rows among the first k; of all rows where a list has fewer than k. */
static double precision_of(const struct list *list)
{
    double hits = 0, room = (double)smaller(list->k, list->n);

    for (struct tie tie = {0}; (double)tie.end < room;) {
        tie = tie_at(list, tie.end);
        hits += tie.n_relevant * fmin(1, (room - (double)tie.begin) / tie.size);
    }
    return hits / room;
}

static int compare_ranked(const void *a, const void *b)
{
    double left = ((const struct ranked *)a)->score, right = ((const struct ranked *)b)->score;

    return (left < right) - (left > right);
}

static int compare_falling(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left < right) - (left > right);
}

/* Rows begin to end as a list in the order of their scores; false when one has no place in it. */
static bool fill(const struct metric_input *input, size_t begin, size_t end, struct list *list)
{
    list->n = end - begin;
    list->n_relevant = 0;
    for (size_t i = 0; i < list->n; i++) {
        double score = input->predictions[begin + i], relevance = input->y[begin + i];

        if (isnan(score) || !(relevance >= 0) || isinf(relevance))
            return false;
        list->rows[i] = (struct ranked){score, relevance};
        list->relevances[i] = relevance;
        list->n_relevant += relevance > 0;
    }
    qsort(list->rows, list->n, sizeof(*list->rows), compare_ranked);
    qsort(list->relevances, list->n, sizeof(*list->relevances), compare_falling);
    return true;
}

static size_t list_end(const struct metric_input *input, size_t begin)
{
    size_t end = begin + 1;

    if (input->groups == NULL)
        return input->n_rows;
    while (end < input->n_rows && input->groups[end] == input->groups[begin])
        end++;
    return end;
}

/* The mean of what is defined over the lists. */
static enum err_code mean_over_lists(const struct metric_input *input,
                                     double (*score)(const struct list *list), double *ret_value,
                                     struct err *err)
{
    CLEANUP(free_ptr) struct ranked *rows = calloc(input->n_rows + 1, sizeof(*rows));
    CLEANUP(free_ptr) double *relevances = calloc(input->n_rows + 1, sizeof(*relevances));
    struct list list = {
        .rows = rows, .relevances = relevances, .k = input->k == 0 ? K_DEFAULT : input->k};
    struct mean mean = {0};

    if (rows == NULL || relevances == NULL)
        return err_nomem(err);
    for (size_t begin = 0, end; begin < input->n_rows; begin = end) {
        double value, weight = metric_weight(input, begin);

        end = list_end(input, begin);
        if (!(weight > 0))
            continue;
        if (!fill(input, begin, end, &list)) {
            *ret_value = NAN;
            return ERR_OK;
        }
        value = score(&list);
        if (!isnan(value))
            mean_add(&mean, value, weight);
    }
    *ret_value = mean_value(&mean);
    return ERR_OK;
}

enum err_code ranking_ndcg(const struct metric_input *input, double *ret_value, struct err *err)
{
    return mean_over_lists(input, ndcg_of, ret_value, err);
}

enum err_code ranking_map(const struct metric_input *input, double *ret_value, struct err *err)
{
    return mean_over_lists(input, average_precision_of, ret_value, err);
}

enum err_code ranking_mrr(const struct metric_input *input, double *ret_value, struct err *err)
{
    return mean_over_lists(input, reciprocal_rank_of, ret_value, err);
}

enum err_code ranking_precision(const struct metric_input *input, double *ret_value,
                                struct err *err)
{
    return mean_over_lists(input, precision_of, ret_value, err);
}
