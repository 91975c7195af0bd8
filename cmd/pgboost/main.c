/*
 * pgboost: the command line. Each command is a file of its own; this one chooses among them.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/nearest.h"
#include "base/process.h"
#include "cli.h"

const struct command *const commands[] = {
    &command_migrate, &command_init,    &command_apply,    &command_projects,
    &command_show,    &command_train,   &command_cancel,   &command_delete,
    &command_deploy,  &command_predict, &command_evaluate, &command_score,
    &command_runs,    &command_trials,  &command_models,   &command_deployments,
    &command_export,  &command_import,  &command_check,    &command_status,
    &command_token,   &command_version, &command_help,     NULL,
};

enum err_code command_find(const char *name, const struct command **ret_command, struct err *err)
{
    const char *names[N_ELEMENTS(commands)];
    CLEANUP(buf_release) struct buf list = {0};
    int n = 0;
    const char *nearest;

    for (; commands[n] != NULL; n++) {
        names[n] = commands[n]->name;
        buf_printf(&list, "%s%s", n > 0 ? ", " : "", names[n]);
        if (strcmp(name, names[n]) == 0) {
            *ret_command = commands[n];
            return ERR_OK;
        }
    }
    nearest = nearest_name(name, names, n);
    err_set(err, ERR_USAGE, "there is no command \"%s\"", name);
    if (nearest != NULL)
        err_hint(err, "did you mean \"pgboost %s\"?", nearest);
    else
        err_hint(err, "one of %s", buf_text(&list));
    return ERR_USAGE;
}

static enum err_code run(struct cli *cli, int argc, char **argv, struct err *err)
{
    TRY(cli_parse(cli, argc, argv, err));
    if (cli->help) {
        help_print(cli->command);
        return ERR_OK;
    }
    if (cli->command == NULL && cli->version)
        cli->command = &command_version;
    if (cli->command == NULL) {
        err_set(err, ERR_USAGE, "no command was given");
        err_hint(err, "\"pgboost help\" lists the commands");
        return ERR_USAGE;
    }
    return cli->command->run(cli, err);
}

int main(int argc, char **argv)
{
    CLEANUP(cli_release) struct cli cli = {0};
    struct err err = {0};
    enum err_code code;

    process_begin();
    code = run(&cli, argc, argv, &err);
    if (fflush(stdout) != 0 && code == ERR_OK)
        code = err_set(&err, ERR_IO, "cannot write to standard output");
    if (code != ERR_OK)
        cli_print_err(&err);
    return err_exit_status(code);
}
