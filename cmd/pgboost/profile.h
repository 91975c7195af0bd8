/*
 * What a run read, for people: the profile of its columns as a table, and the warnings.
 */
#ifndef PGBOOST_CMD_PROFILE_H
#define PGBOOST_CMD_PROFILE_H

#include <stdbool.h>

#include "base/buf.h"

/* json: what catalog_last_profile gives. Nothing is printed of a text that is not that. */
MUST_CHECK enum err_code profile_put_table(struct buf *out, const char *json, bool colour,
                                           struct err *err);

/* The warnings of runs.stats (NULL: none), a line each. */
void profile_put_warnings(struct buf *out, const char *stats);

#endif
