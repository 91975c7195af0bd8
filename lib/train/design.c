#include "train/design.h"

#include <string.h>

#include "search/hyperparams.h"

#define SAMPLE_ROWS 256

void design_release(struct design *design)
{
    encoded_release(&design->encoded_train);
    encoded_release(&design->encoded_valid);
    matrix_free(design->train);
    matrix_free(design->valid);
    encoder_free(design->encoder);
    free(design->sample);
    *design = (struct design){0};
}

/* Where boosting starts, and how far the target spreads. */
static enum err_code look_at_target(struct design *design, const struct trial_setup *setup,
                                    const struct rows *train, struct err *err)
{
    const double *y = setup->dataset->y, *weights = setup->dataset->weights;

    design->spread = target_spread(y, weights, train->items, train->n);
    if (setup->objective->base == BASE_MEDIAN_TIME)
        return dataset_median_time(setup->dataset, train, &design->base_score, err);
    return objective_base_score(setup->objective, y, weights, train->items, train->n,
                                &design->base_score, err);
}

enum err_code design_fit(struct design *design, bool is_linear, const struct trial_setup *setup,
                         const struct rows *train, struct err *err)
{
    const struct dataset *dataset = setup->dataset;
    struct encoder_target target = dataset_encoder_target(dataset);

    design->is_linear = is_linear;
    TRY(look_at_target(design, setup, train, err));
    return (is_linear ? encoder_fit_linear : encoder_fit)(dataset->schema, setup->project,
                                                          dataset->frame, train->items, train->n,
                                                          &target, &design->encoder, err);
}

enum err_code design_encode(struct design *design, const struct trial_setup *setup,
                            const struct rows *train, const struct rows *valid,
                            const struct spill_rule *spill, struct err *err)
{
    const struct dataset *dataset = setup->dataset;

    design->valid_rows = valid;
    TRY(encoded_init(&design->encoded_train, design->encoder, dataset, train, true,
                     design->is_linear ? NULL : spill, err));
    return valid == NULL ? ERR_OK
                         : encoded_init(&design->encoded_valid, design->encoder, dataset, valid,
                                        false, spill, err);
}

/* The first validation rows: they are in the order of a hash. */
static enum err_code take_sample(struct design *design, struct err *err)
{
    const struct encoded *valid = &design->encoded_valid;
    size_t n = valid->n_rows < SAMPLE_ROWS ? valid->n_rows : SAMPLE_ROWS;
    size_t n_values = n * (size_t)design->encoder->n_features;

    design->sample = malloc(n_values * sizeof(float) + 1);
    if (design->sample == NULL)
        return err_nomem(err);
    memcpy(design->sample, valid->values, n_values * sizeof(float));
    design->n_sample = n;
    return ERR_OK;
}

enum err_code design_build(struct design *design, const struct trial_setup *setup, struct err *err)
{
    struct hyperparams given = {0};
    int max_bin;

    if (design->encoder == NULL)
        return ERR_OK;
    TRY(hyperparams_overlay(&given, ALGORITHM_XGBOOST, setup->project->hyperparams, err));
    max_bin = (int)hyperparams_get(&given, "max_bin", 0);
    TRY(encoded_matrix(&design->encoded_train, !design->is_linear, max_bin, setup->threads,
                       &design->train, err));
    encoded_release(&design->encoded_train);
    if (design->valid_rows == NULL)
        return ERR_OK;
    TRY(encoded_matrix(&design->encoded_valid, false, 0, setup->threads, &design->valid, err));
    TRY(take_sample(design, err));
    encoded_release(&design->encoded_valid);
    return ERR_OK;
}

void designs_release(struct designs *designs)
{
    for (int kind = 0; kind < 2; kind++) {
        for (int k = 0; k < designs->n_folds && designs->folds[kind] != NULL; k++)
            design_release(&designs->folds[kind][k]);
        free(designs->folds[kind]);
    }
    *designs = (struct designs){0};
}

enum err_code designs_encode(struct designs *designs, const struct trial_setup *setup,
                             unsigned algorithms, const struct spill_rule *spill, struct err *err)
{
    const unsigned linear = ALGORITHM_BIT(ALGORITHM_LINEAR);
    const unsigned kinds[2] = {[false] = algorithms & ~linear, [true] = algorithms & linear};
    const struct split *split = setup->dataset->split;

    designs->n_folds = split->n_folds;
    for (int kind = 0; kind < 2; kind++) {
        if (kinds[kind] == 0)
            continue;
        designs->folds[kind] = calloc((size_t)split->n_folds, sizeof(struct design));
        if (designs->folds[kind] == NULL)
            return err_nomem(err);
        for (int k = 0; k < split->n_folds; k++) {
            const struct fold *fold = &split->folds[k];
            struct design *design = &designs->folds[kind][k];

            TRY(design_fit(design, kind, setup, &fold->train, err));
            TRY(design_encode(design, setup, &fold->train, &fold->valid, spill, err));
        }
    }
    return ERR_OK;
}

enum err_code designs_build(struct designs *designs, const struct trial_setup *setup,
                            struct err *err)
{
    for (int kind = 0; kind < 2; kind++)
        for (int k = 0; k < designs->n_folds && designs->folds[kind] != NULL; k++)
            TRY(design_build(&designs->folds[kind][k], setup, err));
    return ERR_OK;
}

bool designs_have_categories(const struct designs *designs)
{
    const struct encoder *encoder =
        designs->folds[false] != NULL ? designs->folds[false][designs->n_folds - 1].encoder : NULL;

    for (int i = 0; encoder != NULL && i < encoder->n_features; i++)
        if (encoder->feature_types[i][0] == 'c')
            return true;
    return false;
}

const struct encoder *designs_encoder(const struct designs *designs)
{
    return designs->folds[designs->folds[false] == NULL][designs->n_folds - 1].encoder;
}
