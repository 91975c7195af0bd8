#include "train/search.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "search/budget.h"
#include "search/pruner.h"
#include "search/sampler.h"
#include "train/mix.h"
#include "train/trials.h"

#define WAIT_SHARE   0.05 /* of a usual trial */
#define WAIT_MIN_US  50000
#define WAIT_MAX_US  1000000 /* who cancels the run waits no longer */
#define PARALLEL_MAX 8       /* where the definition does not say */

struct search {
    const struct search_request *request;
    struct trial_setup setup; /* with the search's deadline and, where there are helpers, threads */
    struct sampler sampler;
    struct budget budget;
    int parallel;
    double seconds_left; /* of the budget, at started_ms; INFINITY: no bound */
    int64_t started_ms;
    bool is_closed;          /* an earlier attempt has ended it */
    bool is_cut_short;       /* a wish to cancel has */
    struct search_best best; /* of the trials of this worker */
};

void search_best_release(struct search_best *best)
{
    trial_result_release(&best->result);
}

static void search_release(struct search *search)
{
    sampler_release(&search->sampler);
    search_best_release(&search->best);
}

static bool is_classification(const struct trial_setup *setup)
{
    return setup->dataset->task == METRIC_BINARY || setup->dataset->task == METRIC_MULTICLASS;
}

static bool higher_is_better(const struct search *search)
{
    return search->setup.metric->higher_is_better;
}

static enum err_code search_init(struct search *search, const struct search_request *request,
                                 struct err *err)
{
    const struct project *project = request->setup->project;

    search->request = request;
    search->setup = *request->setup;
    search->started_ms = clock_ms();
    search->best.number = -1;
    TRY(sampler_init(&search->sampler, project, is_classification(request->setup),
                     designs_have_categories(request->designs), err));
    search->budget = budget_of(&search->sampler, project);
    return ERR_OK;
}

static double seconds_since(int64_t started_ms)
{
    return (double)(clock_ms() - started_ms) / 1000;
}

/* Of the budget, by the first attempt's clock. */
static double seconds_spent(const struct search *search)
{
    if (isinf(search->seconds_left))
        return seconds_since(search->started_ms);
    return search->budget.seconds - search->seconds_left + seconds_since(search->started_ms);
}

/* The watch of a trial -------------------------------------------------------------------------
 */

struct watch {
    const struct history *history;  /* what the trial learns from */
    const struct trial_notes *best; /* of the best trial before it; NULL: none */
    bool may_stop;
    struct trial_record record;
    struct trial_notes notes;
    double eta;
    int fold;
    double fold_loss; /* of the fold under way, so far */
};

static void end_fold(struct watch *watch)
{
    if (watch->notes.n_folds < RACE_FOLDS_MAX)
        watch->notes.fold_losses[watch->notes.n_folds++] = watch->fold_loss;
}

static void note_rounds(struct watch *watch, const struct trial_result *result)
{
    for (int k = 0; k < result->n_folds && k < RACE_FOLDS_MAX; k++)
        watch->notes.rounds[watch->notes.n_rounds++] = result->fold_rounds[k];
}

/* The folds that ended, beside the same ones of the best trial. */
static bool race_is_lost(const struct watch *watch)
{
    int n = watch->notes.n_folds;

    return watch->best != NULL && watch->best->n_folds >= n &&
           !race_allows(watch->notes.fold_losses, watch->best->fold_losses, n, false);
}

static bool note_step(struct watch *watch, const struct trial_moment *moment)
{
    int next = watch->notes.n_steps;

    if (moment->fold > 0 || next == TRIAL_STEPS_MAX ||
        moment->round < pruner_round(pruner_step(next), watch->eta))
        return false;
    watch->notes.steps[next] = (struct trial_step){pruner_step(next), moment->loss};
    watch->record.n_steps = ++watch->notes.n_steps;
    watch->record.steps = watch->notes.steps;
    return !pruner_allows(watch->history, &watch->record);
}

static bool stop(void *context, const struct trial_moment *moment)
{
    struct watch *watch = context;
    bool lost = false;

    if (moment->fold > watch->fold) {
        end_fold(watch);
        watch->fold = moment->fold;
        lost = race_is_lost(watch);
    }
    watch->fold_loss = moment->best_loss;
    lost |= note_step(watch, moment);
    return lost && watch->may_stop;
}

/* One trial ------------------------------------------------------------------------------------
 */

/* What a worker is about to try. */
struct job {
    struct trial_hold hold;
    struct setting setting;
    bool is_polish;
    const int *fold_rounds; /* of a trial that is run again; NULL: it says itself when it ends */
};

/* Errors that end the run rather than the trial. */
static bool ends_run(enum err_code code)
{
    return code == ERR_CANCELLED || code == ERR_CONFLICT || code == ERR_UNREACHABLE;
}

static enum err_code write_end(const struct search *search, const struct trial_hold *hold,
                               const struct trial_notes *notes, const struct trial_result *result,
                               const char *error, struct err *err)
{
    CLEANUP(buf_release) struct buf steps = {0}, folds = {0};
    struct trial_end end = {.status = "failed", .score = NAN, .error = error};
    struct pg *pg;

    trial_notes_put(notes, &steps);
    if (result != NULL) {
        trial_put_folds(result, &folds);
        end.status = result->is_stopped ? "pruned" : "completed";
        end.score = result->is_stopped ? NAN : result->score;
        end.rounds = result->rounds;
        end.seconds = result->seconds;
        end.predict_us = result->predict_us;
        end.fold_scores = result->is_stopped ? NULL : buf_text(&folds);
    }
    TRY(buf_check(&steps, err));
    TRY(buf_check(&folds, err));
    end.steps = buf_text(&steps);
    TRY(control_pg(search->request->control, &pg, err));
    return catalog_end_trial(pg, hold, &end, err);
}

/* Takes the result over when it is this worker's best. */
static void keep_best(struct search *search, const struct job *job, struct trial_result *result)
{
    struct search_best *best = &search->best;

    if (best->number >= 0 &&
        !metric_better(search->setup.metric, result->score, best->result.score))
        return;
    trial_result_release(&best->result);
    best->setting = job->setting;
    best->result = *result;
    *result = (struct trial_result){0};
    best->trial_id = job->hold.id;
    best->number = job->hold.number;
}

static enum err_code boost_trial(const struct search *search, const struct job *job,
                                 struct watch *watch, const struct history *history,
                                 struct trial_result *ret_result, struct err *err)
{
    const struct designs *designs = search->request->designs;
    const struct trial_record *best = history_best(history);
    const struct trial_watch trial_watch = {stop, watch};
    const struct trial_request request = {
        .folds = designs->folds[job->setting.algorithm->is_linear],
        .n_folds = designs->n_folds,
        .setting = &job->setting,
        .watch = &trial_watch,
        .control = search->request->control,
        .number = job->hold.number,
        .n_trials = search->budget.n_trials,
        .best = best != NULL ? best->score : NAN,
        .fold_rounds = job->fold_rounds,
    };

    return trial_run(&search->setup, &request, ret_result, err);
}

static void log_trial(const struct job *job, const struct trial_result *result)
{
    log_info(result->is_stopped ? "trial pruned" : "trial done",
             "number=%d algorithm=%s score=%.6g rounds=%d seconds=%.2f", job->hold.number,
             algorithm_name(job->setting.algorithm->id), result->is_stopped ? NAN : result->score,
             result->rounds, result->seconds);
}

/* The trial's result into its row; one that another worker took meanwhile is that worker's. */
static enum err_code finish_trial(struct search *search, const struct job *job,
                                  const struct trial_notes *notes, struct trial_result *result,
                                  const char *error, struct err *err)
{
    struct err end_err;
    enum err_code code = write_end(search, &job->hold, notes, result, error, &end_err);

    if (code == ERR_CONFLICT && control_check(search->request->control, NULL) == ERR_OK) {
        log_err(LOG_WARNING, "a trial's result is not needed", &end_err);
        return ERR_OK;
    }
    if (code != ERR_OK) {
        if (err != NULL)
            *err = end_err;
        return code;
    }
    if (result != NULL && !result->is_stopped)
        keep_best(search, job, result);
    return ERR_OK;
}

/* Where a trial's like is pruned at all: a grid is to be seen whole, a polish has the best
 * setting. */
static bool may_stop(const struct search *search, const struct job *job)
{
    return search->sampler.strategy != SEARCH_NONE && search->sampler.strategy != SEARCH_GRID &&
           !job->is_polish;
}

static const struct trial_notes *notes_of_best(const struct trials *trials,
                                               const struct history *history)
{
    const struct trial_record *best = history_best(history);

    return best != NULL ? &trials->notes[best - trials->records] : NULL;
}

static enum err_code run_trial(struct search *search, const struct job *job,
                               const struct trials *trials, const struct history *history,
                               struct err *err)
{
    CLEANUP(trial_result_release) struct trial_result result = {0};
    struct watch watch = {
        .history = history,
        .best = notes_of_best(trials, history),
        .may_stop = may_stop(search, job),
        .record = {.number = job->hold.number, .setting = job->setting, .score = NAN},
        .eta = hyperparams_get(&job->setting.params, "eta", 0.3),
    };
    struct err trial_err = {0};
    enum err_code code = boost_trial(search, job, &watch, history, &result, &trial_err);

    if (ends_run(code)) {
        *err = trial_err;
        return code;
    }
    if (code != ERR_OK) {
        log_err(LOG_WARNING, "a trial failed", &trial_err);
        return finish_trial(search, job, &watch.notes, NULL, trial_err.message, err);
    }
    if (!result.is_stopped) {
        end_fold(&watch);
        note_rounds(&watch, &result);
    }
    log_trial(job, &result);
    return finish_trial(search, job, &watch.notes, &result, NULL, err);
}

/* The next trial -------------------------------------------------------------------------------
 */

enum next { NEXT_TRIAL, NEXT_WAIT, NEXT_NONE };

/* The trial that was taken, as another worker began it. */
static bool find_taken(const struct trials *trials, struct job *job)
{
    for (int i = 0; i < trials->rows.n; i++) {
        if (trials->rows.items[i].id != job->hold.id)
            continue;
        job->setting = trials->records[i].setting;
        job->is_polish = trials->rows.items[i].is_polish;
        return true;
    }
    return false;
}

static enum err_code begin(const struct search *search, int number, enum suggestion_origin origin,
                           struct job *job, bool *ret_begun, struct err *err)
{
    CLEANUP(buf_release) struct buf hyperparams = {0};
    struct new_trial trial = {
        .number = number,
        .algorithm = algorithm_name(job->setting.algorithm->id),
        .origin = suggestion_origin_name(origin),
        .seed = search->setup.project->seed,
    };
    struct pg *pg;

    hyperparams_to_json(&job->setting.params, &hyperparams);
    TRY(buf_check(&hyperparams, err));
    trial.hyperparams = buf_text(&hyperparams);
    TRY(control_pg(search->request->control, &pg, err));
    return catalog_begin_trial(pg, control_lease(search->request->control), &trial, ret_begun,
                               &job->hold, err);
}

/* Among the trials before this one. */
static int n_polished(const struct trials *trials, int number)
{
    int n = 0;

    for (int i = 0; i < trials->rows.n && trials->rows.items[i].number < number; i++)
        n += trials->rows.items[i].is_polish;
    return n;
}

/* How many trials before it a trial does not know: polishes are made of what all trials but the
 * polishes came to. */
static int blind_spot(const struct search *search, const struct trials *trials, int number,
                      bool polishing)
{
    return polishing ? 1 + n_polished(trials, number) : search->parallel;
}

/* Must it be known first what becomes of a trial that is under way? */
static bool must_wait(const struct search *search, const struct trials *trials, int number,
                      bool polishing)
{
    int blind = blind_spot(search, trials, number, polishing);

    return !trials_ended(trials, number - blind + 1) &&
           (!polishing ||
            budget_waits(&search->budget, seconds_spent(search), trials_usual_seconds(trials)));
}

/* *ret_next: a trial, or none where there is nothing to polish. */
static enum err_code suggest(const struct search *search, struct trials *trials, int number,
                             bool polishing, struct history *ret_history,
                             struct suggestion *ret_suggestion, enum next *ret_next,
                             struct err *err)
{
    bool found = true;

    *ret_history = trials_history(trials, number, blind_spot(search, trials, number, polishing),
                                  higher_is_better(search));
    if (polishing)
        TRY(sampler_polish(&search->sampler, ret_history, ret_suggestion, &found, err));
    else
        TRY(sampler_suggest(&search->sampler, number, ret_history, ret_suggestion, err));
    *ret_next = found ? NEXT_TRIAL : NEXT_NONE;
    return ERR_OK;
}

/* may_polish: it is not known yet that there is nothing to polish. */
static enum err_code begin_next(const struct search *search, struct trials *trials, bool may_polish,
                                struct job *job, struct history *ret_history, enum next *ret_next,
                                struct err *err)
{
    int number = trials_next(trials);
    int n = may_polish ? n_polished(trials, number) : search->budget.n_polishes;
    enum budget_next what = budget_next(&search->budget, number, seconds_spent(search),
                                        trials_usual_seconds(trials), n);
    struct suggestion suggestion;
    bool begun;

    *ret_next = NEXT_NONE;
    if (what == BUDGET_SPENT)
        return ERR_OK;
    *ret_next = NEXT_WAIT;
    if (must_wait(search, trials, number, what == BUDGET_POLISH))
        return ERR_OK;
    TRY(suggest(search, trials, number, what == BUDGET_POLISH, ret_history, &suggestion, ret_next,
                err));
    if (*ret_next == NEXT_NONE) /* there is nothing to polish: the budget may have a trial left */
        return begin_next(search, trials, false, job, ret_history, ret_next, err);
    job->setting = suggestion.setting;
    job->is_polish = what == BUDGET_POLISH;
    TRY(begin(search, number, suggestion.origin, job, &begun, err));
    if (!begun) /* another worker was faster, or the search is over */
        *ret_next = NEXT_WAIT;
    return ERR_OK;
}

/* What this worker does next: a trial that was abandoned, else a new one; none when the budget is
 * spent and no trial is under way. trials is read anew. */
static enum err_code next_trial(struct search *search, struct trials *trials, struct job *job,
                                struct history *ret_history, enum next *ret_next, struct err *err)
{
    const struct lease *lease = control_lease(search->request->control);
    bool taken = false;
    struct pg *pg;

    TRY(control_pg(search->request->control, &pg, err));
    TRY(catalog_take_trial(pg, lease, &taken, &job->hold, err));
    TRY(trials_read(pg, lease->run_id, trials, err)); /* with the one that was taken */
    *ret_next = NEXT_TRIAL;
    if (taken && !find_taken(trials, job))
        return err_set(err, ERR_CONFLICT, "trial %d is void", job->hold.number);
    if (taken) {
        int blind = blind_spot(search, trials, job->hold.number, job->is_polish);

        /* it had begun, and so what it has to know had ended; time may have hurried a polish */
        if (!job->is_polish && !trials_ended(trials, job->hold.number - blind + 1))
            return err_set(err, ERR_CORRUPT, "trial %d began too early", job->hold.number);
        *ret_history = trials_history(trials, job->hold.number, blind, higher_is_better(search));
        return ERR_OK;
    }
    TRY(begin_next(search, trials, true, job, ret_history, ret_next, err));
    if (*ret_next == NEXT_NONE && trials_count(trials, TRIAL_RUNNING) > 0)
        *ret_next = NEXT_WAIT;
    return ERR_OK;
}

static void note_progress(const struct search *search, const struct trials *trials)
{
    int n_left = search->budget.n_trials - trials_next(trials);
    double usual = trials_usual_seconds(trials); /* 0: none has ended */
    double by_trials =
        search->budget.n_trials > 0 && usual > 0 ? (n_left > 0 ? n_left : 0) * usual : INFINITY;
    double by_time = search->seconds_left - seconds_since(search->started_ms);

    control_note_search(search->request->control, trials_count(trials, TRIAL_PRUNED),
                        by_trials < by_time ? by_trials : by_time);
}

/* For what another worker does: the longer its trial takes, the less often all trials are read. */
static useconds_t wait_us(const struct trials *trials)
{
    double us = WAIT_SHARE * 1e6 * trials_usual_seconds(trials);

    return us < WAIT_MIN_US ? WAIT_MIN_US : us > WAIT_MAX_US ? WAIT_MAX_US : (useconds_t)us;
}

static enum err_code go_on(struct search *search, bool *ret_more, struct err *err)
{
    CLEANUP(trials_release) struct trials trials = {0};
    struct history history;
    struct job job = {0};
    enum next next;

    TRY(control_check(search->request->control, err));
    TRY(next_trial(search, &trials, &job, &history, &next, err));
    note_progress(search, &trials);
    *ret_more = next != NEXT_NONE;
    if (next == NEXT_WAIT)
        usleep(wait_us(&trials));
    return next == NEXT_TRIAL ? run_trial(search, &job, &trials, &history, err) : ERR_OK;
}

static enum err_code run_trials(struct search *search, struct err *err)
{
    bool more = true;

    while (more) {
        enum err_code code = go_on(search, &more, err);

        /* who cancels a run may want the best so far */
        if (code == ERR_CANCELLED && control_may_finish(search->request->control)) {
            search->is_cut_short = true;
            return ERR_OK;
        }
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

/* The end ---------------------------------------------------------------------------------------
 */

static enum err_code all_failed(const struct trials *trials, struct err *err)
{
    int n = 0;
    const char *reason = trials_commonest_error(trials, &n);

    if (reason == NULL)
        return err_set(err, ERR_CANCELLED, "cancelled before a trial has ended");
    if (trials->rows.n == 1)
        return err_set(err, ERR_DATA, "the only trial failed: %s", reason);
    err_set(err, ERR_DATA, "all %d trials failed, %d of them because %s", trials->rows.n, n,
            reason);
    return ERR_DATA;
}

/* Another worker's best, or that of an earlier attempt, once more: what it says of the validation
 * rows is needed. */
static enum err_code run_again(struct search *search, const struct trial_row *row,
                               const struct trial_record *record, const struct trial_notes *notes,
                               struct err *err)
{
    struct job job = {
        .hold = {.id = row->id, .number = row->number},
        .setting = record->setting,
        .is_polish = row->is_polish,
    };
    const struct history nothing = {0};
    struct watch watch = {.history = &nothing, .record = *record, .eta = 1};
    CLEANUP(trial_result_release) struct trial_result result = {0};

    if (!isinf(search->seconds_left) && notes->n_rounds == search->request->designs->n_folds)
        job.fold_rounds = notes->rounds; /* time may have ended it */
    search->setup.deadline_ms = DEADLINE_NEVER;
    TRY(boost_trial(search, &job, &watch, &nothing, &result, err));
    search->best.number = -1;
    keep_best(search, &job, &result);
    return ERR_OK;
}

static enum err_code choose_best(struct search *search, struct err *err)
{
    CLEANUP(trials_release) struct trials trials = {0};
    const struct trial_record *best;
    struct history history;
    struct pg *pg;

    TRY(control_pg(search->request->control, &pg, err));
    TRY(trials_read(pg, control_lease(search->request->control)->run_id, &trials, err));
    history = trials_all(&trials, higher_is_better(search));
    best = history_best(&history);
    if (best == NULL)
        return all_failed(&trials, err);
    if (best->number != search->best.number)
        TRY(run_again(search, &trials.rows.items[best - trials.records], best,
                      &trials.notes[best - trials.records], err));
    return ERR_OK;
}

/* The same on every machine, as trials depend on it: enough that a second worker finds something to
 * do, few enough that most trials know of others. */
static int default_parallel(const struct search *search)
{
    int given = search->setup.project->search_parallel, n = search->budget.n_trials;

    if (given > 0)
        return given;
    return n == 0 || n / 4 > PARALLEL_MAX ? PARALLEL_MAX : n / 4 > 0 ? n / 4 : 1;
}

/* Its clock ran while the rows were read. */
static void take_offer(struct search *search, const struct search_offer *offer)
{
    search->parallel = offer->parallel;
    search->seconds_left = offer->seconds;
    search->started_ms = offer->seen_ms;
    if (!isinf(offer->seconds))
        search->setup.deadline_ms = offer->seen_ms + (int64_t)(offer->seconds * 1000);
}

static enum err_code open_search(struct search *search, struct err *err)
{
    double seconds = search->budget.seconds > 0 ? search->budget.seconds : INFINITY;
    struct search_offer offer = {.n_trials = search->budget.n_trials,
                                 .parallel = default_parallel(search),
                                 .seconds = seconds};
    struct pg *pg;

    TRY(control_pg(search->request->control, &pg, err));
    TRY(catalog_open_search(pg, control_lease(search->request->control), &offer, err));
    take_offer(search, &offer);
    search->is_closed = offer.is_closed;
    return ERR_OK;
}

static enum err_code close_search(const struct search *search, struct err *err)
{
    struct pg *pg;

    TRY(control_pg(search->request->control, &pg, err));
    TRY(catalog_close_search(pg, control_lease(search->request->control), search->is_cut_short,
                             err));
    if (search->is_cut_short)
        control_set_granted(search->request->control);
    return ERR_OK;
}

/* Several trials at a time, of one thread each, where that is faster than one of several. */
static enum err_code invite_helpers(struct search *search, struct helpers *helpers, struct err *err)
{
    int n = search->budget.n_trials;
    int n_at_once =
        search->setup.threads < search->parallel ? search->setup.threads : search->parallel;
    bool side_by_side = false;

    if (n_at_once < 2 || (n > 0 && n < 2 * n_at_once) ||
        search->setup.project->snapshot == SNAPSHOT_NONE)
        return ERR_OK;
    TRY(mix_measure(search->request, &side_by_side, err));
    if (!side_by_side)
        return ERR_OK;
    search->setup.threads = 1;
    helpers_start(helpers, search->request->options,
                  control_lease(search->request->control)->run_id, n_at_once - 1);
    return ERR_OK;
}

enum err_code search_run(const struct search_request *request, struct search_best *ret_best,
                         struct err *err)
{
    CLEANUP(search_release) struct search search = {0};
    CLEANUP(helpers_release) struct helpers helpers = {0};

    TRY(search_init(&search, request, err));
    if (request->setup->project->on_cancel == CANCEL_FINISHES)
        control_set_finishes(request->control);
    TRY(open_search(&search, err));
    if (!search.is_closed) {
        TRY(invite_helpers(&search, &helpers, err));
        TRY(run_trials(&search, err));
        TRY(close_search(&search, err));
    }
    search.setup.threads = request->setup->threads;
    TRY(choose_best(&search, err));
    *ret_best = search.best;
    search.best = (struct search_best){0};
    return ERR_OK;
}

enum err_code search_help(const struct search_request *request, struct err *err)
{
    const struct lease *lease = control_lease(request->control);
    CLEANUP(search_release) struct search search = {0};

    TRY(search_init(&search, request, err));
    take_offer(&search, &lease->offer);
    return run_trials(&search, err);
}
