/*
 * A command of pgboost: one file, which holds a constant table row and the function behind it.
 */
#ifndef PGBOOST_CMD_COMMAND_H
#define PGBOOST_CMD_COMMAND_H

#include "base/err.h"

struct cli;

struct command_option {
    const char *name;  /* "model": given as --model */
    const char *value; /* what stands for its value in the help; NULL: a flag */
    const char *help;
};

#define COMMAND_OPTIONS_MAX 8

struct command {
    const char *name;
    const char *arguments;                              /* "PROJECT [--wait]": for the usage line */
    const char *summary;                                /* one line, for the list of commands */
    const char *description;                            /* for its help */
    const char *example;                                /* lines of a shell session */
    int min_args, max_args;                             /* max_args -1: any number */
    struct command_option options[COMMAND_OPTIONS_MAX]; /* up to the first without a name */
    char letter; /* 'o': the first option is given as -o as well; 0: it is not */
    enum err_code (*run)(struct cli *cli, struct err *err);
};

/* All commands in the order of the help, ended by NULL (main.c). */
extern const struct command *const commands[];

extern const struct command command_migrate, command_init, command_apply, command_projects,
    command_runs, command_models, command_deployments, command_show, command_train, command_cancel,
    command_delete, command_deploy, command_predict, command_evaluate, command_score,
    command_export, command_import, command_trials, command_check, command_token, command_version,
    command_help;

/* ERR_USAGE with the nearest name in the hint when there is none. */
MUST_CHECK enum err_code command_find(const char *name, const struct command **ret_command,
                                      struct err *err);

/* help.c: the page of a command, or of pgboost (NULL), to standard output. */
void help_print(const struct command *command);

#endif
