#include "train/trial.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "forest/objective.h"
#include "train/measure.h"

void design_release(struct design *design)
{
    encoded_release(&design->encoded_train);
    encoded_release(&design->encoded_valid);
    matrix_free(design->train);
    matrix_free(design->valid);
    encoder_free(design->encoder);
    *design = (struct design){0};
}

enum err_code design_encode(struct design *design, bool is_linear, const struct project *project,
                            const struct dataset *dataset, const struct rows *train,
                            const struct rows *valid, const struct spill_rule *spill,
                            struct err *err)
{
    struct encoder_target target = dataset_encoder_target(dataset);

    design->is_linear = is_linear;
    design->valid_rows = valid;
    TRY((is_linear ? encoder_fit_linear : encoder_fit)(dataset->schema, project, dataset->frame,
                                                       train->items, train->n, &target,
                                                       &design->encoder, err));
    TRY(encoded_init(&design->encoded_train, design->encoder, dataset, train, true,
                     is_linear ? NULL : spill, err));
    return valid == NULL ? ERR_OK
                         : encoded_init(&design->encoded_valid, design->encoder, dataset, valid,
                                        false, spill, err);
}

enum err_code design_build(struct design *design, const struct project *project, int threads,
                           struct err *err)
{
    struct hyperparams given = {0};
    int max_bin;

    if (design->encoder == NULL)
        return ERR_OK;
    TRY(hyperparams_overlay(&given, ALGORITHM_XGBOOST, project->hyperparams, err));
    max_bin = (int)hyperparams_get(&given, "max_bin", 0);
    TRY(encoded_matrix(&design->encoded_train, !design->is_linear, max_bin, threads, &design->train,
                       err));
    encoded_release(&design->encoded_train);
    if (design->valid_rows == NULL)
        return ERR_OK;
    TRY(encoded_matrix(&design->encoded_valid, false, max_bin, threads, &design->valid, err));
    encoded_release(&design->encoded_valid);
    return ERR_OK;
}

enum err_code trial_setup_rows(struct trial_setup *setup, const struct rows *training,
                               struct err *err)
{
    const double *y = setup->dataset->y, *weights = setup->dataset->weights;

    setup->spread = target_spread(y, weights, training->items, training->n);
    if (setup->objective->base == BASE_MEDIAN_TIME)
        return dataset_median_time(setup->dataset, training, &setup->base_score, err);
    return objective_base_score(setup->objective, y, weights, training->items, training->n,
                                &setup->base_score, err);
}

#define PARAMS_MAX (HYPERPARAMS_MAX + ALGORITHM_PARAMS_MAX + 8)

PRINTF_LIKE(4, 5)
static void add_param(struct booster_param *params, int *n, const char *name, const char *format,
                      ...)
{
    va_list args;

    snprintf(params[*n].name, sizeof(params[*n].name), "%s", name);
    va_start(args, format);
    vsnprintf(params[*n].value, sizeof(params[*n].value), format, args);
    va_end(args);
    (*n)++;
}

static enum err_code booster_params(const struct trial_setup *setup, const struct setting *setting,
                                    struct booster_param *ret_params, int *ret_n, struct err *err)
{
    const struct booster_param *fixed = setting->algorithm->params;
    const struct hyperparams *params = &setting->params;
    int n = 0;

    TRY(hyperparams_to_booster(params, ret_params, HYPERPARAMS_MAX, &n, err));
    add_param(ret_params, &n, "objective", "%s", setup->objective->name);
    add_param(ret_params, &n, "nthread", "%d", setup->threads);
    add_param(ret_params, &n, "seed", "%lld", (long long)(setup->project->seed & INT32_MAX));
    add_param(ret_params, &n, "seed_per_iteration", "1");
    if (strcmp(setup->objective->name, "reg:pseudohubererror") == 0 &&
        isnan(hyperparams_get(params, "huber_slope", NAN)))
        add_param(ret_params, &n, "huber_slope", "%.9g", setup->spread);
    if (!isnan(setup->base_score))
        add_param(ret_params, &n, "base_score", "%.17g", setup->base_score);
    if (setup->dataset->task == METRIC_MULTICLASS)
        add_param(ret_params, &n, "num_class", "%d", dataset_n_classes(setup->dataset));
    for (int i = 0; i < ALGORITHM_PARAMS_MAX && fixed[i].name[0] != '\0'; i++)
        ret_params[n++] = fixed[i]; /* the last word */
    *ret_n = n;
    return ERR_OK;
}

void trial_result_release(struct trial_result *result)
{
    free(result->margins);
    *result = (struct trial_result){0};
}

/* One look at the validation rows after a round. */
struct look {
    struct predictions predictions;
    float *outputs; /* room for transformed margins */
    float *margins; /* at the best round */
    const struct objective *objective;
    const struct metric *loss;
    double best_loss, score; /* at the best round */
    int best_rounds;
    struct learning learning;
};

/* By enough to be worth a round. */
static bool improves(const struct look *look, double loss)
{
    double gain = look->loss->higher_is_better ? loss - look->best_loss : look->best_loss - loss;

    return gain > EARLY_STOPPING_MIN_DELTA * fabs(look->best_loss);
}

static enum err_code look_update(struct look *look, struct booster *booster,
                                 const struct trial_setup *setup, const struct design *design,
                                 const struct hyperparams *params, struct err *err)
{
    CLEANUP(free_ptr) float *margins = NULL;
    struct metric_input input = predictions_input(&look->predictions);
    size_t n = 0, n_outputs;
    double loss;
    bool better;

    TRY(booster_margins(booster, design->valid, &margins, &n, err));
    n_outputs = n / look->predictions.n_rows;
    if (look->outputs == NULL && (look->outputs = calloc(n + 1, sizeof(float))) == NULL)
        return err_nomem(err);
    memcpy(look->outputs, margins, n * sizeof(float));
    for (size_t i = 0; i < look->predictions.n_rows; i++) {
        look->objective->transform(look->outputs + i * n_outputs, (int)n_outputs);
        predictions_set(&look->predictions, i, look->outputs + i * n_outputs);
    }
    input.variance_power = hyperparams_get(params, "tweedie_variance_power", 0);
    TRY(look->loss->compute(&input, &loss, err));
    if (isnan(loss))
        return err_set(err, ERR_DATA, "the trial diverged in round %d", booster_rounds(booster));
    better = look->best_rounds == 0 || improves(look, loss);
    learning_add(&look->learning, booster_rounds(booster), loss, better);
    if (!better)
        return ERR_OK;
    look->best_loss = loss;
    look->best_rounds = booster_rounds(booster);
    free(look->margins);
    look->margins = TAKE_PTR(margins);
    TRY(setup->metric->compute(&input, &look->score, err));
    if (isnan(look->score)) {
        err_set(err, ERR_DATA, "%s is not defined on the validation rows", setup->metric->name);
        return err_hint(err, "a class may be missing among them; choose another \"metric\"");
    }
    return ERR_OK;
}

static void look_release(struct look *look)
{
    predictions_release(&look->predictions);
    free(look->outputs);
    free(look->margins);
}

static int patience(const struct hyperparams *params, size_t n_rows, int best_rounds)
{
    double given = hyperparams_get(params, "early_stopping_rounds", 0);

    return given > 0 ? (int)given : early_stopping_patience(n_rows, best_rounds);
}

static enum err_code boost(struct look *look, struct booster *booster,
                           const struct trial_setup *setup, const struct design *design,
                           const struct setting *setting, int number, int n_trials, double best,
                           struct control *control, struct err *err)
{
    const struct hyperparams *params = &setting->params;
    int rounds_max = (int)hyperparams_get(params, "n_estimators", setting->algorithm->rounds_max);
    size_t n_rows = matrix_n_rows(design->train);

    while (booster_rounds(booster) < rounds_max) {
        TRY(control_check(control, err));
        TRY(booster_update(booster, design->train, err));
        TRY(look_update(look, booster, setup, design, params, err));
        control_progress(control, "search", number, n_trials, best, booster_rounds(booster));
        if (booster_rounds(booster) - look->best_rounds >=
                patience(params, n_rows, look->best_rounds) ||
            clock_ms() >= setup->deadline_ms)
            break;
    }
    return ERR_OK;
}

enum err_code trial_run(const struct trial_setup *setup, const struct design *design,
                        const struct setting *setting, int number, int n_trials, double best,
                        struct control *control, struct trial_result *ret_result, struct err *err)
{
    struct booster_param booster_param[PARAMS_MAX];
    CLEANUP(booster_freep) struct booster *booster = NULL;
    CLEANUP(look_release)
    struct look look = {.loss = metric_find(setup->objective->loss), .score = NAN};
    int64_t started_ms = clock_ms();
    int n;

    TRY(objective_find(setup->objective->name, strlen(setup->objective->name), &look.objective,
                       err));
    TRY(booster_params(setup, setting, booster_param, &n, err));
    TRY(booster_new(design->train, design->valid, booster_param, n, &booster, err));
    TRY(predictions_init(&look.predictions, setup->dataset, design->valid_rows, err));
    look.predictions.hazards = setup->dataset->hazards;
    TRY(boost(&look, booster, setup, design, setting, number, n_trials, best, control, err));
    *ret_result = (struct trial_result){
        .rounds = look.best_rounds,
        .score = look.score,
        .seconds = (double)(clock_ms() - started_ms) / 1000,
        .learning = look.learning,
        .margins = TAKE_PTR(look.margins),
    };
    return ERR_OK;
}

enum err_code trial_refit(const struct trial_setup *setup, const struct design *design,
                          const struct setting *setting, int n_rounds, struct control *control,
                          struct buf *bytes, struct err *err)
{
    struct booster_param booster_param[PARAMS_MAX];
    CLEANUP(booster_freep) struct booster *booster = NULL;
    int n;

    TRY(booster_params(setup, setting, booster_param, &n, err));
    TRY(booster_new(design->train, NULL, booster_param, n, &booster, err));
    while (booster_rounds(booster) < n_rounds) {
        TRY(control_check(control, err));
        TRY(booster_update(booster, design->train, err));
        control_progress(control, "refit", booster_rounds(booster), n_rounds, NAN,
                         booster_rounds(booster));
    }
    return booster_save(booster, n_rounds, bytes, err);
}
