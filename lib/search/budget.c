#include "search/budget.h"

#define POLISH_SHARE  0.2 /* of the time */
#define POLISH_LENGTH 3   /* usual trials: a third of eta takes three times the rounds */

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
        if (!sampler_polishes(sampler))
            break;
        budget.n_polishes = budget.n_trials == 0 || budget.n_trials >= BUDGET_POLISH_ALL
                                ? BUDGET_POLISHES
                                : budget.n_trials > sampler->n_portfolio;
        break;
    }
    return budget;
}

enum budget_next budget_next(const struct budget *budget, int n_begun, double seconds,
                             double usual_seconds, int n_polished)
{
    int n_polishes = n_begun > 0 ? budget->n_polishes - n_polished : 0;

    if (budget->n_trials > 0 && n_begun >= budget->n_trials)
        return BUDGET_SPENT;
    if (budget->seconds > 0 && n_begun > 0) {
        bool is_late = seconds + usual_seconds > budget->seconds;

        if (seconds >= budget->seconds || (is_late && (n_polishes == 0 || n_polished > 0)))
            return BUDGET_SPENT;
        if (n_polishes > 0 && (is_late || seconds >= (1 - POLISH_SHARE) * budget->seconds))
            return BUDGET_POLISH;
    }
    return n_polishes > 0 && n_begun >= budget->n_trials - n_polishes && budget->n_trials > 0
               ? BUDGET_POLISH
               : BUDGET_TRIAL;
}

bool budget_waits(const struct budget *budget, double seconds, double usual_seconds)
{
    return budget->seconds == 0 || seconds + POLISH_LENGTH * usual_seconds < budget->seconds;
}
