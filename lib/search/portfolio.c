#include "search/portfolio.h"

#include <assert.h>

#define SETTING_MAX 12

struct setting {
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

static const struct setting classification_settings[] = {
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

static const struct setting regression_settings[] = {
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

int portfolio_size(bool classification)
{
    return (int)(classification ? N_ELEMENTS(classification_settings)
                                : N_ELEMENTS(regression_settings));
}

void portfolio_get(bool classification, int i, struct hyperparams *ret_params)
{
    const struct setting *setting =
        classification ? &classification_settings[i] : &regression_settings[i];

    *ret_params = (struct hyperparams){0};
    for (int k = 0; k < SETTING_MAX && setting->values[k].name != NULL; k++) {
        enum err_code code =
            hyperparams_set(ret_params, setting->values[k].name, setting->values[k].number,
                            setting->values[k].choice, NULL);

        assert(code == ERR_OK); /* the table above is wrong */
        (void)code;
    }
}

int early_stopping_patience(size_t n_rows, int best_round)
{
    double base = 300.0 * 10000 / (double)(n_rows > 0 ? n_rows : 1);
    double by_best = 0.3 * best_round + 20;

    base = base < 20 ? 20 : base > 300 ? 300 : base;
    return (int)(base > by_best ? base : by_best);
}
