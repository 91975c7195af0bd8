#include "train/trial.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "forest/forest.h"
#include "forest/objective.h"
#include "train/measure.h"

#define TIMING_PASSES 3
#define PARAMS_MAX    (HYPERPARAMS_MAX + ALGORITHM_PARAMS_MAX + 8)

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

static enum err_code booster_params(const struct trial_setup *setup, const struct design *design,
                                    const struct setting *setting, struct booster_param *ret_params,
                                    int *ret_n, struct err *err)
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
        add_param(ret_params, &n, "huber_slope", "%.9g", design->spread);
    if (!isnan(design->base_score))
        add_param(ret_params, &n, "base_score", "%.17g", design->base_score);
    if (setup->dataset->task == METRIC_MULTICLASS)
        add_param(ret_params, &n, "num_class", "%d", dataset_n_classes(setup->dataset));
    for (int i = 0; i < ALGORITHM_PARAMS_MAX && fixed[i].name[0] != '\0'; i++)
        ret_params[n++] = fixed[i]; /* the last word */
    *ret_n = n;
    return ERR_OK;
}

enum err_code trial_booster(const struct trial_setup *setup, const struct design *design,
                            const struct setting *setting, struct booster **ret_booster,
                            struct err *err)
{
    struct booster_param params[PARAMS_MAX];
    int n;

    TRY(booster_params(setup, design, setting, params, &n, err));
    return booster_new(design->train, design->valid, params, n, ret_booster, err);
}

void trial_result_release(struct trial_result *result)
{
    free(result->margins);
    *result = (struct trial_result){0};
}

void trial_put_folds(const struct trial_result *result, struct buf *json)
{
    buf_putc(json, '[');
    for (int k = 0; k < result->n_folds; k++) {
        if (k > 0)
            buf_putc(json, ',');
        json_put_double(json, result->fold_scores[k]);
    }
    buf_putc(json, ']');
}

/* One fold: a booster that is looked at after each round. */
struct boosting {
    const struct design *design;
    struct booster *booster;
    struct predictions predictions; /* of the fold's validation rows */
    float *outputs;                 /* room for transformed margins */
    float *margins;                 /* at the best round */
    size_t n_margins;
    double best_loss;
    int best_rounds;
    double *losses; /* [n_losses] after each round */
    size_t n_losses, n_losses_max;
    int64_t deadline_ms;
};

static void boosting_release(struct boosting *boosting)
{
    booster_free(boosting->booster);
    predictions_release(&boosting->predictions);
    free(boosting->outputs);
    free(boosting->margins);
    free(boosting->losses);
    *boosting = (struct boosting){0};
}

/* A trial under way. */
struct trial {
    const struct trial_setup *setup;
    const struct trial_request *request;
    const struct objective *objective;
    const struct metric *loss;
    double variance_power;
    struct boosting folds[SPLIT_FOLDS_MAX];
    bool is_stopped;
    double predict_us;
};

static void trial_release(struct trial *trial)
{
    for (int k = 0; k < trial->request->n_folds; k++)
        boosting_release(&trial->folds[k]);
}

static void fill_predictions(const struct trial *trial, const float *margins, size_t n_margins,
                             float *outputs, struct predictions *predictions)
{
    size_t n_outputs = n_margins / predictions->n_rows;

    memcpy(outputs, margins, n_margins * sizeof(float));
    for (size_t i = 0; i < predictions->n_rows; i++) {
        trial->objective->transform(outputs + i * n_outputs, (int)n_outputs);
        predictions_set(predictions, i, outputs + i * n_outputs);
    }
}

static enum err_code compute(const struct trial *trial, const struct metric *metric,
                             const struct predictions *predictions, double *ret_value,
                             struct err *err)
{
    struct metric_input input = predictions_input(predictions);

    input.variance_power = trial->variance_power;
    return metric->compute(&input, ret_value, err);
}

static enum err_code add_loss(struct boosting *boosting, double loss, struct err *err)
{
    if (boosting->n_losses == boosting->n_losses_max) {
        size_t n = boosting->n_losses_max * 2 + 64;
        double *losses = reallocarray(boosting->losses, n, sizeof(*losses));

        if (losses == NULL)
            return err_nomem(err);
        boosting->losses = losses;
        boosting->n_losses_max = n;
    }
    boosting->losses[boosting->n_losses++] = loss;
    return ERR_OK;
}

/* By enough to be worth a round. */
static bool improves(const struct trial *trial, const struct boosting *boosting, double loss)
{
    double gain =
        trial->loss->higher_is_better ? loss - boosting->best_loss : boosting->best_loss - loss;

    return gain > EARLY_STOPPING_MIN_DELTA * fabs(boosting->best_loss);
}

/* A look at the validation rows after a round. */
static enum err_code look(const struct trial *trial, struct boosting *boosting, struct err *err)
{
    CLEANUP(free_ptr) float *margins = NULL;
    int rounds = booster_rounds(boosting->booster);
    size_t n = 0;
    double loss;

    TRY(booster_margins(boosting->booster, boosting->design->valid, &margins, &n, err));
    if (boosting->outputs == NULL && (boosting->outputs = calloc(n + 1, sizeof(float))) == NULL)
        return err_nomem(err);
    fill_predictions(trial, margins, n, boosting->outputs, &boosting->predictions);
    TRY(compute(trial, trial->loss, &boosting->predictions, &loss, err));
    if (isnan(loss))
        return err_set(err, ERR_DATA, "the trial diverged in round %d", rounds);
    TRY(add_loss(boosting, loss, err));
    if (boosting->best_rounds > 0 && !improves(trial, boosting, loss))
        return ERR_OK;
    boosting->best_loss = loss;
    boosting->best_rounds = rounds;
    boosting->n_margins = n;
    free(boosting->margins);
    boosting->margins = TAKE_PTR(margins);
    return ERR_OK;
}

static bool out_of_patience(const struct trial *trial, const struct boosting *boosting)
{
    const struct hyperparams *params = &trial->request->setting->params;
    double given = hyperparams_get(params, "early_stopping_rounds", 0);
    double eta = hyperparams_get(params, "eta", 0.3);
    int patience = given > 0 ? (int)given
                             : early_stopping_patience(matrix_n_rows(boosting->design->train), eta,
                                                       boosting->best_rounds);

    return booster_rounds(boosting->booster) - boosting->best_rounds >= patience;
}

static bool is_stopped(struct trial *trial, int fold)
{
    const struct trial_watch *watch = trial->request->watch;
    const struct boosting *boosting = &trial->folds[fold];
    const struct trial_moment moment = {
        .fold = fold,
        .n_folds = trial->request->n_folds,
        .round = (int)boosting->n_losses,
        .loss = measure_as_loss(trial->loss, boosting->losses[boosting->n_losses - 1]),
        .best_loss = measure_as_loss(trial->loss, boosting->best_loss),
    };

    trial->is_stopped = watch != NULL && watch->stop(watch->context, &moment);
    return trial->is_stopped;
}

static enum err_code boost(struct trial *trial, int fold, struct err *err)
{
    const struct trial_request *request = trial->request;
    const struct setting *setting = request->setting;
    struct boosting *boosting = &trial->folds[fold];
    struct booster *booster = boosting->booster;
    int rounds_max =
        (int)hyperparams_get(&setting->params, "n_estimators", setting->algorithm->rounds_max);

    if (request->fold_rounds != NULL && request->fold_rounds[fold] < rounds_max)
        rounds_max = request->fold_rounds[fold];
    while (booster_rounds(booster) < rounds_max) {
        TRY(control_check(request->control, err));
        TRY(booster_update(booster, boosting->design->train, err));
        TRY(look(trial, boosting, err));
        control_progress(request->control, "search", request->number, request->n_trials,
                         request->best, booster_rounds(booster));
        if (is_stopped(trial, fold) || out_of_patience(trial, boosting) ||
            clock_ms() >= boosting->deadline_ms)
            break;
    }
    return ERR_OK;
}

/* Its share of the time that is left. */
static int64_t deadline_of(const struct trial *trial, int fold)
{
    int64_t end_ms = trial->setup->deadline_ms, now_ms = clock_ms();

    if (end_ms == DEADLINE_NEVER || end_ms <= now_ms)
        return end_ms;
    return now_ms + (end_ms - now_ms) / (trial->request->n_folds - fold);
}

/* As it is served: row by row, by our own evaluator. The best of several passes. */
static enum err_code time_predictions(struct trial *trial, const struct boosting *boosting,
                                      struct err *err)
{
    const struct design *design = boosting->design;
    size_t n_features = (size_t)design->encoder->n_features;
    CLEANUP(buf_release) struct buf bytes = {0};
    CLEANUP(forest_freep) struct forest *forest = NULL;
    CLEANUP(free_ptr) float *margins = NULL;
    int64_t best_us = INT64_MAX;
    int n_rounds;

    /* a linear model has no rounds to cut off, and no more work for them */
    n_rounds = design->is_linear ? booster_rounds(boosting->booster) : boosting->best_rounds;
    TRY(booster_save(boosting->booster, n_rounds, &bytes, err));
    TRY(forest_load((const uint8_t *)buf_text(&bytes), bytes.length, &forest, err));
    margins = calloc((size_t)forest_n_outputs(forest), sizeof(float));
    if (margins == NULL)
        return err_nomem(err);
    for (int pass = 0; pass < TIMING_PASSES; pass++) {
        int64_t started_us = clock_us();

        for (size_t i = 0; i < design->n_sample; i++)
            forest_margin(forest, design->sample + i * n_features, margins);
        if (clock_us() - started_us < best_us)
            best_us = clock_us() - started_us;
    }
    if (design->n_sample > 0)
        trial->predict_us = (double)best_us / (double)design->n_sample;
    return ERR_OK;
}

/* The booster is gone when its fold is done. */
static enum err_code run_fold(struct trial *trial, int fold, struct err *err)
{
    const struct design *design = &trial->request->folds[fold];
    struct boosting *boosting = &trial->folds[fold];

    boosting->design = design;
    boosting->deadline_ms = deadline_of(trial, fold);
    TRY(trial_booster(trial->setup, design, trial->request->setting, &boosting->booster, err));
    TRY(predictions_init(&boosting->predictions, trial->setup->dataset, design->valid_rows, err));
    boosting->predictions.hazards = trial->setup->dataset->hazards;
    TRY(boost(trial, fold, err));
    if (!trial->is_stopped && fold == trial->request->n_folds - 1)
        TRY(time_predictions(trial, boosting, err));
    booster_free(boosting->booster);
    boosting->booster = NULL;
    return ERR_OK;
}

/* Margins of all folds, one behind the other. */
static enum err_code join_margins(const struct trial *trial, struct trial_result *result,
                                  struct err *err)
{
    size_t n = 0;

    for (int k = 0; k < trial->request->n_folds; k++)
        n += trial->folds[k].n_margins;
    result->margins = malloc(n * sizeof(float) + 1);
    if (result->margins == NULL)
        return err_nomem(err);
    n = 0;
    for (int k = 0; k < trial->request->n_folds; k++) {
        const struct boosting *fold = &trial->folds[k];

        memcpy(result->margins + n, fold->margins, fold->n_margins * sizeof(float));
        n += fold->n_margins;
    }
    return ERR_OK;
}

/* The key metric on the validation rows of each fold; ret_mean: of those where it is defined. */
static enum err_code score_folds(struct trial *trial, struct trial_result *result, double *ret_mean,
                                 struct err *err)
{
    double sum = 0;
    int n = 0;

    for (int k = 0; k < trial->request->n_folds; k++) {
        struct boosting *fold = &trial->folds[k];
        double *score = &result->fold_scores[k];

        fill_predictions(trial, fold->margins, fold->n_margins, fold->outputs, &fold->predictions);
        TRY(compute(trial, trial->setup->metric, &fold->predictions, score, err));
        if (isnan(*score))
            continue;
        sum += *score;
        n++;
    }
    *ret_mean = n > 0 ? sum / n : NAN;
    return ERR_OK;
}

/* … and on those of all folds together. */
static enum err_code score_together(const struct trial *trial, const struct trial_result *result,
                                    double *ret_score, struct err *err)
{
    CLEANUP(rows_release) struct rows rows = {0};
    CLEANUP(predictions_release) struct predictions predictions = {0};
    CLEANUP(free_ptr) float *outputs = NULL;
    size_t n_margins = 0;

    for (int k = 0; k < trial->request->n_folds; k++)
        n_margins += trial->folds[k].n_margins;
    outputs = malloc(n_margins * sizeof(float) + 1);
    if (outputs == NULL)
        return err_nomem(err);
    TRY(dataset_validation_rows(trial->setup->dataset, &rows, err));
    TRY(predictions_init(&predictions, trial->setup->dataset, &rows, err));
    predictions.hazards = trial->setup->dataset->hazards;
    fill_predictions(trial, result->margins, n_margins, outputs, &predictions);
    return compute(trial, trial->setup->metric, &predictions, ret_score, err);
}

static enum err_code score(struct trial *trial, struct trial_result *result, struct err *err)
{
    const struct metric *metric = trial->setup->metric;

    result->n_folds = trial->request->n_folds;
    TRY(join_margins(trial, result, err));
    TRY(score_folds(trial, result, &result->score, err));
    if (result->n_folds > 1 && !metric_by_fold(metric))
        TRY(score_together(trial, result, &result->score, err));
    if (!isnan(result->score))
        return ERR_OK;
    err_set(err, ERR_DATA, "%s is not defined on the validation rows", metric->name);
    return err_hint(err, "a class may be missing among them; choose another \"metric\"");
}

/* A fold that has ended counts with its last loss. */
static void draw_learning(const struct trial *trial, struct trial_result *result)
{
    size_t n_rounds = 0;

    for (int k = 0; k < result->n_folds; k++)
        if (trial->folds[k].n_losses > n_rounds)
            n_rounds = trial->folds[k].n_losses;
    for (size_t round = 0; round < n_rounds; round++) {
        double sum = 0;

        for (int k = 0; k < result->n_folds; k++) {
            const struct boosting *fold = &trial->folds[k];

            sum += fold->losses[round < fold->n_losses ? round : fold->n_losses - 1];
        }
        learning_add(&result->learning, (int)round + 1, sum / result->n_folds,
                     (int)round + 1 == result->rounds);
    }
}

static int mean_rounds(const struct trial *trial)
{
    double sum = 0;

    for (int k = 0; k < trial->request->n_folds; k++)
        sum += trial->folds[k].best_rounds;
    return (int)lround(sum / trial->request->n_folds);
}

static enum err_code run_folds(struct trial *trial, struct trial_result *result, struct err *err)
{
    for (int k = 0; k < trial->request->n_folds && !trial->is_stopped; k++)
        TRY(run_fold(trial, k, err));
    result->is_stopped = trial->is_stopped;
    if (result->is_stopped) {
        result->rounds = trial->folds[0].best_rounds;
        return ERR_OK;
    }
    result->rounds = mean_rounds(trial);
    for (int k = 0; k < trial->request->n_folds; k++)
        result->fold_rounds[k] = trial->folds[k].best_rounds;
    TRY(score(trial, result, err));
    draw_learning(trial, result);
    return ERR_OK;
}

enum err_code trial_run(const struct trial_setup *setup, const struct trial_request *request,
                        struct trial_result *ret_result, struct err *err)
{
    CLEANUP(trial_release)
    struct trial trial = {
        .setup = setup,
        .request = request,
        .loss = metric_find(setup->objective->loss),
        .variance_power = hyperparams_get(&request->setting->params, "tweedie_variance_power", 0)};
    CLEANUP(trial_result_release) struct trial_result result = {.score = NAN};
    int64_t started_ms = clock_ms();

    TRY(objective_find(setup->objective->name, strlen(setup->objective->name), &trial.objective,
                       err));
    TRY(run_folds(&trial, &result, err));
    result.seconds = (double)(clock_ms() - started_ms) / 1000;
    result.predict_us = trial.predict_us;
    *ret_result = result;
    result = (struct trial_result){0};
    return ERR_OK;
}

enum err_code trial_refit(const struct trial_setup *setup, const struct design *design,
                          const struct setting *setting, int n_rounds, struct control *control,
                          struct buf *bytes, struct err *err)
{
    CLEANUP(booster_freep) struct booster *booster = NULL;

    TRY(trial_booster(setup, design, setting, &booster, err));
    while (booster_rounds(booster) < n_rounds) {
        TRY(control_check(control, err));
        TRY(booster_update(booster, design->train, err));
        control_progress(control, "refit", booster_rounds(booster), n_rounds, NAN,
                         booster_rounds(booster));
    }
    return booster_save(booster, n_rounds, bytes, err);
}
