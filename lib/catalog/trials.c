/*
 * Trials: settings tried by a run, a row each, shared out among its workers.
 *
 * A trial is held under a lease of its own, with an epoch that fences out who lost it; who holds
 * the run has no more right to it than any other worker.
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
    {"error", FIELD_TEXT, offsetof(struct trial_row, error)},
    {"rounds", FIELD_INT, offsetof(struct trial_row, rounds)},
    {"seconds", FIELD_DOUBLE, offsetof(struct trial_row, seconds)},
    {"steps", FIELD_TEXT, offsetof(struct trial_row, steps)},
    {"fold_scores", FIELD_TEXT, offsetof(struct trial_row, fold_scores)},
    {"predict_us", FIELD_TEXT, offsetof(struct trial_row, predict_us)},
    {"origin", FIELD_TEXT, offsetof(struct trial_row, origin)},
    {"coalesce(origin = 'polish', false)", FIELD_BOOL, offsetof(struct trial_row, is_polish)},
    {"worker", FIELD_TEXT, offsetof(struct trial_row, worker)},
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

/* Who asks for a trial: $1 … $5 of the statements that hand one out. */
struct asker {
    struct pg_int run_id, epoch;
};
#define ASKER_PARAMS(asker, lease)                                                                 \
    pg_param_int(&(asker).run_id, (lease)->run_id), pg_param_int(&(asker).epoch, (lease)->epoch),  \
        PG_TEXT((lease)->rows_fingerprint), PG_TEXT((lease)->definition), PG_TEXT((lease)->worker)

/* Who holds the run r goes by its epoch (not 0); who helps, by what it saw when it joined: the rows
 * and the definition of a run may be others by now. */
#define MAY_ASK                                                                                    \
    "r.id = $1::bigint AND (r.lease_epoch = $2::bigint OR ($2::bigint = 0"                         \
    " AND r.rows_fingerprint = $3 AND r.definition = $4::jsonb))"

/* A trial is begun by inserting its row: of several workers with the same number one succeeds. FOR
 * SHARE waits for whoever voids the trials or ends the run. */
static const char begin_sql[] =
    "INSERT INTO pgboost.trials"
    " (run_id, number, status, algorithm, hyperparams, seed, worker, origin, lease_until,"
    "  started_at)"
    " SELECT run.id, $6::integer, 'running', $7, $8::jsonb, $9::bigint, $5, $10, " LEASE_END ","
    "  clock_timestamp()"
    " FROM (SELECT r.id FROM pgboost.runs r WHERE " MAY_ASK " AND " SEARCHING " FOR SHARE) run"
    " ON CONFLICT (run_id, number) DO NOTHING RETURNING id, number, lease_epoch";

static void hold_from_row(const struct pg_table *table, struct trial_hold *ret_hold)
{
    *ret_hold = (struct trial_hold){.id = pg_get_int64(table, 0, 0),
                                    .number = (int)pg_get_int64(table, 0, 1),
                                    .epoch = pg_get_int64(table, 0, 2)};
}

enum err_code catalog_begin_trial(struct pg *pg, const struct lease *lease,
                                  const struct new_trial *trial, bool *ret_begun,
                                  struct trial_hold *ret_hold, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    struct asker asker;
    struct pg_int number_text, seed_text;

    TRY(pg_rows(pg, begin_sql, 10,
                (struct pg_param[]){
                    ASKER_PARAMS(asker, lease),
                    pg_param_int(&number_text, trial->number),
                    PG_TEXT(trial->algorithm),
                    PG_TEXT(trial->hyperparams),
                    pg_param_int(&seed_text, trial->seed),
                    PG_TEXT(trial->origin),
                },
                &table, err));
    *ret_begun = table.n_rows > 0;
    if (*ret_begun)
        hold_from_row(&table, ret_hold);
    return ERR_OK;
}

#define TRIAL_ABANDONED                                                                            \
    "t.run_id = $1::bigint AND t.status = 'running' AND t.lease_until < clock_timestamp()"

static const char bury_sql[] =
    "UPDATE pgboost.trials t SET status = 'failed', ended_at = clock_timestamp(),"
    " error = format('its worker died in each of %s attempts', t.lease_epoch + 1)"
    " WHERE " TRIAL_ABANDONED " AND t.lease_epoch >= $2::bigint - 1";

static const char take_sql[] =
    "WITH next AS (SELECT t.id FROM pgboost.trials t JOIN pgboost.runs r ON r.id = t.run_id"
    "  WHERE " MAY_ASK " AND r.status = 'running' AND " TRIAL_ABANDONED
    "  ORDER BY t.number LIMIT 1 FOR NO KEY UPDATE OF t SKIP LOCKED)"
    " UPDATE pgboost.trials t SET worker = $5, lease_epoch = lease_epoch + 1,"
    "  lease_until = " LEASE_END ", started_at = clock_timestamp(), steps = NULL"
    " FROM next WHERE t.id = next.id RETURNING t.id, t.number, t.lease_epoch";

enum err_code catalog_take_trial(struct pg *pg, const struct lease *lease, bool *ret_taken,
                                 struct trial_hold *ret_hold, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    struct asker asker;
    struct pg_int run_text, deaths_text;

    TRY(pg_exec(pg, bury_sql, 2,
                (struct pg_param[]){pg_param_int(&run_text, lease->run_id),
                                    pg_param_int(&deaths_text, TRIAL_DEATHS_MAX)},
                NULL, err));
    TRY(pg_rows(pg, take_sql, 5, (struct pg_param[]){ASKER_PARAMS(asker, lease)}, &table, err));
    *ret_taken = table.n_rows > 0;
    if (*ret_taken)
        hold_from_row(&table, ret_hold);
    return ERR_OK;
}

#define HELD "id = $1::bigint AND lease_epoch = $2::bigint AND status = 'running'"

struct hold_text {
    struct pg_int id, epoch;
};
#define HOLD_PARAMS(text, hold)                                                                    \
    pg_param_int(&(text).id, (hold)->id), pg_param_int(&(text).epoch, (hold)->epoch)

static enum err_code hold_lost(const struct trial_hold *hold, struct err *err)
{
    return err_set(err, ERR_CONFLICT, "trial %d is another worker's now", hold->number);
}

/* A run that gets on is not at its first attempt's mercy: deaths count since the last trial. */
static const char end_sql[] =
    "WITH trial AS (UPDATE pgboost.trials SET status = $3, score = $4::double precision,"
    "  rounds = $5::integer, seconds = $6::double precision, steps = $7::jsonb, error = $8,"
    "  fold_scores = $9::jsonb, predict_us = $10::double precision, ended_at = clock_timestamp(), "
    "lease_until = NULL"
    "  WHERE " HELD " RETURNING run_id),"
    " run AS (UPDATE pgboost.runs r SET attempts = 1 FROM trial"
    "  WHERE r.id = trial.run_id AND r.attempts > 1 AND r.status = 'running')"
    " SELECT run_id FROM trial";

enum err_code catalog_end_trial(struct pg *pg, const struct trial_hold *hold,
                                const struct trial_end *end, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    CLEANUP(buf_release) struct buf error = {0};
    struct hold_text text;
    struct pg_int rounds_text;
    char score_text[40], seconds_text[40], predict_text[40];

    snprintf(score_text, sizeof(score_text), "%.17g", end->score);
    snprintf(predict_text, sizeof(predict_text), "%.4g", end->predict_us);
    snprintf(seconds_text, sizeof(seconds_text), "%.6f", end->seconds);
    TRY(pg_rows(pg, end_sql, 10,
                (struct pg_param[]){
                    HOLD_PARAMS(text, hold),
                    PG_TEXT(end->status),
                    PG_TEXT(isnan(end->score) ? NULL : score_text),
                    pg_param_int(&rounds_text, end->rounds),
                    PG_TEXT(seconds_text),
                    PG_TEXT(end->steps),
                    PG_TEXT(pg_plain(pg, end->error, &error)),
                    PG_TEXT(end->fold_scores),
                    PG_TEXT(end->predict_us > 0 ? predict_text : NULL),
                },
                &table, err));
    return table.n_rows == 1 ? ERR_OK : hold_lost(hold, err);
}

/* A search ----------------------------------------------------------------------------------- */

static const char open_sql[] =
    "UPDATE pgboost.runs SET search = coalesce(search, jsonb_strip_nulls(jsonb_build_object("
    "  'trials', $3::integer, 'parallel', $4::integer,"
    "  'until', clock_timestamp() + $5::double precision * interval '1 second')))"
    " WHERE " FENCED " RETURNING " OFFER_LEFT("search");

enum err_code catalog_open_search(struct pg *pg, const struct lease *lease,
                                  struct search_offer *offer, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    const struct fence fence = fence_of(lease);
    struct pg_int trials_text, parallel_text;
    char seconds_text[40];

    snprintf(seconds_text, sizeof(seconds_text), "%.3f", offer->seconds);
    TRY(pg_rows(pg, open_sql, 5,
                (struct pg_param[]){FENCE_PARAMS(fence),
                                    pg_param_int(&trials_text, offer->n_trials),
                                    pg_param_int(&parallel_text, offer->parallel),
                                    PG_TEXT(isinf(offer->seconds) ? NULL : seconds_text)},
                &table, err));
    if (table.n_rows == 0)
        return fence_lost(lease, err);
    offer_from_row(&table, 0, offer);
    return ERR_OK;
}

enum err_code catalog_close_search(struct pg *pg, const struct lease *lease, bool on_request,
                                   struct err *err)
{
    const struct fence fence = fence_of(lease);
    int64_t n_rows;

    TRY(pg_exec(pg,
                "UPDATE pgboost.runs SET search = search || '{\"closed\": true}',"
                " cancel_requested = cancel_requested AND NOT $3::boolean WHERE " FENCED,
                3, (struct pg_param[]){FENCE_PARAMS(fence), PG_TEXT(on_request ? "true" : "false")},
                &n_rows, err));
    return n_rows == 1 ? ERR_OK : fence_lost(lease, err);
}
