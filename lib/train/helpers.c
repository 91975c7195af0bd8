#include "train/helpers.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

#define PATIENCE_MS 2000 /* for a helper to notice that the search is over */
#define POLL_US     10000

extern char **environ;

/* In the environment: everyone can read a program's arguments. */
static const char *const settings[] = {"PGBOOST_DSN", "PGBOOST_READ_DSN", "PGBOOST_STATE_DIR",
                                       "OMP_NUM_THREADS"};

static bool is_setting(const char *variable)
{
    for (size_t i = 0; i < N_ELEMENTS(settings); i++) {
        size_t length = strlen(settings[i]);

        if (strncmp(variable, settings[i], length) == 0 && variable[length] == '=')
            return true;
    }
    return false;
}

/* This process's environment with what the helper is told in place of the same names. */
static char **helper_environment(const struct train_options *options, struct arena *arena)
{
    const char *const values[N_ELEMENTS(settings)] = {options->dsn, options->read_dsn,
                                                      options->spill.folder, "1"};
    size_t n = 0, at = 0;
    char **environment;

    while (environ[n] != NULL)
        n++;
    environment = arena_alloc_array(arena, n + N_ELEMENTS(settings) + 1, sizeof(char *));
    if (environment == NULL)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (!is_setting(environ[i]))
            environment[at++] = environ[i];
    for (size_t i = 0; i < N_ELEMENTS(settings); i++) {
        CLEANUP(buf_release) struct buf text = {0};

        if (values[i] == NULL)
            continue;
        buf_printf(&text, "%s=%s", settings[i], values[i]);
        environment[at] = arena_strdup(arena, buf_text(&text));
        if (text.failed || environment[at++] == NULL)
            return NULL;
    }
    environment[at] = NULL;
    return environment;
}

static bool start_one(struct helpers *helpers, const struct train_options *options, int64_t run_id,
                      char *const *environment)
{
    char run[24], name[160], number[16];
    char *arguments[] = {
        "pgboost-worker",    "--help-run", run, "--name", name, "--threads", "1", "--nice", "0",
        "--die-with-parent", NULL};
    int error;

    snprintf(run, sizeof(run), "%lld", (long long)run_id);
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
    CLEANUP(arena_release) struct arena arena = {0};
    char **environment = helper_environment(options, &arena);

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
