/*
 * How long a search goes on: by trials, by minutes, or until the first of both is spent.
 *
 * A trial counts when it has begun and was not given back: completed, pruned, failed and running
 * ones. The first trial always runs, to its best round when time ends; later ones begin only when
 * time is left for one of the usual length. Under "auto" the last trials, or what begins in the
 * last fifth of the minutes, are polishes: a score may be luck, so that there are BUDGET_POLISHES
 * where there is time, or trials enough.
 */
#ifndef PGBOOST_SEARCH_BUDGET_H
#define PGBOOST_SEARCH_BUDGET_H

#include "search/sampler.h"

#define BUDGET_TRIALS     50 /* of random and tpe where the definition sets no bound */
#define BUDGET_POLISHES   2
#define BUDGET_POLISH_ALL 30 /* trials that are worth so many; of fewer one is a polish */

struct budget {
    int n_trials;   /* 0: time alone ends it */
    double seconds; /* 0: trials alone end it */
    int n_polishes;
};

/* By the definition:
 *             neither bound            minutes alone       trials (and minutes)
 *   none      one of each algorithm    the same            at most so many
 *   grid      all of it                the same            at most so many, from its start
 *   random    BUDGET_TRIALS            no bound but time   so many
 *   tpe       BUDGET_TRIALS            no bound but time   so many
 *   auto      portfolio and one more   no bound but time   so many
 * Of auto's trials the last are polishes, when there are more than the portfolio has and there is
 * something to polish (sampler_polishes). */
struct budget budget_of(const struct sampler *sampler, const struct project *project);

enum budget_next { BUDGET_TRIAL, BUDGET_POLISH, BUDGET_SPENT };

/* What is next, after n_begun trials and so many seconds; usual_seconds: the median length of a
 * trial so far (0: unknown). n_polished: how many polishes have begun; all, where there is nothing
 * to polish now (sampler_polish). The first one begins even where time is left for no usual trial.
 */
enum budget_next budget_next(const struct budget *budget, int n_begun, double seconds,
                             double usual_seconds, int n_polished);

/* Does a polish wait for trials that other workers hold? While time is left for the polish itself;
 * then it is of the best there is. Without a bound of time it always does: which trials there are
 * must not depend on who is faster. */
bool budget_waits(const struct budget *budget, double seconds, double usual_seconds);

#endif
