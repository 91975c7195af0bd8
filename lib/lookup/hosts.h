/*
 * The servers that a connection string names, in their order: "host=replica,primary port=5432" is
 * two of them. libpq tries them itself, but has no bound for one alone, so that a server that
 * stopped without a word would stand before all others.
 */
#ifndef PGBOOST_LOOKUP_HOSTS_H
#define PGBOOST_LOOKUP_HOSTS_H

#include "base/arena.h"
#include "base/err.h"

struct hosts {
    int n; /* at least 1 */
    const char **dsns;
    struct arena arena;
};

/* A string that names one server, or none, stays as it is. ERR_CONFIG: it cannot be parsed. */
MUST_CHECK enum err_code hosts_split(const char *dsn, struct hosts *ret_hosts, struct err *err);
void hosts_release(struct hosts *hosts);

#endif
