#include "search/tpe.h"

#include <math.h>
#include <string.h>

#define N_BELOW_MAX 25

void tpe_release(struct tpe *tpe)
{
    parzen_release(&tpe->below);
    parzen_release(&tpe->above);
}

int tpe_n_below(int n_finished)
{
    int n = (n_finished + 9) / 10;

    return n < N_BELOW_MAX ? n : N_BELOW_MAX;
}

static struct parzen_axis axis_of(const struct dimension *d)
{
    bool whole = d->param->type == HYPERPARAM_INT;

    if (d->n_choices > 0)
        return (struct parzen_axis){.n_choices = d->n_choices};
    if (d->log && whole)
        return (struct parzen_axis){.low = log(d->low - 0.5), .high = log(d->high + 0.5)};
    if (d->log)
        return (struct parzen_axis){.low = log(d->low), .high = log(d->high)};
    return (struct parzen_axis){
        .low = d->low - d->step / 2, .high = d->high + d->step / 2, .step = d->step};
}

static void set_axes(struct tpe *tpe)
{
    for (int i = 0; i < tpe->space->n; i++) {
        const struct dimension *d = &tpe->space->dimensions[i];

        if (d->or_zero)
            tpe->axes[tpe->n_axes++] = (struct parzen_axis){.n_choices = 2};
        tpe->axes[tpe->n_axes++] = axis_of(d);
    }
}

int tpe_axis_of(const struct tpe *tpe, int dimension)
{
    int axis = dimension;

    for (int i = 0; i <= dimension; i++)
        axis += tpe->space->dimensions[i].or_zero;
    return axis;
}

/* A point of the space as the densities have it. */
static void to_axes(const struct space *space, const double *point, double *ret_axes)
{
    for (int i = 0; i < space->n; i++) {
        const struct dimension *d = &space->dimensions[i];
        bool is_zero = d->or_zero && point[i] == 0;

        if (d->or_zero)
            *ret_axes++ = isnan(point[i]) ? (double)NAN : !is_zero;
        *ret_axes++ = is_zero ? (double)NAN : d->log ? log(point[i]) : point[i];
    }
}

double tpe_number(const struct dimension *d, double number)
{
    if (d->log)
        number = exp(number);
    if (d->step > 0)
        number = d->low + round((number - d->low) / d->step) * d->step;
    else if (d->param->type == HYPERPARAM_INT)
        number = round(number);
    return fmin(fmax(number, d->low), d->high);
}

static void from_axes(const struct space *space, const double *axes, double *ret_point)
{
    for (int i = 0; i < space->n; i++) {
        const struct dimension *d = &space->dimensions[i];
        bool is_zero = d->or_zero && *axes++ == 0;
        double number = *axes++;

        ret_point[i] = d->n_choices > 0 ? number : is_zero ? 0 : tpe_number(d, number);
    }
    space_settle(space, ret_point);
}

/* The density of the trials among the ranked that are, or are not, the first n_below: in the order
 * of their numbers, as the newest weigh most. */
static enum err_code fit(const struct tpe *tpe, const struct history *history, const bool *is_below,
                         bool below, struct parzen *ret_parzen, struct err *err)
{
    CLEANUP(free_ptr)
    double *points = calloc((size_t)history->n * (size_t)tpe->n_axes + 1, sizeof(*points));
    double point[HYPERPARAMS_MAX];
    int n = 0;

    if (points == NULL)
        return err_nomem(err);
    for (int i = 0; i < history->n; i++) {
        const struct setting *setting = &history->trials[i].setting;

        if (setting->algorithm != tpe->space->algorithm || is_below[i] != below)
            continue;
        space_point(tpe->space, &setting->params, point);
        to_axes(tpe->space, point, points + (size_t)n++ * (size_t)tpe->n_axes);
    }
    return parzen_init(ret_parzen, tpe->axes, tpe->n_axes, points, n, err);
}

enum err_code tpe_init(struct tpe *tpe, const struct space *space, const struct history *history,
                       struct err *err)
{
    CLEANUP(free_ptr) int *ranked = NULL;
    CLEANUP(free_ptr) bool *is_below = calloc((size_t)history->n + 1, sizeof(*is_below));
    int n_below = tpe_n_below(history_n_finished(history, space->algorithm)), n;
    enum err_code code;

    if (is_below == NULL)
        return err_nomem(err);
    TRY(history_rank(history, space->algorithm, &ranked, &n, err));
    for (int i = 0; i < n_below; i++)
        is_below[ranked[i]] = true;
    memset(tpe, 0, sizeof(*tpe));
    tpe->space = space;
    set_axes(tpe);
    code = fit(tpe, history, is_below, true, &tpe->below, err);
    if (code == ERR_OK)
        code = fit(tpe, history, is_below, false, &tpe->above, err);
    if (code != ERR_OK)
        tpe_release(tpe);
    return code;
}

void tpe_suggest(const struct tpe *tpe, const struct history *history, struct rng *rng,
                 struct setting *ret_setting)
{
    double axes[2 * HYPERPARAMS_MAX], point[HYPERPARAMS_MAX], best = -INFINITY;
    bool best_is_new = false;

    for (int i = 0; i < TPE_CANDIDATES; i++) {
        struct setting setting;
        double gain;
        bool is_new;

        parzen_draw(&tpe->below, rng, axes);
        from_axes(tpe->space, axes, point);
        to_axes(tpe->space, point, axes);
        space_setting(tpe->space, point, &setting);
        gain = parzen_log_density(&tpe->below, axes) - parzen_log_density(&tpe->above, axes);
        is_new = !history_has(history, &setting);
        if (i > 0 && (is_new < best_is_new || (is_new == best_is_new && !(gain > best))))
            continue;
        *ret_setting = setting;
        best_is_new = is_new;
        best = gain;
    }
}
