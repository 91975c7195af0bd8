#include "train/run.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "train/control.h"
#include "train/dataset.h"
#include "train/decide.h"
#include "train/measure.h"
#include "train/read.h"
#include "train/search.h"
#include "train/suspicion.h"

#define GOLDEN_ROWS     32
#define GOLDEN_RAW_ROWS 4
/* A view that aggregates may work long before its first row comes. */
#define READ_SILENCE_MS 3600000

/* What a run has in hand; each step fills its part and the cleanup releases all. */
struct run {
    const struct train_options *options;
    struct control *control;
    struct project *project;
    struct relation *relation;
    struct schema *schema;
    struct frame *frame; /* until the dataset takes it */
    struct dataset *dataset;
    struct design search_design, final_design;
    struct trial_setup setup;
    struct search_best best;
    struct rows training; /* all but the test rows */
    struct buf model_bytes, labels, encoder, golden, hyperparams, metrics, split;
    char sha256[SHA256_HEX_SIZE];
    struct model *model;
    struct model *champion;       /* the live one; NULL: none, or it cannot be opened */
    double score, baseline_score; /* key metric on the test rows */
};

static void run_release(struct run *run)
{
    design_release(&run->search_design);
    design_release(&run->final_design);
    rows_release(&run->training);
    dataset_free(run->dataset);
    frame_free(run->frame);
    schema_free(run->schema);
    relation_free(run->relation);
    project_free(run->project);
    model_free(run->model);
    model_free(run->champion);
    buf_release(&run->model_bytes);
    buf_release(&run->labels);
    buf_release(&run->encoder);
    buf_release(&run->golden);
    buf_release(&run->hyperparams);
    buf_release(&run->metrics);
    buf_release(&run->split);
}

static enum err_code read_progress(void *context, size_t n_rows, struct err *err)
{
    struct run *run = context;

    control_progress(run->control, "read", (int64_t)n_rows, 0, NAN, 0);
    return control_check(run->control, err);
}

/* The live model, when there is one that can be opened: its columns are read as well, so that it
 * can be measured on the same rows. Whether it may, the decision looks into. */
static enum err_code open_champion(struct run *run, struct err *err)
{
    CLEANUP(project_rows_release) struct project_rows projects = {0};
    CLEANUP(model_rows_release) struct model_rows models = {0};
    struct err open_err;
    struct pg *pg;

    TRY(control_pg(run->control, &pg, err));
    TRY(catalog_projects(pg, control_lease(run->control)->project, &projects, err));
    if (projects.items[0].live_model_id == 0)
        return ERR_OK;
    TRY(catalog_model(pg, projects.items[0].live_model_id, &models, err));
    if (model_open(&models.items[0], &run->champion, &open_err) == ERR_NOMEM)
        return err_nomem(err);
    return ERR_OK;
}

/* Definition and relation meet, and the rows are read in one snapshot. The connection is thrown
 * away after the read: a view's functions ran on it. */
static enum err_code step_read(struct run *run, struct err *err)
{
    const struct lease *lease = control_lease(run->control);
    struct pg_options options = {
        .dsn = run->options->read_dsn,
        .application_name = "pgboost-worker (read)",
        .statement_timeout_ms = READ_SILENCE_MS,
        .read_only = true,
    };
    CLEANUP(pg_closep) struct pg *pg = NULL;
    enum err_code code;

    control_progress(run->control, "read", 0, 0, NAN, 0);
    TRY(project_parse(lease->definition, strlen(lease->definition), lease->project, &run->project,
                      err));
    TRY(open_champion(run, err));
    TRY(pg_connect(&options, &pg, err));
    TRY(relation_open(pg, run->project->relation, &run->relation, err));
    TRY(schema_new(run->project, run->relation, &run->schema, err));
    control_set_reader(run->control, pg);
    code = read_rows(pg, run->relation, run->schema, (const struct model *const *)&run->champion,
                     run->champion != NULL, read_progress, run, &run->frame, err);
    control_set_reader(run->control, NULL);
    return code;
}

static enum err_code step_split(struct run *run, struct err *err)
{
    TRY(dataset_new(run->project, run->schema, run->frame, &run->dataset, err));
    run->frame = NULL;
    dataset_split_rule(run->dataset, run->project, &run->split);
    TRY(buf_check(&run->split, err));
    return dataset_training_rows(run->dataset, &run->training, err);
}

/* What is shared by all trials: objective, metric, the encoder fitted on the training rows. */
static enum err_code step_design(struct run *run, struct err *err)
{
    const struct project *project = run->project;
    struct trial_setup *setup = &run->setup;
    int n_classes = dataset_n_classes(run->dataset);

    *setup = (struct trial_setup){
        .project = project,
        .dataset = run->dataset,
        .base_score = trial_base_score(run->dataset, &run->dataset->split->train),
        .threads = project->threads > 0 ? project->threads : run->options->threads,
        .deadline_ms = project->search_minutes > 0
                           ? deadline_in((int64_t)(project->search_minutes * 60000))
                           : DEADLINE_NEVER,
    };
    TRY(training_objective_of(project, run->schema->task, n_classes, &setup->objective, err));
    TRY(key_metric_of(project, run->schema->task, n_classes, &setup->metric, err));
    return design_init(&run->search_design, project, run->dataset, &run->dataset->split->train,
                       &run->dataset->split->valid, setup->threads, err);
}

/* What the run saw, before anything is made of it. */
static enum err_code step_profile(struct run *run, struct err *err)
{
    CLEANUP(buf_release) struct buf stats = {0}, columns = {0}, warnings = {0};
    struct pg *pg;

    control_progress(run->control, "profile", 0, 0, NAN, 0);
    TRY(dataset_profile(run->dataset, run->search_design.encoder, &columns, &warnings, err));
    TRY(dataset_stats(run->dataset, run->project, &warnings, &stats, err));
    TRY(control_pg(run->control, &pg, err));
    return catalog_run_stats(pg, control_lease(run->control), buf_text(&stats), buf_text(&columns),
                             err);
}

static enum err_code step_search(struct run *run, struct err *err)
{
    return search_run(&run->setup, &run->search_design, run->control, &run->best, err);
}

/* The winner again, on all rows but the test rows, with the rounds that were best. */
static enum err_code step_refit(struct run *run, struct err *err)
{
    design_release(&run->search_design);
    run->setup.base_score = trial_base_score(run->dataset, &run->training);
    TRY(design_init(&run->final_design, run->project, run->dataset, &run->training, NULL,
                    run->setup.threads, err));
    TRY(trial_refit(&run->setup, &run->final_design, &run->best.params, run->best.result.rounds,
                    run->control, &run->model_bytes, err));
    TRY(hyperparams_set(&run->best.params, "n_estimators", run->best.result.rounds, NULL, err));
    hyperparams_to_json(&run->best.params, &run->hyperparams);
    TRY(buf_check(&run->hyperparams, err));
    return encoder_to_json(run->final_design.encoder, &run->encoder, err);
}

/* Test rows spread over the whole part, encoded, with XGBoost's own margins. */
static enum err_code step_golden(struct run *run, struct err *err)
{
    const struct encoder *encoder = run->final_design.encoder;
    const struct rows *test = &run->dataset->split->test;
    size_t n_rows = test->n < GOLDEN_ROWS ? test->n : GOLDEN_ROWS, n_margins;
    size_t n_raw = n_rows < GOLDEN_RAW_ROWS ? n_rows : GOLDEN_RAW_ROWS;
    uint32_t rows[GOLDEN_ROWS];
    CLEANUP(free_ptr) float *inputs = NULL, *margins = NULL;

    for (size_t i = 0; i < n_rows; i++)
        rows[i] = test->items[i * test->n / n_rows];
    inputs = calloc(n_rows * (size_t)encoder->n_features + 1, sizeof(float));
    if (inputs == NULL)
        return err_nomem(err);
    TRY(encoder_apply(encoder, run->dataset->frame, rows, n_rows, inputs, err));
    TRY(saved_margins(run->model_bytes.data, run->model_bytes.length, inputs, n_rows,
                      encoder->n_features, &margins, &n_margins, err));
    return golden_write(encoder, inputs, margins, n_rows, (int)(n_margins / n_rows),
                        run->dataset->frame, rows, n_raw, &run->golden, err);
}

/* The model as serving will open it, from what will be stored: verified before anyone sees it. */
static enum err_code step_verify(struct run *run, struct err *err)
{
    CLEANUP(forest_freep) struct forest *forest = NULL;
    struct model_row row;
    float base_margin;
    int n_classes = dataset_n_classes(run->dataset);

    if (n_classes > 0)
        TRY(labels_to_json(run->dataset->labels.items, n_classes, &run->labels, err));
    TRY(sha256_hex(run->model_bytes.data, run->model_bytes.length, run->sha256, err));
    TRY(forest_load((const uint8_t *)run->model_bytes.data, run->model_bytes.length, &forest, err));
    base_margin = forest_base_margin(forest);
    row = (struct model_row){
        .project_id = control_lease(run->control)->project_id,
        .run_id = control_lease(run->control)->run_id,
        .project = run->project->name,
        .algorithm = "xgboost",
        .task = task_name(run->schema->task),
        .metric = run->setup.metric->name,
        .hyperparams = buf_text(&run->hyperparams),
        .encoder = buf_text(&run->encoder),
        .golden = buf_text(&run->golden),
        .labels = n_classes > 0 ? buf_text(&run->labels) : NULL,
        .bytes = (const uint8_t *)run->model_bytes.data,
        .n_bytes = run->model_bytes.length,
        .sha256 = run->sha256,
    };
    memcpy(&row.base_margin_bits, &base_margin, sizeof(row.base_margin_bits));
    return model_open(&row, &run->model, err);
}

static enum err_code put_predictions(struct run *run, const struct predictions *predictions,
                                     double *ret_key, struct err *err)
{
    return measure_metrics(predictions, run->dataset->task, run->setup.metric, &run->metrics,
                           ret_key, err);
}

static enum err_code step_measure(struct run *run, struct err *err)
{
    const struct rows *test = &run->dataset->split->test;
    CLEANUP(predictions_release) struct predictions model = {0};
    CLEANUP(predictions_release) struct predictions baseline = {0};

    control_progress(run->control, "measure", 0, 0, NAN, 0);
    TRY(measure_model(run->model, run->dataset, test, &model, err));
    TRY(measure_baseline(run->dataset, &run->training, test, &baseline, err));
    buf_putc(&run->metrics, '{');
    TRY(put_predictions(run, &model, &run->score, err));
    buf_printf(&run->metrics, ",\"rows\":%zu,\"baseline\":{\"kind\":\"%s\",", test->n,
               run->dataset->task == METRIC_REGRESSION ? "mean" : "prior");
    TRY(put_predictions(run, &baseline, &run->baseline_score, err));
    buf_printf(&run->metrics,
               "},\"validation\":{\"rows\":%zu,\"%s\":", run->dataset->split->valid.n,
               run->setup.metric->name);
    json_put_double(&run->metrics, run->best.result.score);
    buf_printf(&run->metrics, "},\"rounds\":%d}", run->best.result.rounds);
    log_info("measured", "metric=%s score=%.6g baseline=%.6g", run->setup.metric->name, run->score,
             run->baseline_score);
    return buf_check(&run->metrics, err);
}

static enum err_code finish_once(struct run *run, int64_t *ret_model_id, struct err *err)
{
    const struct challenger challenger = {
        .project = run->project,
        .dataset = run->dataset,
        .split = buf_text(&run->split),
        .metric = run->setup.metric,
        .score = run->score,
        .baseline_score = run->baseline_score,
    };
    struct decision decision;
    struct new_model model;
    uint32_t base_margin_bits;
    float base_margin = forest_base_margin(run->model->forest);
    enum err_code code;
    struct pg *pg;

    memcpy(&base_margin_bits, &base_margin, sizeof(base_margin_bits));
    TRY(decide(run->control, &challenger, &decision, err));
    model = (struct new_model){
        .trial_id = run->best.trial_id,
        .task = task_name(run->schema->task),
        .relation = run->project->relation,
        .target = run->project->target,
        .split = buf_text(&run->split),
        .algorithm = "xgboost",
        .hyperparams = buf_text(&run->hyperparams),
        .metrics = buf_text(&run->metrics),
        .encoder = buf_text(&run->encoder),
        .golden = buf_text(&run->golden),
        .labels = run->dataset->labels.n > 0 ? buf_text(&run->labels) : NULL,
        .base_margin_bits = base_margin_bits,
        .bytes = run->model_bytes.data,
        .n_bytes = run->model_bytes.length,
        .sha256 = run->sha256,
        .xgboost_version = xgb_version(),
        .score = run->score,
        .metric = run->setup.metric->name,
        .deploy = decision.deploy,
        .seen_version = decision.seen_version,
        .reason = decision.reason,
    };
    TRY(control_check(run->control, err));
    TRY(control_pg(run->control, &pg, err));
    control_set_ending(run->control, true);
    code = catalog_finish_run(pg, control_lease(run->control), &model, ret_model_id, err);
    control_set_ending(run->control, code == ERR_OK);
    return code;
}

/* Housekeeping after the run: what fails here is tried again after the next one. */
static void prune(struct run *run)
{
    struct err err;
    struct pg *pg;
    int64_t n = 0;

    if (control_pg(run->control, &pg, &err) != ERR_OK ||
        catalog_prune_models(pg, control_lease(run->control)->project_id, run->project->keep, &n,
                             &err) != ERR_OK)
        log_err(LOG_WARNING, "old models stay", &err);
    else if (n > 0)
        log_info("old models deleted", "n=%lld", (long long)n);
}

/* Model, deployment and the run's end in one transaction. When another deployment came between the
 * decision and the transaction, the decision is taken again against the model that is live now. */
static enum err_code step_finish(struct run *run, struct err *err)
{
    int64_t model_id = 0;
    enum err_code code = ERR_OK;

    for (int attempt = 0; attempt < 3; attempt++) {
        code = finish_once(run, &model_id, err);
        if (code != ERR_CONFLICT || control_check(run->control, NULL) != ERR_OK)
            break;
    }
    if (code != ERR_OK)
        return code;
    log_info("run succeeded", "run=%lld model=%lld", (long long)control_lease(run->control)->run_id,
             (long long)model_id);
    prune(run);
    return ERR_OK;
}

typedef enum err_code (*run_step_fn)(struct run *run, struct err *err);
static const run_step_fn run_steps[] = {
    step_read,  step_split,  step_design, step_profile, step_search,
    step_refit, step_golden, step_verify, step_measure, step_finish,
};

/* A step that was broken off failed because of that, whatever it says itself. */
static enum err_code run_all(struct run *run, struct err *err)
{
    for (size_t i = 0; i < N_ELEMENTS(run_steps); i++) {
        enum err_code code;

        TRY(control_check(run->control, err));
        code = run_steps[i](run, err);
        if (code != ERR_OK) {
            TRY(control_check(run->control, err));
            return code;
        }
    }
    return ERR_OK;
}

enum err_code train_next(const struct train_options *options, bool *ret_claimed, struct err *err)
{
    CLEANUP(control_freep) struct control *control = NULL;
    struct run run = {.options = options};
    enum err_code code;

    TRY(control_claim(options->dsn, options->worker, options->run_id, &control, err));
    *ret_claimed = control != NULL;
    if (control == NULL)
        return ERR_OK;
    log_info("run claimed", "run=%lld attempt=%d", (long long)control_lease(control)->run_id,
             control_lease(control)->attempts);
    run.control = control;
    code = run_all(&run, err);
    run_release(&run);
    if (code != ERR_OK && control_check(control, NULL) != ERR_CONFLICT) {
        struct err fail_err = {0};

        if (control_fail(control, err, &fail_err) != ERR_OK)
            log_err(LOG_ERROR, "the run's end could not be written", &fail_err);
    }
    return code;
}
