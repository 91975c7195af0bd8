/*
 * A definition meets its relation: everything that can be found out before anything is written.
 */
#ifndef PGBOOST_CMD_DEFINITION_H
#define PGBOOST_CMD_DEFINITION_H

#include "config/project.h"
#include "feature/schema.h"
#include "metric/metric.h"
#include "pg/relation.h"

struct definition {
    struct project *project;
    struct relation *relation;
    struct schema *schema;
    const struct metric *metric; /* the key metric, by name or by task */
};

void definition_release(struct definition *definition);

/* Takes the project over, in any case. reader: where relations are read. Errors name the key. */
MUST_CHECK enum err_code definition_check(struct project *project, struct pg *reader,
                                          struct definition *ret_definition, struct err *err);

/* What look-ups by key would be answered with, or cost, where the definition names a key
 * (lookup/foresee.h): a warning, as a model trains without them. ERR_OK: nothing is to be said. */
MUST_CHECK enum err_code definition_foresee_look_ups(const struct definition *definition,
                                                     struct pg *reader, struct err *err);

/* A line on standard error for each column that is left out without having been asked for. */
void definition_print_notices(const struct definition *definition);

#endif
