/*
 * The catalog: the schema pgboost in Postgres, as functions. The only state that matters.
 *
 * Every statement stands in this module, beside the function that names it. Functions take a
 * connection (struct pg) and leave transactions to themselves: each is one statement or one
 * transaction. Structs returned own their strings in an arena and are freed by their *_free.
 *
 * Refuses: deciding anything. Fences: every write of a worker says which lease epoch it holds; a
 * stale epoch writes nothing and is answered with ERR_CONFLICT "the lease of run N is lost".
 */
#ifndef PGBOOST_CATALOG_CATALOG_H
#define PGBOOST_CATALOG_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "pg/pg.h"

/* NOTIFY on every change that a daemon acts on; the payload is 'deploy', 'run' or 'project'. */
#define CATALOG_CHANNEL "pgboost"
#define MODEL_BYTES_MAX ((size_t)256 << 20)

/* Migrations (catalog/migrate.c) -------------------------------------------------------------- */

struct migration {
    const char *name; /* "0001_create_catalog.sql" */
    const char *sql;
};
extern const struct migration embedded_migrations[]; /* generated from migrations/ by the build */
extern const int n_embedded_migrations;

/* Is the catalog as this program needs it? ERR_CONFLICT when it is not migrated, older, or newer
 * than this program may go on with (migrations/0009_add_upgrades.sql); the hint says what to run.
 */
MUST_CHECK enum err_code catalog_check_version(struct pg *pg, struct err *err);

/* Was it refused for being older, and nothing else? */
bool catalog_awaits_migration(struct pg *pg);

/* May this role read and write the catalog, on this server? ERR_DENIED: the hint holds what to run;
 * ERR_UNREACHABLE: it is a standby. */
MUST_CHECK enum err_code catalog_check_privileges(struct pg *pg, struct err *err);

typedef void (*migrate_report_fn)(void *context, const char *name, const char *what);

/* Brings the catalog up to date under an advisory lock, each file in a transaction. */
MUST_CHECK enum err_code catalog_migrate(struct pg *pg, migrate_report_fn report, void *context,
                                         struct err *err);

/* Applies a folder's files: NNNN_name.sql once, in order of number, ERR_CONFLICT when one changed
 * after it was applied; R_name.sql after them, again whenever it changed. Other *.sql names are an
 * error that says the two forms. Same lock. */
MUST_CHECK enum err_code catalog_migrate_folder(struct pg *pg, const char *folder,
                                                migrate_report_fn report, void *context,
                                                struct err *err);

/* Projects ------------------------------------------------------------------------------------- */

struct project_row {
    int64_t id;
    const char *name, *definition; /* JSON text */
    const char *task, *relation, *target;
    const char *metric;
    int64_t live_model_id; /* 0: none */
    int64_t deploy_version;
    const char *created_at, *updated_at; /* RFC 3339 text in UTC, as all moments here */
    const char *live_score;      /* of the live model on the key metric, as text; NULL: none */
    const char *last_run_status; /* NULL: none */
    int64_t last_run_id;
};
struct project_rows {
    int n;
    struct project_row *items;
    struct arena arena;
};
void project_rows_release(struct project_rows *rows);

/* Creates or updates by name. */
MUST_CHECK enum err_code catalog_apply_project(
    struct pg *pg, const char *name, const char *definition, const char *relation,
    const char *target, const char *task, const char *metric, int64_t *ret_id,
    const char **ret_what /* created|updated|unchanged */, struct err *err);
/* name NULL: all, by name. A named project that is not there: ERR_NOT_FOUND, with the
 * nearest in the hint. */
MUST_CHECK enum err_code catalog_projects(struct pg *pg, const char *name,
                                          struct project_rows *ret_rows, struct err *err);

/* Runs ----------------------------------------------------------------------------------------- */

struct run_row {
    int64_t id, project_id;
    const char *kind; /* training; contest: chooses among models; score: predicts a relation */
    const char *project, *status, *trigger, *error, *hint; /* error, hint NULL when none */
    const char *progress; /* JSON: {"stage","done","total","best"} or NULL */
    const char *stats;    /* JSON: rows read, train, valid, test, warnings … or NULL */
    const char *metric;
    int64_t model_id;  /* 0: none */
    const char *score; /* of its model, text or NULL */
    int attempts;
    bool cancel_requested;
    const char *worker;
    const char *created_at, *started_at, *finished_at; /* NULL where not yet */
    double seconds;                                    /* started to finished or now; 0 before */
};
struct run_rows {
    int n;
    struct run_row *items;
    struct arena arena;
};
void run_rows_release(struct run_rows *rows);

/* Queues a run (NOTIFY 'run'); reserve: daemons leave it to a worker that asks for it by its id for
 * the next seconds. Where the project has one queued already, that one is returned and
 * *ret_existing is true. */
#define RESERVED_SECONDS 15
MUST_CHECK enum err_code catalog_queue_run(struct pg *pg, const char *project, const char *trigger,
                                           bool reserve, int64_t *ret_run_id, bool *ret_existing,
                                           struct err *err);
/* Queues a run that makes the best model live; one that is queued already is returned. */
MUST_CHECK enum err_code catalog_queue_contest(struct pg *pg, const char *project,
                                               const char *trigger, int64_t *ret_run_id,
                                               struct err *err);
/* project NULL: of all. Newest first, at most limit. */
MUST_CHECK enum err_code catalog_runs(struct pg *pg, const char *project, int limit,
                                      struct run_rows *ret_rows, struct err *err);
MUST_CHECK enum err_code catalog_run(struct pg *pg, int64_t run_id, struct run_rows *ret_row,
                                     struct err *err);
/* Is there a run to claim that is not among those this host has started? *ret_run_id 0: none. */
MUST_CHECK enum err_code catalog_claimable_run(struct pg *pg, const int64_t *started, int n_started,
                                               int64_t *ret_run_id, struct err *err);
/* How much there is to do, over all machines. */
struct queue_state {
    int64_t n_queued, n_running;
    int64_t oldest_s; /* how long the oldest queued run has waited; 0: none waits */
};
MUST_CHECK enum err_code catalog_queue_state(struct pg *pg, struct queue_state *ret_queue,
                                             struct err *err);
/* Asks a run to stop: queued ones end at once, running ones when the worker hears of it. */
MUST_CHECK enum err_code catalog_cancel_run(struct pg *pg, int64_t run_id, struct err *err);

/* Schedules ------------------------------------------------------------------------------------ */

/* A schedule of a project, of which it may have two: "schedule" and "score.after". Times are
 * microseconds since 2000-01-01 UTC (base/zone.h), by the database's clock. */
struct schedule_row {
    int64_t project_id;
    const char *kind; /* of the runs: training or score */
    const char *project, *schedule, *timezone;
    bool leaves_out_missed; /* "catch_up": "none" */
    int64_t since_us;       /* due times up to here have been seen to */
    int64_t now_us;
};
struct schedule_rows {
    int n;
    struct schedule_row *items;
    struct arena arena;
};
void schedule_rows_release(struct schedule_rows *rows);
/* project NULL: of all. */
MUST_CHECK enum err_code catalog_schedules(struct pg *pg, const char *project,
                                           struct schedule_rows *ret_rows, struct err *err);

struct due_time {
    int64_t at_us, n_missed; /* how many came before it and were not seen to */
    bool queues;             /* false: it is only noted */
};
/* Notes a due time and queues its run (trigger 'schedule'), both or neither. *ret_first false:
 * another daemon has done so for a time after schedule->since_us, or the schedule is another by
 * now: to be looked at anew. *ret_run_id 0: none was asked for. */
MUST_CHECK enum err_code catalog_see_to(struct pg *pg, const struct schedule_row *schedule,
                                        const struct due_time *due, bool *ret_first,
                                        int64_t *ret_run_id, struct err *err);

/* Other triggers ------------------------------------------------------------------------------- */

/* Where others say that a relation has been refreshed; the payload is its name. */
#define CATALOG_REFRESH_CHANNEL "pgboost_refreshed"

/* pgboost.refreshed by a relation's name; one that does not exist queues nothing. NULL: of all
 * relations that some project waits for. */
MUST_CHECK enum err_code catalog_refreshed(struct pg *pg, const char *relation, int64_t *ret_n_runs,
                                           struct err *err);

/* A project that trains after so many new rows, whose turn it is to be counted. */
struct count_row {
    int64_t project_id;
    const char *project, *relation;
    int64_t after_rows, base_rows; /* new ones count from base_rows */
};
struct count_rows {
    int n; /* 0 or 1 */
    struct count_row *items;
    struct arena arena;
};
void count_rows_release(struct count_rows *rows);
/* Its next turn comes in a minute. */
MUST_CHECK enum err_code catalog_claim_count(struct pg *pg, struct count_rows *ret_row,
                                             struct err *err);
/* Notes how many there are, and queues a run (trigger 'rows') when they are enough; *ret_run_id 0:
 * they are not. The next turn comes in pause_seconds at the earliest. */
MUST_CHECK enum err_code catalog_note_count(struct pg *pg, const struct count_row *row,
                                            int64_t n_rows, double pause_seconds,
                                            int64_t *ret_run_id, struct err *err);

/* Scores --------------------------------------------------------------------------------------- */

/* What is scored: one at a time for each table of a project. Names as Postgres prints them. */
struct score_job {
    int64_t project_id, model_id;
    int64_t run_id; /* 0: a command */
    const char *relation, *target;
    bool explains;
};
/* Where a score that did not end has come to: a key, one text a column; n_keys 0: there is none. */
struct score_point {
    int64_t n_rows;
    int n_keys;
    const char **key;
    struct arena arena;
};
void score_point_release(struct score_point *point);
/* Of the same job, or, with of_any_run, of one that differs by its run alone. */
MUST_CHECK enum err_code catalog_score_point(struct pg *pg, const struct score_job *job,
                                             bool of_any_run, struct score_point *ret_point,
                                             struct err *err);

/* A score under way. Every write names the epoch: ERR_CONFLICT when another score into the table
 * has begun since. */
struct score_hold {
    int64_t epoch;
    int64_t scored_us; /* when it began, in microseconds since 2000 */
};
/* goes_on: behind the point; else from the beginning. */
MUST_CHECK enum err_code catalog_begin_score(struct pg *pg, const struct score_job *job,
                                             bool goes_on, struct score_hold *ret_hold,
                                             struct err *err);
/* A column of a key in the binary form of its type. */
struct score_key {
    const char *type; /* as SQL */
    const void *bytes;
    size_t n_bytes;
};
/* In the transaction that writes rows: all up to this key are there, n_rows of them. */
MUST_CHECK enum err_code catalog_note_score(struct pg *pg, const struct score_job *job,
                                            const struct score_hold *hold, int64_t n_rows,
                                            const struct score_key *keys, int n_keys,
                                            struct err *err);
MUST_CHECK enum err_code catalog_end_score(struct pg *pg, const struct score_job *job,
                                           const struct score_hold *hold, int64_t n_rows,
                                           struct err *err);
/* The next one begins anew. */
MUST_CHECK enum err_code catalog_forget_score(struct pg *pg, const struct score_job *job,
                                              const struct score_hold *hold, struct err *err);

/* Queues a run that scores; one that is queued already for the same is returned. overrides: JSON of
 * keys that the run has otherwise than the definition, NULL: none. ERR_NOT_FOUND. */
MUST_CHECK enum err_code catalog_queue_score(struct pg *pg, const char *project,
                                             const char *trigger, const char *overrides,
                                             int64_t *ret_run_id, struct err *err);
/* The end of such a run. */
struct lease;
MUST_CHECK enum err_code catalog_finish_score(struct pg *pg, const struct lease *lease,
                                              int64_t model_id, const char *progress_json,
                                              struct err *err);

/* Claims --------------------------------------------------------------------------------------- */

/* A search's trials: how many there are (0: as many as time allows), how many may be under way at
 * once, and for how long they are to be had (INFINITY: until there are so many). */
struct search_offer {
    int n_trials, parallel;
    double seconds;
    int64_t seen_ms; /* clock_ms() when that was left */
    bool is_closed;  /* the trials have come to an end in an earlier attempt */
};

/* A claimed run: what a worker holds. Epoch 0: it does not, but helps with the run's trials. */
struct lease {
    int64_t run_id, project_id, epoch;
    int attempts;
    bool is_contest;                  /* no model is trained: the best there is goes live */
    bool is_score;                    /* nor here: "score" of the definition is carried out */
    const char *project, *definition; /* in arena: the definition as the run was queued */
    const char *worker;               /* whose lease it is */
    /* Of the rows that were read, by an earlier attempt or by who holds the run; NULL: none. */
    const char *rows_key, *rows_fingerprint;
    bool rows_in_table;
    struct search_offer offer; /* epoch 0: what is left of it */
    struct arena arena;
};
void lease_release(struct lease *lease);
#define LEASE_SECONDS    30
#define RUN_ATTEMPTS_MAX 3

/* Claims run_id, or any (0): queued, or running with an ended lease and attempts left (without:
 * marked failed). *ret_claimed false: nothing to do. */
MUST_CHECK enum err_code catalog_claim_run(struct pg *pg, int64_t run_id, const char *worker,
                                           bool *ret_claimed, struct lease *ret_lease,
                                           struct err *err);
/* A run, run_id or any (0), that has trials to give away and rows to try them on; *ret_joined
 * false: there is none. */
MUST_CHECK enum err_code catalog_join_run(struct pg *pg, int64_t run_id, const char *worker,
                                          bool *ret_joined, struct lease *ret_lease,
                                          struct err *err);
/* Extends the lease and those of the worker's trials; *ret_cancel: someone asked to stop, or there
 * is nothing more to help with. */
MUST_CHECK enum err_code catalog_heartbeat(struct pg *pg, const struct lease *lease,
                                           bool *ret_cancel, struct err *err);
MUST_CHECK enum err_code catalog_progress(struct pg *pg, const struct lease *lease,
                                          const char *progress_json, struct err *err);
/* The rows that the run learns from. Trials on other rows are void, and deleted: *ret_n_void. */
MUST_CHECK enum err_code catalog_run_fingerprint(struct pg *pg, const struct lease *lease,
                                                 const char *fingerprint, int64_t *ret_n_void,
                                                 struct err *err);
/* The rows of an unfinished run: the key that names their file (NULL: there are none), and their
 * pieces in the catalog, numbered from 0; the first one replaces all that were there.
 * catalog_get_rows copies at most n_most bytes, 0 behind the last piece. */
MUST_CHECK enum err_code catalog_set_rows(struct pg *pg, const struct lease *lease, const char *key,
                                          bool in_table, struct err *err);
MUST_CHECK enum err_code catalog_put_rows(struct pg *pg, const struct lease *lease, int number,
                                          const void *bytes, size_t n_bytes, struct err *err);
MUST_CHECK enum err_code catalog_get_rows(struct pg *pg, int64_t run_id, int number, void *bytes,
                                          size_t n_most, size_t *ret_n_bytes, struct err *err);
/* What the run saw: counts and warnings, and the profile of each column. */
MUST_CHECK enum err_code catalog_run_stats(struct pg *pg, const struct lease *lease,
                                           const char *stats_json, const char *profile_json,
                                           struct err *err);
/* The profile of the project's last run that has one, as JSON text the caller frees; NULL: none. */
MUST_CHECK enum err_code catalog_last_profile(struct pg *pg, const char *project, char **ret_json,
                                              int64_t *ret_run_id, struct err *err);
/* Ends a run with error's message and hint. RUN_AGAIN gives it back to the queue while it has
 * attempts left. */
enum run_end { RUN_FAILED, RUN_CANCELLED, RUN_AGAIN };
MUST_CHECK enum err_code catalog_fail_run(struct pg *pg, const struct lease *lease,
                                          enum run_end end, const struct err *error,
                                          struct err *err);
/* A worker that this host started died: its trials are there for others, and its run (running, of
 * this worker) goes back to the queue, or fails with `reason` when its attempts are used up. counts
 * false: the death is not the run's fault, and the attempt not one. *ret_had_run (may be NULL) is
 * false when the worker had ended its run itself. Not fenced by epoch but by the worker's name. */
MUST_CHECK enum err_code catalog_worker_died(struct pg *pg, int64_t run_id, const char *worker,
                                             const char *reason, bool counts, bool *ret_had_run,
                                             struct err *err);

/* Trials --------------------------------------------------------------------------------------- */

struct trial_row {
    int64_t id, run_id;
    int number;
    const char *status;                  /* running, completed, pruned, failed */
    const char *algorithm, *hyperparams; /* JSON */
    const char *score, *error;           /* text; NULL when none */
    int rounds;
    double seconds;
    const char *steps, *fold_scores; /* JSON; NULL: none */
    const char *origin;              /* what suggested it: portfolio … polish */
    const char *predict_us;          /* a row by its model, text; NULL: not measured */
    bool is_polish;
    const char *worker;
};
struct trial_rows {
    int n;
    struct trial_row *items;
    struct arena arena;
};
void trial_rows_release(struct trial_rows *rows);
MUST_CHECK enum err_code catalog_trials(struct pg *pg, int64_t run_id, struct trial_rows *ret_rows,
                                        struct err *err);

/* A run's trials are to be had from here to catalog_close_search. Where an earlier attempt has
 * begun, its offer stands, with the seconds that are left of it. */
MUST_CHECK enum err_code catalog_open_search(struct pg *pg, const struct lease *lease,
                                             struct search_offer *offer, struct err *err);
/* on_request: by the wish to cancel, which is thereby granted and forgotten. */
MUST_CHECK enum err_code catalog_close_search(struct pg *pg, const struct lease *lease,
                                              bool on_request, struct err *err);

/* A worker's hold on a trial, kept up by catalog_heartbeat. */
struct trial_hold {
    int64_t id, epoch;
    int number;
};
struct new_trial {
    int number;
    const char *algorithm, *hyperparams, *origin;
    int64_t seed;
};
/* Begins a trial; *ret_begun false: another worker has begun that number, or the search is over. */
MUST_CHECK enum err_code catalog_begin_trial(struct pg *pg, const struct lease *lease,
                                             const struct new_trial *trial, bool *ret_begun,
                                             struct trial_hold *ret_hold, struct err *err);
/* The first trial whose worker is gone; *ret_taken false: there is none. One that has taken
 * TRIAL_DEATHS_MAX workers with it has failed. */
#define TRIAL_DEATHS_MAX 8
MUST_CHECK enum err_code catalog_take_trial(struct pg *pg, const struct lease *lease,
                                            bool *ret_taken, struct trial_hold *ret_hold,
                                            struct err *err);
struct trial_end {
    const char *status; /* completed, pruned, failed */
    double score;       /* NaN: none */
    int rounds;
    double seconds;
    double predict_us;                       /* 0: not measured */
    const char *steps, *fold_scores, *error; /* NULL: none */
};
/* Under the hold. ERR_CONFLICT: the trial is another worker's, or void. */
MUST_CHECK enum err_code catalog_end_trial(struct pg *pg, const struct trial_hold *hold,
                                           const struct trial_end *end, struct err *err);

/* Models and deployments ----------------------------------------------------------------------- */

struct model_row {
    int64_t id, project_id, run_id, trial_id;
    int64_t measured_by; /* its twin that did not learn from the test rows; 0: it did not itself */
    const char *project, *algorithm, *metric;
    const char *task, *relation, *target;                 /* what it was trained for */
    const char *split;                                    /* JSON: how its test rows were chosen */
    const char *hyperparams, *metrics, *encoder, *golden; /* JSON */
    const char *labels;                                   /* JSON; NULL: regression */
    const char *calibration;                              /* JSON; NULL: none */
    uint32_t base_margin_bits;
    const uint8_t *bytes; /* NULL in listings */
    size_t n_bytes;
    const char *sha256, *xgboost_version, *created_at;
    const char *score; /* metrics' key metric, text */
    /* Another text once anything of the stored row has changed, also by a backup's return. */
    const char *row_version;
    bool live;
};
struct model_rows {
    int n;
    struct model_row *items;
    struct arena arena;
};
void model_rows_release(struct model_rows *rows);

/* Everything of one model, bytes included (binary). */
MUST_CHECK enum err_code catalog_model(struct pg *pg, int64_t model_id, struct model_rows *ret_row,
                                       struct err *err);
/* Likewise of each of n models, in any order; those that are not there are left out. */
MUST_CHECK enum err_code catalog_models_whole(struct pg *pg, const int64_t *model_ids, int n,
                                              struct model_rows *ret_rows, struct err *err);
/* Likewise of what tells how good a model is: its twin where it has one, under the model's own id.
 */
MUST_CHECK enum err_code catalog_measured_model(struct pg *pg, int64_t model_id,
                                                struct model_rows *ret_row, struct err *err);
/* Listing, without bytes, encoder, golden and calibration: best first by the project's metric when
 * project is named, else newest first. Twins are not listed. */
MUST_CHECK enum err_code catalog_models(struct pg *pg, const char *project, int limit,
                                        struct model_rows *ret_rows, struct err *err);

/* A worker's end: inserts the model, deploys it when `deploy` (bumping deploy_version, guarded by
 * seen_version: ERR_CONFLICT when another deployment came between), writes a deployments row for
 * the decision either way when `reason` is set, marks the run succeeded, NOTIFYs, in one
 * transaction. */
struct new_model {
    int64_t trial_id;
    const char *task, *relation, *target, *split;
    const char *algorithm, *hyperparams, *metrics, *encoder, *golden, *labels;
    const char *calibration; /* NULL: none */
    uint32_t base_margin_bits;
    const void *bytes;
    size_t n_bytes;
    const char *sha256, *xgboost_version;
    double score;
    const char *metric;
    bool deploy;
    int64_t seen_version;
    const char *reason; /* of the decision, for people */
    /* Inserted beside it: trained without the test rows, the one that the metrics are of. NULL: the
     * model is that itself. Of a twin only what insertion needs is looked at. */
    const struct new_model *twin;
};
MUST_CHECK enum err_code catalog_finish_run(struct pg *pg, const struct lease *lease,
                                            const struct new_model *model, int64_t *ret_model_id,
                                            struct err *err);

/* The end of a run that chose among models: makes the model live unless it is, and marks the run
 * succeeded, in one transaction. */
MUST_CHECK enum err_code catalog_finish_contest(struct pg *pg, const struct lease *lease,
                                                int64_t model_id, const char *reason,
                                                struct err *err);

/* Inserts a model that comes of no run, and deploys nothing: of *model, what says so (deploy,
 * seen_version, reason) is not looked at. */
MUST_CHECK enum err_code catalog_insert_model(struct pg *pg, int64_t project_id,
                                              const struct new_model *model, int64_t *ret_model_id,
                                              struct err *err);

/* Deletes models of the project but the `keep` newest, the live one, the one to roll back to and
 * pinned ones; at most a few a call. Twins go with theirs. */
MUST_CHECK enum err_code catalog_prune_models(struct pg *pg, int64_t project_id, int keep,
                                              int64_t *ret_n_deleted, struct err *err);

/* The model that "most_recent" or "rollback" (the one live before the present one) means. */
MUST_CHECK enum err_code catalog_choose_model(struct pg *pg, const char *project,
                                              const char *strategy, int64_t *ret_model_id,
                                              struct err *err);

/* Makes a model of the project live, unless it is; strategy and reason (may be NULL) are for the
 * history. The caller has opened the model: what cannot be opened must not be deployed. */
MUST_CHECK enum err_code catalog_deploy(struct pg *pg, const char *project, int64_t model_id,
                                        const char *strategy, const char *reason, bool *ret_changed,
                                        struct err *err);

struct deployment_row {
    int64_t id, project_id, model_id, version;
    const char *project, *strategy, *reason, *created_at, *created_by;
    bool live, refused; /* refused: a decision not to deploy */
};
struct deployment_rows {
    int n;
    struct deployment_row *items;
    struct arena arena;
};
void deployment_rows_release(struct deployment_rows *rows);
MUST_CHECK enum err_code catalog_deployments(struct pg *pg, const char *project, int limit,
                                             struct deployment_rows *ret_rows, struct err *err);

/* What a daemon serves: every project with its live model's id and deploy_version. */
struct live_row {
    int64_t project_id, model_id, deploy_version; /* model_id 0: none */
    const char *project, *task, *relation, *target, *metric, *score, *deployed_at;
    const char *serving;       /* the relation that rows are looked up in */
    const char *key;           /* a column's name or an array of them, as JSON; NULL: none */
    const char *time;          /* a column; NULL: none */
    const char *cache_seconds; /* a number as text; NULL: none */
    /* Of the model; NULL, 0: none. */
    const char *row_version; /* as in model_row */
    int64_t model_bytes;
};
struct live_rows {
    int n;
    struct live_row *items;
    struct arena arena;
};
void live_rows_release(struct live_rows *rows);
MUST_CHECK enum err_code catalog_live(struct pg *pg, struct live_rows *ret_rows, struct err *err);

/* Deleting ------------------------------------------------------------------------------------- */

/* Deletes runs that ended longer ago, with their trials, but those whose models are still there; a
 * batch a call. Due times as old go as well. */
MUST_CHECK enum err_code catalog_prune_runs(struct pg *pg, int64_t age_ms, int64_t *ret_n_deleted,
                                            struct err *err);
/* With its twin. ERR_CONFLICT: the model is live, or is a twin itself. */
MUST_CHECK enum err_code catalog_delete_model(struct pg *pg, int64_t model_id, struct err *err);
/* With all that belongs to it. ERR_CONFLICT: a run is under way, or a model is live and even_live
 * does not say that this is known. */
MUST_CHECK enum err_code catalog_delete_project(struct pg *pg, const char *project, bool even_live,
                                                struct err *err);

/* Relations ------------------------------------------------------------------------------------ */

/* The columns of a table's primary key, in its order; none for a view or a table without one. */
struct name_rows {
    int n;
    const char **items;
    struct arena arena;
};
void name_rows_release(struct name_rows *rows);
MUST_CHECK enum err_code catalog_primary_key(struct pg *pg, uint32_t relation_oid,
                                             struct name_rows *ret_rows, struct err *err);

#endif
