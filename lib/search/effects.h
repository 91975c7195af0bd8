/*
 * Which hyperparameters mattered, and where a search would look next: what a person reads of a
 * finished or running search.
 */
#ifndef PGBOOST_SEARCH_EFFECTS_H
#define PGBOOST_SEARCH_EFFECTS_H

#include "search/history.h"
#include "search/space.h"

#define EFFECTS_TRIALS_MIN 10

/* The effect of each of the space's dimensions on the score: the share of its variance over the
 * space that the dimension alone explains (anova.h), by the completed trials of the space's
 * algorithm. ERR_DATA when they are fewer than EFFECTS_TRIALS_MIN. All 0 when all scores are the
 * same. */
MUST_CHECK enum err_code effects_of(const struct space *space, const struct history *history,
                                    uint64_t seed, double *ret_effects, struct err *err);

/* Where trials would go along a dimension if the search went on, by the density of the best trials
 * (tpe.h): of a range the half of them that lies in the middle, a quarter on either side of it; of
 * a list the likeliest value. */
struct outlook {
    double low, high;  /* of a range */
    double zero_share; /* the share at 0 beside the range; 0 unless the dimension is or_zero */
    int choice;        /* of a list */
    double share;      /* of trials that would have that value; of a range one half */
};

/* One for each dimension. ERR_NOMEM alone. */
MUST_CHECK enum err_code outlook_of(const struct space *space, const struct history *history,
                                    struct outlook *ret_outlooks, struct err *err);

#endif
