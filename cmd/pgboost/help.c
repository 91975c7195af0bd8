#include <stdio.h>
#include <string.h>

#include "cli.h"

#define COLUMN 22 /* where explanations start */

static const struct command_option global_options[] = {
    {"dsn", "DSN", "the catalog's database (default: PGBOOST_DSN, then libpq's PG* variables)"},
    {"read-dsn", "DSN", "where relations are read (default: PGBOOST_READ_DSN, then dsn)"},
    {"json", NULL, "JSON in place of tables and sentences"},
    {"help", NULL, "this page"},
};

/* letter 0: the option has none. */
static void print_option(const struct command_option *option, char letter)
{
    const char shorter[] = {'-', letter, ',', ' ', '\0'};
    char left[48];

    snprintf(left, sizeof(left), "%s--%s%s%s", letter != '\0' ? shorter : "", option->name,
             option->value != NULL ? " " : "", option->value != NULL ? option->value : "");
    printf("  %-*s%s\n", COLUMN - 2, left, option->help);
}

/* Lines of text, each set in by two blanks. */
static void print_indented(const char *text)
{
    while (*text != '\0') {
        int length = (int)strcspn(text, "\n");

        printf("  %.*s\n", length, text);
        text += length + (text[length] == '\n');
    }
}

static void print_command(const struct command *command)
{
    printf("pgboost %s: %s\n\nUsage: pgboost %s%s%s\n\n%s\n\nOptions\n", command->name,
           command->summary, command->name, command->arguments[0] != '\0' ? " " : "",
           command->arguments, command->description);
    for (int i = 0; i < COMMAND_OPTIONS_MAX && command->options[i].name != NULL; i++)
        print_option(&command->options[i], i == 0 ? command->letter : 0);
    for (size_t i = 0; i < N_ELEMENTS(global_options); i++)
        print_option(&global_options[i], 0);
    printf("\nExample\n");
    print_indented(command->example);
}

static void print_overview(void)
{
    printf("pgboost keeps tuned XGBoost models of Postgres views live.\n\n"
           "Usage: pgboost COMMAND [ARGUMENT]… [OPTION]…\n\nCommands\n");
    for (int i = 0; commands[i] != NULL; i++)
        printf("  %-*s%s\n", COLUMN - 2, commands[i]->name, commands[i]->summary);
    printf("\nOptions of every command\n");
    for (size_t i = 0; i < N_ELEMENTS(global_options); i++)
        print_option(&global_options[i], 0);
    printf("\n\"pgboost help COMMAND\" explains one command. A first model:\n"
           "  pgboost migrate\n"
           "  pgboost init public.flights delay > flights.json\n"
           "  pgboost apply flights.json\n"
           "  pgboost train flights_delay\n\n"
           "Exit status: 0 done, 1 failed, 2 usage, 69 the database cannot be reached,\n"
           "78 a wrong definition or configuration.\n");
}

void help_print(const struct command *command)
{
    if (command != NULL)
        print_command(command);
    else
        print_overview();
}

static enum err_code run_help(struct cli *cli, struct err *err)
{
    const struct command *command = NULL;

    if (cli->n_args > 0)
        TRY(command_find(cli->args[0], &command, err));
    help_print(command);
    return ERR_OK;
}

const struct command command_help = {
    .name = "help",
    .arguments = "[COMMAND]",
    .summary = "explain a command, or list them all",
    .description =
        "Prints the page of a command, like \"pgboost COMMAND --help\", or the list of all.",
    .example = "pgboost help train",
    .max_args = 1,
    .run = run_help,
};
