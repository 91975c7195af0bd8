#include <stdio.h>

#include "cli.h"

static enum err_code run_version(struct cli *cli, struct err *err)
{
    (void)err;
    printf(cli->json ? "{\"version\":\"%s\"}\n" : "pgboost %s\n", PGBOOST_VERSION);
    return ERR_OK;
}

const struct command command_version = {
    .name = "version",
    .arguments = "",
    .summary = "print the version of this program",
    .description = "Prints the version of this program. \"pgboost check\" prints the catalog's.",
    .example = "pgboost version",
    .run = run_version,
};
