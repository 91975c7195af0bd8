#include "metric/threshold.h"

#include <string.h>

#include "base/buf.h"
#include "metric/metric_internal.h"

/* Precision and recall are not here: alone each is best at an end. */
static const struct {
    const char *name;
    counts_score *score;
} scores[] = {
    {"f1", counts_f1},
    {"f1_macro", counts_f1_macro},
    {"f1_weighted", counts_f1_weighted},
    {"balanced_accuracy", counts_balanced_accuracy},
    {"mcc", counts_mcc},
    {"kappa", counts_kappa},
    {"accuracy", counts_accuracy},
};

/* What differs by less is rounding. */
#define SAME 1e-12

static counts_score *score_of(const struct metric *metric)
{
    for (size_t i = 0; i < N_ELEMENTS(scores); i++)
        if (strcmp(scores[i].name, metric->name) == 0)
            return scores[i].score;
    return NULL;
}

static enum err_code no_threshold(const struct metric *metric, struct err *err)
{
    CLEANUP(buf_release) struct buf names = {0};

    for (size_t i = 0; i < N_ELEMENTS(scores); i++)
        buf_printf(&names, "%s%s", i > 0 ? ", " : "", scores[i].name);
    err_set(err, ERR_INVALID, "metric \"%s\" has no best threshold", metric->name);
    return err_hint(err, "these have: %s", buf_text(&names));
}

/* The score when these weights of positives and negatives are chosen. */
static double score_at(counts_score *score, const struct steps *steps, double positive,
                       double negative)
{
    double left = steps->negative - negative;
    struct class_count classes[] = {
        {steps->negative, left + (steps->positive - positive), left},
        {steps->positive, positive + negative, positive},
    };
    struct class_counts counts = {
        .classes = classes,
        .n_classes = 2,
        .all = {classes[0].truth + classes[1].truth, classes[0].chosen + classes[1].chosen,
                classes[0].both + classes[1].both},
    };

    return score(&counts);
}

/* What stands for the thresholds in (low, high]. */
static double threshold_in(double low, double high)
{
    double middle = low + (high - low) / 2;

    if (low < .5 && .5 <= high)
        return .5;
    return middle > low ? middle : high;
}

struct best {
    double threshold, value;
};

static void consider(struct best *best, double threshold, double value)
{
    bool nearer = fabs(threshold - .5) < fabs(best->threshold - .5);

    if (isnan(value))
        return;
    if (isnan(best->value) || value > best->value + SAME || (value >= best->value - SAME && nearer))
        *best = (struct best){threshold, value};
}

enum err_code threshold_best(const struct metric_input *input, const struct metric *metric,
                             double *ret_threshold, double *ret_value, struct err *err)
{
    CLEANUP(steps_release) struct steps steps = {0};
    struct sum positive = {0}, negative = {0};
    struct best best = {NAN, NAN};
    counts_score *score = score_of(metric);

    if (score == NULL)
        return no_threshold(metric, err);
    TRY(steps_of(input, 1, &steps, err));
    if (steps.n > 0 && steps.items[0].score < 1) /* none chosen */
        consider(&best, threshold_in(steps.items[0].score, 1), score_at(score, &steps, 0, 0));
    for (size_t i = 0; i < steps.n; i++) {
        double below = i + 1 < steps.n ? steps.items[i + 1].score : 0;

        sum_add(&positive, steps.items[i].positive);
        sum_add(&negative, steps.items[i].negative);
        consider(&best, threshold_in(below, steps.items[i].score),
                 score_at(score, &steps, sum_value(&positive), sum_value(&negative)));
    }
    *ret_threshold = best.threshold;
    *ret_value = best.value;
    return ERR_OK;
}
