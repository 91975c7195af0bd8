#include "train/contest.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "train/dataset.h"
#include "train/measure.h"
#include "train/objective.h"
#include "train/read.h"

#define CANDIDATES_MAX 100 /* the best by their stored scores */

struct contest {
    struct project *project;
    struct relation *relation;
    struct schema *schema;
    struct dataset *dataset;
    const struct metric *metric;
    struct buf split;
    int n;
    struct model *models[CANDIDATES_MAX];
    char *splits[CANDIDATES_MAX];
};

static void contest_release(struct contest *contest)
{
    for (int i = 0; i < contest->n; i++) {
        model_free(contest->models[i]);
        free(contest->splits[i]);
    }
    dataset_free(contest->dataset);
    schema_free(contest->schema);
    relation_free(contest->relation);
    project_free(contest->project);
    buf_release(&contest->split);
}

/* Opens one candidate, or its twin that did not learn from the test rows; a damaged one does not
 * take part. */
static enum err_code add_candidate(struct contest *contest, struct pg *catalog, int64_t model_id,
                                   struct err *err)
{
    CLEANUP(model_rows_release) struct model_rows rows = {0};
    struct err open_err;

    TRY(catalog_measured_model(catalog, model_id, &rows, err));
    if (strcmp(rows.items[0].target, contest->project->target) != 0 ||
        model_open(&rows.items[0], &contest->models[contest->n], &open_err) != ERR_OK)
        return ERR_OK;
    contest->splits[contest->n] = strdup(rows.items[0].split);
    if (contest->splits[contest->n++] == NULL)
        return err_nomem(err);
    return ERR_OK;
}

static enum err_code add_candidates(struct contest *contest, struct pg *catalog, struct err *err)
{
    CLEANUP(model_rows_release) struct model_rows rows = {0};

    TRY(catalog_models(catalog, contest->project->name, CANDIDATES_MAX, &rows, err));
    for (int i = 0; i < rows.n; i++)
        TRY(add_candidate(contest, catalog, rows.items[i].id, err));
    return ERR_OK;
}

static enum err_code read_dataset(struct contest *contest, struct pg *reader,
                                  const struct spill_rule *spill, struct err *err)
{
    CLEANUP(frame_freep) struct frame *frame = NULL;
    struct read_request request = {
        .project = contest->project,
        .models = (const struct model *const *)contest->models,
        .n_models = contest->n,
        .spill = *spill,
    };

    TRY(relation_open(reader, contest->project->relation, &contest->relation, err));
    TRY(schema_new(contest->project, contest->relation, &contest->schema, err));
    request.relation = contest->relation;
    request.schema = contest->schema;
    TRY(read_rows(reader, &request, &frame, err));
    TRY(dataset_new(contest->project, contest->schema, frame, &contest->dataset, err));
    frame = NULL;
    TRY(key_metric_of(contest->project, contest->schema->task, dataset_n_classes(contest->dataset),
                      &contest->metric, err));
    dataset_split_rule(contest->dataset, contest->project, &contest->split);
    return buf_check(&contest->split, err);
}

/* The key metric of a candidate; NaN where it cannot take part. */
static enum err_code measure(const struct contest *contest, int i, double *ret_score,
                             struct err *err)
{
    CLEANUP(predictions_release) struct predictions predictions = {0};
    struct metric_input input;
    enum err_code code;
    bool same;

    *ret_score = NAN;
    TRY(split_rules_equal(buf_text(&contest->split), contest->splits[i], &same, err));
    if (!same)
        return ERR_OK;
    code = measure_model(contest->models[i], contest->dataset, &contest->dataset->split->test,
                         &predictions, err);
    if (code == ERR_CONFLICT)
        return ERR_OK;
    TRY(code);
    input = predictions_input(&predictions);
    return contest->metric->compute(&input, ret_score, err);
}

static enum err_code choose(const struct contest *contest, struct contest_result *ret_result,
                            struct err *err)
{
    struct contest_result result = {0};
    double best = NAN;

    for (int i = 0; i < contest->n; i++) {
        double score;

        TRY(measure(contest, i, &score, err));
        if (isnan(score)) {
            result.n_left_out++;
            continue;
        }
        if (result.n_measured++ == 0 || metric_better(contest->metric, score, best)) {
            best = score;
            result.model_id = contest->models[i]->id;
        }
    }
    if (result.n_measured == 0) {
        err_set(err, ERR_CONFLICT,
                "no model of project \"%s\" can be measured on its rows as they are now",
                contest->project->name);
        return err_hint(err, "train it, or choose one by --model");
    }
    snprintf(result.reason, sizeof(result.reason),
             "%s %.6g, the best of %d on the same %zu test rows", contest->metric->name, best,
             result.n_measured, contest->dataset->split->test.n);
    *ret_result = result;
    return ERR_OK;
}

enum err_code contest_run(struct pg *catalog, struct pg *reader, const char *project,
                          const struct spill_rule *spill, struct contest_result *ret_result,
                          struct err *err)
{
    CLEANUP(project_rows_release) struct project_rows rows = {0};
    CLEANUP(contest_release) struct contest contest = {0};
    const char *definition;

    TRY(catalog_projects(catalog, project, &rows, err));
    definition = rows.items[0].definition;
    TRY(project_parse(definition, strlen(definition), project, &contest.project, err));
    TRY(add_candidates(&contest, catalog, err));
    TRY(read_dataset(&contest, reader, spill, err));
    return choose(&contest, ret_result, err);
}
