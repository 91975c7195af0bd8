#include "pick.h"

#include <inttypes.h>
#include <string.h>

enum err_code pick_project(struct pg *pg, const char *name, struct project **ret_project,
                           struct err *err)
{
    CLEANUP(project_rows_release) struct project_rows rows = {0};
    const char *definition;

    TRY(catalog_projects(pg, name, &rows, err));
    definition = rows.items[0].definition;
    return project_parse(definition, strlen(definition), name, ret_project, err);
}

static enum err_code find_model_id(struct pg *pg, const char *project, int64_t wanted,
                                   int64_t *ret_model_id, struct err *err)
{
    CLEANUP(project_rows_release) struct project_rows rows = {0};

    TRY(catalog_projects(pg, project, &rows, err));
    *ret_model_id = wanted != 0 ? wanted : rows.items[0].live_model_id;
    if (*ret_model_id != 0)
        return ERR_OK;
    err_set(err, ERR_CONFLICT, "project \"%s\" has no live model yet", project);
    return err_hint(err, "run \"pgboost train %s\" first", project);
}

enum err_code pick_model(struct pg *pg, const char *project, int64_t wanted,
                         struct model_rows *ret_row, struct model **ret_model, struct err *err)
{
    CLEANUP(model_rows_release) struct model_rows row = {0};
    int64_t model_id;

    TRY(find_model_id(pg, project, wanted, &model_id, err));
    TRY(catalog_model(pg, model_id, &row, err));
    if (strcmp(row.items[0].project, project) != 0)
        return err_set(err, ERR_NOT_FOUND, "model %" PRId64 " is not one of project \"%s\"",
                       model_id, project);
    TRY(model_open(&row.items[0], ret_model, err));
    *ret_row = row;
    row = (struct model_rows){0};
    return ERR_OK;
}
