#include "train/run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "frame/profile.h"
#include "model/drift.h"
#include "train/calibrate.h"
#include "train/candidate.h"
#include "train/champion.h"
#include "train/control.h"
#include "train/dataset.h"
#include "train/decide.h"
#include "train/frozen.h"
#include "train/read.h"
#include "train/scoring.h"
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
    struct trial_setup setup;
    struct search_best best;
    struct rows training;   /* all but the test rows */
    struct rows validation; /* of all folds */
    struct buf split;
    struct candidate candidate; /* what is measured */
    struct candidate refitted;  /* its twin that learnt from the test rows too, where asked for */
    struct model *champion;     /* the live one; NULL: none, or it cannot be opened */
    bool helps;                 /* another worker holds the run */
    char rows_key[FROZEN_KEY_SIZE]; /* of the rows this attempt has kept; "": none */
};

static void run_release(struct run *run)
{
    designs_release(&run->search_designs);
    search_best_release(&run->best);
    rows_release(&run->training);
    rows_release(&run->validation);
    dataset_free(run->dataset);
    frame_free(run->frame);
    schema_free(run->schema);
    relation_free(run->relation);
    project_free(run->project);
    candidate_release(&run->candidate);
    candidate_release(&run->refitted);
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

/* The rows that an earlier attempt has kept, or those that are in the relation now, which are kept
 * for the next attempt and for whoever helps. */
static enum err_code read_or_replay(struct run *run, struct pg *pg, struct read_request *request,
                                    struct err *err)
{
    const char *folder = run->options->spill.folder;
    enum snapshot snapshot = run->project->snapshot;
    CLEANUP(frozen_freep) struct frozen *frozen = NULL;
    CLEANUP(buf_release) struct buf columns = {0};
    enum err_code code;

    TRY(read_columns(request, &columns, err));
    TRY(frozen_open(folder, run->control, buf_text(&columns), &frozen, err));
    if (frozen != NULL) {
        log_info("the rows that an earlier attempt has read", "run=%lld",
                 (long long)control_lease(run->control)->run_id);
        request->tape = frozen_tape(frozen);
        code = read_rows(pg, request, &run->frame, err);
        if (code != ERR_CORRUPT || run->helps)
            return code;
        log_err(LOG_WARNING, "the rows that were kept cannot be read: the relation is read anew",
                err);
        frozen_free(frozen);
        frozen = NULL;
        request->tape = NULL;
    }
    if (run->helps) {
        err_set(err, ERR_NOT_FOUND, "the rows of the run are not to be had here");
        return err_hint(err, "\"snapshot\": \"table\" puts them where other machines find them");
    }
    if (snapshot == SNAPSHOT_NONE)
        return read_rows(pg, request, &run->frame, err);
    TRY(frozen_new(folder, buf_text(&columns), &frozen, err));
    snprintf(run->rows_key, sizeof(run->rows_key), "%s", frozen_key(frozen));
    request->tape = frozen_tape(frozen);
    TRY(read_rows(pg, request, &run->frame, err));
    return frozen_publish(frozen, run->control, snapshot == SNAPSHOT_TABLE, err);
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
    code = read_or_replay(run, pg, &request, err);
    control_set_reader(run->control, NULL);
    return code;
}

/* Whoever helps has the holder's very rows. */
static enum err_code step_same(struct run *run, struct err *err)
{
    char fingerprint[FINGERPRINT_SIZE];

    TRY(frame_fingerprint(run->frame, fingerprint, err));
    if (strcmp(fingerprint, control_lease(run->control)->rows_fingerprint) == 0)
        return ERR_OK;
    return err_set(err, ERR_CORRUPT, "the rows that were kept are not those of the run");
}

static enum err_code step_split(struct run *run, struct err *err)
{
    TRY(dataset_new(run->project, run->schema, run->frame, &run->dataset, err));
    run->frame = NULL;
    dataset_split_rule(run->dataset, run->project, &run->split);
    TRY(buf_check(&run->split, err));
    TRY(dataset_validation_rows(run->dataset, &run->validation, err));
    return dataset_training_rows(run->dataset, false, &run->training, err);
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
        .deadline_ms = DEADLINE_NEVER, /* the search sets its own */
    };
    TRY(training_objective_of(project, run->schema->task, n_classes, &setup->objective, err));
    TRY(key_metric_of(project, run->schema->task, n_classes, &setup->metric, err));
    TRY(calibrate_check(project, run->schema->task, n_classes, err));
    return objective_check_target(setup->objective, run->dataset->y, run->dataset->frame->n_rows,
                                  project->target, err);
}

static enum err_code step_encode(struct run *run, struct err *err)
{
    control_progress(run->control, "encode", 0, 0, NAN, 0);
    return designs_encode(&run->search_designs, &run->setup, run->project->algorithms,
                          &run->options->spill, err);
}

static enum err_code step_matrix(struct run *run, struct err *err)
{
    return designs_build(&run->search_designs, &run->setup, err);
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

/* Trials on other rows than these say nothing of these. */
static enum err_code check_fingerprint(const struct run *run, struct pg *pg,
                                       const char *fingerprint, struct err *err)
{
    const struct lease *lease = control_lease(run->control);
    int64_t n_void = 0;

    TRY(catalog_run_fingerprint(pg, lease, fingerprint, &n_void, err));
    if (n_void > 0)
        log_warning("the relation has changed: the run starts over", "run=%lld trials_void=%lld",
                    (long long)lease->run_id, (long long)n_void);
    return ERR_OK;
}

/* What the run saw, before anything is made of it. */
static enum err_code step_profile(struct run *run, struct err *err)
{
    CLEANUP(buf_release) struct buf stats = {0}, columns = {0}, warnings = {0};
    const struct encoder *encoder = designs_encoder(&run->search_designs);
    char fingerprint[FINGERPRINT_SIZE];
    struct pg *pg;

    control_progress(run->control, "profile", 0, 0, NAN, 0);
    TRY(dataset_profile(run->dataset, encoder, run->control, &columns, &warnings, err));
    TRY(warn_of_drift(run, &warnings, err));
    TRY(frame_fingerprint(run->dataset->frame, fingerprint, err));
    TRY(dataset_stats(run->dataset, run->project, fingerprint, &warnings, &stats, err));
    TRY(control_pg(run->control, &pg, err));
    TRY(check_fingerprint(run, pg, fingerprint, err));
    return catalog_run_stats(pg, control_lease(run->control), buf_text(&stats), buf_text(&columns),
                             err);
}

static struct search_request search_request(const struct run *run)
{
    return (struct search_request){&run->setup, &run->search_designs, run->control, run->options};
}

static enum err_code step_search(struct run *run, struct err *err)
{
    const struct search_request request = search_request(run);

    return search_run(&request, &run->best, err);
}

static enum err_code step_help(struct run *run, struct err *err)
{
    const struct search_request request = search_request(run);

    return search_help(&request, err);
}

/* What the winner said of the validation rows, before anything learns from them. */
static enum err_code step_calibrate(struct run *run, struct err *err)
{
    const char *objective = run->setup.objective->name;
    struct calibrate_input input = {
        .project = run->project,
        .dataset = run->dataset,
        .rows = &run->validation,
        .margins = run->best.result.margins,
    };

    TRY(objective_find(objective, strlen(objective), &input.objective, err));
    return calibrate(&input, &run->candidate.calibration, &run->candidate.calibration_report, err);
}

/* The winner again, on other rows and with the rounds that were best: bytes, encoder and golden
 * rows of the candidate. */
static enum err_code fit(struct run *run, const struct rows *rows, struct candidate *candidate,
                         struct err *err)
{
    CLEANUP(design_release) struct design design = {0};
    const struct setting *setting = &run->best.setting;

    TRY(design_fit(&design, setting->algorithm->is_linear, &run->setup, rows, err));
    TRY(design_encode(&design, &run->setup, rows, NULL, &run->options->spill, err));
    TRY(design_build(&design, &run->setup, err));
    TRY(trial_refit(&run->setup, &design, setting, run->best.result.rounds, run->control,
                    &candidate->bytes, err));
    TRY(encoder_to_json(design.encoder, &candidate->encoder, err));
    candidate->algorithm = algorithm_name(setting->algorithm->id);
    hyperparams_to_json(&setting->params, &candidate->hyperparams);
    TRY(buf_check(&candidate->hyperparams, err));
    return candidate_prove(candidate, design.encoder, run->dataset, err);
}

/* As serving will open it. */
static enum err_code verify(struct run *run, struct candidate *candidate, struct err *err)
{
    const struct model_row about = {
        .project_id = control_lease(run->control)->project_id,
        .run_id = control_lease(run->control)->run_id,
        .project = run->project->name,
        .task = task_name(run->schema->task),
        .metric = run->setup.metric->name,
    };

    return candidate_open(candidate, run->dataset, &about, err);
}

/* On all rows but the test rows. */
static enum err_code step_refit(struct run *run, struct err *err)
{
    struct setting *setting = &run->best.setting;

    designs_release(&run->search_designs);
    if (setting->algorithm->rounds_max > 1)
        TRY(hyperparams_set(&setting->params, "n_estimators", run->best.result.rounds, NULL, err));
    return fit(run, &run->training, &run->candidate, err);
}

static enum err_code step_verify(struct run *run, struct err *err)
{
    return verify(run, &run->candidate, err);
}

static enum err_code step_measure(struct run *run, struct err *err)
{
    struct buf *json = &run->candidate.metrics;

    control_progress(run->control, "measure", 0, 0, NAN, 0);
    TRY(candidate_measure(&run->candidate, run->project, run->dataset, &run->training,
                          run->setup.metric, err));
    buf_printf(json, ",\"validation\":{\"rows\":%zu,\"%s\":", run->validation.n,
               run->setup.metric->name);
    json_put_double(json, run->best.result.score);
    if (run->best.result.n_folds > 1) {
        buf_puts(json, ",\"folds\":");
        trial_put_folds(&run->best.result, json);
    }
    buf_puts(json, "},\"learning_curve\":");
    learning_put(&run->best.result.learning, run->setup.objective->loss, json);
    buf_printf(json, ",\"rounds\":%d}", run->best.result.rounds);
    return buf_check(json, err);
}

/* The metrics of the one, and what the other was fitted on. */
static enum err_code copy_measures(const struct candidate *from, size_t n_rows,
                                   struct candidate *to, struct err *err)
{
    buf_append(&to->metrics, buf_text(&from->metrics), from->metrics.length - 1);
    buf_printf(&to->metrics, ",\"refit\":{\"rows\":%zu}}", n_rows);
    to->score = from->score;
    to->baseline_score = from->baseline_score;
    return buf_check(&to->metrics, err);
}

/* "refit": "all": what goes live learnt from the test rows as well. All that is said of it, its
 * calibration too, is its twin's, which did not. */
static enum err_code step_refit_all(struct run *run, struct err *err)
{
    CLEANUP(rows_release) struct rows all = {0};
    struct candidate *refitted = &run->refitted;

    if (run->project->refit != REFIT_ALL)
        return ERR_OK;
    TRY(dataset_training_rows(run->dataset, true, &all, err));
    TRY(fit(run, &all, refitted, err));
    buf_append(&refitted->calibration, buf_text(&run->candidate.calibration),
               run->candidate.calibration.length);
    TRY(buf_check(&refitted->calibration, err));
    TRY(verify(run, refitted, err));
    return copy_measures(&run->candidate, all.n, refitted, err);
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
    const struct new_model measured =
        candidate_row(&run->candidate, run->project, run->setup.metric, buf_text(&run->split));
    struct new_model model = measured;
    struct decision decision;
    enum err_code code;
    struct pg *pg;

    TRY(decide(run->control, &challenger, &decision, err));
    if (run->refitted.model != NULL) {
        model =
            candidate_row(&run->refitted, run->project, run->setup.metric, buf_text(&run->split));
        model.twin = &measured;
    }
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

enum { HOLDS = 1, HELPS = 2 };

static const struct run_step {
    const char *name; /* for the log */
    enum err_code (*run)(struct run *run, struct err *err);
    unsigned who;
} run_steps[] = {
    {"read", step_read, HOLDS | HELPS},
    {"same", step_same, HELPS},
    {"split", step_split, HOLDS | HELPS},
    {"setup", step_setup, HOLDS | HELPS},
    {"encode", step_encode, HOLDS | HELPS},
    {"matrix", step_matrix, HOLDS | HELPS},
    {"profile", step_profile, HOLDS},
    {"search", step_search, HOLDS},
    {"help", step_help, HELPS},
    {"calibrate", step_calibrate, HOLDS},
    {"refit", step_refit, HOLDS},
    {"verify", step_verify, HOLDS},
    {"measure", step_measure, HOLDS},
    {"refit all", step_refit_all, HOLDS},
    {"finish", step_finish, HOLDS},
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

static void forget_rows(const struct run *run)
{
    const char *folder = run->options->spill.folder;

    frozen_remove(folder, control_lease(run->control)->rows_key);
    frozen_remove(folder, run->rows_key);
}

/* A step that was broken off failed because of that, whatever it says itself. */
static enum err_code run_all(struct run *run, struct err *err)
{
    for (size_t i = 0; i < N_ELEMENTS(run_steps); i++) {
        enum err_code code;

        if (!(run_steps[i].who & (run->helps ? HELPS : HOLDS)))
            continue;
        TRY(control_check(run->control, err));
        code = run_step(run, &run_steps[i], err);
        if (code != ERR_OK) {
            TRY(control_check(run->control, err));
            return code;
        }
    }
    return ERR_OK;
}

/* A holder writes how its run failed, a helper's trial is there for others. */
static enum err_code end_run(struct run *run, enum err_code code, struct err *err)
{
    struct err fail_err = {0};

    if (run->helps)
        return code == ERR_CANCELLED ? ERR_OK : code;    /* nothing more to help with */
    if (code != ERR_UNREACHABLE && code != ERR_CONFLICT) /* nobody goes on with it */
        forget_rows(run);
    if (code != ERR_OK && control_check(run->control, NULL) != ERR_CONFLICT &&
        control_fail(run->control, err, &fail_err) != ERR_OK)
        log_err(LOG_ERROR, "the run's end could not be written", &fail_err);
    return code;
}

enum err_code train_next(const struct train_options *options, bool *ret_claimed, struct err *err)
{
    CLEANUP(control_freep) struct control *control = NULL;
    struct run run = {.options = options};
    enum err_code code;

    if (!options->helps_only)
        TRY(control_claim(options->dsn, options->worker, options->run_id, &control, err));
    run.helps = control == NULL;
    if (run.helps)
        TRY(control_join(options->dsn, options->worker, options->run_id, &control, err));
    *ret_claimed = control != NULL;
    if (control == NULL)
        return ERR_OK;
    log_info(run.helps ? "helping with a run" : "run claimed", "run=%lld attempt=%d",
             (long long)control_lease(control)->run_id, control_lease(control)->attempts);
    run.control = control;
    if (control_lease(control)->is_contest)
        code = champion_choose(control, options, err);
    else if (control_lease(control)->is_score)
        code = scoring_run(control, options, err);
    else
        code = run_all(&run, err);
    run_release(&run);
    return end_run(&run, code, err);
}
