#include "search/effects.h"

#include <math.h>
#include <string.h>

#include "search/anova.h"
#include "search/tpe.h"

enum err_code effects_of(const struct space *space, const struct history *history, uint64_t seed,
                         double *ret_effects, struct err *err)
{
    size_t n_values = (size_t)history->n * (size_t)space->n;
    CLEANUP(free_ptr) double *points = calloc(n_values + 1, sizeof(*points));
    CLEANUP(free_ptr) double *scores = calloc((size_t)history->n + 1, sizeof(*scores));
    double point[HYPERPARAMS_MAX];
    int n = 0;

    if (points == NULL || scores == NULL)
        return err_nomem(err);
    for (int i = 0; i < history->n; i++) {
        const struct trial_record *trial = &history->trials[i];

        if (trial->state != TRIAL_COMPLETED || trial->setting.algorithm != space->algorithm ||
            !isfinite(trial->score))
            continue;
        space_point(space, &trial->setting.params, point);
        space_unit(space, point, points + (size_t)n * (size_t)space->n);
        scores[n++] = trial->score;
    }
    if (n < EFFECTS_TRIALS_MIN)
        return err_set(err, ERR_DATA, "%d completed trials of %s are too few, %d are needed", n,
                       algorithm_name(space->algorithm->id), EFFECTS_TRIALS_MIN);
    return anova_effects(points, scores, n, space->n, seed, ret_effects, err);
}

/* Where the density on an axis has a share below it. */
static double quantile(const struct tpe *tpe, int axis, double share)
{
    double low = tpe->axes[axis].low, high = tpe->axes[axis].high;

    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;

        if (parzen_mass_below(&tpe->below, axis, middle) < share)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static struct outlook outlook_on(const struct tpe *tpe, int dimension)
{
    const struct dimension *d = &tpe->space->dimensions[dimension];
    int axis = tpe_axis_of(tpe, dimension);
    struct outlook outlook = {0};

    for (int k = 0; k < d->n_choices; k++) {
        double share = parzen_mass_of(&tpe->below, axis, k);

        if (share > outlook.share)
            outlook = (struct outlook){.choice = k, .share = share};
    }
    if (d->n_choices > 0)
        return outlook;
    outlook.share = 0.5;
    outlook.low = tpe_number(d, quantile(tpe, axis, 0.25));
    outlook.high = tpe_number(d, quantile(tpe, axis, 0.75));
    if (d->or_zero)
        outlook.zero_share = parzen_mass_of(&tpe->below, axis - 1, 0);
    return outlook;
}

enum err_code outlook_of(const struct space *space, const struct history *history,
                         struct outlook *ret_outlooks, struct err *err)
{
    struct tpe tpe;

    TRY(tpe_init(&tpe, space, history, err));
    for (int i = 0; i < space->n; i++)
        ret_outlooks[i] = outlook_on(&tpe, i);
    tpe_release(&tpe);
    return ERR_OK;
}
