#include "rows.h"

static const struct list_column columns[] = {
    {NULL, "id", LIST_ID, offsetof(struct project_row, id)},
    {"project", "name", LIST_TEXT, offsetof(struct project_row, name)},
    {"relation", "relation", LIST_TEXT, offsetof(struct project_row, relation)},
    {"target", "target", LIST_TEXT, offsetof(struct project_row, target)},
    {"task", "task", LIST_TEXT, offsetof(struct project_row, task)},
    {"live model", "live_model_id", LIST_ID, offsetof(struct project_row, live_model_id)},
    {NULL, "deploy_version", LIST_VERSION, offsetof(struct project_row, deploy_version)},
    {"metric", "metric", LIST_TEXT, offsetof(struct project_row, metric)},
    {"score", "score", LIST_NUMBER, offsetof(struct project_row, live_score)},
    {"last run", "last_run_id", LIST_ID, offsetof(struct project_row, last_run_id)},
    {"status", "last_run_status", LIST_TEXT, offsetof(struct project_row, last_run_status)},
    {NULL, "definition", LIST_JSON, offsetof(struct project_row, definition)},
    {NULL, "created_at", LIST_TIME, offsetof(struct project_row, created_at)},
    {NULL, "updated_at", LIST_TIME, offsetof(struct project_row, updated_at)},
};

struct list list_of_projects(const struct project_rows *rows)
{
    return (struct list)LIST(columns, *rows,
                             "no projects yet: create one with \"pgboost apply FILE\"");
}

static enum err_code run_projects(struct cli *cli, struct err *err)
{
    CLEANUP(pg_closep) struct pg *pg = NULL;
    CLEANUP(project_rows_release) struct project_rows rows = {0};
    struct list list;

    TRY(cli_connect(cli, &pg, err));
    TRY(catalog_projects(pg, NULL, &rows, err));
    list = list_of_projects(&rows);
    return list_print(cli, &list, err);
}

const struct command command_projects = {
    .name = "projects",
    .arguments = "",
    .summary = "list the projects",
    .description = "Lists the projects with their live models and last runs.",
    .example = "pgboost projects\npgboost projects --json | jq -r '.items[].name'",
    .run = run_projects,
};
