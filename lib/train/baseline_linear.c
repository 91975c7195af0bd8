#include "train/baseline_linear.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "forest/objective.h"
#include "train/design.h"

/* Each goes over all coefficients once. */
#define ROUNDS 200

/* The project without what it tunes. */
static struct project untuned(const struct project *project)
{
    struct project plain = *project;

    plain.objective = NULL;
    plain.hyperparams = NULL;
    plain.algorithms = ALGORITHM_BIT(ALGORITHM_LINEAR);
    return plain;
}

static int fill_params(const struct trial_setup *setup, const struct design *design,
                       struct booster_param *params)
{
    int n = 0;

    params[n++] = (struct booster_param){"booster", "gblinear"};
    params[n++] = (struct booster_param){"updater", "coord_descent"};
    params[n++] = (struct booster_param){"nthread", "1"};
    params[n++] = (struct booster_param){"alpha", "0"};
    params[n] = (struct booster_param){.name = "objective"};
    snprintf(params[n].value, sizeof(params[n].value), "%s", setup->objective->name);
    n++;
    params[n] = (struct booster_param){.name = "lambda"};
    snprintf(params[n].value, sizeof(params[n].value), "%g", BASELINE_LAMBDA);
    n++;
    if (!isnan(design->base_score)) {
        params[n] = (struct booster_param){.name = "base_score"};
        snprintf(params[n].value, sizeof(params[n].value), "%.17g", design->base_score);
        n++;
    }
    if (setup->dataset->task == METRIC_MULTICLASS) {
        params[n] = (struct booster_param){.name = "num_class"};
        snprintf(params[n].value, sizeof(params[n].value), "%d", dataset_n_classes(setup->dataset));
        n++;
    }
    return n;
}
#define PARAMS_MAX 8

static enum err_code fit(const struct trial_setup *setup, const struct design *design,
                         float **ret_margins, size_t *ret_n, struct err *err)
{
    struct booster_param params[PARAMS_MAX];
    CLEANUP(booster_freep) struct booster *booster = NULL;
    int n_params = fill_params(setup, design, params);

    TRY(booster_new(design->train, design->valid, params, n_params, &booster, err));
    while (booster_rounds(booster) < ROUNDS)
        TRY(booster_update(booster, design->train, err));
    return booster_margins(booster, design->valid, ret_margins, ret_n, err);
}

/* False where the weights diverged. */
static bool fill(const struct objective *objective, float *margins, size_t n,
                 struct predictions *predictions)
{
    size_t n_outputs = n / predictions->n_rows;

    for (size_t i = 0; i < n; i++)
        if (!isfinite(margins[i]))
            return false;
    for (size_t i = 0; i < predictions->n_rows; i++) {
        objective->transform(margins + i * n_outputs, (int)n_outputs);
        predictions_set(predictions, i, margins + i * n_outputs);
    }
    return true;
}

static enum err_code encode(const struct trial_setup *setup, const struct rows *training,
                            const struct rows *rows, struct design *design, struct buf *why,
                            struct err *err)
{
    size_t n_rows = training->n + rows->n;

    /* a column is one feature at least, mostly: no need to encode what will be too large */
    if (n_rows > BASELINE_VALUES_MAX / (size_t)(setup->dataset->schema->n_features + 1)) {
        buf_printf(why, "%zu rows are too many", n_rows);
        return buf_check(why, err);
    }
    TRY(design_fit(design, true, setup, training, err));
    if (n_rows > BASELINE_VALUES_MAX / (size_t)design->encoder->n_features) {
        buf_printf(why, "%zu rows of %d features are too many values", n_rows,
                   design->encoder->n_features);
        return buf_check(why, err);
    }
    TRY(design_encode(design, setup, training, rows, NULL, err));
    return design_build(design, setup, err);
}

enum err_code baseline_linear(const struct project *project, const struct dataset *dataset,
                              const struct rows *training, const struct rows *rows,
                              struct predictions *predictions, struct buf *why, struct err *err)
{
    const struct project plain = untuned(project);
    struct trial_setup setup = {.project = &plain, .dataset = dataset, .threads = 1};
    CLEANUP(design_release) struct design design = {0};
    CLEANUP(free_ptr) float *margins = NULL;
    const struct objective *objective;
    size_t n = 0;

    TRY(training_objective_of(&plain, dataset->schema->task, dataset_n_classes(dataset),
                              &setup.objective, err));
    TRY(objective_find(setup.objective->name, strlen(setup.objective->name), &objective, err));
    TRY(encode(&setup, training, rows, &design, why, err));
    if (why->length > 0)
        return ERR_OK;
    TRY(fit(&setup, &design, &margins, &n, err));
    if (!fill(objective, margins, n, predictions))
        buf_puts(why, "the weights diverged");
    return buf_check(why, err);
}
