#include "search/budget.h"

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
