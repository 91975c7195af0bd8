#include "rows.h"

static const struct list_column columns[] = {
    {NULL, "id", LIST_ID, offsetof(struct deployment_row, id)},
    {"project", "project", LIST_TEXT, offsetof(struct deployment_row, project)},
    {"version", "version", LIST_VERSION, offsetof(struct deployment_row, version)},
    {"model", "model_id", LIST_ID, offsetof(struct deployment_row, model_id)},
    {"live", "live", LIST_FLAG, offsetof(struct deployment_row, live)},
    {"refused", "refused", LIST_FLAG, offsetof(struct deployment_row, refused)},
    {"strategy", "strategy", LIST_TEXT, offsetof(struct deployment_row, strategy)},
    {"decided (UTC)", "created_at", LIST_TIME, offsetof(struct deployment_row, created_at)},
    {"by", "created_by", LIST_TEXT, offsetof(struct deployment_row, created_by)},
    {"reason", "reason", LIST_TEXT, offsetof(struct deployment_row, reason)},
};

struct list list_of_deployments(const struct deployment_rows *rows)
{
    return (struct list)LIST(columns, *rows, "no deployments yet");
}

static enum err_code run_deployments(struct cli *cli, struct err *err)
{
    CLEANUP(pg_closep) struct pg *pg = NULL;
    CLEANUP(deployment_rows_release) struct deployment_rows rows = {0};
    struct list list;
    int64_t limit;

    TRY(cli_option_number(cli, "limit", LIST_LIMIT, &limit, err));
    TRY(cli_connect(cli, &pg, err));
    TRY(catalog_deployments(pg, cli->args[0], limit > INT32_MAX ? INT32_MAX : (int)limit, &rows,
                            err));
    list = list_of_deployments(&rows);
    return list_print(cli, &list, err);
}

const struct command command_deployments = {
    .name = "deployments",
    .arguments = "[PROJECT]",
    .summary = "list which model went live when, and which was refused, and why",
    .description =
        "Lists decisions about models, newest first: those that went live, and those that a\n"
        "run made and did not deploy, each with its reason. A refused one shows the version\n"
        "that was kept.",
    .example = "pgboost deployments flight_delay",
    .max_args = 1,
    .options = {LIMIT_OPTION},
    .run = run_deployments,
};
