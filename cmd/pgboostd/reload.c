#include "reload.h"

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

static void note_change(void *context, const struct option_change *change)
{
    char before[300], after[300];
    int *n = context;

    (*n)++;
    log_text(change->before, before, sizeof(before));
    log_text(change->after, after, sizeof(after));
    if (change->taken)
        log_info("an option changed", "option=%s from=%s to=%s", change->name, before, after);
    else
        log_warning("an option changed that needs a restart", "option=%s from=%s to=%s",
                    change->name, before, after);
}

enum err_code reload_options(struct options *current, int argc, char **argv, reload_take_fn take,
                             void *context, struct err *err)
{
    CLEANUP(options_release) struct options fresh = {0};
    enum options_action action;
    int n_changed = 0;

    TRY(options_load(argc, argv, &fresh, &action, err));
    TRY(take(context, &fresh, err));
    TRY(options_reload(current, &fresh, note_change, &n_changed, err));
    reload_log(current);
    log_info("options reloaded", "changed=%d", n_changed);
    return ERR_OK;
}
