/*
 * SIGHUP: the options read again. A bad file changes nothing.
 */
#ifndef PGBOOSTD_RELOAD_H
#define PGBOOSTD_RELOAD_H

#include "config/options.h"

/* Takes over into `current` what can change while the daemon runs, as the options' table has it,
 * and logs each option that differs: whether it counts from now on or needs a restart. Before that,
 * `take` takes over what is more than a value; when it fails, nothing has changed. */
typedef enum err_code (*reload_take_fn)(void *context, const struct options *fresh,
                                        struct err *err);
MUST_CHECK enum err_code reload_options(struct options *current, int argc, char **argv,
                                        reload_take_fn take, void *context, struct err *err);

/* The option's level as the log's. */
void reload_log(const struct options *options);

#endif
