#include "search/portfolio.h"

#include <assert.h>
#include <string.h>

#define SETTING_MAX 12

/* A setting as the tables below have it. */
struct row {
    struct {
        const char *name; /* NULL ends */
        double number;
        const char *choice;
    } values[SETTING_MAX];
};

/*
 * Trees that are boosted plainly all have the eta at which settings are compared, whatever their
 * sources have: eta trades rounds for quality with any other value, and a small one costs five
 * times the rounds. The best get a smaller one at the end.
 */
#define ETA "eta", SEARCH_ETA, NULL

/* XGBoost's defaults but for eta, whose 0.3 is too coarse for most data. */
static const struct row library_defaults = {{{ETA}}};

/* No leaf for a handful of rows, each tree from a part of rows and columns, and every category
 * split off by itself: trees that sort categories of few rows by their targets learn those rows. */
static const struct row cautious = {{{ETA},
                                     {"min_child_weight", 5, NULL},
                                     {"subsample", 0.7, NULL},
                                     {"colsample_bytree", 0.7, NULL},
                                     {"max_cat_to_onehot", SEARCH_ONEHOT_ALL, NULL}}};

/* The same with shallow trees, for few rows or much noise. */
static const struct row shallow = {{{ETA},
                                    {"max_depth", 4, NULL},
                                    {"min_child_weight", 10, NULL},
                                    {"subsample", 0.6, NULL},
                                    {"colsample_bytree", 0.5, NULL},
                                    {"max_cat_to_onehot", SEARCH_ONEHOT_ALL, NULL}}};

/* LightGBM's defaults (31 leaves of 20 rows), as far as XGBoost has them. */
static const struct row leafwise = {{{ETA},
                                     {"grow_policy", 0, "lossguide"},
                                     {"max_depth", 0, NULL},
                                     {"max_leaves", 31, NULL},
                                     {"min_child_weight", 20, NULL},
                                     {"colsample_bytree", 0.7, NULL}}};

/* pytabkit's tuned defaults XGB-TD (Holzmüller et al. 2024), for classes and for numbers. */
static const struct row tuned_classes = {{{ETA},
                                          {"max_depth", 6, NULL},
                                          {"min_child_weight", 5e-6, NULL},
                                          {"lambda", 0, NULL},
                                          {"colsample_bylevel", 0.9, NULL},
                                          {"subsample", 0.65, NULL}}};
static const struct row tuned_numbers = {{{ETA},
                                          {"max_depth", 9, NULL},
                                          {"min_child_weight", 2, NULL},
                                          {"lambda", 0, NULL},
                                          {"subsample", 0.7, NULL}}};

/* AutoGluon's zero-shot portfolio of 2023 (zeroshot_portfolio_2023.py), XGBoost r89. */
static const struct row autogluon_r89 = {{{ETA},
                                          {"max_depth", 5, NULL},
                                          {"min_child_weight", 0.63, NULL},
                                          {"colsample_bytree", 0.66, NULL}}};

/* … and of 2025 (zeroshot_portfolio_2025.py), XGBoost r40. */
static const struct row autogluon_2025_r40 = {{{ETA},
                                               {"grow_policy", 0, "lossguide"},
                                               {"max_leaves", 35, NULL},
                                               {"max_depth", 10, NULL},
                                               {"min_child_weight", 0.14, NULL},
                                               {"alpha", 3.5, NULL},
                                               {"lambda", 1.3, NULL},
                                               {"subsample", 0.69, NULL},
                                               {"colsample_bylevel", 0.64, NULL},
                                               {"colsample_bynode", 0.92, NULL}}};

/* Those that cost least, and forgive most, first. */
static const struct row *const classification_rows[] = {
    &library_defaults, &cautious,      &tuned_classes,      &leafwise,
    &shallow,          &autogluon_r89, &autogluon_2025_r40,
};
static const struct row *const regression_rows[] = {
    &library_defaults, &cautious,           &shallow, &leafwise, &tuned_numbers,
    &autogluon_r89,    &autogluon_2025_r40,
};

/* Dropout as the paper has it where it does best (Rashmi and Gilad-Bachrach 2015: few trees a
 * round), LightGBM's defaults first. */
static const struct row dropout = {
    {{"eta", 0.1, NULL}, {"rate_drop", 0.1, NULL}, {"skip_drop", 0.5, NULL}}};
static const struct row dropout_of_one = {{{"eta", 0.3, NULL},
                                           {"max_depth", 5, NULL},
                                           {"rate_drop", 0.05, NULL},
                                           {"one_drop", 1, NULL},
                                           {"subsample", 0.8, NULL},
                                           {"colsample_bytree", 0.8, NULL}}};
static const struct row *const dart_rows[] = {&dropout, &dropout_of_one};

/* XGBoost's defaults for random forests (XGBRFRegressor) but for the depth, then trees that see
 * less of the columns at each node, as Breiman's do, and are bounded by their leaves: a deep level
 * of a tree that grows by depth has a histogram of every feature for each of its nodes. */
static const struct row forest_by_depth = {{{"num_parallel_tree", 100, NULL},
                                            {"max_depth", 10, NULL},
                                            {"subsample", 0.8, NULL},
                                            {"colsample_bynode", 0.8, NULL},
                                            {"lambda", 1e-5, NULL}}};
static const struct row forest_by_leaves = {{{"num_parallel_tree", 200, NULL},
                                             {"grow_policy", 0, "lossguide"},
                                             {"max_depth", 0, NULL},
                                             {"max_leaves", 512, NULL},
                                             {"subsample", 0.63, NULL},
                                             {"colsample_bynode", 0.4, NULL},
                                             {"lambda", 1e-5, NULL}}};
static const struct row *const random_forest_rows[] = {&forest_by_depth, &forest_by_leaves};

/* The penalties are shares of the rows' weight. */
static const struct row linear_free = {{{"eta", 0.5, NULL}, {"lambda", 0, NULL}}};
static const struct row linear_some = {{{"eta", 0.5, NULL}, {"lambda", 0.01, NULL}}};
static const struct row linear_more = {{{"eta", 0.5, NULL}, {"lambda", 0.1, NULL}}};
static const struct row *const linear_rows[] = {&linear_free, &linear_some, &linear_more};

#define ROWS(table) table, (int)N_ELEMENTS(table)

/* [algorithm][is classification] */
static const struct {
    const struct row *const *rows;
    int n;
} portfolios[N_ALGORITHMS][2] = {
    [ALGORITHM_XGBOOST] = {{ROWS(regression_rows)}, {ROWS(classification_rows)}},
    [ALGORITHM_DART] = {{ROWS(dart_rows)}, {ROWS(dart_rows)}},
    [ALGORITHM_RANDOM_FOREST] = {{ROWS(random_forest_rows)}, {ROWS(random_forest_rows)}},
    [ALGORITHM_LINEAR] = {{ROWS(linear_rows)}, {ROWS(linear_rows)}},
};

bool setting_equal(const struct setting *a, const struct setting *b)
{
    if (a->algorithm != b->algorithm || a->params.n != b->params.n)
        return false;
    for (int i = 0; i < a->params.n; i++) {
        const struct hyperparam_value *mine = &a->params.values[i];
        const struct hyperparam_value *other = hyperparams_value(&b->params, mine->param);

        if (other == NULL || other->number != mine->number ||
            strcmp(other->choice, mine->choice) != 0)
            return false;
    }
    return true;
}

int portfolio_size(enum algorithm_id algorithm, bool classification)
{
    return portfolios[algorithm][classification].n;
}

void portfolio_get(enum algorithm_id algorithm, bool classification, int i,
                   struct setting *ret_setting)
{
    const struct row *row = portfolios[algorithm][classification].rows[i];

    memset(ret_setting, 0, sizeof(*ret_setting));
    ret_setting->algorithm = algorithm_of(algorithm);
    for (int k = 0; k < SETTING_MAX && row->values[k].name != NULL; k++) {
        enum err_code code = hyperparams_set(&ret_setting->params, row->values[k].name,
                                             row->values[k].number, row->values[k].choice, NULL);

        assert(code == ERR_OK); /* the table above is wrong */
        (void)code;
    }
}

int portfolio_size_of(unsigned algorithms, bool classification, int n_each)
{
    int n = 0;

    for (int id = 0; id < N_ALGORITHMS; id++) {
        int size = portfolio_size((enum algorithm_id)id, classification);

        if (algorithms & ALGORITHM_BIT(id))
            n += size < n_each ? size : n_each;
    }
    return n;
}

void portfolio_get_of(unsigned algorithms, bool classification, int number,
                      struct setting *ret_setting)
{
    for (int i = 0;; i++) {
        for (int id = 0; id < N_ALGORITHMS; id++) {
            if (!(algorithms & ALGORITHM_BIT(id)) ||
                i >= portfolio_size((enum algorithm_id)id, classification))
                continue;
            if (number-- == 0) {
                portfolio_get((enum algorithm_id)id, classification, i, ret_setting);
                return;
            }
        }
    }
}

int early_stopping_patience(size_t n_rows, double eta, int best_round)
{
    double base = 1e6 / (double)(n_rows > 0 ? n_rows : 1);
    double by_best = 0.3 * best_round + 20, times = 0.1 / eta;

    base = base < 20 ? 20 : base > 50 ? 50 : base;
    times = times < 1.0 / 3 ? 1.0 / 3 : times > 3 ? 3 : times;
    base *= times;
    return (int)(base > by_best ? base : by_best);
}
