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

/* XGBoost's defaults but for eta, whose 0.3 is too coarse for most data. */
#define DEFAULTS                                                                                   \
    {                                                                                              \
        {                                                                                          \
            {                                                                                      \
                "eta", 0.1, NULL                                                                   \
            }                                                                                      \
        }                                                                                          \
    }

/* AutoGluon's zero-shot portfolio of 2023 (zeroshot_portfolio_2023.py), XGBoost r33, r89, r194. */
#define AUTOGLUON_R33                                                                              \
    {                                                                                              \
        {                                                                                          \
            {"eta", 0.018, NULL}, {"max_depth", 10, NULL}, {"min_child_weight", 0.60, NULL},       \
            {                                                                                      \
                "colsample_bytree", 0.69, NULL                                                     \
            }                                                                                      \
        }                                                                                          \
    }
#define AUTOGLUON_R89                                                                              \
    {                                                                                              \
        {                                                                                          \
            {"eta", 0.088, NULL}, {"max_depth", 5, NULL}, {"min_child_weight", 0.63, NULL},        \
            {                                                                                      \
                "colsample_bytree", 0.66, NULL                                                     \
            }                                                                                      \
        }                                                                                          \
    }
#define AUTOGLUON_R194                                                                             \
    {                                                                                              \
        {                                                                                          \
            {"eta", 0.093, NULL}, {"max_depth", 7, NULL}, {"min_child_weight", 0.80, NULL},        \
            {                                                                                      \
                "colsample_bytree", 0.91, NULL                                                     \
            }                                                                                      \
        }                                                                                          \
    }

/* AutoGluon's zero-shot portfolio of 2025 (zeroshot_portfolio_2025.py), XGBoost r40. */
#define AUTOGLUON_2025_R40                                                                         \
    {                                                                                              \
        {                                                                                          \
            {"grow_policy", 0, "lossguide"}, {"max_leaves", 35, NULL}, {"max_depth", 10, NULL},    \
                {"eta", 0.011, NULL}, {"min_child_weight", 0.14, NULL}, {"alpha", 3.5, NULL},      \
                {"lambda", 1.3, NULL}, {"subsample", 0.69, NULL},                                  \
                {"colsample_bylevel", 0.64, NULL},                                                 \
            {                                                                                      \
                "colsample_bynode", 0.92, NULL                                                     \
            }                                                                                      \
        }                                                                                          \
    }

static const struct row classification_rows[] = {
    DEFAULTS,
    /* pytabkit's tuned defaults XGB-TD for classification (Holzmüller et al. 2024). */
    {{{"eta", 0.08, NULL},
      {"max_depth", 6, NULL},
      {"min_child_weight", 5e-6, NULL},
      {"lambda", 0, NULL},
      {"colsample_bylevel", 0.9, NULL},
      {"subsample", 0.65, NULL}}},
    AUTOGLUON_R33,
    AUTOGLUON_R89,
    AUTOGLUON_R194,
    AUTOGLUON_2025_R40,
};

static const struct row regression_rows[] = {
    DEFAULTS,
    /* pytabkit's tuned defaults XGB-TD for regression (Holzmüller et al. 2024). */
    {{{"eta", 0.05, NULL},
      {"max_depth", 9, NULL},
      {"min_child_weight", 2, NULL},
      {"lambda", 0, NULL},
      {"subsample", 0.7, NULL}}},
    AUTOGLUON_R33,
    AUTOGLUON_R89,
    AUTOGLUON_R194,
    AUTOGLUON_2025_R40,
};

/* Dropout as the paper has it where it does best (Rashmi and Gilad-Bachrach 2015: few trees a
 * round), LightGBM's defaults first. */
static const struct row dart_rows[] = {
    {{{"eta", 0.1, NULL}, {"rate_drop", 0.1, NULL}, {"skip_drop", 0.5, NULL}}},
    {{{"eta", 0.3, NULL},
      {"max_depth", 5, NULL},
      {"rate_drop", 0.05, NULL},
      {"one_drop", 1, NULL},
      {"subsample", 0.8, NULL},
      {"colsample_bytree", 0.8, NULL}}},
};

/* XGBoost's defaults for random forests (XGBRFRegressor) but for the depth, then trees that see
 * less of the columns at each node, as Breiman's do, and are bounded by their leaves: a deep level
 * of a tree that grows by depth has a histogram of every feature for each of its nodes. */
static const struct row random_forest_rows[] = {
    {{{"num_parallel_tree", 100, NULL},
      {"max_depth", 10, NULL},
      {"subsample", 0.8, NULL},
      {"colsample_bynode", 0.8, NULL},
      {"lambda", 1e-5, NULL}}},
    {{{"num_parallel_tree", 200, NULL},
      {"grow_policy", 0, "lossguide"},
      {"max_depth", 0, NULL},
      {"max_leaves", 512, NULL},
      {"subsample", 0.63, NULL},
      {"colsample_bynode", 0.4, NULL},
      {"lambda", 1e-5, NULL}}},
};

/* The penalties are shares of the rows' weight. */
static const struct row linear_rows[] = {
    {{{"eta", 0.5, NULL}, {"lambda", 0, NULL}}},
    {{{"eta", 0.5, NULL}, {"lambda", 0.01, NULL}}},
    {{{"eta", 0.5, NULL}, {"lambda", 0.1, NULL}}},
};

#define ROWS(table) table, (int)N_ELEMENTS(table)

/* [algorithm][is classification] */
static const struct {
    const struct row *rows;
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
    const struct row *row = &portfolios[algorithm][classification].rows[i];

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
    double base = 300.0 * 10000 / (double)(n_rows > 0 ? n_rows : 1);
    double by_best = 0.3 * best_round + 20, times = 0.1 / eta;

    base = (base < 40 ? 40 : base > 300 ? 300 : base) / 2;
    times = times < 1.0 / 3 ? 1.0 / 3 : times > 3 ? 3 : times;
    base *= times;
    return (int)(base > by_best ? base : by_best);
}
