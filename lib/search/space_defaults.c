#include <math.h>
#include <string.h>

#include "search/space.h"

/* When a row counts, and how. */
enum {
    LOG = 1,
    OR_ZERO = 2,
    LOSSGUIDE = 4,  /* where trees grow so */
    CATEGORIES = 8, /* where there are some */
    ALWAYS = 16,    /* even with few trials */
};

struct row {
    const char *name; /* NULL ends */
    double low, high; /* of a choice neither */
    unsigned flags;
};

/*
 * Depth and the size of leaves first, then what is drawn, then penalties. eta is not searched: it
 * trades rounds for quality whatever the rest is, so that trials are compared at one and the best
 * get a smaller one at the end.
 */
static const struct row xgboost_rows[] = {
    {"max_depth", 3, 10, ALWAYS},
    {"min_child_weight", 1e-3, 100, LOG | ALWAYS},
    {"subsample", 0.3, 1, ALWAYS},
    {"colsample_bytree", 0.3, 1, ALWAYS},
    {"colsample_bynode", 0.5, 1, 0},
    {"lambda", 1e-3, 100, LOG},
    {"alpha", 1e-4, 10, LOG | OR_ZERO},
    {"gamma", 1e-3, 10, LOG | OR_ZERO},
    {"grow_policy", 0, 0, 0},
    {"max_leaves", 8, 1024, LOG | LOSSGUIDE},
    {"max_cat_to_onehot", 0, 0, CATEGORIES | ALWAYS},
    {NULL, 0, 0, 0},
};

/* Its rounds are few (a smaller eta at the end would need more), so that eta is searched. */
static const struct row dart_rows[] = {
    {"eta", 0.05, 0.3, LOG | ALWAYS},
    {"max_depth", 3, 10, ALWAYS},
    {"min_child_weight", 1e-3, 100, LOG | ALWAYS},
    {"rate_drop", 0.01, 0.3, LOG | ALWAYS},
    {"subsample", 0.5, 1, 0},
    {"colsample_bytree", 0.5, 1, 0},
    {"skip_drop", 0, 0.8, 0},
    {"lambda", 1e-3, 100, LOG},
    {NULL, 0, 0, 0},
};

/* Trees of a forest differ by what they are drawn from: never all of the rows. */
static const struct row random_forest_rows[] = {
    {"max_depth", 4, 16, ALWAYS},
    {"min_child_weight", 0.1, 100, LOG | ALWAYS},
    {"subsample", 0.3, 0.95, ALWAYS},
    {"colsample_bynode", 0.1, 1, ALWAYS},
    {"num_parallel_tree", 50, 400, LOG},
    {"lambda", 1e-5, 10, LOG},
    {NULL, 0, 0, 0},
};

/* Shares of the rows' weight. */
static const struct row linear_rows[] = {
    {"lambda", 1e-5, 1, LOG | OR_ZERO | ALWAYS},
    {"alpha", 1e-6, 0.1, LOG | OR_ZERO | ALWAYS},
    {NULL, 0, 0, 0},
};

/* What is not searched and not XGBoost's default. */
static const struct {
    const struct row *rows;
    struct {
        const char *name;
        double number;
    } fixed[2];
} defaults[N_ALGORITHMS] = {
    [ALGORITHM_XGBOOST] = {xgboost_rows, {{"eta", SEARCH_ETA}}},
    [ALGORITHM_DART] = {dart_rows, {{0}}},
    [ALGORITHM_RANDOM_FOREST] = {random_forest_rows,
                                 {{"num_parallel_tree", 100}, {"lambda", 1e-5}}},
    [ALGORITHM_LINEAR] = {linear_rows, {{"eta", 0.5}}},
};

static const struct dimension_choice policies[] = {{0, "depthwise"}, {0, "lossguide"}};

/* Sorted by their targets and cut in two, or each split off by itself: all columns alike. Between
 * the two a column would go from one to the other with a category more, from the folds to the model
 * that is fitted on all of them. */
static const struct dimension_choice category_splits[] = {{4, ""}, {SEARCH_ONEHOT_ALL, ""}};

static struct dimension dimension_of(const struct row *row)
{
    struct dimension dimension = {
        .param = hyperparam_find(row->name),
        .low = row->low,
        .high = row->high,
        .log = row->flags & LOG,
        .or_zero = row->flags & OR_ZERO,
        .only_lossguide = row->flags & LOSSGUIDE,
    };

    if (row->flags & CATEGORIES) {
        dimension.choices = category_splits;
        dimension.n_choices = (int)N_ELEMENTS(category_splits);
    } else if (dimension.param->type == HYPERPARAM_CHOICE) {
        dimension.choices = policies;
        dimension.n_choices = (int)N_ELEMENTS(policies);
    } else if (dimension.param->type == HYPERPARAM_INT && !dimension.log) {
        dimension.step = 1;
    }
    return dimension;
}

static void fix(struct space *space, const char *name, double number)
{
    struct hyperparams *fixed = &space->fixed;

    fixed->values[fixed->n++] =
        (struct hyperparam_value){.param = hyperparam_find(name), .number = number};
}

void space_add_defaults(struct space *space, bool few, bool has_categories)
{
    enum algorithm_id id = space->algorithm->id;

    for (size_t i = 0; i < N_ELEMENTS(defaults[id].fixed) && defaults[id].fixed[i].name; i++)
        fix(space, defaults[id].fixed[i].name, defaults[id].fixed[i].number);
    for (const struct row *row = defaults[id].rows; row->name != NULL; row++) {
        if ((few && !(row->flags & ALWAYS)) || (!has_categories && (row->flags & CATEGORIES)))
            continue;
        space->dimensions[space->n++] = dimension_of(row);
    }
}

/* XGBoost's documented defaults ("XGBoost Parameters"). */
static const struct {
    const char *name;
    double number;
    const char *choice;
} library_defaults[] = {
    {"eta", 0.3, ""},
    {"max_depth", 6, ""},
    {"min_child_weight", 1, ""},
    {"gamma", 0, ""},
    {"subsample", 1, ""},
    {"colsample_bytree", 1, ""},
    {"colsample_bylevel", 1, ""},
    {"colsample_bynode", 1, ""},
    {"lambda", 1, ""},
    {"alpha", 0, ""},
    {"grow_policy", 0, "depthwise"},
    {"max_leaves", 0, ""},
    {"max_delta_step", 0, ""},
    {"max_cat_to_onehot", 4, ""},
    {"max_cat_threshold", 64, ""},
    {"scale_pos_weight", 1, ""},
    {"num_parallel_tree", 1, ""},
    {"rate_drop", 0, ""},
    {"skip_drop", 0, ""},
    {"one_drop", 0, ""},
    {"sample_type", 0, "uniform"},
    {"normalize_type", 0, "tree"},
    {"feature_selector", 0, "cyclic"},
    {"top_k", 0, ""},
    {"tweedie_variance_power", 1.5, ""},
};

double space_default_of(const char *name, const char **ret_choice)
{
    *ret_choice = "";
    for (size_t i = 0; i < N_ELEMENTS(library_defaults); i++) {
        if (strcmp(library_defaults[i].name, name) != 0)
            continue;
        *ret_choice = library_defaults[i].choice;
        return library_defaults[i].number;
    }
    return (double)NAN;
}
