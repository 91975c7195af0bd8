/*
 * From the JSON of a definition to the fields of struct project, row by row of project_keys.
 * Private to lib/config.
 */
#ifndef PGBOOST_CONFIG_PROJECT_READ_H
#define PGBOOST_CONFIG_PROJECT_READ_H

#include "base/buf.h"
#include "config/project.h"

struct project_reader {
    struct project *project; /* arena and json are set, the rest is zero */
    const char *text;        /* the definition as given, to find lines in */
    size_t length;
};

/* Fills the project: defaults, then every key that is given. */
MUST_CHECK enum err_code project_read(struct project_reader *reader, struct err *err);

/* ERR_CONFIG about what the JSON pointer names: 'line 3: "test.size": reason', with its field. */
enum err_code project_refuse(const struct project_reader *reader, const char *pointer,
                             struct err *err, const char *format, ...) PRINTF_LIKE(4, 5);

#endif
