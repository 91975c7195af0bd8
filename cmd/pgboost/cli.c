#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/nearest.h"
#include "catalog/catalog.h"
#include "text.h"

/* Options that every command has. */
static const char *const global_options[] = {"dsn", "read-dsn", "json", "help"};

static bool wants_colour(int fd)
{
    const char *term = getenv("TERM");

    return isatty(fd) && getenv("NO_COLOR") == NULL && term != NULL && strcmp(term, "dumb") != 0;
}

static int n_options(const struct command *command)
{
    int n = 0;

    while (command != NULL && n < COMMAND_OPTIONS_MAX && command->options[n].name != NULL)
        n++;
    return n;
}

static enum err_code no_option(const struct command *command, const char *name, size_t length,
                               struct err *err)
{
    const char *names[N_ELEMENTS(global_options) + COMMAND_OPTIONS_MAX];
    char given[64];
    int n = 0;
    const char *nearest;

    snprintf(given, sizeof(given), "%.*s", (int)length, name);
    for (size_t i = 0; i < N_ELEMENTS(global_options); i++)
        names[n++] = global_options[i];
    for (int i = 0; i < n_options(command); i++)
        names[n++] = command->options[i].name;
    nearest = nearest_name(given, names, n);
    err_set(err, ERR_USAGE, "there is no option \"--%s\"%s%s", given, command != NULL ? " of " : "",
            command != NULL ? command->name : "");
    if (nearest != NULL)
        err_hint(err, "did you mean --%s?", nearest);
    else if (command != NULL)
        err_hint(err, "\"pgboost help %s\" lists its options", command->name);
    else
        err_hint(err, "\"pgboost help\" lists the commands");
    return ERR_USAGE;
}

/* Where the option's value goes: *ret_value; or, for a flag, *ret_flag (NULL when the value marks
 * it). Neither: there is no such option. */
struct slot {
    const char **value;
    bool *flag;
    bool takes_value;
};

static struct slot find_slot(struct cli *cli, const char *name, size_t length)
{
    const struct {
        const char *name;
        struct slot slot;
    } globals[] = {
        {"dsn", {&cli->dsn, NULL, true}},          {"read-dsn", {&cli->read_dsn, NULL, true}},
        {"json", {NULL, &cli->json, false}},       {"help", {NULL, &cli->help, false}},
        {"version", {NULL, &cli->version, false}},
    };

    for (size_t i = 0; i < N_ELEMENTS(globals); i++)
        if (strlen(globals[i].name) == length && memcmp(globals[i].name, name, length) == 0)
            return globals[i].slot;
    for (int i = 0; i < n_options(cli->command); i++) {
        const struct command_option *option = &cli->command->options[i];

        if (strlen(option->name) == length && memcmp(option->name, name, length) == 0)
            return (struct slot){&cli->values[i], NULL, option->value != NULL};
    }
    return (struct slot){0};
}

/* name, name=value, name value: argv[*at] begins with name, behind its hyphens. */
static enum err_code take_value(struct cli *cli, const char *name, int argc, char **argv, int *at,
                                struct err *err)
{
    size_t length = strcspn(name, "=");
    const char *value = name[length] == '=' ? name + length + 1 : NULL;
    struct slot slot = find_slot(cli, name, length);

    if (slot.value == NULL && slot.flag == NULL)
        return no_option(cli->command, name, length, err);
    if (!slot.takes_value && value != NULL)
        return err_set(err, ERR_USAGE, "option \"--%.*s\" takes no value", (int)length, name);
    if (slot.takes_value && value == NULL && *at + 1 >= argc)
        return err_set(err, ERR_USAGE, "option \"--%s\" needs a value", name);
    if (slot.takes_value && value == NULL)
        value = argv[++*at];
    if (slot.flag != NULL)
        *slot.flag = true;
    else
        *slot.value = slot.takes_value ? value : "";
    return ERR_OK;
}

/* --name, --name=value, --name value, -l value. *at is moved over what was used. */
static enum err_code take_option(struct cli *cli, int argc, char **argv, int *at, struct err *err)
{
    const struct command *command = cli->command;
    const char *word = argv[*at] + 1;

    if (word[0] == '-')
        return take_value(cli, word + 1, argc, argv, at, err);
    if (command != NULL && word[0] == command->letter && word[1] == '\0')
        return take_value(cli, command->options[0].name, argc, argv, at, err);
    return no_option(command, word, strlen(word), err);
}

static enum err_code check_arguments(const struct cli *cli, struct err *err)
{
    const struct command *command = cli->command;

    if (command == NULL || cli->help)
        return ERR_OK;
    if (command->max_args >= 0 && cli->n_args > command->max_args)
        err_set(err, ERR_USAGE, "unexpected argument \"%s\"", cli->args[command->max_args]);
    else if (cli->n_args < command->min_args)
        err_set(err, ERR_USAGE, "%s needs %s", command->name,
                cli->n_args == 0 ? "arguments" : "more arguments");
    else
        return ERR_OK;
    err_hint(err, "usage: pgboost %s%s%s", command->name, command->arguments[0] != '\0' ? " " : "",
             command->arguments);
    return ERR_USAGE;
}

static enum err_code take_word(struct cli *cli, char *word, struct err *err)
{
    if (cli->command == NULL)
        return command_find(word, &cli->command, err);
    cli->args[cli->n_args++] = word;
    return ERR_OK;
}

enum err_code cli_parse(struct cli *cli, int argc, char **argv, struct err *err)
{
    bool only_words = false;

    cli->colour = wants_colour(STDOUT_FILENO);
    cli->dsn = getenv("PGBOOST_DSN");
    cli->read_dsn = getenv("PGBOOST_READ_DSN");
    cli->args = calloc((size_t)argc + 1, sizeof(*cli->args));
    if (cli->args == NULL)
        return err_nomem(err);
    for (int i = 1; i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0)
            only_words = true;
        else if (!only_words && strcmp(argv[i], "-h") == 0)
            cli->help = true;
        else if (!only_words && argv[i][0] == '-' && argv[i][1] != '\0')
            TRY(take_option(cli, argc, argv, &i, err));
        else
            TRY(take_word(cli, argv[i], err));
    }
    if (cli->read_dsn == NULL || cli->read_dsn[0] == '\0')
        cli->read_dsn = cli->dsn;
    return check_arguments(cli, err);
}

void cli_release(struct cli *cli)
{
    free(cli->args);
    *cli = (struct cli){0};
}

const char *cli_option(const struct cli *cli, const char *name)
{
    for (int i = 0; i < n_options(cli->command); i++)
        if (strcmp(cli->command->options[i].name, name) == 0)
            return cli->values[i];
    return NULL;
}

enum err_code cli_number(const char *what, const char *text, int64_t *ret_number, struct err *err)
{
    char *end;
    long long number;

    errno = 0;
    number = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || number < 1)
        return err_set(err, ERR_USAGE, "%s must be a whole number from 1, not \"%s\"", what, text);
    *ret_number = number;
    return ERR_OK;
}

enum err_code cli_option_number(const struct cli *cli, const char *name, int64_t fallback,
                                int64_t *ret_number, struct err *err)
{
    const char *text = cli_option(cli, name);
    char what[48];

    if (text == NULL) {
        *ret_number = fallback;
        return ERR_OK;
    }
    snprintf(what, sizeof(what), "the value of --%s", name);
    return cli_number(what, text, ret_number, err);
}

enum err_code cli_connect(const struct cli *cli, struct pg **ret_pg, struct err *err)
{
    const struct pg_options options = {.dsn = cli->dsn, .application_name = "pgboost"};
    CLEANUP(pg_closep) struct pg *pg = NULL;

    TRY(pg_connect(&options, &pg, err));
    TRY(catalog_check_version(pg, err));
    *ret_pg = TAKE_PTR(pg);
    return ERR_OK;
}

enum err_code cli_connect_read(const struct cli *cli, struct pg **ret_pg, struct err *err)
{
    const struct pg_options options = {
        .dsn = cli->read_dsn, .application_name = "pgboost", .read_only = true};

    return pg_connect(&options, ret_pg, err);
}

const char *cli_style(bool colour, enum cli_style style)
{
    static const char *const codes[] = {
        [STYLE_PLAIN] = "\033[0m", [STYLE_BOLD] = "\033[1m",   [STYLE_DIM] = "\033[2m",
        [STYLE_RED] = "\033[31m",  [STYLE_GREEN] = "\033[32m", [STYLE_YELLOW] = "\033[33m",
    };

    return colour ? codes[style] : "";
}

void cli_print_err(const struct err *err)
{
    CLEANUP(buf_release) struct buf text = {0};
    bool colour = wants_colour(STDERR_FILENO);

    buf_printf(&text, "%spgboost:%s ", cli_style(colour, STYLE_RED),
               cli_style(colour, STYLE_PLAIN));
    text_put_safe(&text, err->message);
    if (err->field[0] != '\0') {
        buf_puts(&text, " (at ");
        text_put_safe(&text, err->field);
        buf_putc(&text, ')');
    }
    if (err->hint[0] != '\0') {
        buf_printf(&text, "\n%shint:%s ", cli_style(colour, STYLE_BOLD),
                   cli_style(colour, STYLE_PLAIN));
        text_put_safe(&text, err->hint);
    }
    fprintf(stderr, "%s\n", buf_text(&text));
}
