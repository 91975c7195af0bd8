#include "train/decide.h"

#include <stdio.h>

#include "train/measure.h"

/* The live model's key metric on the same test rows. */
static enum err_code champion_score(const struct model *champion, const struct dataset *dataset,
                                    const struct metric *metric, double *ret_score, struct err *err)
{
    CLEANUP(predictions_release) struct predictions predictions = {0};
    struct metric_input input;

    TRY(measure_model(champion, dataset, &dataset->split->test, &predictions, err));
    input = predictions_input(&predictions);
    return metric->compute(&input, ret_score, err);
}

static void compare(const struct model *champion, const struct dataset *dataset,
                    const struct metric *metric, double score, struct decision *decision)
{
    struct err err = {0};
    double champion_value;

    if (champion_score(champion, dataset, metric, &champion_value, &err) != ERR_OK) {
        decision->deploy = false;
        snprintf(decision->reason, sizeof(decision->reason),
                 "live model %lld stays: it cannot be measured on these rows (%.300s)",
                 (long long)champion->id, err.message);
        return;
    }
    decision->deploy = metric_better(metric, score, champion_value);
    snprintf(decision->reason, sizeof(decision->reason),
             "%s: %s %.6g against %.6g of live model %lld on the same %zu test rows",
             decision->deploy ? "better" : "not better", metric->name, score, champion_value,
             (long long)champion->id, dataset->split->test.n);
}

/* Meets the champion; one that cannot even be opened is no champion. */
static enum err_code meet(struct pg *pg, int64_t champion_id, const struct dataset *dataset,
                          const struct metric *metric, double score, struct decision *decision,
                          struct err *err)
{
    CLEANUP(model_rows_release) struct model_rows rows = {0};
    CLEANUP(model_freep) struct model *champion = NULL;
    struct err open_err = {0};

    TRY(catalog_model(pg, champion_id, &rows, err));
    if (model_open(&rows.items[0], &champion, &open_err) == ERR_OK) {
        compare(champion, dataset, metric, score, decision);
        return ERR_OK;
    }
    decision->deploy = true;
    snprintf(decision->reason, sizeof(decision->reason), "live model %lld cannot be used (%.300s)",
             (long long)champion_id, open_err.message);
    return ERR_OK;
}

enum err_code decide(struct control *control, const struct project *project,
                     const struct dataset *dataset, const struct metric *metric, double score,
                     struct decision *ret_decision, struct err *err)
{
    CLEANUP(project_rows_release) struct project_rows rows = {0};
    struct decision decision = {0};
    struct pg *pg;

    TRY(control_pg(control, &pg, err));
    TRY(catalog_projects(pg, control_lease(control)->project, &rows, err));
    decision.seen_version = rows.items[0].deploy_version;
    if (project->deploy == DEPLOY_NEVER) {
        snprintf(decision.reason, sizeof(decision.reason), "the project deploys by hand");
    } else if (project->deploy == DEPLOY_ALWAYS) {
        decision.deploy = true;
        snprintf(decision.reason, sizeof(decision.reason), "the project deploys every new model");
    } else if (rows.items[0].live_model_id == 0) {
        decision.deploy = true;
        snprintf(decision.reason, sizeof(decision.reason), "the first model");
    } else {
        TRY(meet(pg, rows.items[0].live_model_id, dataset, metric, score, &decision, err));
    }
    *ret_decision = decision;
    return ERR_OK;
}
