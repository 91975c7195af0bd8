#include "train/decide.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "metric/bootstrap.h"

PRINTF_LIKE(3, 4)
static void say(struct decision *decision, bool deploy, const char *format, ...)
{
    va_list args;

    decision->deploy = deploy;
    va_start(args, format);
    vsnprintf(decision->reason, sizeof(decision->reason), format, args);
    va_end(args);
}

static bool beats_baseline(const struct challenger *challenger)
{
    return metric_better(challenger->metric, challenger->score, challenger->baseline_score);
}

/* What stands for a comparison where there is none. */
static void put_against_baseline(const struct challenger *challenger, char *text, size_t size)
{
    snprintf(text, size, "it %s the baseline: %s %.6g against %.6g",
             beats_baseline(challenger) ? "beats" : "does not beat", challenger->metric->name,
             challenger->score, challenger->baseline_score);
}

/* Both on the same rows: the challenger first. */
static enum err_code meet_on_test_rows(const struct model *champion,
                                       const struct challenger *challenger,
                                       struct bootstrap_result *ret_result, struct err *err)
{
    const struct bootstrap_plan plan = {.seed = (uint64_t)challenger->project->seed};
    CLEANUP(predictions_release) struct predictions predictions = {0};
    struct metric_input a = predictions_input(challenger->tested), b;

    TRY(measure_model(champion, challenger->dataset, &challenger->dataset->split->test,
                      &predictions, err));
    b = predictions_input(&predictions);
    return bootstrap_compare(challenger->metric, &a, &b, &plan, ret_result, err);
}

/* "rmse 18.6 against 19 of live model 3 on the same 4000 test rows, better in 99.8 % of 1000
 * resamples (difference -0.43, 95 % between -0.6 and -0.2)" */
static void say_compared(const struct model *champion, const struct challenger *challenger,
                         const struct bootstrap_result *result, struct decision *decision)
{
    bool better = metric_better(challenger->metric, result->a, result->b);
    bool sure = bootstrap_surely_better(challenger->metric, result);

    if (isnan(result->p_better)) {
        say(decision, false,
            "%s %.6g against %.6g of live model %lld: %zu test rows are too few to "
            "tell which is better",
            challenger->metric->name, result->a, result->b, (long long)champion->id,
            challenger->dataset->split->test.n);
        return;
    }
    say(decision, sure,
        "%s: %s %.6g against %.6g of live model %lld on the same %zu test rows, better in %.1f %% "
        "of %zu resamples (difference %.3g, 95 %% between %.3g and %.3g)",
        !better ? "not better"
        : sure  ? "better"
                : "not surely better",
        challenger->metric->name, result->a, result->b, (long long)champion->id,
        challenger->dataset->split->test.n, result->p_better * 100, result->n_replicates,
        result->difference.value, result->difference.low, result->difference.high);
}

static enum err_code compare(const struct model *champion, const struct challenger *challenger,
                             struct decision *decision, struct err *ret_err)
{
    struct err err = {0};
    struct bootstrap_result result;
    char against[128];
    enum err_code code;

    code = meet_on_test_rows(champion, challenger, &result, &err);
    if (code == ERR_CONFLICT) {
        put_against_baseline(challenger, against, sizeof(against));
        say(decision, true, "the relation can no longer feed live model %lld (%.200s); %s",
            (long long)champion->id, err.message, against);
        return ERR_OK;
    }
    if (code != ERR_OK) {
        *ret_err = err;
        return code;
    }
    say_compared(champion, challenger, &result, decision);
    return ERR_OK;
}

/* Whether there is anything to compare with; where not, the decision is taken. */
static enum err_code comparable(const struct model_row *live, const struct challenger *challenger,
                                struct decision *decision, bool *ret_comparable, struct err *err)
{
    const struct project *project = challenger->project;
    char against[128];
    bool same;

    *ret_comparable = false;
    put_against_baseline(challenger, against, sizeof(against));
    if (strcmp(live->target, project->target) != 0 ||
        strcmp(live->task, task_name(dataset_task(challenger->dataset))) != 0) {
        say(decision, true, "live model %lld predicts something else; %s", (long long)live->id,
            against);
        return ERR_OK;
    }
    TRY(split_rules_equal(live->split, challenger->split, &same, err));
    if (!same) {
        say(decision, beats_baseline(challenger),
            "live model %lld was split by another rule and may have seen some of these test rows; "
            "%s",
            (long long)live->id, against);
        return ERR_OK;
    }
    *ret_comparable = true;
    return ERR_OK;
}

/* Meets the champion, or its twin that did not learn from the test rows; one whose bytes are
 * damaged is no champion. */
static enum err_code meet(struct pg *pg, int64_t champion_id, const struct challenger *challenger,
                          struct decision *decision, struct err *err)
{
    CLEANUP(model_rows_release) struct model_rows rows = {0};
    CLEANUP(model_freep) struct model *champion = NULL;
    struct err open_err = {0};
    bool is_comparable;
    enum err_code code;

    TRY(catalog_measured_model(pg, champion_id, &rows, err));
    TRY(comparable(&rows.items[0], challenger, decision, &is_comparable, err));
    if (!is_comparable)
        return ERR_OK;
    code = model_open(&rows.items[0], &champion, &open_err);
    if (code == ERR_OK)
        return compare(champion, challenger, decision, err);
    if (code == ERR_CORRUPT) {
        say(decision, true, "live model %lld cannot be used (%.300s)", (long long)champion_id,
            open_err.message);
    } else {
        *err = open_err;
        return code;
    }
    return ERR_OK;
}

enum err_code decide(struct control *control, const struct challenger *challenger,
                     struct decision *ret_decision, struct err *err)
{
    CLEANUP(project_rows_release) struct project_rows rows = {0};
    struct decision decision = {0};
    char against[128];
    struct pg *pg;

    TRY(control_pg(control, &pg, err));
    TRY(catalog_projects(pg, control_lease(control)->project, &rows, err));
    decision.seen_version = rows.items[0].deploy_version;
    if (challenger->project->deploy == DEPLOY_NEVER) {
        say(&decision, false, "the project deploys by hand");
    } else if (challenger->project->deploy == DEPLOY_ALWAYS) {
        say(&decision, true, "the project deploys every new model");
    } else if (rows.items[0].live_model_id == 0) {
        put_against_baseline(challenger, against, sizeof(against));
        say(&decision, true, "the first model; %s", against);
    } else {
        TRY(meet(pg, rows.items[0].live_model_id, challenger, &decision, err));
    }
    *ret_decision = decision;
    return ERR_OK;
}
