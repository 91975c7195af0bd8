#include "metric/metric.h"
#include "searched.h"

static enum err_code run_trials(struct cli *cli, struct err *err)
{
    CLEANUP(pg_closep) struct pg *pg = NULL;
    CLEANUP(run_rows_release) struct run_rows runs = {0};
    CLEANUP(trials_release) struct trials trials = {0};
    CLEANUP(ranked_release) struct ranked ranked = {0};
    const struct metric *metric;
    struct list list;
    int64_t run_id;

    TRY(cli_number("RUN", cli->args[0], &run_id, err));
    TRY(cli_connect(cli, &pg, err));
    TRY(catalog_run(pg, run_id, &runs, err));
    TRY(trials_read(pg, run_id, &trials, err));
    metric = metric_find(runs.items[0].metric);
    TRY(ranked_init(&ranked, &trials, metric != NULL && metric->higher_is_better, err));
    list = list_of_trials(&ranked);
    return list_print(cli, &list, err);
}

const struct command command_trials = {
    .name = "trials",
    .arguments = "RUN",
    .summary = "list the trials of a run, best first",
    .description =
        "Lists what a run has tried: completed trials by the key metric on the validation rows,\n"
        "then those that were broken off because they led nowhere, then those that failed. "
        "\"fit\"\n"
        "is how long the trial took, \"µs a row\" how long its model takes to predict one row.",
    .example = "pgboost trials 17\npgboost trials 17 --json",
    .min_args = 1,
    .max_args = 1,
    .run = run_trials,
};
