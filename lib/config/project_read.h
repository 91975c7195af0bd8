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

struct project_key;
struct choice;

/* Fills the project: defaults, then every key that is given. */
MUST_CHECK enum err_code project_read(struct project_reader *reader, struct err *err);

/* ERR_CONFIG about what the JSON pointer names: 'line 3: "test.size": reason', with its field. */
enum err_code project_refuse(const struct project_reader *reader, const char *pointer,
                             struct err *err, const char *format, ...) PRINTF_LIKE(4, 5);

/* The same of a value: 'expected a number between 0 and 1, found "abc"'. */
enum err_code project_refuse_value(const struct project_reader *reader, const char *pointer,
                                   const char *expected, const cJSON *value, struct err *err);

/* One of the choices by its name. */
MUST_CHECK enum err_code project_read_choice(const struct project_reader *reader,
                                             const struct choice *choices, const char *pointer,
                                             const cJSON *value, int *ret_value, struct err *err);

/* Texts that differ, in the project's arena; a single one counts as a list of one. `twice` says
 * what is wrong with one that comes again. */
MUST_CHECK enum err_code project_read_list(const struct project_reader *reader, const char *pointer,
                                           const char *expected, const char *twice,
                                           const cJSON *value, struct string_list *ret_list,
                                           struct err *err);

/* The key "columns": project_columns.c. */
MUST_CHECK enum err_code project_read_columns(struct project_reader *reader,
                                              const struct project_key *key, const char *pointer,
                                              const cJSON *value, struct err *err);

#endif
