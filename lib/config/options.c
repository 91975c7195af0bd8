#include "config/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config/options_file.h"
#include "config/options_table.h"

#define FLAGS_MAX 64 /* that one command line may set */

void options_release(struct options *options)
{
    arena_release(&options->arena);
    *options = (struct options){0};
}

/* What the command line says, before anything is read. */
struct command_line {
    enum options_action action;
    const char *config; /* --config, or NULL */
    int n;
    struct {
        const struct option_row *row;
        bool by_file;
        const char *value;
    } flags[FLAGS_MAX];
};

static const struct {
    const char *name;
    enum options_action action;
} action_flags[] = {
    {"--help", OPTIONS_HELP},          {"-h", OPTIONS_HELP},
    {"--version", OPTIONS_VERSION},    {"-V", OPTIONS_VERSION},
    {"--check-config", OPTIONS_CHECK}, {"--example-config", OPTIONS_PRINT},
};

static bool read_action(const char *arg, enum options_action *ret_action)
{
    for (size_t i = 0; i < N_ELEMENTS(action_flags); i++) {
        if (strcmp(action_flags[i].name, arg) == 0) {
            *ret_action = action_flags[i].action;
            return true;
        }
    }
    return false;
}

static enum err_code refuse_flag(const char *name, size_t length, struct err *err)
{
    char text[65];
    const char *nearest;

    snprintf(text, sizeof(text), "%.*s", (int)(length < 64 ? length : 64), name);
    nearest = option_nearest(text);
    err_set(err, ERR_USAGE, "unknown option \"--%s\"", text);
    err_field(err, "%s", text);
    if (nearest != NULL)
        err_hint(err, "did you mean \"--%s\"?", nearest);
    else
        err_hint(err, "--help lists the options");
    return ERR_USAGE;
}

/* One flag at argv[*i], which moves on to the last argument used. */
static enum err_code read_flag(int argc, char **argv, int *i, struct command_line *line,
                               struct err *err)
{
    const char *name = argv[*i] + 2;
    const char *equals = strchr(name, '=');
    size_t length = equals != NULL ? (size_t)(equals - name) : strlen(name);
    bool is_config = length == 6 && memcmp(name, "config", 6) == 0;
    bool by_file;
    const struct option_row *row = option_find_setting(name, length, &by_file);
    const char *value = equals != NULL ? equals + 1 : argv[*i + 1]; /* argv ends with NULL */

    if (row == NULL && !is_config)
        return refuse_flag(name, length, err);
    if (equals == NULL && *i + 1 >= argc) {
        err_set(err, ERR_USAGE, "the option \"%s\" needs a value", argv[*i]);
        return err_field(err, "%s", name);
    }
    if (!is_config && line->n == FLAGS_MAX)
        return err_set(err, ERR_USAGE, "more than %d options", FLAGS_MAX);
    *i += equals == NULL;
    if (is_config) {
        line->config = value;
    } else {
        line->flags[line->n].row = row;
        line->flags[line->n].by_file = by_file;
        line->flags[line->n++].value = value;
    }
    return ERR_OK;
}

static enum err_code read_command_line(int argc, char **argv, struct command_line *line,
                                       struct err *err)
{
    for (int i = 1; i < argc; i++) {
        if (read_action(argv[i], &line->action))
            continue;
        if (strncmp(argv[i], "--", 2) != 0 || argv[i][2] == '\0') {
            err_set(err, ERR_USAGE, "unexpected argument \"%s\"", argv[i]);
            return err_hint(err, "--help lists the options");
        }
        TRY(read_flag(argc, argv, &i, line, err));
    }
    return ERR_OK;
}

/* The file that is named, else the default one where it exists. */
static enum err_code read_config(const char *named, struct options *options, struct err *err)
{
    const char *path = named != NULL ? named : getenv("PGBOOST_CONFIG");

    if (path == NULL || path[0] == '\0') {
        path = OPTIONS_DEFAULT_FILE;
        if (access(path, F_OK) != 0 && errno == ENOENT)
            return ERR_OK;
    }
    return options_read_file(options, path, err);
}

/* The option's value, or the file that holds it. */
static enum err_code set(struct options *options, const struct option_row *row, bool by_file,
                         const char *value, const char *subject, enum err_code code,
                         struct err *err)
{
    return by_file ? option_set_by_file(options, row, value, subject, code, err)
                   : option_set(options, row, value, subject, code, err);
}

static void upper(char *text)
{
    for (; *text != '\0'; text++)
        if (*text >= 'a' && *text <= 'z')
            *text = (char)(*text - 'a' + 'A');
}

static enum err_code read_variable(struct options *options, const struct option_row *row,
                                   bool by_file, struct err *err)
{
    char name[64], subject[72];
    const char *value;

    snprintf(name, sizeof(name), "PGBOOST_%s%s", row->name, by_file ? "_file" : "");
    upper(name);
    snprintf(subject, sizeof(subject), "\"%s\"", name);
    value = getenv(name);
    if (value == NULL || value[0] == '\0')
        return ERR_OK;
    return set(options, row, by_file, value, subject, ERR_CONFIG, err);
}

/* PGBOOST_STATE_DIR for state_dir. An empty variable counts as unset. */
static enum err_code read_environment(struct options *options, struct err *err)
{
    for (int i = 0; i < n_option_rows; i++) {
        if (option_rows[i].secret)
            TRY(read_variable(options, &option_rows[i], true, err));
        TRY(read_variable(options, &option_rows[i], false, err));
    }
    return ERR_OK;
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

enum err_code options_spill(const char *above, const char *folder, struct spill_rule *ret_rule,
                            struct err *err)
{
    const struct option_row *row = option_find("spill_above", strlen("spill_above"));
    const char *by_variable = variable("PGBOOST_SPILL_ABOVE"), *tmp = variable("TMPDIR");
    struct options options = {0};

    if (above != NULL)
        TRY(option_set(&options, row, above, "\"--spill-above\"", ERR_USAGE, err));
    else
        TRY(option_set(&options, row, by_variable != NULL ? by_variable : row->fallback,
                       "\"PGBOOST_SPILL_ABOVE\"", ERR_CONFIG, err));
    if (folder == NULL)
        folder = variable("PGBOOST_STATE_DIR");
    if (folder == NULL)
        folder = tmp != NULL && tmp[0] == '/' ? tmp : "/var/tmp";
    *ret_rule = (struct spill_rule){.above = (size_t)options.spill_above, .folder = folder};
    return ERR_OK;
}

static enum err_code read_flags(const struct command_line *line, struct options *options,
                                struct err *err)
{
    for (int i = 0; i < line->n; i++) {
        const struct option_row *row = line->flags[i].row;
        char subject[72];

        snprintf(subject, sizeof(subject), "\"--%s%s\"", row->name,
                 line->flags[i].by_file ? "_file" : "");
        TRY(set(options, row, line->flags[i].by_file, line->flags[i].value, subject, ERR_USAGE,
                err));
    }
    return ERR_OK;
}

static enum err_code read_defaults(struct options *options, struct err *err)
{
    for (int i = 0; i < n_option_rows; i++)
        TRY(option_set(options, &option_rows[i], option_rows[i].fallback, option_rows[i].name,
                       ERR_CONFIG, err));
    return ERR_OK;
}

/* systemd gives a service its folder in STATE_DIRECTORY (several are divided by ":"). */
static enum err_code find_state_dir(struct options *options, struct err *err)
{
    const char *given = getenv("STATE_DIRECTORY"), *state = getenv("XDG_STATE_HOME"),
               *home = getenv("HOME");
    CLEANUP(buf_release) struct buf path = {0};

    if (given != NULL && given[0] != '\0')
        buf_append(&path, given, strcspn(given, ":"));
    else if (state != NULL && state[0] == '/') /* the standard has relative ones ignored */
        buf_printf(&path, "%s/pgboost", state);
    else if (home != NULL && home[0] != '\0')
        buf_printf(&path, "%s/.local/state/pgboost", home);
    else {
        err_set(err, ERR_CONFIG, "\"state_dir\" is not set and there is no HOME to put it in");
        err_hint(err, "set the option state_dir to a folder that the daemon may write to");
        return ERR_CONFIG;
    }
    options->state_dir = arena_strdup(&options->arena, buf_text(&path));
    return options->state_dir == NULL || path.failed ? err_nomem(err) : ERR_OK;
}

/* Defaults that follow from other options or from the machine. */
static enum err_code complete(struct options *options, struct err *err)
{
    if (options->read_dsn[0] == '\0')
        options->read_dsn = options->dsn;
    if (options->state_dir[0] == '\0')
        TRY(find_state_dir(options, err));
    return ERR_OK;
}

static enum err_code load(int argc, char **argv, struct options *options,
                          enum options_action *ret_action, struct err *err)
{
    struct command_line line = {.action = OPTIONS_RUN};

    TRY(read_command_line(argc, argv, &line, err));
    TRY(read_defaults(options, err));
    *ret_action = line.action;
    if (line.action != OPTIONS_RUN && line.action != OPTIONS_CHECK)
        return ERR_OK; /* help must not depend on a good configuration */
    TRY(options_read_credentials(options, err));
    TRY(read_config(line.config, options, err));
    TRY(read_environment(options, err));
    TRY(read_flags(&line, options, err));
    return complete(options, err);
}

enum err_code options_load(int argc, char **argv, struct options *ret_options,
                           enum options_action *ret_action, struct err *err)
{
    CLEANUP(options_release) struct options options = {0};
    enum options_action action;

    TRY(load(argc, argv, &options, &action, err));
    *ret_options = options;
    *ret_action = action;
    options = (struct options){0}; /* the caller owns it now */
    return ERR_OK;
}
