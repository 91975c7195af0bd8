#include "own_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOG_TAIL 8192 /* an error as JSON is shorter */

extern char **environ;

static enum err_code find_program(char *path, size_t size, struct err *err)
{
    static const char name[] = "pgboost-worker";
    ssize_t length = readlink("/proc/self/exe", path, size - sizeof(name) - 1);
    char *slash;

    if (length < 0)
        return err_errno(err, errno, "cannot find the program's own folder");
    path[length] = '\0';
    slash = strrchr(path, '/');
    memcpy(slash + 1, name, sizeof(name));
    if (access(path, X_OK) == 0)
        return ERR_OK;
    err_errno(err, errno, "cannot start \"%s\"", path);
    return err_hint(err, "install it beside pgboost; a run can be trained by a pgboostd, too");
}

static void set_or_unset(const char *name, const char *value)
{
    if (value != NULL)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

static enum err_code spawn(const char *program, char *const *arguments, struct own_worker *worker,
                           struct err *err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error;

    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, fileno(worker->log), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, fileno(worker->log), STDERR_FILENO);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attributes, 0);
    error = posix_spawn(&worker->pid, program, &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error == 0 ? ERR_OK : err_errno(err, error, "cannot start \"%s\"", program);
}

/* arguments[0] is filled in. */
static enum err_code start(const struct cli *cli, char **arguments, struct own_worker *worker,
                           struct err *err)
{
    char program[PATH_MAX];

    TRY(find_program(program, sizeof(program), err));
    arguments[0] = program;
    worker->log = tmpfile();
    if (worker->log == NULL)
        return err_errno(err, errno, "cannot make a temporary file for the worker's log");
    /* In the environment: everyone can read a program's arguments. */
    set_or_unset("PGBOOST_DSN", cli->dsn);
    set_or_unset("PGBOOST_READ_DSN", cli->read_dsn);
    return spawn(program, arguments, worker, err);
}

enum err_code own_worker_start(const struct cli *cli, int64_t run_id, struct own_worker *worker,
                               struct err *err)
{
    char host[64] = "localhost", run[24];
    char *arguments[] = {NULL, "--run", run, "--name", worker->name, NULL};

    snprintf(run, sizeof(run), "%" PRId64, run_id);
    gethostname(host, sizeof(host) - 1);
    snprintf(worker->name, sizeof(worker->name), "%s:pgboost-train-%d", host, (int)getpid());
    return start(cli, arguments, worker, err);
}

enum err_code own_worker_import(const struct cli *cli, const char *project, const char *file,
                                bool deploy, struct own_worker *worker, struct err *err)
{
    char *arguments[] = {NULL,
                         "--import",
                         (char *)file,
                         "--project",
                         (char *)project,
                         "--die-with-parent",
                         deploy ? "--deploy" : NULL,
                         NULL};

    return start(cli, arguments, worker, err);
}

static void put_last_line(FILE *log, struct buf *out)
{
    char tail[LOG_TAIL + 1];
    size_t length;
    char *line;

    if (fseek(log, 0, SEEK_END) != 0)
        return;
    if (ftell(log) > LOG_TAIL)
        fseek(log, -LOG_TAIL, SEEK_END);
    else
        rewind(log);
    length = fread(tail, 1, LOG_TAIL, log);
    while (length > 0 && tail[length - 1] == '\n')
        length--;
    tail[length] = '\0';
    line = strrchr(tail, '\n');
    buf_puts(out, line != NULL ? line + 1 : tail);
}

bool own_worker_ended(struct own_worker *worker, struct buf *reason, struct buf *last_words)
{
    int status;

    if (worker->pid == 0 || waitpid(worker->pid, &status, WNOHANG) != worker->pid)
        return false;
    worker->pid = 0;
    if (WIFSIGNALED(status)) {
        buf_printf(reason, "the worker was killed by signal %d (SIG%s)", WTERMSIG(status),
                   sigabbrev_np(WTERMSIG(status)));
    } else {
        buf_printf(reason, "the worker exited with status %d", WEXITSTATUS(status));
        put_last_line(worker->log, last_words);
    }
    return true;
}

void own_worker_release(struct own_worker *worker)
{
    if (worker->log != NULL)
        fclose(worker->log);
    *worker = (struct own_worker){0};
}
