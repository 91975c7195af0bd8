#include <stdio.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "cli.h"
#include "text.h"

struct report {
    bool json;
    int n;
    struct buf items; /* JSON */
};

/* One file was applied: said at once, so that a failure further on does not hide it. */
static void report_file(void *context, const char *name, const char *what)
{
    struct report *report = context;
    CLEANUP(buf_release) struct buf line = {0};

    if (report->json) {
        buf_printf(&report->items, "%s{\"name\":", report->n > 0 ? "," : "");
        json_put_text(&report->items, name);
        buf_puts(&report->items, ",\"what\":");
        json_put_text(&report->items, what);
        buf_putc(&report->items, '}');
    } else {
        text_put_safe(&line, name);
        printf("%s: %s\n", buf_text(&line), what);
        fflush(stdout);
    }
    report->n++;
}

static enum err_code migrate(const struct cli *cli, struct report *report, struct err *err)
{
    /* A file may take long, building a materialised view for example. */
    const struct pg_options options = {
        .dsn = cli->dsn, .application_name = "pgboost migrate", .statement_timeout_ms = -1};
    CLEANUP(pg_closep) struct pg *pg = NULL;

    TRY(pg_connect(&options, &pg, err));
    TRY(catalog_migrate(pg, report_file, report, err));
    for (int i = 0; i < cli->n_args; i++)
        TRY(catalog_migrate_folder(pg, cli->args[i], report_file, report, err));
    return ERR_OK;
}

static enum err_code run_migrate(struct cli *cli, struct err *err)
{
    struct report report = {.json = cli->json};
    enum err_code code = migrate(cli, &report, err);

    if (cli->json && code == ERR_OK)
        printf("{\"items\":[%s],\"next\":null}\n", buf_text(&report.items));
    else if (code == ERR_OK && report.n == 0)
        printf("everything is up to date\n");
    buf_release(&report.items);
    return code;
}

const struct command command_migrate = {
    .name = "migrate",
    .arguments = "[DIR…]",
    .summary = "bring the catalog up to date, then apply folders of your own .sql files",
    .description =
        "Creates or updates the catalog, the schema pgboost. Then applies the .sql files of each\n"
        "DIR, each file in a transaction of its own:\n"
        "  NNNN_name.sql  once, in order of number; an error when one changed after it was "
        "applied\n"
        "  R_name.sql     after them, again whenever it changed (CREATE OR REPLACE VIEW …)\n"
        "Two that migrate at the same time wait for each other. What a folder's files are known "
        "by\n"
        "is the last part of its path and their names.",
    .example = "pgboost migrate\npgboost migrate sql/views",
    .max_args = -1,
    .run = run_migrate,
};
