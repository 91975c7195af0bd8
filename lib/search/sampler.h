/*
 * Which setting a trial tries: the strategies of "search.strategy".
 *
 * A suggestion is a function of the seed, the trial's number and the history: one worker with the
 * same seed repeats itself, a search that is taken up again goes on with the same trials, and
 * several workers may ask at the same time, each for a number of its own. Trials that run are in
 * the history, without a score. A sampler is constant once made; threads may share it.
 *
 *   none     the first setting of each algorithm's portfolio
 *   grid     every combination of "search.params", one algorithm after the other
 *   random   a point of the space, algorithms with the same probability
 *   tpe      random until TPE_STARTUP trials have finished, then tpe.h
 *   auto     the portfolios, then tpe.h once TPE_STARTUP_KNOWN trials have finished
 *
 * Several algorithms share tpe's trials by how they do: an algorithm is drawn with probability
 * (b + 1 ÷ k) ÷ (n + 1), where b of the n best trials (a tenth of the finished) are its own and k
 * algorithms compete. Its own trials alone then say where to look.
 */
#ifndef PGBOOST_SEARCH_SAMPLER_H
#define PGBOOST_SEARCH_SAMPLER_H

#include "search/history.h"
#include "search/space.h"

enum suggestion_origin { FROM_PORTFOLIO, FROM_GRID, FROM_RANDOM, FROM_TPE, FROM_POLISH };

struct suggestion {
    struct setting setting;
    enum suggestion_origin origin;
};

/* Zeroed memory is valid. */
struct sampler {
    enum search_strategy strategy;
    uint64_t seed;
    unsigned algorithms;
    bool classification;
    int n_portfolio, n_grid;
    struct space spaces[N_ALGORITHMS]; /* of those that compete */
};
void sampler_release(struct sampler *sampler);

/* Checks hyperparams and search.params (errors of space_check and space_grid_size) and makes the
 * spaces: the small ones where "search.trials" gives each algorithm fewer than SPACE_TRIALS_FEW. */
MUST_CHECK enum err_code sampler_init(struct sampler *sampler, const struct project *project,
                                      bool classification, bool has_categories, struct err *err);

/* The errors of sampler_init alone, before there are rows. */
MUST_CHECK enum err_code sampler_check(const struct project *project, struct err *err);

/* Trial `number`, from 0. Numbers beyond the portfolio (none) or the grid begin it again: budget.h
 * says how many there are. ERR_NOMEM alone. */
MUST_CHECK enum err_code sampler_suggest(const struct sampler *sampler, int number,
                                         const struct history *history,
                                         struct suggestion *ret_suggestion, struct err *err);

/* Not where eta is the definition's or searched, nor without boosted trees. */
bool sampler_polishes(const struct sampler *sampler);

/* A polish: the best trial's setting at a third of its eta, or of those that were polished already
 * the next one's. Not found where nothing is polished, and where no trial that has completed is of
 * boosted trees at SEARCH_ETA with rounds left of its "n_estimators". ERR_NOMEM alone. */
MUST_CHECK enum err_code sampler_polish(const struct sampler *sampler,
                                        const struct history *history,
                                        struct suggestion *ret_suggestion, bool *ret_found,
                                        struct err *err);

const char *suggestion_origin_name(enum suggestion_origin origin); /* "portfolio", … "polish" */

#endif
