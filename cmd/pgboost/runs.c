#include "rows.h"

static const struct list_column columns[] = {
    {"run", "id", LIST_ID, offsetof(struct run_row, id)},
    {"project", "project", LIST_TEXT, offsetof(struct run_row, project)},
    {"status", "status", LIST_TEXT, offsetof(struct run_row, status)},
    {NULL, "kind", LIST_TEXT, offsetof(struct run_row, kind)},
    {"trigger", "trigger", LIST_TEXT, offsetof(struct run_row, trigger)},
    {"created (UTC)", "created_at", LIST_TIME, offsetof(struct run_row, created_at)},
    {NULL, "started_at", LIST_TIME, offsetof(struct run_row, started_at)},
    {NULL, "finished_at", LIST_TIME, offsetof(struct run_row, finished_at)},
    {"took", "seconds", LIST_SECONDS, offsetof(struct run_row, seconds)},
    {NULL, "attempts", LIST_COUNT, offsetof(struct run_row, attempts)},
    {NULL, "cancel_requested", LIST_FLAG, offsetof(struct run_row, cancel_requested)},
    {NULL, "worker", LIST_TEXT, offsetof(struct run_row, worker)},
    {"model", "model_id", LIST_ID, offsetof(struct run_row, model_id)},
    {"metric", "metric", LIST_TEXT, offsetof(struct run_row, metric)},
    {"score", "score", LIST_NUMBER, offsetof(struct run_row, score)},
    {NULL, "progress", LIST_JSON, offsetof(struct run_row, progress)},
    {NULL, "stats", LIST_JSON, offsetof(struct run_row, stats)},
    {"error", "error", LIST_TEXT, offsetof(struct run_row, error)},
    {NULL, "hint", LIST_TEXT, offsetof(struct run_row, hint)},
};

struct list list_of_runs(const struct run_rows *rows)
{
    return (struct list)LIST(columns, *rows, "no runs yet: \"pgboost train PROJECT\" makes one");
}

static enum err_code run_runs(struct cli *cli, struct err *err)
{
    CLEANUP(pg_closep) struct pg *pg = NULL;
    CLEANUP(run_rows_release) struct run_rows rows = {0};
    struct list list;
    int64_t limit;

    TRY(cli_option_number(cli, "limit", LIST_LIMIT, &limit, err));
    TRY(cli_connect(cli, &pg, err));
    TRY(catalog_runs(pg, cli->args[0], limit > INT32_MAX ? INT32_MAX : (int)limit, &rows, err));
    list = list_of_runs(&rows);
    return list_print(cli, &list, err);
}

const struct command command_runs = {
    .name = "runs",
    .arguments = "[PROJECT]",
    .summary = "list training runs, newest first",
    .description =
        "Lists the runs of a project, or of all, newest first. The JSON has what each run\n"
        "read and, where it failed, the hint.",
    .example = "pgboost runs flight_delay\npgboost runs --limit 5 --json",
    .max_args = 1,
    .options = {LIMIT_OPTION},
    .run = run_runs,
};
