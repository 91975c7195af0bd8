#include "search/sampler.h"

#include <math.h>

#include "search/tpe.h"

#define RANDOM_DRAWS 24 /* to find a setting that was not tried yet */

void sampler_release(struct sampler *sampler)
{
    for (int id = 0; id < N_ALGORITHMS; id++)
        space_release(&sampler->spaces[id]);
}

static int n_algorithms(const struct sampler *sampler)
{
    return __builtin_popcount(sampler->algorithms);
}

/* Competitor k, from 0, in the order of their ids. */
static enum algorithm_id competitor(const struct sampler *sampler, int k)
{
    enum algorithm_id id = 0;

    while (!(sampler->algorithms & ALGORITHM_BIT(id)) || k-- > 0)
        id++;
    return id;
}

static enum err_code add_grid(struct sampler *sampler, const struct space *space, struct err *err)
{
    int n;

    TRY(space_grid_size(space, &n, err));
    sampler->n_grid += n; /* at most N_ALGORITHMS × GRID_MAX */
    return ERR_OK;
}

static enum err_code init(struct sampler *sampler, const struct project *project,
                          bool has_categories, struct err *err)
{
    struct space_options options = {
        .strategy = sampler->strategy,
        .n_trials = (project->search_trials + n_algorithms(sampler) - 1) / n_algorithms(sampler),
        .has_categories = has_categories,
        .hyperparams = project->hyperparams,
        .params = project->search_params,
    };

    TRY(space_check(&options, sampler->algorithms, err));
    for (int k = 0; k < n_algorithms(sampler); k++) {
        struct space *space = &sampler->spaces[competitor(sampler, k)];

        TRY(space_init(space, competitor(sampler, k), &options, err));
        if (sampler->strategy == SEARCH_GRID)
            TRY(add_grid(sampler, space, err));
    }
    return ERR_OK;
}

enum err_code sampler_init(struct sampler *sampler, const struct project *project,
                           bool classification, bool has_categories, struct err *err)
{
    int n_each = project->search_strategy == SEARCH_NONE ? 1 : INT32_MAX;
    struct sampler made = {
        .strategy = project->search_strategy,
        .seed = (uint64_t)project->seed,
        .algorithms = project->algorithms,
        .classification = classification,
        .n_portfolio = portfolio_size_of(project->algorithms, classification, n_each),
    };
    enum err_code code = init(&made, project, has_categories, err);

    if (code != ERR_OK)
        sampler_release(&made);
    else
        *sampler = made;
    return code;
}

enum err_code sampler_check(const struct project *project, struct err *err)
{
    struct sampler sampler = {0};

    TRY(sampler_init(&sampler, project, false, false, err));
    sampler_release(&sampler);
    return ERR_OK;
}

/* The generator of a trial: neighbouring seeds and numbers share nothing. */
static struct rng rng_of(const struct sampler *sampler, int number)
{
    struct rng rng;

    rng_init(&rng, sampler->seed);
    rng_init(&rng, rng_next(&rng) ^ (uint64_t)number);
    rng_init(&rng, rng_next(&rng));
    return rng;
}

static void from_portfolio(const struct sampler *sampler, int number, struct setting *ret_setting)
{
    portfolio_get_of(sampler->algorithms, sampler->classification, number % sampler->n_portfolio,
                     ret_setting);
    space_bring(&sampler->spaces[ret_setting->algorithm->id], ret_setting);
}

static void from_grid(const struct sampler *sampler, int number, struct setting *ret_setting)
{
    double point[HYPERPARAMS_MAX];

    number %= sampler->n_grid;
    for (int k = 0;; k++) {
        const struct space *space = &sampler->spaces[competitor(sampler, k)];
        int n = 0;
        enum err_code code = space_grid_size(space, &n, NULL); /* sampler_init has seen it */

        if (code == ERR_OK && number < n) {
            space_grid_point(space, number, point);
            space_setting(space, point, ret_setting);
            return;
        }
        number -= n;
    }
}

static void from_random(const struct sampler *sampler, const struct history *history,
                        struct rng *rng, struct setting *ret_setting)
{
    double point[HYPERPARAMS_MAX];

    for (int i = 0; i < RANDOM_DRAWS; i++) {
        int k = (int)rng_below(rng, (uint64_t)n_algorithms(sampler));
        const struct space *space = &sampler->spaces[competitor(sampler, k)];

        space_draw(space, rng, point);
        space_setting(space, point, ret_setting);
        if (!history_has(history, ret_setting))
            return;
    }
}

/* An algorithm for the next trial, by how many of the best trials it has. */
static enum err_code deal(const struct sampler *sampler, const struct history *history,
                          struct rng *rng, enum algorithm_id *ret_id, struct err *err)
{
    CLEANUP(free_ptr) int *ranked = NULL;
    int n_best = tpe_n_below(history_n_finished(history, NULL)), k = n_algorithms(sampler), n;
    double u = rng_uniform(rng) * (n_best + 1);

    TRY(history_rank(history, NULL, &ranked, &n, err));
    *ret_id = competitor(sampler, k - 1);
    for (int i = 0; i < k; i++) {
        enum algorithm_id id = competitor(sampler, i);
        double share = 1.0 / k;

        for (int j = 0; j < n_best; j++)
            share += history->trials[ranked[j]].setting.algorithm->id == id;
        if (u < share) {
            *ret_id = id;
            break;
        }
        u -= share;
    }
    return ERR_OK;
}

static enum err_code from_tpe(const struct sampler *sampler, const struct history *history,
                              struct rng *rng, struct setting *ret_setting, struct err *err)
{
    enum algorithm_id id;
    struct tpe tpe;

    TRY(deal(sampler, history, rng, &id, err));
    TRY(tpe_init(&tpe, &sampler->spaces[id], history, err));
    tpe_suggest(&tpe, history, rng, ret_setting);
    tpe_release(&tpe);
    return ERR_OK;
}

static enum suggestion_origin origin_of(const struct sampler *sampler, int number,
                                        const struct history *history)
{
    int n_startup = sampler->strategy == SEARCH_AUTO ? TPE_STARTUP_KNOWN : TPE_STARTUP;

    if (sampler->strategy == SEARCH_GRID)
        return FROM_GRID;
    if (sampler->strategy == SEARCH_NONE ||
        (sampler->strategy == SEARCH_AUTO && number < sampler->n_portfolio))
        return FROM_PORTFOLIO;
    if (sampler->strategy == SEARCH_RANDOM || history_n_finished(history, NULL) < n_startup)
        return FROM_RANDOM;
    return FROM_TPE;
}

enum err_code sampler_suggest(const struct sampler *sampler, int number,
                              const struct history *history, struct suggestion *ret_suggestion,
                              struct err *err)
{
    struct rng rng = rng_of(sampler, number);
    struct suggestion suggestion = {.origin = origin_of(sampler, number, history)};

    if (suggestion.origin == FROM_PORTFOLIO)
        from_portfolio(sampler, number, &suggestion.setting);
    else if (suggestion.origin == FROM_GRID)
        from_grid(sampler, number, &suggestion.setting);
    else if (suggestion.origin == FROM_RANDOM)
        from_random(sampler, history, &rng, &suggestion.setting);
    else
        TRY(from_tpe(sampler, history, &rng, &suggestion.setting, err));
    *ret_suggestion = suggestion;
    return ERR_OK;
}

/* The setting at a third of its eta; false where it has none of the search's. */
static bool polish_of(const struct setting *setting, struct setting *ret_polish)
{
    const struct hyperparam_value *eta =
        hyperparams_value(&setting->params, hyperparam_find("eta"));

    if (setting->algorithm->id != ALGORITHM_XGBOOST || eta == NULL || eta->number != SEARCH_ETA)
        return false;
    *ret_polish = *setting;
    return hyperparams_set(&ret_polish->params, "eta", space_round(SEARCH_ETA / 3), NULL, NULL) ==
           ERR_OK;
}

/* Smaller steps need more rounds than it had: where "n_estimators" has none to give, they would
 * only come less far. */
static bool has_rounds_left(const struct trial_record *trial)
{
    double most = hyperparams_get(&trial->setting.params, "n_estimators", INFINITY);

    return trial->rounds < most;
}

bool sampler_polishes(const struct sampler *sampler)
{
    const struct space *space = &sampler->spaces[ALGORITHM_XGBOOST];
    const struct hyperparam *eta = hyperparam_find("eta");

    return (sampler->algorithms & ALGORITHM_BIT(ALGORITHM_XGBOOST)) != 0 &&
           hyperparams_value(&space->given, eta) == NULL && space_dimension_of(space, eta) < 0;
}

enum err_code sampler_polish(const struct sampler *sampler, const struct history *history,
                             struct suggestion *ret_suggestion, bool *ret_found, struct err *err)
{
    CLEANUP(free_ptr) int *ranked = NULL;
    struct suggestion polish = {.origin = FROM_POLISH};
    int n;

    *ret_found = false;
    if (!sampler_polishes(sampler))
        return ERR_OK;
    TRY(history_rank(history, NULL, &ranked, &n, err));
    for (int i = 0; i < n && history->trials[ranked[i]].state == TRIAL_COMPLETED; i++) {
        const struct trial_record *trial = &history->trials[ranked[i]];

        if (!has_rounds_left(trial) || !polish_of(&trial->setting, &polish.setting) ||
            history_has(history, &polish.setting))
            continue;
        *ret_suggestion = polish;
        *ret_found = true;
        break;
    }
    return ERR_OK;
}

const char *suggestion_origin_name(enum suggestion_origin origin)
{
    static const char *const names[] = {"portfolio", "grid", "random", "tpe", "polish"};

    return names[origin];
}
