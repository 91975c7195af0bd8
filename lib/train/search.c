#include "train/search.h"

#include <limits.h>
#include <math.h>

#include "base/clock.h"
#include "base/log.h"

static int n_trials(const struct project *project, bool classification)
{
    int n_each = project->search_strategy == SEARCH_NONE ? 1 : INT_MAX;
    int n = portfolio_size_of(project->algorithms, classification, n_each);

    return project->search_trials > 0 && project->search_trials < n ? project->search_trials : n;
}

/* Records a trial; result NULL while it runs or when it failed. */
static enum err_code save_trial(struct control *control, int number, const char *status,
                                const struct setting *setting, const struct trial_result *result,
                                const char *error, int64_t *ret_id, struct err *err)
{
    CLEANUP(buf_release) struct buf json = {0};
    struct pg *pg;

    hyperparams_to_json(&setting->params, &json);
    TRY(buf_check(&json, err));
    TRY(control_pg(control, &pg, err));
    return catalog_save_trial(
        pg, control_lease(control), number, status, algorithm_name(setting->algorithm->id),
        buf_text(&json), result != NULL ? result->score : NAN, result != NULL ? result->rounds : 0,
        result != NULL ? result->seconds : 0, error, ret_id, err);
}

void search_best_release(struct search_best *best)
{
    trial_result_release(&best->result);
}

/* Errors that end the run rather than the trial. */
static bool ends_run(enum err_code code)
{
    return code == ERR_CANCELLED || code == ERR_CONFLICT || code == ERR_UNREACHABLE;
}

/* Takes the result over when it is the best. */
static void keep_best(const struct trial_setup *setup, const struct setting *setting,
                      struct trial_result *result, int64_t trial_id, struct search_best *best)
{
    bool first = best->n_completed++ == 0;

    if (!first && !metric_better(setup->metric, result->score, best->result.score))
        return;
    trial_result_release(&best->result);
    best->setting = *setting;
    best->result = *result;
    result->margins = NULL;
    best->trial_id = trial_id;
}

static enum err_code one_trial(const struct trial_setup *setup, const struct designs *designs,
                               struct control *control, int number, int n, struct search_best *best,
                               struct err *first_err, struct err *err)
{
    bool classification = dataset_n_classes(setup->dataset) > 0;
    struct setting setting;
    CLEANUP(trial_result_release) struct trial_result result = {0};
    struct err trial_err = {0};
    double best_score = best->n_completed > 0 ? best->result.score : NAN;
    int64_t trial_id;
    enum err_code code;

    portfolio_get_of(setup->project->algorithms, classification, number, &setting);
    TRY(hyperparams_overlay(&setting.params, setting.algorithm->id, setup->project->hyperparams,
                            err));
    TRY(save_trial(control, number, "running", &setting, NULL, NULL, &trial_id, err));
    code = trial_run(setup, &designs->of[setting.algorithm->is_linear], &setting, number, n,
                     best_score, control, &result, &trial_err);
    if (ends_run(code)) {
        *err = trial_err;
        return code;
    }
    if (code != ERR_OK) {
        log_err(LOG_WARNING, "a trial failed", &trial_err);
        if (best->n_failed++ == 0)
            *first_err = trial_err;
        return save_trial(control, number, "failed", &setting, NULL, trial_err.message, &trial_id,
                          err);
    }
    TRY(save_trial(control, number, "completed", &setting, &result, NULL, &trial_id, err));
    log_info("trial done", "number=%d algorithm=%s score=%.6g rounds=%d seconds=%.2f", number,
             algorithm_name(setting.algorithm->id), result.score, result.rounds, result.seconds);
    keep_best(setup, &setting, &result, trial_id, best);
    return ERR_OK;
}

enum err_code search_run(const struct trial_setup *setup, const struct designs *designs,
                         struct control *control, struct search_best *ret_best, struct err *err)
{
    int n = n_trials(setup->project, dataset_n_classes(setup->dataset) > 0);
    CLEANUP(search_best_release) struct search_best best = {0};
    struct err first_err = {0};

    TRY(hyperparams_check(setup->project->hyperparams, setup->project->algorithms, err));
    for (int number = 0; number < n; number++) {
        if (number > 0 && best.n_completed > 0 && clock_ms() >= setup->deadline_ms)
            break;
        TRY(one_trial(setup, designs, control, number, n, &best, &first_err, err));
    }
    if (best.n_completed == 0) {
        *err = first_err;
        err_prefix(err, "all %d trials failed, the first because", n);
        return err->code;
    }
    *ret_best = best;
    best.result.margins = NULL;
    return ERR_OK;
}
