#include "train/helpers.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/environment.h"
#include "base/log.h"

#define PATIENCE_MS 2000 /* for a helper to notice that the search is over */
#define POLL_US     10000

static bool start_one(struct helpers *helpers, const struct train_options *options, int64_t run_id,
                      char *const *environment)
{
    char run[24], name[160], number[16], parent[48];
    char *arguments[] = {"pgboost-worker", "--help-run", run,    "--name", name, "--threads", "1",
                         "--nice",         "0",          parent, NULL};
    int error;

    snprintf(run, sizeof(run), "%lld", (long long)run_id);
    snprintf(parent, sizeof(parent), "--die-with-parent=%d", (int)getpid());
    snprintf(number, sizeof(number), "+%d", helpers->n + 1);
    snprintf(name, sizeof(name), "%.140s%s", options->worker, number);
    error = posix_spawn(&helpers->pids[helpers->n], "/proc/self/exe", NULL, NULL, arguments,
                        environment);
    if (error != 0) {
        log_warning("a helper could not be started", "reason=\"%s\"", strerror(error));
        return false;
    }
    helpers->n++;
    return true;
}

void helpers_start(struct helpers *helpers, const struct train_options *options, int64_t run_id,
                   int n)
{
    /* In the environment: everyone can read a program's arguments. */
    const struct variable variables[] = {
        {"PGBOOST_DSN", options->dsn},
        {"PGBOOST_READ_DSN", options->read_dsn},
        {"PGBOOST_STATE_DIR", options->spill.folder},
        {"OMP_NUM_THREADS", "1"},
    };
    CLEANUP(arena_release) struct arena arena = {0};
    char **environment = environment_with(&arena, variables, N_ELEMENTS(variables));

    while (environment != NULL && helpers->n < n && helpers->n < HELPERS_MAX)
        if (!start_one(helpers, options, run_id, environment))
            return;
}

static bool has_ended(pid_t pid)
{
    return waitpid(pid, NULL, WNOHANG) != 0;
}

void helpers_release(struct helpers *helpers)
{
    int64_t deadline_ms = deadline_in(PATIENCE_MS);

    for (int i = 0; i < helpers->n; i++) {
        bool ended = false;

        while (!(ended = has_ended(helpers->pids[i])) && clock_ms() < deadline_ms)
            usleep(POLL_US);
        if (ended)
            continue;
        kill(helpers->pids[i], SIGKILL);
        waitpid(helpers->pids[i], NULL, 0);
    }
    helpers->n = 0;
}
