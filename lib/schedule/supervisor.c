#include "schedule/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/environment.h"
#include "base/log.h"
#include "schedule/backoff.h"

enum slot_state { SLOT_FREE, SLOT_RUNNING, SLOT_ENDED };

struct slot {
    enum slot_state state;
    pid_t pid;
    struct worker_end end; /* run_id and name from the start on */
};

struct supervisor {
    char *worker;
    char **environment;
    struct arena environment_arena;
    int64_t memory;
    int n_slots;
    struct slot *slots;
    int64_t *runs; /* [n_slots], what supervisor_runs gives */
    char host[64];
    unsigned n_started;
    int64_t run_done;      /* the last run that a worker ended */
    int64_t not_before_ms; /* the backoff's end */
    struct backoff backoff;
    struct rng rng;
    struct arena arena;
};

/* The workers' environment -------------------------------------------------------------------- */

#define N_SETTINGS_MAX 8

/* Fewer threads than cores, and idle ones that sleep: training must not spoil the daemon's answers.
 * What the operator set himself stays. */
enum err_code supervisor_set_environment(struct supervisor *supervisor,
                                         const struct supervisor_options *options, struct err *err)
{
    struct variable settings[N_SETTINGS_MAX] = {
        {"PGBOOST_DSN", options->dsn},
        {"PGBOOST_READ_DSN", options->read_dsn},
        {"PGBOOST_STATE_DIR", options->state_dir},
        {"PGBOOST_LOG_FORMAT", log_format_name()},
        {"PGBOOST_LOG_LEVEL", log_level_name()},
    };
    size_t n = 5;
    struct arena arena = {0};
    char n_threads[16], spill_above[32], **environment;

    if (options->spill_above > 0) {
        snprintf(spill_above, sizeof(spill_above), "%lld B", (long long)options->spill_above);
        settings[n++] = (struct variable){"PGBOOST_SPILL_ABOVE", spill_above};
    }

    snprintf(n_threads, sizeof(n_threads), "%d", options->n_threads > 0 ? options->n_threads : 1);
    if (getenv("OMP_NUM_THREADS") == NULL)
        settings[n++] = (struct variable){"OMP_NUM_THREADS", n_threads};
    if (getenv("OMP_WAIT_POLICY") == NULL)
        settings[n++] = (struct variable){"OMP_WAIT_POLICY", "passive"};
    environment = environment_with(&arena, settings, n);
    if (environment == NULL) {
        arena_release(&arena);
        return err_nomem(err);
    }
    arena_release(&supervisor->environment_arena);
    supervisor->environment_arena = arena;
    supervisor->environment = environment;
    return ERR_OK;
}

/* Life ---------------------------------------------------------------------------------------- */

static enum err_code worker_beside_us(struct arena *arena, char **ret_path, struct err *err)
{
    char own[4096];
    ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
    CLEANUP(buf_release) struct buf path = {0};
    char *slash;

    if (length < 0)
        return err_errno(err, errno, "cannot find the program's own path in \"/proc/self/exe\"");
    own[length] = '\0';
    slash = strrchr(own, '/');
    if (slash != NULL)
        slash[1] = '\0';
    buf_printf(&path, "%spgboost-worker", own);
    TRY(buf_check(&path, err));
    *ret_path = arena_strdup(arena, buf_text(&path));
    return *ret_path != NULL ? ERR_OK : err_nomem(err);
}

enum err_code supervisor_check_worker(const char *worker, struct err *err)
{
    struct stat file;

    if (worker == NULL || worker[0] == '\0')
        return ERR_OK;
    if (stat(worker, &file) != 0)
        return err_set(err, ERR_CONFIG, "\"worker\": \"%s\": %s", worker, strerror(errno));
    if (S_ISREG(file.st_mode) && access(worker, X_OK) == 0)
        return ERR_OK;
    return err_set(err, ERR_CONFIG, "\"worker\": \"%s\" is no program that can be run", worker);
}

static enum err_code set_worker(struct supervisor *supervisor, const char *path, struct err *err)
{
    if (path == NULL || path[0] == '\0')
        return worker_beside_us(&supervisor->arena, &supervisor->worker, err);
    supervisor->worker = arena_strdup(&supervisor->arena, path);
    return supervisor->worker != NULL ? ERR_OK : err_nomem(err);
}

enum err_code supervisor_new(const struct supervisor_options *options,
                             struct supervisor **ret_supervisor, struct err *err)
{
    CLEANUP(supervisor_freep) struct supervisor *supervisor = calloc(1, sizeof(*supervisor));

    if (supervisor == NULL)
        return err_nomem(err);
    supervisor->slots =
        arena_alloc_array(&supervisor->arena, (size_t)options->n_workers, sizeof(struct slot));
    supervisor->runs =
        arena_alloc_array(&supervisor->arena, (size_t)options->n_workers, sizeof(int64_t));
    if (supervisor->slots == NULL || supervisor->runs == NULL)
        return err_nomem(err);
    supervisor->n_slots = options->n_workers;
    supervisor->memory = options->memory;
    TRY(set_worker(supervisor, options->worker, err));
    TRY(supervisor_set_environment(supervisor, options, err));
    if (gethostname(supervisor->host, sizeof(supervisor->host) - 1) != 0)
        snprintf(supervisor->host, sizeof(supervisor->host), "localhost");
    supervisor->backoff = (struct backoff){.first_ms = 1000, .most_ms = 60000};
    rng_init(&supervisor->rng, (uint64_t)getpid());
    *ret_supervisor = TAKE_PTR(supervisor);
    return ERR_OK;
}

void supervisor_free(struct supervisor *supervisor)
{
    if (supervisor == NULL)
        return;
    supervisor_signal(supervisor, SIGKILL);
    for (int i = 0; i < supervisor->n_slots; i++)
        if (supervisor->slots[i].state == SLOT_RUNNING)
            waitpid(supervisor->slots[i].pid, NULL, 0);
    arena_release(&supervisor->environment_arena);
    arena_release(&supervisor->arena);
    free(supervisor);
}

/* Starting ------------------------------------------------------------------------------------ */

static struct slot *free_slot(const struct supervisor *supervisor)
{
    for (int i = 0; i < supervisor->n_slots; i++)
        if (supervisor->slots[i].state == SLOT_FREE)
            return &supervisor->slots[i];
    return NULL;
}

int64_t supervisor_backs_off_ms(const struct supervisor *supervisor, int64_t now_ms)
{
    return now_ms < supervisor->not_before_ms ? supervisor->not_before_ms - now_ms : 0;
}

bool supervisor_has_room(const struct supervisor *supervisor, int64_t now_ms)
{
    return free_slot(supervisor) != NULL && supervisor_backs_off_ms(supervisor, now_ms) == 0;
}

const int64_t *supervisor_runs(struct supervisor *supervisor, int *ret_n)
{
    int n = 0;

    for (int i = 0; i < supervisor->n_slots; i++)
        if (supervisor->slots[i].state != SLOT_FREE)
            supervisor->runs[n++] = supervisor->slots[i].end.run_id;
    *ret_n = n;
    return supervisor->runs;
}

int supervisor_n_running(const struct supervisor *supervisor)
{
    int n = 0;

    for (int i = 0; i < supervisor->n_slots; i++)
        n += supervisor->slots[i].state == SLOT_RUNNING;
    return n;
}

/* 0, or the errno of the call that failed. The worker gets default signals, none blocked, and no
 * file of ours but standard error, which is its standard output too: ours may have a reader. */
static int spawn(const struct supervisor *supervisor, char *const *arguments, pid_t *ret_pid)
{
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t files;
    sigset_t none, all;
    int failure;

    sigemptyset(&none);
    sigfillset(&all);
    failure = posix_spawnattr_init(&attributes);
    if (failure != 0)
        return failure;
    failure = posix_spawn_file_actions_init(&files);
    if (failure != 0)
        goto no_files;
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETSIGDEF);
    if ((failure = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0)) == 0 &&
        (failure = posix_spawn_file_actions_adddup2(&files, 2, 1)) == 0 &&
        (failure = posix_spawn_file_actions_addclosefrom_np(&files, 3)) == 0)
        failure = posix_spawn(ret_pid, supervisor->worker, &files, &attributes, arguments,
                              supervisor->environment);
    posix_spawn_file_actions_destroy(&files);
no_files:
    posix_spawnattr_destroy(&attributes);
    return failure;
}

/* Before it has done anything: a worker begins by connecting to Postgres. */
static void limit_memory(const struct supervisor *supervisor, pid_t pid)
{
    const struct rlimit limit = {(rlim_t)supervisor->memory, (rlim_t)supervisor->memory};

    if (supervisor->memory > 0 && prlimit(pid, RLIMIT_DATA, &limit, NULL) != 0)
        log_warning("a worker's memory cannot be limited", "errno=%d", errno);
}

static void back_off(struct supervisor *supervisor)
{
    supervisor->not_before_ms = clock_ms() + backoff_fail(&supervisor->backoff, &supervisor->rng);
}

enum err_code supervisor_start(struct supervisor *supervisor, int64_t run_id, struct err *err)
{
    struct slot *slot = free_slot(supervisor);
    char run[24], name[WORKER_NAME_MAX], parent[48];
    char *arguments[] = {supervisor->worker, "--run", run, "--name", name, parent, NULL};
    pid_t pid;
    int failure;

    if (!supervisor_has_room(supervisor, clock_ms()))
        return err_set(err, ERR_CONFLICT, "no worker can be started now");
    snprintf(run, sizeof(run), "%" PRId64, run_id);
    snprintf(parent, sizeof(parent), "--die-with-parent=%d", (int)getpid());
    snprintf(name, sizeof(name), "%s:%d:%u", supervisor->host, (int)getpid(),
             ++supervisor->n_started);
    failure = spawn(supervisor, arguments, &pid);
    if (failure != 0) {
        back_off(supervisor);
        err_errno(err, failure, "cannot start the worker \"%s\"", supervisor->worker);
        return err_hint(err, "the option \"worker\" is the path of pgboost-worker");
    }
    limit_memory(supervisor, pid);
    *slot = (struct slot){.state = SLOT_RUNNING, .pid = pid, .end.run_id = run_id};
    memcpy(slot->end.name, name, sizeof(name));
    return ERR_OK;
}

/* Ending -------------------------------------------------------------------------------------- */

/* With the most memory it had: what was killed for want of it shows by that. */
static void say_why(int status, const struct rusage *usage, char *reason, size_t size)
{
    long peak_mib = usage->ru_maxrss / 1024;
    const char *abbreviation;

    if (WIFEXITED(status)) {
        snprintf(reason, size, "worker exited with status %d at %ld MiB", WEXITSTATUS(status),
                 peak_mib);
        return;
    }
    abbreviation = sigabbrev_np(WTERMSIG(status));
    snprintf(reason, size, "worker was killed by signal %d (SIG%s) at %ld MiB%s", WTERMSIG(status),
             abbreviation != NULL ? abbreviation : "?", peak_mib,
             WTERMSIG(status) == SIGKILL ? "; the system kills so what has too much memory" : "");
}

static void note_end(struct slot *slot, int status, const struct rusage *usage)
{
    slot->state = SLOT_ENDED;
    slot->end.well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    say_why(status, usage, slot->end.reason, sizeof(slot->end.reason));
}

static void collect(struct supervisor *supervisor)
{
    for (int i = 0; i < supervisor->n_slots; i++) {
        struct slot *slot = &supervisor->slots[i];
        struct rusage usage;
        int status;

        if (slot->state == SLOT_RUNNING && wait4(slot->pid, &status, WNOHANG, &usage) == slot->pid)
            note_end(slot, status, &usage);
    }
}

bool supervisor_ended(struct supervisor *supervisor, struct worker_end *ret_end)
{
    collect(supervisor);
    for (int i = 0; i < supervisor->n_slots; i++) {
        if (supervisor->slots[i].state != SLOT_ENDED)
            continue;
        *ret_end = supervisor->slots[i].end;
        return true;
    }
    return false;
}

void supervisor_forget(struct supervisor *supervisor, const char *name, bool ended_its_run)
{
    for (int i = 0; i < supervisor->n_slots; i++) {
        struct slot *slot = &supervisor->slots[i];

        if (slot->state != SLOT_ENDED || strcmp(slot->end.name, name) != 0)
            continue;
        if (ended_its_run && slot->end.run_id != supervisor->run_done)
            backoff_succeed(&supervisor->backoff);
        else
            back_off(supervisor);
        if (ended_its_run)
            supervisor->run_done = slot->end.run_id;
        *slot = (struct slot){.state = SLOT_FREE};
    }
}

void supervisor_signal(struct supervisor *supervisor, int signal_number)
{
    for (int i = 0; i < supervisor->n_slots; i++)
        if (supervisor->slots[i].state == SLOT_RUNNING)
            kill(-supervisor->slots[i].pid, signal_number);
}
