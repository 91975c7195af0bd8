#include "rows.h"

static const struct list_column columns[] = {
    {"model", "id", LIST_ID, offsetof(struct model_row, id)},
    {"project", "project", LIST_TEXT, offsetof(struct model_row, project)},
    {NULL, "task", LIST_TEXT, offsetof(struct model_row, task)},
    {"algorithm", "algorithm", LIST_TEXT, offsetof(struct model_row, algorithm)},
    {"metric", "metric", LIST_TEXT, offsetof(struct model_row, metric)},
    {"score", "score", LIST_NUMBER, offsetof(struct model_row, score)},
    {"live", "live", LIST_FLAG, offsetof(struct model_row, live)},
    {"run", "run_id", LIST_ID, offsetof(struct model_row, run_id)},
    {NULL, "measured_by", LIST_ID, offsetof(struct model_row, measured_by)},
    {NULL, "trial_id", LIST_ID, offsetof(struct model_row, trial_id)},
    {"created (UTC)", "created_at", LIST_TIME, offsetof(struct model_row, created_at)},
    {NULL, "hyperparams", LIST_JSON, offsetof(struct model_row, hyperparams)},
    {NULL, "metrics", LIST_JSON, offsetof(struct model_row, metrics)},
    {NULL, "labels", LIST_JSON, offsetof(struct model_row, labels)},
    {NULL, "sha256", LIST_TEXT, offsetof(struct model_row, sha256)},
    {NULL, "xgboost_version", LIST_TEXT, offsetof(struct model_row, xgboost_version)},
};

struct list list_of_models(const struct model_rows *rows)
{
    return (struct list)LIST(columns, *rows, "no models yet: \"pgboost train PROJECT\" makes one");
}

static enum err_code run_models(struct cli *cli, struct err *err)
{
    CLEANUP(pg_closep) struct pg *pg = NULL;
    CLEANUP(model_rows_release) struct model_rows rows = {0};
    struct list list;
    int64_t limit;

    TRY(cli_option_number(cli, "limit", LIST_LIMIT, &limit, err));
    TRY(cli_connect(cli, &pg, err));
    TRY(catalog_models(pg, cli->args[0], limit > INT32_MAX ? INT32_MAX : (int)limit, &rows, err));
    list = list_of_models(&rows);
    return list_print(cli, &list, err);
}

const struct command command_models = {
    .name = "models",
    .arguments = "[PROJECT]",
    .summary = "list models: of a project best first, of all newest first",
    .description =
        "Lists the models of a project by its key metric on test rows, best first; without\n"
        "PROJECT those of all, newest first. The JSON has all metrics and hyperparameters.",
    .example =
        "pgboost models flight_delay\npgboost models flight_delay --json | jq '.items[0].metrics'",
    .max_args = 1,
    .options = {LIMIT_OPTION},
    .run = run_models,
};
