/*
 * The daemon's life: start, control loop, stop.
 *
 * One control thread (the caller's) owns the connection to Postgres, the registry's refreshes and
 * the workers; the HTTP server's threads only read the registry. When Postgres is away the loop
 * tries to come back, and predictions go on.
 */
#ifndef PGBOOSTD_DAEMON_H
#define PGBOOSTD_DAEMON_H

#include "config/options.h"
#include "http/server.h"

/* Reads the options again, for SIGHUP. */
struct option_source {
    int argc;
    char **argv;
};

/* Runs until SIGTERM or SIGINT. The first line of standard output says where it listens. An error
 * is one of the start: Postgres cannot be reached, the catalog is not migrated, the port is taken.
 * options is changed by a reload. */
MUST_CHECK enum err_code daemon_run(struct options *options, const struct option_source *source,
                                    struct err *err);

/* The options' part that is the HTTP server's to check. */
struct http_security daemon_security(const struct options *options);

#endif
