/*
 * A start without Postgres, or before the catalog was migrated for this program: the models that
 * were live when it was last seen, from the cache in state_dir. The daemon says so loudly and goes
 * on trying.
 */
#ifndef PGBOOSTD_OFFLINE_H
#define PGBOOSTD_OFFLINE_H

#include "config/options.h"
#include "registry/registry.h"

/* Keeps the registry's models in options->state_dir from now on. */
MUST_CHECK enum err_code offline_prepare(struct registry *registry, const struct options *options,
                                         struct err *err);

/* `why` kept the daemon from the catalog, which awaits_migration: is older than the program.
 * ERR_OK: the cache serves, and ret_moment says as of when; otherwise why's code: there is no
 * cache, or it is Postgres that refused. */
#define OFFLINE_MOMENT_MAX 32
MUST_CHECK enum err_code offline_start(struct registry *registry, const struct err *why,
                                       bool awaits_migration, char ret_moment[OFFLINE_MOMENT_MAX]);

#endif
