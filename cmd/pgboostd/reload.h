/*
 * SIGHUP: the options read again. A bad file changes nothing.
 */
#ifndef PGBOOSTD_RELOAD_H
#define PGBOOSTD_RELOAD_H

#include "config/options.h"

/* Takes over into `current` what can change while the daemon runs (log_level, log_format,
 * slow_request, body_limit, rows_limit, keep_runs, poll), and logs what else differs: that needs a
 * restart. */
MUST_CHECK enum err_code reload_options(struct options *current, int argc, char **argv,
                                        struct err *err);

/* The option's level as the log's. */
void reload_log(const struct options *options);

#endif
