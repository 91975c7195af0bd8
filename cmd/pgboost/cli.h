/*
 * One call of pgboost: its arguments, taken apart by the command's table row, and its connections.
 */
#ifndef PGBOOST_CMD_CLI_H
#define PGBOOST_CMD_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "command.h"
#include "pg/pg.h"

struct cli {
    const struct command *command; /* NULL: none was named */
    int n_args;
    char **args; /* what is not an option, in order */
    const char
        *values[COMMAND_OPTIONS_MAX]; /* of the command's options; "" for flags, NULL: absent */
    const char *dsn, *read_dsn;       /* NULL: libpq's own defaults */
    bool json, help, version;
    bool colour; /* standard output is a terminal that shows colours */
};

/* Reads argv and the environment. args points into argv. ERR_USAGE. */
MUST_CHECK enum err_code cli_parse(struct cli *cli, int argc, char **argv, struct err *err);
void cli_release(struct cli *cli);

/* The value of an option of the command: NULL when absent, "" for a flag that is there. */
const char *cli_option(const struct cli *cli, const char *name);
/* A positive whole number from an option (fallback when absent) or an argument. ERR_USAGE. */
MUST_CHECK enum err_code cli_option_number(const struct cli *cli, const char *name,
                                           int64_t fallback, int64_t *ret_number, struct err *err);
MUST_CHECK enum err_code cli_number(const char *what, const char *text, int64_t *ret_number,
                                    struct err *err);

/* The catalog's connection, after its version was checked; and the one that relations are read on.
 */
MUST_CHECK enum err_code cli_connect(const struct cli *cli, struct pg **ret_pg, struct err *err);
MUST_CHECK enum err_code cli_connect_read(const struct cli *cli, struct pg **ret_pg,
                                          struct err *err);

/* For the terminal: bold and the like, "" where colours are off. */
enum cli_style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_RED, STYLE_GREEN, STYLE_YELLOW };
const char *cli_style(bool colour, enum cli_style style);

/* An error for people, on standard error, coloured when that is a terminal. */
void cli_print_err(const struct err *err);

#endif
