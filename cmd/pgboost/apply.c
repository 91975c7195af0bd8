#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "cli.h"
#include "definition.h"
#include "text.h"

/* The definitions of one call. */
struct batch {
    int n, capacity;
    struct entry {
        struct definition definition;
        char *path;
        int64_t id;
        const char *what;
    } * items;
    struct pg *reader;
};

static void batch_release(struct batch *batch)
{
    for (int i = 0; i < batch->n; i++) {
        definition_release(&batch->items[i].definition);
        free(batch->items[i].path);
    }
    free(batch->items);
    pg_close(batch->reader);
}

static enum err_code add_entry(struct batch *batch, struct entry **ret_entry, struct err *err)
{
    if (batch->n == batch->capacity) {
        int capacity = batch->capacity == 0 ? 8 : 2 * batch->capacity;
        struct entry *items = realloc(batch->items, (size_t)capacity * sizeof(*items));

        if (items == NULL)
            return err_nomem(err);
        batch->items = items;
        batch->capacity = capacity;
    }
    *ret_entry = &batch->items[batch->n++];
    **ret_entry = (struct entry){0};
    return ERR_OK;
}

static enum err_code refuse_twice(const struct batch *batch, const char *name, const char *path,
                                  struct err *err)
{
    for (int i = 0; i < batch->n - 1; i++)
        if (strcmp(batch->items[i].definition.project->name, name) == 0) {
            err_set(err, ERR_CONFIG, "%s: project \"%s\" is defined in %s too", path, name,
                    batch->items[i].path);
            err_field(err, "/project");
            return err_hint(err, "give each project a name of its own");
        }
    return ERR_OK;
}

static enum err_code load_file(struct batch *batch, const char *path, struct err *err)
{
    CLEANUP(project_freep) struct project *project = NULL;
    struct entry *entry = NULL;
    enum err_code code;

    TRY(project_load(path, &project, err));
    TRY(add_entry(batch, &entry, err));
    entry->path = strdup(path);
    if (entry->path == NULL)
        return err_nomem(err);
    TRY(refuse_twice(batch, project->name, path, err));
    code = definition_check(TAKE_PTR(project), batch->reader, &entry->definition, err);
    if (code != ERR_OK)
        err_prefix(err, "%s", path);
    return code;
}

static int is_json(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return entry->d_name[0] != '.' && length > 5 &&
           strcmp(entry->d_name + length - 5, ".json") == 0;
}

static enum err_code load_entries(struct batch *batch, const char *folder, struct dirent **entries,
                                  int n, struct err *err)
{
    for (int i = 0; i < n; i++) {
        CLEANUP(buf_release) struct buf path = {0};

        buf_printf(&path, "%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/",
                   entries[i]->d_name);
        TRY(buf_check(&path, err));
        TRY(load_file(batch, buf_text(&path), err));
    }
    return ERR_OK;
}

static enum err_code load_folder(struct batch *batch, const char *folder, struct err *err)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, is_json, alphasort);
    enum err_code code;

    if (n < 0)
        return err_errno(err, errno, "cannot read the folder \"%s\"", folder);
    if (n == 0)
        code = err_set(err, ERR_CONFIG, "the folder \"%s\" has no .json file", folder);
    else
        code = load_entries(batch, folder, entries, n, err);
    for (int i = 0; i < n; i++)
        free(entries[i]);
    free(entries);
    return code;
}

static enum err_code load_all(const struct cli *cli, struct batch *batch, struct err *err)
{
    for (int i = 0; i < cli->n_args; i++) {
        struct stat status;

        if (stat(cli->args[i], &status) == 0 && S_ISDIR(status.st_mode))
            TRY(load_folder(batch, cli->args[i], err));
        else
            TRY(load_file(batch, cli->args[i], err));
    }
    return ERR_OK;
}

static enum err_code write_all(struct pg *pg, struct batch *batch, struct err *err)
{
    for (int i = 0; i < batch->n; i++) {
        struct entry *entry = &batch->items[i];
        const struct definition *definition = &entry->definition;
        enum err_code code =
            catalog_apply_project(pg, definition->project->name, definition->project->json_text,
                                  definition->relation->name, definition->project->target,
                                  task_name(definition->schema->task), definition->metric->name,
                                  &entry->id, &entry->what, err);

        if (code != ERR_OK) {
            err_prefix(err, "%s", entry->path);
            return code;
        }
    }
    return ERR_OK;
}

static void warn_of_look_ups(const struct batch *batch, const struct definition *definition)
{
    CLEANUP(buf_release) struct buf line = {0};
    struct err fault = {0};

    if (definition_foresee_look_ups(definition, batch->reader, &fault) == ERR_OK)
        return;
    text_put_safe(&line, definition->project->name);
    buf_puts(&line, ": look-ups by key: ");
    text_put_safe(&line, fault.message);
    if (fault.hint[0] != '\0') {
        buf_puts(&line, "\nhint: ");
        text_put_safe(&line, fault.hint);
    }
    fprintf(stderr, "%s\n", buf_text(&line));
}

static void print_all(const struct cli *cli, const struct batch *batch)
{
    CLEANUP(buf_release) struct buf out = {0};

    for (int i = 0; i < batch->n; i++) {
        const struct entry *entry = &batch->items[i];
        const char *name = entry->definition.project->name;

        definition_print_notices(&entry->definition);
        warn_of_look_ups(batch, &entry->definition);
        if (cli->json) {
            buf_puts(&out, i == 0 ? "{\"items\":[{\"name\":" : ",{\"name\":");
            json_put_text(&out, name);
            buf_printf(&out, ",\"id\":%" PRId64 ",\"what\":\"%s\"}", entry->id, entry->what);
        } else {
            text_put_safe(&out, name);
            buf_printf(&out, ": %s\n", entry->what);
        }
    }
    if (cli->json)
        buf_puts(&out, "],\"next\":null}\n");
    fputs(buf_text(&out), stdout);
}

static enum err_code run_apply(struct cli *cli, struct err *err)
{
    CLEANUP(batch_release) struct batch batch = {0};
    CLEANUP(pg_closep) struct pg *pg = NULL;

    TRY(cli_connect(cli, &pg, err));
    TRY(cli_connect_read(cli, &batch.reader, err));
    TRY(load_all(cli, &batch, err));
    TRY(pg_begin(pg, err));
    TRY(pg_end(pg, write_all(pg, &batch, err), err));
    print_all(cli, &batch);
    return ERR_OK;
}

const struct command command_apply = {
    .name = "apply",
    .arguments = "FILE|DIR…",
    .summary = "create or update projects from definitions",
    .description =
        "Reads definitions (of a DIR all *.json files), checks each against its relation, and "
        "writes\n"
        "them all, or none when one of them is wrong. A run that is under way goes on with the\n"
        "definition it was queued with. \"pgboost init\" writes a first definition.",
    .example = "pgboost apply models/flight_delay.json\npgboost apply models",
    .min_args = 1,
    .max_args = -1,
    .run = run_apply,
};
