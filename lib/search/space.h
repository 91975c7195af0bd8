/*
 * What a search may try: the dimensions of an algorithm's hyperparameters, each a range or a list.
 *
 * An algorithm has a default space (space_defaults.c), smaller where few trials are to be had. What
 * a definition's "search.params" names is laid over it, what its "hyperparams" sets is taken out of
 * it. A grid, and a random search with "search.params", vary what "search.params" names alone.
 *
 * A point is a place in the space: [n] doubles, of a range the value itself, of a list the index of
 * the value; NaN where a setting does not have the dimension. Refuses: max_bin, which all trials of
 * a run share. Not thread-safe while it is built, constant afterwards.
 */
#ifndef PGBOOST_SEARCH_SPACE_H
#define PGBOOST_SEARCH_SPACE_H

#include "base/arena.h"
#include "base/random.h"
#include "search/portfolio.h"

#define SPACE_TRIALS_FEW 30 /* below, the default space has the dimensions that matter most */
#define GRID_MAX         100000

struct dimension_choice {
    double number;
    char text[24]; /* of a HYPERPARAM_CHOICE; "" otherwise */
};

/* A list where n_choices is above 0, else the numbers from low to high, both included. */
struct dimension {
    const struct hyperparam *param;
    double low, high;
    double step;         /* from low on; 0: none. Never with log, never 0 for other whole numbers */
    bool log;            /* each order of magnitude counts the same */
    bool or_zero;        /* half of the space is 0, the other half low to high */
    bool only_lossguide; /* a setting has it when its grow_policy is lossguide */
    bool is_given;       /* by "search.params" */
    int n_choices;
    const struct dimension_choice *choices;
};

/* Zeroed memory is an empty space. */
struct space {
    const struct algorithm *algorithm;
    int n;
    struct dimension dimensions[HYPERPARAMS_MAX];
    struct hyperparams given; /* what the definition sets: every setting has it */
    struct hyperparams fixed; /* what the settings of this space have beside its dimensions */
    struct arena arena;
};
void space_release(struct space *space);

struct space_options {
    enum search_strategy strategy;
    int n_trials; /* of the algorithm; 0: many */
    bool has_categories;
    const cJSON *hyperparams, *params; /* of the definition; NULL: none */
};

/* What the algorithm does not have is left out, unchecked: space_check looks at all of it. Errors:
 * ERR_CONFIG with the field "/search/params/NAME…"; of hyperparams as hyperparams_overlay's. */
MUST_CHECK enum err_code space_init(struct space *space, enum algorithm_id algorithm,
                                    const struct space_options *options, struct err *err);

/* Is each member of "search.params" a list or range that can be searched, of a hyperparameter that
 * one of the algorithms (bits) has and "hyperparams" does not set? A grid without them is an error.
 * Errors as above. */
MUST_CHECK enum err_code space_check(const struct space_options *options, unsigned algorithms,
                                     struct err *err);

/* The index of a hyperparameter's dimension; -1: it has none. */
int space_dimension_of(const struct space *space, const struct hyperparam *param);

/* Rows of the default spaces, in space_defaults.c: appends the algorithm's dimensions. */
void space_add_defaults(struct space *space, bool few, bool has_categories);
/* XGBoost's own default of a hyperparameter, NaN where it has none; choice "" unless it has one. */
double space_default_of(const char *name, const char **ret_choice);

/* A place of the space by uniform numbers: each dimension at u in [0, 1), its half of u for zero
 * included. space_unit is the inverse: where in [0, 1] a point stands; the middle where it has no
 * value. */
void space_draw(const struct space *space, struct rng *rng, double *ret_point);
void space_unit(const struct space *space, const double *point, double *ret_unit);

/* The point of a setting: a hyperparameter that it does not set stands at XGBoost's default, a
 * number beyond a range at its nearest end, a value that a list does not have nowhere (NaN). */
void space_point(const struct space *space, const struct hyperparams *params, double *ret_point);

/* NaN where a dimension's condition does not hold at the point. */
void space_settle(const struct space *space, double *point);

/* The setting of a settled point: numbers of ranges by space_round. */
void space_setting(const struct space *space, const double *point, struct setting *ret_setting);

/* Brings a setting from elsewhere to the nearest that "search.params" allows and adds what
 * "hyperparams" sets; dimensions of the default space do not bind it. */
void space_bring(const struct space *space, struct setting *setting);

/* To four significant digits, which people can type. */
double space_round(double number);

/* A grid's settings: every combination, the last dimension changing fastest. The size is at most
 * GRID_MAX (ERR_CONFIG otherwise, with the number); a range counts where its values can be
 * counted. */
MUST_CHECK enum err_code space_grid_size(const struct space *space, int *ret_n, struct err *err);
void space_grid_point(const struct space *space, int i, double *ret_point);

#endif
