#include "definition.h"

#include <stdio.h>
#include <string.h>

#include "lookup/foresee.h"
#include "search/sampler.h"
#include "text.h"
#include "train/calibrate.h"
#include "train/objective.h"

void definition_release(struct definition *definition)
{
    schema_free(definition->schema);
    relation_free(definition->relation);
    project_free(definition->project);
    *definition = (struct definition){0};
}

static enum err_code open_relation(struct definition *definition, struct pg *reader,
                                   struct err *err)
{
    const char *name = definition->project->relation;
    enum err_code code = relation_open(reader, name, &definition->relation, err);

    if (code == ERR_NOT_FOUND || code == ERR_DENIED || code == ERR_INVALID) {
        err_prefix(err, "key \"relation\": \"%s\"", name);
        err_field(err, "/relation");
    }
    return code;
}

static enum err_code check(struct definition *definition, struct pg *reader, struct err *err)
{
    const struct training_objective *objective;
    const struct project *project = definition->project;

    TRY(sampler_check(project, err));
    TRY(open_relation(definition, reader, err));
    TRY(schema_new(definition->project, definition->relation, &definition->schema, err));
    TRY(calibrate_check(definition->project, definition->schema->task, 0, err));
    /* 0: how many classes there are is not known before the rows are */
    TRY(training_objective_of(definition->project, definition->schema->task, 0, &objective, err));
    return key_metric_of(definition->project, definition->schema->task, 0, &definition->metric,
                         err);
}

enum err_code definition_check(struct project *project, struct pg *reader,
                               struct definition *ret_definition, struct err *err)
{
    CLEANUP(definition_release) struct definition definition = {.project = project};

    TRY(check(&definition, reader, err));
    *ret_definition = definition;
    definition = (struct definition){0};
    return ERR_OK;
}

static enum err_code describe_features(const struct definition *definition,
                                       struct lookup_spec *spec, struct err *err)
{
    const struct schema *schema = definition->schema;

    spec->n_columns = schema->n_features;
    spec->columns =
        arena_alloc_array(&spec->arena, (size_t)schema->n_features + 1, sizeof(*spec->columns));
    if (spec->columns == NULL)
        return err_nomem(err);
    for (int i = 0; i < schema->n_features; i++) {
        const struct schema_column *column = &schema->columns[schema->features[i]];

        spec->columns[i] = (struct lookup_column){.name = column->name, .type = column->type};
    }
    return ERR_OK;
}

enum err_code definition_foresee_look_ups(const struct definition *definition, struct pg *reader,
                                          struct err *err)
{
    const struct project *project = definition->project;
    struct lookup_spec spec = {
        .relation = project->serving != NULL ? project->serving : project->relation,
        .timezone = project->timezone,
        .n_keys = project->key.n,
        .keys = (const char **)project->key.items,
        .time_column = project->time,
    };
    enum err_code code;

    if (project->key.n == 0)
        return ERR_OK;
    code = describe_features(definition, &spec, err);
    if (code == ERR_OK)
        code = lookup_foresee(reader, &spec, err);
    arena_release(&spec.arena);
    return code;
}

static bool was_asked_for(const struct project *project, const char *column)
{
    for (int i = 0; i < project->exclude.n; i++)
        if (strcmp(project->exclude.items[i], column) == 0)
            return true;
    for (int i = 0; i < project->n_overrides; i++)
        if (project->overrides[i].as == AS_IGNORE &&
            strcmp(project->overrides[i].column, column) == 0)
            return true;
    return project->include.n > 0;
}

void definition_print_notices(const struct definition *definition)
{
    const struct schema *schema = definition->schema;

    for (int i = 0; i < schema->n_columns; i++) {
        const struct schema_column *column = &schema->columns[i];
        CLEANUP(buf_release) struct buf line = {0};

        if (!(column->roles & COLUMN_LEFT_OUT) || was_asked_for(definition->project, column->name))
            continue;
        text_put_safe(&line, definition->project->name);
        buf_puts(&line, ": column \"");
        text_put_safe(&line, column->name);
        buf_puts(&line, "\" is left out: ");
        text_put_safe(&line, column->why);
        fprintf(stderr, "%s\n", buf_text(&line));
    }
}
