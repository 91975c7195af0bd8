#include "reload.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"

static const enum log_level levels[] = {
    [OPTIONS_LOG_DEBUG] = LOG_DEBUG,
    [OPTIONS_LOG_INFO] = LOG_INFO,
    [OPTIONS_LOG_WARNING] = LOG_WARNING,
    [OPTIONS_LOG_ERROR] = LOG_ERROR,
};

void reload_log(const struct options *options)
{
    log_set_format(options->log_format == OPTIONS_LOG_JSON ? LOG_JSON : LOG_LOGFMT);
    log_set_level(levels[options->log_level]);
}

static void say_restart(const char *name, bool differs)
{
    if (differs)
        log_warning("an option changed that needs a restart", "option=%s", name);
}

static void report_restarts(const struct options *a, const struct options *b)
{
    say_restart("dsn", strcmp(a->dsn, b->dsn) != 0);
    say_restart("read_dsn", strcmp(a->read_dsn, b->read_dsn) != 0);
    say_restart("listen", strcmp(a->listen, b->listen) != 0);
    say_restart("state_dir", strcmp(a->state_dir, b->state_dir) != 0);
    say_restart("spill_above", a->spill_above != b->spill_above);
    say_restart("worker", strcmp(a->worker, b->worker) != 0);
    say_restart("threads", a->threads != b->threads);
    say_restart("workers", a->workers != b->workers);
    say_restart("worker_memory", a->worker_memory != b->worker_memory);
    say_restart("role", a->role != b->role);
}

enum err_code reload_options(struct options *current, int argc, char **argv, struct err *err)
{
    CLEANUP(options_release) struct options fresh = {0};
    enum options_action action;

    TRY(options_load(argc, argv, &fresh, &action, err));
    report_restarts(current, &fresh);
    current->slow_request_ms = fresh.slow_request_ms;
    current->log_format = fresh.log_format;
    current->log_level = fresh.log_level;
    current->body_limit_bytes = fresh.body_limit_bytes;
    current->rows_limit = fresh.rows_limit;
    current->poll_ms = fresh.poll_ms;
    current->keep_runs_ms = fresh.keep_runs_ms;
    reload_log(current);
    log_info("options reloaded", "body_limit=%" PRId64 " rows_limit=%" PRId64 " poll_ms=%" PRId64,
             current->body_limit_bytes, current->rows_limit, current->poll_ms);
    return ERR_OK;
}
