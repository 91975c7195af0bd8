#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "cli.h"
#include "text.h"

static enum err_code read_choice(const struct cli *cli, int64_t *ret_model_id,
                                 const char **ret_strategy, struct err *err)
{
    const char *strategy = cli_option(cli, "strategy");

    TRY(cli_option_number(cli, "model", 0, ret_model_id, err));
    if (strategy != NULL && *ret_model_id != 0)
        return err_set(err, ERR_USAGE, "--model and --strategy exclude each other");
    *ret_strategy = strategy != NULL ? strategy : "best_score";
    return ERR_OK;
}

static void print_outcome(const struct cli *cli, int64_t model_id, bool changed)
{
    CLEANUP(buf_release) struct buf line = {0};

    if (cli->json) {
        buf_puts(&line, "{\"project\":");
        json_put_text(&line, cli->args[0]);
        buf_printf(&line, ",\"model_id\":%" PRId64 ",\"changed\":%s}", model_id,
                   changed ? "true" : "false");
    } else {
        text_put_safe(&line, cli->args[0]);
        buf_printf(&line, ": model %" PRId64 " is live%s", model_id, changed ? "" : " already");
    }
    printf("%s\n", buf_text(&line));
}

static enum err_code run_deploy(struct cli *cli, struct err *err)
{
    CLEANUP(pg_closep) struct pg *pg = NULL;
    CLEANUP(project_rows_release) struct project_rows before = {0};
    const char *strategy = NULL;
    int64_t wanted = 0, model_id = 0;

    TRY(read_choice(cli, &wanted, &strategy, err));
    TRY(cli_connect(cli, &pg, err));
    TRY(catalog_projects(pg, cli->args[0], &before, err));
    TRY(catalog_deploy(pg, cli->args[0], wanted, strategy, &model_id, err));
    print_outcome(cli, model_id, model_id != before.items[0].live_model_id);
    return ERR_OK;
}

const struct command command_deploy = {
    .name = "deploy",
    .arguments = "PROJECT [--model ID | --strategy STRATEGY]",
    .summary = "make a model live",
    .description = "Makes a model of the project live: the one of --model, or the one that a "
                   "strategy chooses:\n"
                   "  best_score   the best on the project's key metric (the default)\n"
                   "  most_recent  the newest\n"
                   "  rollback     the one that was live before the present one\n"
                   "Daemons serve it within moments. \"pgboost deployments\" keeps the history.",
    .example =
        "pgboost deploy flight_delay --model 42\npgboost deploy flight_delay --strategy rollback",
    .min_args = 1,
    .max_args = 1,
    .options = {{"model", "ID", "this model"},
                {"strategy", "STRATEGY", "best_score, most_recent or rollback"}},
    .run = run_deploy,
};
