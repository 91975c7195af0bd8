/* pgboostd: serves predictions and starts workers. See daemon.c. */

#include <stdio.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/process.h"
#include "daemon.h"
#include "schedule/supervisor.h"

static int print_error(const struct err *err)
{
    fprintf(stderr, "pgboostd: %s\n", err->message);
    if (err->hint[0] != '\0')
        fprintf(stderr, "hint: %s\n", err->hint);
    return err_exit_status(err->code);
}

static int print(const struct buf *text)
{
    return fputs(buf_text(text), stdout) >= 0 && fflush(stdout) == 0 ? 0 : 1;
}

static int print_help(void)
{
    CLEANUP(buf_release) struct buf text = {0};

    buf_puts(&text,
             "usage: pgboostd [OPTION…]\n\n"
             "Serves the live models of a pgboost catalog over HTTP and trains queued runs.\n"
             "It stays in the foreground; SIGHUP reloads the options, SIGTERM drains and\n"
             "exits, a second SIGTERM stops at once.\n\n");
    options_help(&text);
    return print(&text);
}

static int print_example(void)
{
    CLEANUP(buf_release) struct buf text = {0};

    options_example(&text);
    return print(&text);
}

static enum err_code check_state_dir(const char *path, struct err *err)
{
    struct stat file;

    if (stat(path, &file) != 0 || S_ISDIR(file.st_mode))
        return ERR_OK; /* it is made at the start */
    return err_set(err, ERR_CONFIG, "\"state_dir\": \"%s\" is no folder", path);
}

static enum err_code check_all(const struct options *options, struct err *err)
{
    const struct http_security security = daemon_security(options);

    TRY(check_state_dir(options->state_dir, err));
    if (options->role != ROLE_SERVER)
        TRY(supervisor_check_worker(options->worker, err));
    return http_security_check(options->listen, &security, err);
}

static int check(const struct options *options)
{
    struct err err;

    if (check_all(options, &err) != ERR_OK)
        return print_error(&err);
    return puts("configuration is fine") < 0;
}

int main(int argc, char **argv)
{
    CLEANUP(options_release) struct options options = {0};
    const struct option_source source = {argc, argv};
    enum options_action action;
    struct err err;

    process_begin();
    if (options_load(argc, argv, &options, &action, &err) != ERR_OK)
        return print_error(&err);
    switch (action) {
    case OPTIONS_HELP:
        return print_help();
    case OPTIONS_VERSION:
        return puts("pgboostd " PGBOOST_VERSION) < 0;
    case OPTIONS_PRINT:
        return print_example();
    case OPTIONS_CHECK:
        return check(&options);
    case OPTIONS_RUN:
        break;
    }
    return daemon_run(&options, &source, &err) == ERR_OK ? 0 : print_error(&err);
}
