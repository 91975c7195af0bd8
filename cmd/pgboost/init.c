#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "cli.h"
#include "definition.h"

#define NAME_MAX_BYTES 63

/* What the new definition says. */
struct draft {
    const struct relation *relation;
    const char *target;
    char name[NAME_MAX_BYTES + 1];
    struct name_rows primary_key;
    const char *guessed_key; /* NULL: none */
    const char *time;        /* NULL: none */
};

/* RELATION_TARGET in letters, digits and underscores. */
static void name_project(const char *relation, const char *target, char *name)
{
    const char *dot = strrchr(relation, '.');
    char text[512];
    size_t length = 0;

    snprintf(text, sizeof(text), "%s_%s", dot != NULL ? dot + 1 : relation, target);
    for (const char *t = text; *t != '\0' && length < NAME_MAX_BYTES; t++) {
        if (isalnum((unsigned char)*t))
            name[length++] = (char)tolower((unsigned char)*t);
        else if (length > 0 && name[length - 1] != '_')
            name[length++] = '_';
    }
    while (length > 0 && name[length - 1] == '_')
        length--;
    name[length] = '\0';
    if (length == 0)
        strcpy(name, "project");
}

static bool can_be_key(const struct relation_column *column)
{
    return column->type == PG_INT2 || column->type == PG_INT4 || column->type == PG_INT8 ||
           column->type == PG_TEXT_TYPE || strcmp(column->type_name, "uuid") == 0;
}

/* A view has no key; a column named id, or else the first that is named …_id, is likely one. */
static const char *guess_key(const struct relation *relation, const char *target)
{
    const char *guess = NULL;

    for (int i = 0; i < relation->n_columns; i++) {
        const struct relation_column *column = &relation->columns[i];
        size_t length = strlen(column->name);

        if (!can_be_key(column) || strcmp(column->name, target) == 0)
            continue;
        if (strcmp(column->name, "id") == 0)
            return column->name;
        if (guess == NULL && length > 3 && strcmp(column->name + length - 3, "_id") == 0)
            guess = column->name;
    }
    return guess;
}

/* The first timestamp, or else the first date. */
static const char *find_time(const struct relation *relation)
{
    const char *date = NULL;

    for (int i = 0; i < relation->n_columns; i++) {
        const struct relation_column *column = &relation->columns[i];

        if (column->type == PG_TIMESTAMP || column->type == PG_TIMESTAMPTZ)
            return column->name;
        if (date == NULL && column->type == PG_DATE)
            date = column->name;
    }
    return date;
}

static bool is_key_of(const struct draft *draft, const char *column)
{
    for (int i = 0; i < draft->primary_key.n; i++)
        if (strcmp(draft->primary_key.items[i], column) == 0)
            return true;
    return false;
}

static void put_member(struct buf *json, const char *name, const char *value)
{
    buf_printf(json, ",\n  \"%s\": ", name);
    json_put_text(json, value);
}

static void put_key(struct buf *json, const struct draft *draft)
{
    if (draft->primary_key.n == 0 && draft->guessed_key == NULL)
        return;
    buf_puts(json, ",\n  \"key\": [");
    if (draft->primary_key.n == 0)
        json_put_text(json, draft->guessed_key);
    for (int i = 0; i < draft->primary_key.n; i++) {
        if (i > 0)
            buf_puts(json, ", ");
        json_put_text(json, draft->primary_key.items[i]);
    }
    buf_putc(json, ']');
}

static void put_draft(struct buf *json, const struct draft *draft, const struct definition *checked)
{
    enum task task = checked != NULL ? checked->schema->task : TASK_AUTO;

    buf_puts(json, "{\n  \"project\": ");
    json_put_text(json, draft->name);
    put_member(json, "relation", draft->relation->name);
    put_member(json, "target", draft->target);
    if (checked != NULL)
        put_member(json, "task", task_name(task));
    put_key(json, draft);
    if (draft->time != NULL)
        put_member(json, "time", draft->time);
    if (checked != NULL)
        put_member(json, "metric", checked->metric->name);
    buf_printf(json, ",\n  \"test\": {\"size\": 0.2, \"by\": \"%s\"}",
               draft->time != NULL           ? "time"
               : task == TASK_CLASSIFICATION ? "stratified"
                                             : "random");
    buf_puts(json, ",\n  \"search\": {\"strategy\": \"auto\"},\n  \"deploy\": \"if_better\"\n}\n");
}

/* Would apply take it? The first time without task and metric, which the check finds out. */
static enum err_code check_draft(const struct draft *draft, struct pg *reader,
                                 struct definition *ret_definition, struct err *err)
{
    CLEANUP(buf_release) struct buf json = {0};
    struct project *project;

    put_draft(&json, draft, NULL);
    TRY(buf_check(&json, err));
    TRY(project_parse(buf_text(&json), json.length, "the definition", &project, err));
    return definition_check(project, reader, ret_definition, err);
}

static void print_notes(const struct draft *draft)
{
    if (draft->guessed_key != NULL)
        fprintf(stderr, "note: the key is a guess from its name: it should name one row\n");
    else if (draft->primary_key.n == 0)
        fprintf(stderr, "note: no column looks like a key: add \"key\": [\"…\"] where one names a "
                        "row\n");
    if (draft->time != NULL)
        fprintf(stderr, "note: the newest rows test the model; say \"by\": \"random\" in \"test\" "
                        "where rows have no order in time\n");
}

static enum err_code write_draft(struct draft *draft, struct pg *reader, struct err *err)
{
    CLEANUP(definition_release) struct definition definition = {0};
    CLEANUP(buf_release) struct buf json = {0};

    TRY(catalog_primary_key(reader, draft->relation->oid, &draft->primary_key, err));
    if (is_key_of(draft, draft->target)) {
        err_set(err, ERR_CONFIG, "target \"%s\" is part of the relation's key", draft->target);
        return err_hint(err, "a key names rows; there is nothing to predict in it");
    }
    if (draft->primary_key.n == 0)
        draft->guessed_key = guess_key(draft->relation, draft->target);
    draft->time = find_time(draft->relation);
    if (draft->time != NULL && strcmp(draft->time, draft->target) == 0)
        draft->time = NULL;
    name_project(draft->relation->name, draft->target, draft->name);
    TRY(check_draft(draft, reader, &definition, err));
    put_draft(&json, draft, &definition);
    TRY(buf_check(&json, err));
    fputs(buf_text(&json), stdout);
    definition_print_notices(&definition);
    print_notes(draft);
    return ERR_OK;
}

static enum err_code run_init(struct cli *cli, struct err *err)
{
    CLEANUP(pg_closep) struct pg *reader = NULL;
    CLEANUP(relation_freep) struct relation *relation = NULL;
    struct draft draft = {.target = cli->args[1]};
    enum err_code code;

    TRY(cli_connect_read(cli, &reader, err));
    TRY(relation_open(reader, cli->args[0], &relation, err));
    draft.relation = relation;
    code = write_draft(&draft, reader, err);
    name_rows_release(&draft.primary_key);
    return code;
}

const struct command command_init = {
    .name = "init",
    .arguments = "RELATION TARGET",
    .summary = "print a definition for a table or view of yours",
    .description =
        "Looks at the columns of RELATION (schema.name) and prints a definition of a project that\n"
        "predicts its column TARGET, filled in as far as the columns tell. Put it into a file, "
        "read\n"
        "it, change it, and \"pgboost apply\" it. Notes about it go to standard error.",
    .example = "pgboost init public.flights delay > models/flights_delay.json",
    .min_args = 2,
    .max_args = 2,
    .run = run_init,
};
