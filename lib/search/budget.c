#include "search/budget.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/nearest.h"

#define POLISH_SHARE 0.2 /* of the time */

static int smaller(int bound, int n)
{
    return bound > 0 && bound < n ? bound : n;
}

struct budget budget_of(const struct sampler *sampler, const struct project *project)
{
    struct budget budget = {.n_trials = project->search_trials,
                            .seconds = project->search_minutes * 60};
    bool is_open = project->search_minutes > 0;

    switch (sampler->strategy) {
    case SEARCH_NONE:
        budget.n_trials = smaller(project->search_trials, sampler->n_portfolio);
        break;
    case SEARCH_GRID:
        budget.n_trials = smaller(project->search_trials, sampler->n_grid);
        break;
    case SEARCH_RANDOM:
    case SEARCH_TPE:
        if (budget.n_trials == 0 && !is_open)
            budget.n_trials = BUDGET_TRIALS;
        break;
    case SEARCH_AUTO:
        if (budget.n_trials == 0 && !is_open)
            budget.n_trials = sampler->n_portfolio + 1;
        budget.polishes = budget.n_trials == 0 || budget.n_trials > sampler->n_portfolio;
        break;
    }
    return budget;
}

enum budget_next budget_next(const struct budget *budget, int n_begun, double seconds,
                             double usual_seconds, bool was_polished)
{
    bool may_polish = budget->polishes && !was_polished && n_begun > 0;

    if (budget->n_trials > 0 && n_begun >= budget->n_trials)
        return BUDGET_SPENT;
    if (budget->seconds > 0 && n_begun > 0) {
        if (seconds >= budget->seconds)
            return BUDGET_SPENT;
        if (may_polish && seconds >= (1 - POLISH_SHARE) * budget->seconds)
            return BUDGET_POLISH;
        if (seconds + usual_seconds > budget->seconds)
            return may_polish ? BUDGET_POLISH : BUDGET_SPENT;
    }
    return may_polish && n_begun == budget->n_trials - 1 ? BUDGET_POLISH : BUDGET_TRIAL;
}

static enum err_code read_arg(const cJSON *item, int *ret_value, struct err *err)
{
    CLEANUP(buf_release) struct buf pointer = {0};
    double number = cJSON_IsNumber(item) ? item->valuedouble : (double)NAN;

    if (number >= 1 && number <= 100000 && number == floor(number)) {
        *ret_value = (int)number;
        return ERR_OK;
    }
    buf_puts(&pointer, "/search_args");
    json_pointer_append(&pointer, item->string);
    err_set(err, ERR_CONFIG, "\"%s\" must be a whole number from 1 to 100000", item->string);
    return err_field(err, "%s", buf_text(&pointer));
}

static enum err_code refuse_arg(const char *name, struct err *err)
{
    static const char *const names[] = {"n_iter", "cv"};
    CLEANUP(buf_release) struct buf pointer = {0};
    const char *nearest = nearest_name(name, names, (int)N_ELEMENTS(names));

    buf_puts(&pointer, "/search_args");
    json_pointer_append(&pointer, name);
    err_set(err, ERR_CONFIG, "\"%.64s\" is none of the search's arguments", name);
    err_field(err, "%s", buf_text(&pointer));
    return nearest != NULL ? err_hint(err, "did you mean \"%s\"?", nearest)
                           : err_hint(err, "they are \"n_iter\" and \"cv\"");
}

enum err_code search_args_read(const cJSON *args, int *ret_n_iter, int *ret_cv, struct err *err)
{
    int n_iter = 10, cv = 5;
    const cJSON *item;

    cJSON_ArrayForEach (item, args) {
        if (strcmp(item->string, "n_iter") == 0)
            TRY(read_arg(item, &n_iter, err));
        else if (strcmp(item->string, "cv") == 0)
            TRY(read_arg(item, &cv, err));
        else
            return refuse_arg(item->string, err);
    }
    *ret_n_iter = n_iter;
    *ret_cv = cv;
    return ERR_OK;
}
