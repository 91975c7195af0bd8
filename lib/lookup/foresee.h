/*
 * What look-ups will meet, before anybody asks: whoever applies a definition hears of a relation
 * that is not there, a column that it lacks, and a key without an index, rather than the first
 * client.
 */
#ifndef PGBOOST_LOOKUP_FORESEE_H
#define PGBOOST_LOOKUP_FORESEE_H

#include "lookup/lookup.h"
#include "pg/pg.h"

/* Makes the statement of a look-up, and asks Postgres how it would run that. Errors: what a look-up
 * would be answered with, with a hint; ERR_LIMIT: each look-up would read all of a table that is
 * not small. */
MUST_CHECK enum err_code lookup_foresee(struct pg *reader, const struct lookup_spec *spec,
                                        struct err *err);

#endif
