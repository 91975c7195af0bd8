#include <inttypes.h>
#include <stdio.h>

#include "catalog/catalog.h"
#include "cli.h"

static enum err_code run_cancel(struct cli *cli, struct err *err)
{
    CLEANUP(pg_closep) struct pg *pg = NULL;
    CLEANUP(run_rows_release) struct run_rows rows = {0};
    int64_t run_id;

    TRY(cli_number("RUN", cli->args[0], &run_id, err));
    TRY(cli_connect(cli, &pg, err));
    TRY(catalog_cancel_run(pg, run_id, err));
    TRY(catalog_run(pg, run_id, &rows, err));
    if (cli->json)
        printf("{\"run_id\":%" PRId64 ",\"status\":\"%s\"}\n", run_id, rows.items[0].status);
    else if (rows.items[0].finished_at != NULL)
        printf("run %" PRId64 " is cancelled\n", run_id);
    else
        printf("run %" PRId64 " was asked to stop\n", run_id);
    return ERR_OK;
}

const struct command command_cancel = {
    .name = "cancel",
    .arguments = "RUN",
    .summary = "stop a run",
    .description =
        "Ends a queued run at once; asks a running one to stop, which its worker does within\n"
        "seconds. The live model stays as it is.",
    .example = "pgboost cancel 17",
    .min_args = 1,
    .max_args = 1,
    .run = run_cancel,
};
