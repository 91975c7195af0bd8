/*
 * How a model enters the catalog: at the end of its run, or from elsewhere.
 *
 * The end of a run is its model, the decision about it, and the run's success, all or nothing. The
 * model goes in first and the fence comes last, so that a large model does not keep the heartbeats
 * of its own worker waiting; a lease that was lost takes everything back.
 */
#include <math.h>
#include <stdio.h>

#include "catalog/catalog.h"
#include "catalog/fence.h"
#include "catalog/within.h"

static const char insert_model_sql[] =
    "INSERT INTO pgboost.models (project_id, run_id, trial_id, algorithm, hyperparams, metric,"
    " score, metrics, encoder, labels, model, sha256, base_margin_bits, golden, xgboost_version,"
    " task, relation, target, split, calibration, twin_of)"
    " VALUES ($1::bigint, nullif($2::bigint, 0), nullif($3::bigint, 0), $4, $5::jsonb, $6,"
    " $7::double precision, $8::jsonb, $9::jsonb, $10::jsonb, $11::bytea, $12, $13::bigint,"
    " $14::jsonb, $15, $16, $17, $18, $19::jsonb, $20::jsonb,"
    " nullif($21::bigint, 0)) RETURNING id";

/* run_id 0: of no run; twin_of 0: of none. */
static enum err_code insert_model(struct pg *pg, int64_t project_id, int64_t run_id,
                                  const struct new_model *model, int64_t twin_of, int64_t *ret_id,
                                  struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    struct pg_int project_text, run_text, trial_id, base_margin_bits, twin_text;
    char score[40];

    snprintf(score, sizeof(score), "%.17g", model->score);
    TRY(pg_row(pg, insert_model_sql, 21,
               (struct pg_param[]){
                   pg_param_int(&project_text, project_id),
                   pg_param_int(&run_text, run_id),
                   pg_param_int(&trial_id, model->trial_id),
                   PG_TEXT(model->algorithm),
                   PG_TEXT(model->hyperparams),
                   PG_TEXT(model->metric),
                   PG_TEXT(isnan(model->score) ? NULL : score),
                   PG_TEXT(model->metrics),
                   PG_TEXT(model->encoder),
                   PG_TEXT(model->labels),
                   PG_BYTES(model->bytes, model->n_bytes),
                   PG_TEXT(model->sha256),
                   pg_param_int(&base_margin_bits, model->base_margin_bits),
                   PG_TEXT(model->golden),
                   PG_TEXT(model->xgboost_version),
                   PG_TEXT(model->task),
                   PG_TEXT(model->relation),
                   PG_TEXT(model->target),
                   PG_TEXT(model->split),
                   PG_TEXT(model->calibration),
                   pg_param_int(&twin_text, twin_of),
               },
               &table, err));
    *ret_id = pg_get_int64(&table, 0, 0);
    return ERR_OK;
}

/* Compare and swap: nobody deployed since the worker compared its model with the live one. */
static enum err_code make_live(struct pg *pg, const struct lease *lease, int64_t model_id,
                               int64_t seen_version, struct err *err)
{
    struct pg_int project_text, model_text, version_text;
    int64_t n_rows;

    TRY(pg_exec(pg,
                "UPDATE pgboost.projects SET live_model_id = $2::bigint,"
                " deploy_version = deploy_version + 1"
                " WHERE id = $1::bigint AND deploy_version = $3::bigint",
                3,
                (struct pg_param[]){pg_param_int(&project_text, lease->project_id),
                                    pg_param_int(&model_text, model_id),
                                    pg_param_int(&version_text, seen_version)},
                &n_rows, err));
    if (n_rows == 1)
        return ERR_OK;
    err_set(err, ERR_CONFLICT, "project \"%s\" was deployed to while run %lld was deciding",
            lease->project, (long long)lease->run_id);
    err_hint(err, "compare with the model that is live now");
    return ERR_CONFLICT;
}

/* The decision as a row: a deployment carries the project's new version, a refusal the kept one. */
static enum err_code record_decision(struct pg *pg, const struct lease *lease, int64_t model_id,
                                     const struct new_model *model, struct err *err)
{
    struct pg_int project_text, model_text;

    return pg_exec(pg,
                   "INSERT INTO pgboost.deployments"
                   " (project_id, model_id, version, strategy, reason, refused)"
                   " SELECT id, $2::bigint, deploy_version, 'train', $3, $4::boolean"
                   " FROM pgboost.projects WHERE id = $1::bigint",
                   4,
                   (struct pg_param[]){pg_param_int(&project_text, lease->project_id),
                                       pg_param_int(&model_text, model_id), PG_TEXT(model->reason),
                                       PG_TEXT(model->deploy ? "false" : "true")},
                   NULL, err);
}

static enum err_code end_run(struct pg *pg, const struct lease *lease, int64_t model_id,
                             bool deployed, struct err *err)
{
    const struct fence fence = fence_of(lease);
    struct pg_int model_text;
    int64_t n_rows;

    TRY(pg_exec(pg,
                "UPDATE pgboost.runs SET status = 'succeeded', finished_at = clock_timestamp(),"
                " model_id = $3::bigint WHERE " FENCED,
                3, (struct pg_param[]){FENCE_PARAMS(fence), pg_param_int(&model_text, model_id)},
                &n_rows, err));
    if (n_rows != 1)
        return fence_lost(lease, err);
    TRY(pg_exec(pg, "WITH ended AS (SELECT $1::bigint AS id, true AS over), " END_TRIALS " SELECT",
                1, (struct pg_param[]){PG_TEXT(fence.run_id)}, NULL, err));
    TRY(pg_exec(pg, "SELECT pg_notify('" CATALOG_CHANNEL "', 'run')", 0, NULL, NULL, err));
    if (deployed)
        TRY(pg_exec(pg, "SELECT pg_notify('" CATALOG_CHANNEL "', 'deploy')", 0, NULL, NULL, err));
    return ERR_OK;
}

/* "score": {"after": "train"}, where there is a live model then. */
static enum err_code queue_score(struct pg *pg, const struct lease *lease, struct err *err)
{
    struct pg_int project_text;

    return pg_exec(
        pg,
        "SELECT pgboost.queue_run(p.id, 'train', 'score', NULL, NULL)"
        " FROM pgboost.projects p WHERE p.id = $1::bigint"
        "  AND p.definition #>> '{score,after}' = 'train' AND p.live_model_id IS NOT NULL",
        1, (struct pg_param[]){pg_param_int(&project_text, lease->project_id)}, NULL, err);
}

static enum err_code insert_with_twin(struct pg *pg, const struct lease *lease,
                                      const struct new_model *model, int64_t *ret_id,
                                      struct err *err)
{
    struct new_model twin;
    int64_t twin_id;

    TRY(insert_model(pg, lease->project_id, lease->run_id, model, 0, ret_id, err));
    if (model->twin == NULL)
        return ERR_OK;
    twin = *model->twin;
    twin.trial_id = model->trial_id;
    return insert_model(pg, lease->project_id, lease->run_id, &twin, *ret_id, &twin_id, err);
}

static enum err_code finish(struct pg *pg, const struct lease *lease, const struct new_model *model,
                            int64_t *ret_model_id, struct err *err)
{
    TRY(insert_with_twin(pg, lease, model, ret_model_id, err));
    if (model->deploy)
        TRY(make_live(pg, lease, *ret_model_id, model->seen_version, err));
    if (model->deploy || model->reason != NULL)
        TRY(record_decision(pg, lease, *ret_model_id, model, err));
    TRY(end_run(pg, lease, *ret_model_id, model->deploy, err));
    return queue_score(pg, lease, err);
}

static enum err_code check_size(const struct new_model *model, const char *hint, struct err *err)
{
    if (model->n_bytes <= MODEL_BYTES_MAX)
        return ERR_OK;
    err_set(err, ERR_LIMIT, "the model has %zu MiB, more than the %zu MiB the catalog keeps",
            model->n_bytes >> 20, MODEL_BYTES_MAX >> 20);
    return err_hint(err, "%s", hint);
}

enum err_code catalog_finish_run(struct pg *pg, const struct lease *lease,
                                 const struct new_model *model, int64_t *ret_model_id,
                                 struct err *err)
{
    int64_t model_id;

    TRY(check_size(model, "lower \"n_estimators\" or \"max_depth\" in the definition's hyperparams",
                   err));
    TRY(pg_begin(pg, err));
    TRY(pg_end(pg, finish(pg, lease, model, &model_id, err), err));
    *ret_model_id = model_id;
    return ERR_OK;
}

static enum err_code finish_contest(struct pg *pg, const struct lease *lease, int64_t model_id,
                                    const char *reason, struct err *err)
{
    bool changed;

    TRY(within_deploy(pg, lease->project, model_id, "best_score", reason, &changed, err));
    return end_run(pg, lease, model_id, false, err); /* the deployment has told of itself */
}

enum err_code catalog_finish_contest(struct pg *pg, const struct lease *lease, int64_t model_id,
                                     const char *reason, struct err *err)
{
    TRY(pg_begin(pg, err));
    return pg_end(pg, finish_contest(pg, lease, model_id, reason, err), err);
}

enum err_code catalog_insert_model(struct pg *pg, int64_t project_id, const struct new_model *model,
                                   int64_t *ret_model_id, struct err *err)
{
    TRY(check_size(model, "train it with fewer or smaller trees", err));
    return insert_model(pg, project_id, 0, model, 0, ret_model_id, err);
}
