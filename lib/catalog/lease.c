/*
 * A worker and its run: claimed under a lease, written to under the lease's epoch.
 *
 * The claim hands out each run once (FOR UPDATE SKIP LOCKED) and raises its epoch; every later
 * write names the epoch it was given, so that a worker which lost its lease writes nothing. Time is
 * the database's clock_timestamp() alone.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "catalog/catalog.h"
#include "catalog/fence.h"

#define ABANDONED "status = 'running' AND lease_until < clock_timestamp()"
/* A reserved run waits for the worker that was started for it. */
#define FREE  "(status = 'queued' AND coalesce(lease_until < clock_timestamp(), true))"
#define TIRED "(attempts >= " TEXT_OF(RUN_ATTEMPTS_MAX) ")"

/* Of the run r: once a trial has come to an end, deaths in the search are charged to the trial
 * under way (catalog_take_trial), not to the run, unless they come before there is one. */
#define DEATHS_MAX 24
#define TRIAL_IS_TO_BLAME                                                                          \
    "(" IS_OPEN("r.search") " AND r.attempts < " TEXT_OF(                                          \
        DEATHS_MAX) " AND EXISTS (SELECT FROM pgboost.trials t WHERE t.run_id = r.id"              \
                    "  AND t.status IN ('completed', 'pruned')))"

/* The run r has rows to try settings on, and trials that nobody holds. */
#define HAS_TRIALS                                                                                 \
    "(" SEARCHING " AND r.rows_key IS NOT NULL AND r.rows_fingerprint IS NOT NULL"                 \
    " AND ((SELECT count(*) FROM pgboost.trials t WHERE t.run_id = r.id)"                          \
    "   < coalesce(nullif((r.search ->> 'trials')::integer, 0), 2147483647)"                       \
    "  OR EXISTS (SELECT FROM pgboost.trials t WHERE t.run_id = r.id AND t.status = 'running'"     \
    "   AND t.lease_until < clock_timestamp())))"

#define NOTIFY_ENDED " SELECT id, pg_notify('" CATALOG_CHANNEL "', 'run') FROM ended"

void lease_release(struct lease *lease)
{
    arena_release(&lease->arena);
    *lease = (struct lease){0};
}

struct fence fence_of(const struct lease *lease)
{
    struct fence fence;

    snprintf(fence.run_id, sizeof(fence.run_id), "%lld", (long long)lease->run_id);
    snprintf(fence.epoch, sizeof(fence.epoch), "%lld", (long long)lease->epoch);
    return fence;
}

enum err_code fence_lost(const struct lease *lease, struct err *err)
{
    err_set(err, ERR_CONFLICT, "the lease of run %lld is lost", (long long)lease->run_id);
    err_hint(err, "another worker has the run, or it was ended; this one must stop");
    return ERR_CONFLICT;
}

void offer_from_row(const struct pg_table *table, int at, struct search_offer *ret_offer)
{
    *ret_offer = (struct search_offer){.n_trials = (int)pg_get_int64(table, 0, at),
                                       .parallel = (int)pg_get_int64(table, 0, at + 1),
                                       .seconds = pg_get_double(table, 0, at + 2),
                                       .seen_ms = clock_ms(),
                                       .is_closed = pg_get_bool(table, 0, at + 3)};
}

/* The trials of a worker that is gone, and those of the helpers it had started, are there for
 * others; those of workers elsewhere are theirs. Before a name is used again: a heartbeat by name
 * would keep them up for ever. */
static enum err_code let_go(struct pg *pg, int64_t run_id, const char *worker, struct err *err)
{
    struct pg_int id;

    return pg_exec(pg,
                   "UPDATE pgboost.trials SET lease_until = clock_timestamp(), worker = NULL"
                   " WHERE run_id = $1::bigint AND status = 'running'"
                   "  AND (worker = $2 OR starts_with(worker, $2 || '+'))",
                   2, (struct pg_param[]){pg_param_int(&id, run_id), PG_TEXT(worker)}, NULL, err);
}

/* Claim ---------------------------------------------------------------------------------------- */

enum err_code catalog_claimable_run(struct pg *pg, const int64_t *started, int n_started,
                                    int64_t *ret_run_id, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    CLEANUP(buf_release) struct buf ids = {0};

    buf_putc(&ids, '{');
    for (int i = 0; i < n_started; i++)
        buf_printf(&ids, "%s%lld", i > 0 ? "," : "", (long long)started[i]);
    buf_putc(&ids, '}');
    TRY(buf_check(&ids, err));
    TRY(pg_row(pg,
               "SELECT coalesce("
               " min(id) FILTER (WHERE (" FREE " AND NOT cancel_requested) OR (" ABANDONED ")),"
               " min(id) FILTER (WHERE rows_in_table AND " HAS_TRIALS "), 0) FROM pgboost.runs r"
               " WHERE status IN ('queued', 'running') AND id <> ALL ($1::bigint[])",
               1, (struct pg_param[]){PG_TEXT(buf_text(&ids))}, &table, err));
    *ret_run_id = pg_get_int64(&table, 0, 0);
    return ERR_OK;
}

/* Runs whose worker is gone and that nobody shall try again: asked to stop, or out of attempts. */
static const char bury_sql[] =
    "WITH dead AS ("
    " SELECT id FROM pgboost.runs r WHERE ($1::bigint = 0 OR id = $1::bigint) AND " ABANDONED
    "  AND (cancel_requested OR (" TIRED " AND NOT " TRIAL_IS_TO_BLAME
    ")) FOR NO KEY UPDATE SKIP LOCKED),"
    " ended AS ("
    " UPDATE pgboost.runs r SET finished_at = clock_timestamp(),"
    "  status = CASE WHEN cancel_requested THEN 'cancelled' ELSE 'failed' END,"
    "  error = CASE WHEN cancel_requested THEN 'cancelled on request'"
    "   ELSE format('the worker was lost in each of %s attempts', attempts) END,"
    "  hint = CASE WHEN NOT cancel_requested THEN"
    "   'the worker''s log on its host says why; it may have run out of memory' END"
    " FROM dead WHERE r.id = dead.id RETURNING r.id, true AS over), " END_TRIALS NOTIFY_ENDED;

static const char claim_sql[] =
    "WITH next AS ("
    " SELECT id FROM pgboost.runs r WHERE ($1::bigint = 0 OR id = $1::bigint)"
    "  AND (" FREE " OR (status = 'queued' AND $1::bigint <> 0) OR (" ABANDONED "   AND (NOT " TIRED
    " OR " TRIAL_IS_TO_BLAME "))) AND NOT cancel_requested"
    " ORDER BY id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)"
    " UPDATE pgboost.runs r SET status = 'running', worker = $2, attempts = attempts + 1,"
    "  lease_epoch = lease_epoch + 1, lease_until = " LEASE_END ","
    "  started_at = clock_timestamp(), progress = NULL, error = NULL, hint = NULL"
    " FROM next, pgboost.projects p WHERE r.id = next.id AND p.id = r.project_id"
    " RETURNING r.id, r.project_id, r.lease_epoch, r.attempts, p.name, r.definition,"
    "  r.kind, r.rows_key, r.rows_in_table, r.rows_fingerprint";

static enum err_code copy_text(struct arena *arena, const char *text, const char **ret_text,
                               struct err *err)
{
    *ret_text = text != NULL ? arena_strdup(arena, text) : NULL;
    return text == NULL || *ret_text != NULL ? ERR_OK : err_nomem(err);
}

static enum err_code lease_from_row(const struct pg_table *table, const char *worker,
                                    struct lease *ret_lease, struct err *err)
{
    CLEANUP(lease_release)
    struct lease lease = {
        .run_id = pg_get_int64(table, 0, 0),
        .project_id = pg_get_int64(table, 0, 1),
        .epoch = pg_get_int64(table, 0, 2),
        .attempts = (int)pg_get_int64(table, 0, 3),
        .is_contest = strcmp(pg_get_text(table, 0, 6), "contest") == 0,
        .is_score = strcmp(pg_get_text(table, 0, 6), "score") == 0,
        .rows_in_table = pg_get_bool(table, 0, 8),
    };

    lease.project = arena_strdup(&lease.arena, pg_get_text(table, 0, 4));
    lease.definition = arena_strdup(&lease.arena, pg_get_text(table, 0, 5));
    if (lease.project == NULL || lease.definition == NULL)
        return err_nomem(err);
    TRY(copy_text(&lease.arena, worker, &lease.worker, err));
    TRY(copy_text(&lease.arena, pg_get_text(table, 0, 7), &lease.rows_key, err));
    TRY(copy_text(&lease.arena, pg_get_text(table, 0, 9), &lease.rows_fingerprint, err));
    *ret_lease = lease;
    lease.arena = (struct arena){0};
    return ERR_OK;
}

enum err_code catalog_claim_run(struct pg *pg, int64_t run_id, const char *worker,
                                bool *ret_claimed, struct lease *ret_lease, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    struct pg_int id;
    const struct pg_param params[] = {pg_param_int(&id, run_id), PG_TEXT(worker)};

    TRY(pg_exec(pg, bury_sql, 1, params, NULL, err));
    TRY(pg_rows(pg, claim_sql, 2, params, &table, err));
    *ret_claimed = table.n_rows > 0;
    if (table.n_rows == 0)
        return ERR_OK;
    TRY(lease_from_row(&table, worker, ret_lease, err));
    return let_go(pg, ret_lease->run_id, worker, err);
}

/* Help: runs whose rows can be had, with trials that nobody holds. */
static const char join_sql[] =
    "SELECT r.id, r.project_id, 0, r.attempts, p.name, r.definition,"
    "  r.kind, r.rows_key, r.rows_in_table, r.rows_fingerprint, " OFFER_LEFT(
        "r.search") " FROM pgboost.runs r JOIN pgboost.projects p ON p.id = r.project_id"
                    " WHERE ($1::bigint = 0 OR r.id = $1::bigint) AND " HAS_TRIALS
                    " ORDER BY r.id LIMIT 1";

enum err_code catalog_join_run(struct pg *pg, int64_t run_id, const char *worker, bool *ret_joined,
                               struct lease *ret_lease, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    struct pg_int id;

    TRY(pg_rows(pg, join_sql, 1, (struct pg_param[]){pg_param_int(&id, run_id)}, &table, err));
    *ret_joined = table.n_rows > 0;
    if (table.n_rows == 0)
        return ERR_OK;
    TRY(lease_from_row(&table, worker, ret_lease, err));
    offer_from_row(&table, 10, &ret_lease->offer);
    return let_go(pg, ret_lease->run_id, worker, err);
}

/* Writes under the lease ----------------------------------------------------------------------- */

#define KEEP_TRIALS                                                                                \
    "WITH trials AS (UPDATE pgboost.trials SET lease_until = " LEASE_END                           \
    "  WHERE run_id = $1::bigint AND worker = $3 AND status = 'running')"

/* Who helps has the trial alone, and goes on while its run has a future. */
static const char beat_sql[] = KEEP_TRIALS " UPDATE pgboost.runs SET lease_until = " LEASE_END
                                           " WHERE " FENCED " RETURNING cancel_requested";
static const char help_sql[] = KEEP_TRIALS " SELECT cancel_requested OR NOT " IS_OPEN(
    "search") " FROM pgboost.runs"
              " WHERE id = $1::bigint AND status IN ('queued', 'running') AND $2::bigint = 0";

enum err_code catalog_heartbeat(struct pg *pg, const struct lease *lease, bool *ret_cancel,
                                struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    const struct fence fence = fence_of(lease);

    TRY(pg_rows(pg, lease->epoch == 0 ? help_sql : beat_sql, 3,
                (struct pg_param[]){FENCE_PARAMS(fence), PG_TEXT(lease->worker)}, &table, err));
    if (table.n_rows == 0)
        return fence_lost(lease, err);
    *ret_cancel = pg_get_bool(&table, 0, 0);
    return ERR_OK;
}

enum err_code catalog_progress(struct pg *pg, const struct lease *lease, const char *progress_json,
                               struct err *err)
{
    const struct fence fence = fence_of(lease);
    int64_t n_rows;

    TRY(pg_exec(pg, "UPDATE pgboost.runs SET progress = $3::jsonb WHERE " FENCED, 3,
                (struct pg_param[]){FENCE_PARAMS(fence), PG_TEXT(progress_json)}, &n_rows, err));
    return n_rows == 1 ? ERR_OK : fence_lost(lease, err);
}

enum err_code catalog_run_stats(struct pg *pg, const struct lease *lease, const char *stats_json,
                                const char *profile_json, struct err *err)
{
    const struct fence fence = fence_of(lease);
    int64_t n_rows;

    TRY(pg_exec(
        pg, "UPDATE pgboost.runs SET stats = $3::jsonb, profile = $4::jsonb WHERE " FENCED, 4,
        (struct pg_param[]){FENCE_PARAMS(fence), PG_TEXT(stats_json), PG_TEXT(profile_json)},
        &n_rows, err));
    return n_rows == 1 ? ERR_OK : fence_lost(lease, err);
}

/* FOR NO KEY UPDATE holds up whoever would begin a trial on the old rows. */
static const char fingerprint_sql[] =
    "WITH run AS (SELECT id, rows_fingerprint FROM pgboost.runs WHERE " FENCED
    "  FOR NO KEY UPDATE),"
    " void AS (DELETE FROM pgboost.trials t USING run"
    "  WHERE t.run_id = run.id AND run.rows_fingerprint IS DISTINCT FROM $3 RETURNING t.id)"
    " UPDATE pgboost.runs r SET rows_fingerprint = $3, search = CASE"
    "  WHEN r.rows_fingerprint = $3 THEN search END FROM run WHERE r.id = run.id"
    " RETURNING (SELECT count(*) FROM void)";

enum err_code catalog_run_fingerprint(struct pg *pg, const struct lease *lease,
                                      const char *fingerprint, int64_t *ret_n_void, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    const struct fence fence = fence_of(lease);

    TRY(pg_rows(pg, fingerprint_sql, 3,
                (struct pg_param[]){FENCE_PARAMS(fence), PG_TEXT(fingerprint)}, &table, err));
    if (table.n_rows == 0)
        return fence_lost(lease, err);
    *ret_n_void = pg_get_int64(&table, 0, 0);
    return ERR_OK;
}

#define AGAIN "$3 = 'queued' AND NOT cancel_requested AND NOT " TIRED
static const char fail_sql[] =
    "WITH ended AS ("
    " UPDATE pgboost.runs SET error = $4, hint = nullif($5, ''),"
    "  status = CASE WHEN " AGAIN " THEN 'queued' WHEN cancel_requested THEN 'cancelled'"
    "   WHEN $3 = 'queued' THEN 'failed' ELSE $3 END,"
    "  worker = CASE WHEN NOT (" AGAIN ") THEN worker END,"
    "  lease_until = CASE WHEN NOT (" AGAIN ") THEN lease_until END,"
    "  finished_at = CASE WHEN NOT (" AGAIN ") THEN clock_timestamp() END"
    " WHERE " FENCED " RETURNING id, status <> 'queued' AS over), " END_TRIALS NOTIFY_ENDED;

enum err_code catalog_fail_run(struct pg *pg, const struct lease *lease, enum run_end end,
                               const struct err *error, struct err *err)
{
    static const char *const statuses[] = {
        [RUN_FAILED] = "failed", [RUN_CANCELLED] = "cancelled", [RUN_AGAIN] = "queued"};
    CLEANUP(pg_table_release) struct pg_table table = {0};
    CLEANUP(buf_release) struct buf message = {0}, hint = {0};
    const struct fence fence = fence_of(lease);

    TRY(let_go(pg, lease->run_id, lease->worker, err));
    TRY(pg_rows(pg, fail_sql, 5,
                (struct pg_param[]){FENCE_PARAMS(fence), PG_TEXT(statuses[end]),
                                    PG_TEXT(pg_plain(pg, error->message, &message)),
                                    PG_TEXT(pg_plain(pg, error->hint, &hint))},
                &table, err));
    return table.n_rows == 1 ? ERR_OK : fence_lost(lease, err);
}

/* Not under a lease: whoever started the worker saw it die. One that helped had a trial only. A run
 * that is free again keeps its epoch; the next claim raises it. A death that was not the run's
 * fault does not count. */
#define OVER "cancel_requested OR (" TIRED " AND $4::boolean AND NOT " TRIAL_IS_TO_BLAME ")"
static const char died_sql[] =
    "WITH ended AS ("
    " UPDATE pgboost.runs r SET"
    "  status = CASE WHEN cancel_requested THEN 'cancelled' WHEN " OVER " THEN 'failed'"
    "   ELSE 'queued' END,"
    "  finished_at = CASE WHEN " OVER " THEN clock_timestamp() END,"
    "  started_at = CASE WHEN " OVER " THEN started_at END,"
    "  attempts = CASE WHEN $4::boolean THEN attempts ELSE attempts - 1 END,"
    "  error = CASE WHEN cancel_requested THEN 'cancelled on request' ELSE $3 END,"
    "  worker = NULL, lease_until = NULL, progress = NULL"
    " WHERE id = $1::bigint AND worker = $2 AND status = 'running'"
    " RETURNING id, status <> 'queued' AS over), " END_TRIALS NOTIFY_ENDED;

enum err_code catalog_worker_died(struct pg *pg, int64_t run_id, const char *worker,
                                  const char *reason, bool counts, bool *ret_had_run,
                                  struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    CLEANUP(buf_release) struct buf plain = {0};
    struct pg_int id;

    TRY(let_go(pg, run_id, worker, err));
    TRY(pg_rows(pg, died_sql, 4,
                (struct pg_param[]){pg_param_int(&id, run_id), PG_TEXT(worker),
                                    PG_TEXT(pg_plain(pg, reason, &plain)),
                                    PG_TEXT(counts ? "true" : "false")},
                &table, err));
    if (ret_had_run != NULL)
        *ret_had_run = table.n_rows > 0;
    return ERR_OK;
}
