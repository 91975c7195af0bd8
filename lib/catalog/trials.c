/*
 * Trials: settings tried by a run, a row each.
 */
#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "catalog/catalog.h"
#include "catalog/fence.h"
#include "catalog/select.h"

static const struct field trial_fields[] = {
    {"id", FIELD_INT64, offsetof(struct trial_row, id)},
    {"run_id", FIELD_INT64, offsetof(struct trial_row, run_id)},
    {"number", FIELD_INT, offsetof(struct trial_row, number)},
    {"status", FIELD_TEXT, offsetof(struct trial_row, status)},
    {"algorithm", FIELD_TEXT, offsetof(struct trial_row, algorithm)},
    {"hyperparams", FIELD_TEXT, offsetof(struct trial_row, hyperparams)},
    {"score", FIELD_TEXT, offsetof(struct trial_row, score)},
    {"fold_scores", FIELD_TEXT, offsetof(struct trial_row, fold_scores)},
    {"error", FIELD_TEXT, offsetof(struct trial_row, error)},
    {"rounds", FIELD_INT, offsetof(struct trial_row, rounds)},
    {"seconds", FIELD_DOUBLE, offsetof(struct trial_row, seconds)},
};
static const struct row_spec trial_spec = ROW_SPEC(struct trial_row, trial_fields);

void trial_rows_release(struct trial_rows *rows)
{
    arena_release(&rows->arena);
    *rows = (struct trial_rows){0};
}

enum err_code catalog_trials(struct pg *pg, int64_t run_id, struct trial_rows *ret_rows,
                             struct err *err)
{
    struct pg_int id;
    struct selected selected;

    TRY(catalog_select(pg, &trial_spec,
                       "FROM pgboost.trials WHERE run_id = $1::bigint ORDER BY number", 1,
                       (struct pg_param[]){pg_param_int(&id, run_id)}, &selected, err));
    *ret_rows =
        (struct trial_rows){.n = selected.n, .items = selected.items, .arena = selected.arena};
    return ERR_OK;
}

/* FOR SHARE waits for a claim that is under way and looks again: a stale worker cannot slip in
 * between the claim's commit and this statement's snapshot. */
static const char save_sql[] =
    "INSERT INTO pgboost.trials AS t"
    " (run_id, number, status, algorithm, hyperparams, score, rounds, seconds, error,"
    "  fold_scores)"
    " SELECT run.id, $3::integer, $4, $5, $6::jsonb, $7::double precision, $8::integer,"
    "  $9::double precision, $10, $11::jsonb"
    " FROM (SELECT id FROM pgboost.runs WHERE " FENCED " FOR SHARE) run"
    " ON CONFLICT (run_id, number) DO UPDATE SET status = excluded.status,"
    "  algorithm = excluded.algorithm, hyperparams = excluded.hyperparams,"
    "  score = excluded.score, rounds = excluded.rounds, seconds = excluded.seconds,"
    "  error = excluded.error, fold_scores = excluded.fold_scores"
    " RETURNING t.id";

enum err_code catalog_save_trial(struct pg *pg, const struct lease *lease,
                                 const struct new_trial *trial, int64_t *ret_id, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    const struct fence fence = fence_of(lease);
    struct pg_int number_text, rounds_text;
    char score_text[40], seconds_text[40];

    snprintf(score_text, sizeof(score_text), "%.17g", trial->score);
    snprintf(seconds_text, sizeof(seconds_text), "%.6f", trial->seconds);
    TRY(pg_rows(pg, save_sql, 11,
                (struct pg_param[]){
                    FENCE_PARAMS(fence),
                    pg_param_int(&number_text, trial->number),
                    PG_TEXT(trial->status),
                    PG_TEXT(trial->algorithm),
                    PG_TEXT(trial->hyperparams),
                    PG_TEXT(isnan(trial->score) ? NULL : score_text),
                    pg_param_int(&rounds_text, trial->rounds),
                    PG_TEXT(seconds_text),
                    PG_TEXT(trial->error),
                    PG_TEXT(trial->fold_scores),
                },
                &table, err));
    if (table.n_rows == 0)
        return fence_lost(lease, err);
    if (ret_id != NULL)
        *ret_id = pg_get_int64(&table, 0, 0);
    return ERR_OK;
}
