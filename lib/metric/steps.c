/*
 * Rows by falling score, those of one score together: what every metric of order, curve, table and
 * threshold walks along.
 */
#include "metric/metric_internal.h"

static int compare_steps(const void *a, const void *b)
{
    double left = ((const struct step *)a)->score, right = ((const struct step *)b)->score;

    return (left < right) - (left > right);
}

/* Every row of a weight as a step of its own; false when a score is NaN. */
static bool fill(const struct metric_input *input, uint32_t positive, const uint32_t *order,
                 struct steps *steps)
{
    for (size_t i = 0; i < input->n_rows; i++) {
        size_t row = order != NULL ? order[i] : i;
        double score = input->probabilities[row * (size_t)input->n_classes + positive];
        double weight = metric_weight(input, row);

        if (!(weight > 0))
            continue;
        if (isnan(score))
            return false;
        steps->items[steps->n++] = (struct step){
            .score = score,
            .positive = input->classes[row] == positive ? weight : 0,
            .negative = input->classes[row] == positive ? 0 : weight,
            .n_rows = 1,
        };
    }
    return true;
}

static void merge_ties(struct steps *steps)
{
    size_t n = 0;
    struct sum positive = {0}, negative = {0};

    for (size_t i = 0; i < steps->n; i++) {
        struct step step = steps->items[i];

        sum_add(&positive, step.positive);
        sum_add(&negative, step.negative);
        if (n > 0 && steps->items[n - 1].score == step.score) {
            steps->items[n - 1].positive += step.positive;
            steps->items[n - 1].negative += step.negative;
            steps->items[n - 1].n_rows += step.n_rows;
        } else {
            steps->items[n++] = step;
        }
    }
    steps->n = n;
    steps->positive = sum_value(&positive);
    steps->negative = sum_value(&negative);
}

enum err_code steps_of(const struct metric_input *input, uint32_t positive, struct steps *ret_steps,
                       struct err *err)
{
    bool sorted = input->falling != NULL && input->n_classes == 2 && positive == 1;
    struct steps steps = {.items = calloc(input->n_rows + 1, sizeof(struct step))};

    if (steps.items == NULL)
        return err_nomem(err);
    if (!fill(input, positive, sorted ? input->falling : NULL, &steps)) {
        steps.n = 0;
        steps.not_numbers = true;
    }
    if (!sorted)
        qsort(steps.items, steps.n, sizeof(*steps.items), compare_steps);
    merge_ties(&steps);
    *ret_steps = steps;
    return ERR_OK;
}

struct passed steps_first(const struct steps *steps, double share)
{
    double room = share * (steps->positive + steps->negative), reached = 0;
    struct sum positive = {0}, weight = {0};

    for (size_t i = 0; i < steps->n && reached < room; i++) {
        const struct step *step = &steps->items[i];
        double whole = step->positive + step->negative;
        double part = fmin(1, (room - reached) / whole);

        sum_add(&positive, part * step->positive);
        sum_add(&weight, whole);
        reached = sum_value(&weight);
    }
    return (struct passed){sum_value(&positive), fmin(room, reached)};
}

/* ---- the order alone ---- */

struct placed {
    double score;
    uint32_t row;
};

static int compare_placed(const void *a, const void *b)
{
    double left = ((const struct placed *)a)->score, right = ((const struct placed *)b)->score;

    return (left < right) - (left > right);
}

enum err_code steps_order(const struct metric_input *input, uint32_t *ret_falling, struct err *err)
{
    CLEANUP(free_ptr) struct placed *rows = calloc(input->n_rows + 1, sizeof(*rows));

    if (rows == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < input->n_rows; i++)
        rows[i] = (struct placed){input->probabilities[i * 2 + 1], (uint32_t)i};
    qsort(rows, input->n_rows, sizeof(*rows), compare_placed);
    for (size_t i = 0; i < input->n_rows; i++)
        ret_falling[i] = rows[i].row;
    return ERR_OK;
}
