#include "search/pruner.h"

#include <math.h>

#define RUNG_FIRST 30
#define RUNG_LAST  270

int pruner_step(int i)
{
    int step = 10 * (1 + i % 2);

    for (int k = 0; k < i / 2; k++)
        step *= PRUNER_REDUCTION;
    return step;
}

int pruner_round(int step, double eta)
{
    return (int)fmax(1, ceil(step * 0.1 / eta - 1e-9)); /* 30 × 0.1 ÷ 0.1 is 30 */
}

static bool is_rung(int step)
{
    int rung = RUNG_FIRST;

    while (rung < step && rung < RUNG_LAST)
        rung *= PRUNER_REDUCTION;
    return rung == step;
}

/* The loss a trial had at a step; NaN: it did not come so far. */
static double loss_at(const struct trial_record *trial, int step)
{
    for (int i = 0; i < trial->n_steps; i++)
        if (trial->steps[i].step == step)
            return trial->steps[i].loss;
    return (double)NAN;
}

static bool is_rival(const struct trial_record *other, const struct trial_record *trial)
{
    return other->number != trial->number && other->setting.algorithm == trial->setting.algorithm;
}

static const struct trial_step *last_step(const struct trial_record *trial)
{
    return trial->n_steps > 0 ? &trial->steps[trial->n_steps - 1] : NULL;
}

bool halving_allows(const struct history *history, const struct trial_record *trial)
{
    const struct trial_step *last = last_step(trial);
    int n = 1, n_better = 0, n_promoted;

    if (last == NULL || !is_rung(last->step))
        return last == NULL || !isnan(last->loss);
    for (int i = 0; i < history->n; i++) {
        double loss = loss_at(&history->trials[i], last->step);

        if (!is_rival(&history->trials[i], trial) || isnan(loss))
            continue;
        n++;
        n_better += loss < last->loss;
    }
    n_promoted = n / PRUNER_REDUCTION > 1 ? n / PRUNER_REDUCTION : 1;
    return !isnan(last->loss) && n_better < n_promoted;
}

/* How many of a trial's rivals at a step had a loss below, and at or below x. */
struct place {
    int n, n_below, n_to;
};

static struct place place_of(const struct history *history, const struct trial_record *trial,
                             int step, double x)
{
    struct place place = {0};

    for (int i = 0; i < history->n; i++) {
        const struct trial_record *other = &history->trials[i];
        double loss = loss_at(other, step);

        if (!is_rival(other, trial) || other->state != TRIAL_COMPLETED || isnan(loss))
            continue;
        place.n++;
        place.n_below += loss < x;
        place.n_to += loss <= x;
    }
    return place;
}

static int n_completed(const struct history *history, const struct trial_record *trial)
{
    int n = 0;

    for (int i = 0; i < history->n; i++)
        n += is_rival(&history->trials[i], trial) && history->trials[i].state == TRIAL_COMPLETED;
    return n;
}

static double best_loss(const struct trial_record *trial)
{
    double best = NAN;

    for (int i = 0; i < trial->n_steps; i++)
        best = fmin(best, trial->steps[i].loss); /* the other where one is NaN */
    return best;
}

/* Of an even number the median lies between two: the middle of both. */
static double median_of(const struct history *history, const struct trial_record *trial, int step)
{
    double low = NAN, high = NAN;

    for (int i = 0; i < history->n; i++) {
        double loss = loss_at(&history->trials[i], step);
        struct place place = place_of(history, trial, step, loss);

        if (!is_rival(&history->trials[i], trial) || history->trials[i].state != TRIAL_COMPLETED ||
            isnan(loss))
            continue;
        if (place.n_below <= (place.n - 1) / 2 && place.n_to > (place.n - 1) / 2)
            low = loss;
        if (place.n_below <= place.n / 2 && place.n_to > place.n / 2)
            high = loss;
    }
    return (low + high) / 2;
}

bool median_allows(const struct history *history, const struct trial_record *trial, int n_min)
{
    const struct trial_step *last = last_step(trial);
    double best = best_loss(trial), median;

    if (last == NULL || n_completed(history, trial) < n_min)
        return true;
    if (isnan(best))
        return false;
    median = median_of(history, trial, last->step);
    return isnan(median) || best <= median;
}

bool pruner_allows(const struct history *history, const struct trial_record *trial)
{
    const struct trial_step *last = last_step(trial);

    if (last == NULL)
        return true;
    if (isnan(last->loss))
        return false;
    if (last->step < PRUNER_STEP_MIN || n_completed(history, trial) < PRUNER_TRIALS_MIN)
        return true;
    return median_allows(history, trial, PRUNER_TRIALS_MIN) &&
           (last->step < PRUNER_HALVING_STEP_MIN || halving_allows(history, trial));
}
