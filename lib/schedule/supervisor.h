/*
 * Workers as child processes: starts them, notices their end, says why they died.
 *
 * A worker is `WORKER --run ID --name NAME` in a process group of its own, with its connection
 * settings in the environment (not in its arguments, which everyone can read), nothing on standard
 * input, and the daemon's standard error as its log. An ended worker keeps its place until the
 * caller has taken note of it (supervisor_ended, supervisor_forget), so that a report to the
 * catalog can wait until Postgres is back.
 *
 * A limit of memory is RLIMIT_DATA: what goes beyond is refused to the worker, which fails its run
 * and says so. What the system kills for memory dies of SIGKILL; how much it had is in the reason.
 *
 * Workers that die make the next start wait: doubling from 1 s to 60 s. One that ends well without
 * having ended its run counts as dead when the same run comes up again.
 *
 * Refuses: knowing what a run is, talking to Postgres, waiting. One thread; the workers die with
 * that thread when they ask for it (PR_SET_PDEATHSIG is theirs to set, posix_spawn cannot).
 */
#ifndef PGBOOST_SCHEDULE_SUPERVISOR_H
#define PGBOOST_SCHEDULE_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct supervisor;

struct supervisor_options {
    const char *worker;                     /* path; "": pgboost-worker beside this program */
    const char *dsn, *read_dsn, *state_dir; /* PGBOOST_DSN, PGBOOST_READ_DSN, PGBOOST_STATE_DIR */
    int64_t spill_above;                    /* bytes: PGBOOST_SPILL_ABOVE */
    int64_t memory;                         /* bytes a worker may have; 0: no limit */
    int n_workers;                          /* at once */
    int n_threads;                          /* of one worker: OMP_NUM_THREADS unless it is set */
};

#define WORKER_NAME_MAX 128

/* A worker that ended. */
struct worker_end {
    int64_t run_id;
    char name[WORKER_NAME_MAX];
    bool well;        /* exit status 0 */
    char reason[160]; /* "worker was killed by signal 9 (SIGKILL) at 812 MiB": its most */
};

/* ERR_CONFIG: the worker is no program that can be run. A supervisor is made all the same, and says
 * so whenever it starts one: it may come back. */
MUST_CHECK enum err_code supervisor_check_worker(const char *worker, struct err *err);

MUST_CHECK enum err_code supervisor_new(const struct supervisor_options *options,
                                        struct supervisor **ret_supervisor, struct err *err);
/* For workers that are started from now on: PGBOOST_LOG_FORMAT and PGBOOST_LOG_LEVEL as the log's
 * are now, and what of the options is in the environment. */
MUST_CHECK enum err_code supervisor_set_environment(struct supervisor *supervisor,
                                                    const struct supervisor_options *options,
                                                    struct err *err);
/* Kills what still runs. */
void supervisor_free(struct supervisor *supervisor);
DEFINE_FREEP(struct supervisor *, supervisor_free)

/* May a worker be started now: is there a free place, and no backoff under way? */
bool supervisor_has_room(const struct supervisor *supervisor, int64_t now_ms);

/* How long a backoff lasts from now on; 0: there is none. */
int64_t supervisor_backs_off_ms(const struct supervisor *supervisor, int64_t now_ms);

/* The runs that workers here were started for, running or not yet forgotten; valid until the next
 * call. */
const int64_t *supervisor_runs(struct supervisor *supervisor, int *ret_n);
int supervisor_n_running(const struct supervisor *supervisor);

/* Starts a worker. A failure begins a backoff, as a worker's death does. ERR_CONFLICT when
 * supervisor_has_room says no. */
MUST_CHECK enum err_code supervisor_start(struct supervisor *supervisor, int64_t run_id,
                                          struct err *err);

/* Collects ended children without waiting, and gives the first ended worker that was not yet
 * forgotten; false: there is none. */
bool supervisor_ended(struct supervisor *supervisor, struct worker_end *ret_end);

/* The place of an ended worker is free again. ended_its_run: it did what it was started for,
 * however that went; otherwise, or when the same run came up once more, a backoff begins. */
void supervisor_forget(struct supervisor *supervisor, const char *name, bool ended_its_run);

/* Sends a signal to every running worker's process group. */
void supervisor_signal(struct supervisor *supervisor, int signal_number);

#endif
