#include "search/history.h"

#include <math.h>

static bool is_of(const struct trial_record *trial, const struct algorithm *algorithm)
{
    return algorithm == NULL || trial->setting.algorithm == algorithm;
}

int history_n_finished(const struct history *history, const struct algorithm *algorithm)
{
    int n = 0;

    for (int i = 0; i < history->n; i++) {
        const struct trial_record *trial = &history->trials[i];

        n += is_of(trial, algorithm) &&
             (trial->state == TRIAL_COMPLETED || trial->state == TRIAL_PRUNED);
    }
    return n;
}

bool history_has(const struct history *history, const struct setting *setting)
{
    for (int i = 0; i < history->n; i++)
        if (setting_equal(&history->trials[i].setting, setting))
            return true;
    return false;
}

/* What trials are sorted by, smaller first. */
struct standing {
    int index;
    double step, value;
};

static struct standing standing_of(const struct history *history, int index)
{
    const struct trial_record *trial = &history->trials[index];
    const struct trial_step *last = trial->n_steps > 0 ? &trial->steps[trial->n_steps - 1] : NULL;
    struct standing standing = {.index = index, .step = INFINITY, .value = INFINITY};

    if (trial->state == TRIAL_COMPLETED) {
        standing.step = -INFINITY;
        standing.value = history->higher_is_better ? -trial->score : trial->score;
    } else if (trial->state == TRIAL_PRUNED) {
        standing.step = last != NULL ? -last->step : 1;
        standing.value = last != NULL ? last->loss : 0;
    }
    if (isnan(standing.value))
        standing.value = INFINITY;
    return standing;
}

static int compare_standings(const void *a, const void *b)
{
    const struct standing *one = a, *other = b;

    if (one->step != other->step)
        return one->step < other->step ? -1 : 1;
    if (one->value != other->value)
        return one->value < other->value ? -1 : 1;
    return one->index - other->index;
}

enum err_code history_rank(const struct history *history, const struct algorithm *algorithm,
                           int **ret_indexes, int *ret_n, struct err *err)
{
    CLEANUP(free_ptr)
    struct standing *standings = calloc((size_t)history->n + 1, sizeof(*standings));
    CLEANUP(free_ptr) int *indexes = calloc((size_t)history->n + 1, sizeof(*indexes));
    int n = 0;

    if (standings == NULL || indexes == NULL)
        return err_nomem(err);
    for (int i = 0; i < history->n; i++)
        if (is_of(&history->trials[i], algorithm))
            standings[n++] = standing_of(history, i);
    qsort(standings, (size_t)n, sizeof(*standings), compare_standings);
    for (int i = 0; i < n; i++)
        indexes[i] = standings[i].index;
    *ret_indexes = TAKE_PTR(indexes);
    *ret_n = n;
    return ERR_OK;
}

const struct trial_record *history_best(const struct history *history)
{
    const struct trial_record *best = NULL;

    for (int i = 0; i < history->n; i++) {
        const struct trial_record *trial = &history->trials[i];

        if (trial->state != TRIAL_COMPLETED || isnan(trial->score))
            continue;
        if (best == NULL ||
            (history->higher_is_better ? trial->score > best->score : trial->score < best->score))
            best = trial;
    }
    return best;
}
