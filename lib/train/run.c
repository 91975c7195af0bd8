#include "train/run.h"

#include <math.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "model/drift.h"
#include "train/calibrate.h"
#include "train/candidate.h"
#include "train/champion.h"
#include "train/control.h"
#include "train/dataset.h"
#include "train/decide.h"
#include "train/read.h"
#include "train/search.h"
#include "train/suspicion.h"

/* What a run has in hand; each step fills its part and the cleanup releases all. */
struct run {
    const struct train_options *options;
    struct control *control;
    struct project *project;
    struct relation *relation;
    struct schema *schema;
    struct frame *frame; /* until the dataset takes it */
    struct dataset *dataset;
    struct designs search_designs;
    struct design final_design;
    struct trial_setup setup;
    struct search_best best;
    struct rows training; /* all but the test rows */
    struct buf split;
    struct candidate candidate;
    struct model *champion; /* the live one; NULL: none, or it cannot be opened */
};

static void release_search(struct run *run)
{
    design_release(&run->search_designs.of[false]);
    design_release(&run->search_designs.of[true]);
}

static void run_release(struct run *run)
{
    release_search(run);
    design_release(&run->final_design);
    search_best_release(&run->best);
    rows_release(&run->training);
    dataset_free(run->dataset);
    frame_free(run->frame);
    schema_free(run->schema);
    relation_free(run->relation);
    project_free(run->project);
    candidate_release(&run->candidate);
    model_free(run->champion);
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
    struct read_request request = {
        .models = (const struct model *const *)&run->champion,
        .spill = run->options->spill,
        .progress = read_progress,
        .context = run,
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
    request.project = run->project;
    request.relation = run->relation;
    request.schema = run->schema;
    request.n_models = run->champion != NULL;
    code = read_rows(pg, &request, &run->frame, err);
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

/* What is shared by all trials. */
static enum err_code step_setup(struct run *run, struct err *err)
{
    const struct project *project = run->project;
    struct trial_setup *setup = &run->setup;
    int n_classes = dataset_n_classes(run->dataset);

    *setup = (struct trial_setup){
        .project = project,
        .dataset = run->dataset,
        .threads = project->threads > 0 ? project->threads : run->options->threads,
        .deadline_ms = project->search_minutes > 0
                           ? deadline_in((int64_t)(project->search_minutes * 60000))
                           : DEADLINE_NEVER,
    };
    TRY(training_objective_of(project, run->schema->task, n_classes, &setup->objective, err));
    TRY(key_metric_of(project, run->schema->task, n_classes, &setup->metric, err));
    TRY(calibrate_check(project, run->schema->task, n_classes, err));
    TRY(objective_check_target(setup->objective, run->dataset->y, run->dataset->frame->n_rows,
                               project->target, err));
    return trial_setup_rows(setup, &run->dataset->split->train, err);
}

static enum err_code step_encode(struct run *run, struct err *err)
{
    const unsigned linear = ALGORITHM_BIT(ALGORITHM_LINEAR), asked = run->project->algorithms;
    const unsigned kinds[2] = {[false] = asked & ~linear, [true] = asked & linear};
    const struct split *split = run->dataset->split;

    control_progress(run->control, "encode", 0, 0, NAN, 0);
    for (int is_linear = 0; is_linear < 2; is_linear++)
        if (kinds[is_linear] != 0)
            TRY(design_encode(&run->search_designs.of[is_linear], is_linear, run->project,
                              run->dataset, &split->train, &split->valid, &run->options->spill,
                              err));
    return ERR_OK;
}

static enum err_code step_matrix(struct run *run, struct err *err)
{
    for (int i = 0; i < 2; i++)
        TRY(design_build(&run->search_designs.of[i], run->project, run->setup.threads, err));
    return ERR_OK;
}

/* What the live model would miss. */
static enum err_code warn_of_drift(const struct run *run, struct buf *warnings, struct err *err)
{
    CLEANUP(drift_release) struct drift drift = {0};
    CLEANUP(buf_release) struct buf text = {0};

    if (run->champion == NULL)
        return ERR_OK;
    TRY(drift_find(run->champion, run->relation, &drift, err));
    if (drift.n_broken + drift.n_new_labels == 0)
        return ERR_OK;
    buf_printf(&text, "the relation has changed since live model %lld: %s%s%s",
               (long long)run->champion->id, buf_text(&drift.broken),
               drift.n_broken > 0 && drift.n_new_labels > 0 ? "; " : "",
               buf_text(&drift.new_labels));
    if (warnings->length > 0)
        buf_putc(warnings, ',');
    json_put_string(warnings, buf_text(&text), text.length);
    return buf_check(&text, err);
}

/* What the run saw, before anything is made of it. */
static enum err_code step_profile(struct run *run, struct err *err)
{
    CLEANUP(buf_release) struct buf stats = {0}, columns = {0}, warnings = {0};
    const struct designs *designs = &run->search_designs;
    const struct encoder *encoder = designs->of[designs->of[false].encoder == NULL].encoder;
    struct pg *pg;

    control_progress(run->control, "profile", 0, 0, NAN, 0);
    TRY(dataset_profile(run->dataset, encoder, run->control, &columns, &warnings, err));
    TRY(warn_of_drift(run, &warnings, err));
    TRY(dataset_stats(run->dataset, run->project, &warnings, &stats, err));
    TRY(control_pg(run->control, &pg, err));
    return catalog_run_stats(pg, control_lease(run->control), buf_text(&stats), buf_text(&columns),
                             err);
}

static enum err_code step_search(struct run *run, struct err *err)
{
    return search_run(&run->setup, &run->search_designs, run->control, &run->best, err);
}

/* What the winner said of the validation rows, before anything learns from them. */
static enum err_code step_calibrate(struct run *run, struct err *err)
{
    const char *objective = run->setup.objective->name;
    struct calibrate_input input = {
        .project = run->project,
        .dataset = run->dataset,
        .rows = &run->dataset->split->valid,
        .margins = run->best.result.margins,
    };

    TRY(objective_find(objective, strlen(objective), &input.objective, err));
    return calibrate(&input, &run->candidate.calibration, &run->candidate.calibration_report, err);
}

/* The winner again, on all rows but the test rows, with the rounds that were best. */
static enum err_code step_refit(struct run *run, struct err *err)
{
    struct setting *setting = &run->best.setting;
    int rounds = run->best.result.rounds;

    release_search(run);
    TRY(trial_setup_rows(&run->setup, &run->training, err));
    TRY(design_encode(&run->final_design, setting->algorithm->is_linear, run->project, run->dataset,
                      &run->training, NULL, &run->options->spill, err));
    TRY(design_build(&run->final_design, run->project, run->setup.threads, err));
    TRY(trial_refit(&run->setup, &run->final_design, setting, rounds, run->control,
                    &run->candidate.bytes, err));
    if (setting->algorithm->rounds_max > 1)
        TRY(hyperparams_set(&setting->params, "n_estimators", rounds, NULL, err));
    run->candidate.algorithm = algorithm_name(setting->algorithm->id);
    hyperparams_to_json(&setting->params, &run->candidate.hyperparams);
    TRY(buf_check(&run->candidate.hyperparams, err));
    return encoder_to_json(run->final_design.encoder, &run->candidate.encoder, err);
}

static enum err_code step_golden(struct run *run, struct err *err)
{
    return candidate_prove(&run->candidate, run->final_design.encoder, run->dataset, err);
}

static enum err_code step_verify(struct run *run, struct err *err)
{
    const struct model_row about = {
        .project_id = control_lease(run->control)->project_id,
        .run_id = control_lease(run->control)->run_id,
        .project = run->project->name,
        .task = task_name(run->schema->task),
        .metric = run->setup.metric->name,
    };

    return candidate_open(&run->candidate, run->dataset, &about, err);
}

static enum err_code step_measure(struct run *run, struct err *err)
{
    struct buf *json = &run->candidate.metrics;

    control_progress(run->control, "measure", 0, 0, NAN, 0);
    TRY(candidate_measure(&run->candidate, run->dataset, &run->training, run->setup.metric,
                          run->project->seed, err));
    buf_printf(json, ",\"validation\":{\"rows\":%zu,\"%s\":", run->dataset->split->valid.n,
               run->setup.metric->name);
    json_put_double(json, run->best.result.score);
    buf_puts(json, "},\"learning_curve\":");
    learning_put(&run->best.result.learning, run->setup.objective->loss, json);
    buf_printf(json, ",\"rounds\":%d}", run->best.result.rounds);
    return buf_check(json, err);
}

static enum err_code finish_once(struct run *run, int64_t *ret_model_id, struct err *err)
{
    const struct challenger challenger = {
        .project = run->project,
        .dataset = run->dataset,
        .split = buf_text(&run->split),
        .metric = run->setup.metric,
        .tested = &run->candidate.tested,
        .score = run->candidate.score,
        .baseline_score = run->candidate.baseline_score,
    };
    struct new_model model =
        candidate_row(&run->candidate, run->project, run->setup.metric, buf_text(&run->split));
    struct decision decision;
    enum err_code code;
    struct pg *pg;

    TRY(decide(run->control, &challenger, &decision, err));
    model.trial_id = run->best.trial_id;
    model.deploy = decision.deploy;
    model.seen_version = decision.seen_version;
    model.reason = decision.reason;
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

static const struct run_step {
    const char *name; /* for the log */
    enum err_code (*run)(struct run *run, struct err *err);
} run_steps[] = {
    {"read", step_read},     {"split", step_split},         {"setup", step_setup},
    {"encode", step_encode}, {"matrix", step_matrix},       {"profile", step_profile},
    {"search", step_search}, {"calibrate", step_calibrate}, {"refit", step_refit},
    {"golden", step_golden}, {"verify", step_verify},       {"measure", step_measure},
    {"finish", step_finish},
};

static enum err_code run_step(struct run *run, const struct run_step *step, struct err *err)
{
    int64_t started_ms = clock_ms();
    enum err_code code = step->run(run, err);
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    if (code == ERR_OK)
        log_info("step done", "step=%s seconds=%.3f peak_mib=%ld", step->name,
                 (double)(clock_ms() - started_ms) / 1000, usage.ru_maxrss / 1024);
    return code;
}

/* A step that was broken off failed because of that, whatever it says itself. */
static enum err_code run_all(struct run *run, struct err *err)
{
    for (size_t i = 0; i < N_ELEMENTS(run_steps); i++) {
        enum err_code code;

        TRY(control_check(run->control, err));
        code = run_step(run, &run_steps[i], err);
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
    code = control_lease(control)->is_contest ? champion_choose(control, options, err)
                                              : run_all(&run, err);
    run_release(&run);
    if (code != ERR_OK && control_check(control, NULL) != ERR_CONFLICT) {
        struct err fail_err = {0};

        if (control_fail(control, err, &fail_err) != ERR_OK)
            log_err(LOG_ERROR, "the run's end could not be written", &fail_err);
    }
    return code;
}
