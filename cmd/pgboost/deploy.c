#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "cli.h"
#include "config/options.h"
#include "model/model.h"
#include "text.h"
#include "train/contest.h"

#define BEST_SCORE "best_score"

struct choice {
    const char *strategy; /* for the history */
    int64_t model_id;     /* 0: not chosen yet */
    char reason[256];     /* "": none */
};

static enum err_code read_choice(const struct cli *cli, struct choice *choice, struct err *err)
{
    const char *strategy = cli_option(cli, "strategy");

    TRY(cli_option_number(cli, "model", 0, &choice->model_id, err));
    if (strategy != NULL && choice->model_id != 0)
        return err_set(err, ERR_USAGE, "--model and --strategy exclude each other");
    if (choice->model_id != 0)
        choice->strategy = "specific";
    else
        choice->strategy = strategy != NULL ? strategy : BEST_SCORE;
    return ERR_OK;
}

/* The best on the rows as they are now: all candidates on the same ones. */
static enum err_code choose_best(struct cli *cli, struct pg *pg, struct choice *choice,
                                 struct err *err)
{
    CLEANUP(pg_closep) struct pg *reader = NULL;
    struct contest_result result;
    struct spill_rule spill;

    TRY(options_spill(NULL, NULL, &spill, err));
    TRY(cli_connect_read(cli, &reader, err));
    TRY(contest_run(pg, reader, cli->args[0], &spill, &result, err));
    choice->model_id = result.model_id;
    snprintf(choice->reason, sizeof(choice->reason), "%s", result.reason);
    return ERR_OK;
}

/* What a daemon could not serve is not deployed. */
static enum err_code check_model(struct pg *pg, int64_t model_id, struct err *err)
{
    CLEANUP(model_freep) struct model *model = NULL;

    return model_load(pg, model_id, &model, err);
}

static void print_outcome(const struct cli *cli, const struct choice *choice, bool changed)
{
    int64_t model_id = choice->model_id;
    CLEANUP(buf_release) struct buf line = {0};

    if (cli->json) {
        buf_puts(&line, "{\"project\":");
        json_put_text(&line, cli->args[0]);
        buf_printf(&line, ",\"model_id\":%" PRId64 ",\"changed\":%s}", model_id,
                   changed ? "true" : "false");
    } else {
        text_put_safe(&line, cli->args[0]);
        buf_printf(&line, ": model %" PRId64 " is live%s", model_id, changed ? "" : " already");
        if (choice->reason[0] != '\0')
            buf_printf(&line, " (%s)", choice->reason);
    }
    printf("%s\n", buf_text(&line));
}

static enum err_code run_deploy(struct cli *cli, struct err *err)
{
    CLEANUP(pg_closep) struct pg *pg = NULL;
    struct choice choice = {0};
    bool changed = false;

    TRY(read_choice(cli, &choice, err));
    TRY(cli_connect(cli, &pg, err));
    if (strcmp(choice.strategy, BEST_SCORE) == 0)
        TRY(choose_best(cli, pg, &choice, err));
    else if (choice.model_id == 0)
        TRY(catalog_choose_model(pg, cli->args[0], choice.strategy, &choice.model_id, err));
    TRY(check_model(pg, choice.model_id, err));
    TRY(catalog_deploy(pg, cli->args[0], choice.model_id, choice.strategy,
                       choice.reason[0] != '\0' ? choice.reason : NULL, &changed, err));
    print_outcome(cli, &choice, changed);
    return ERR_OK;
}

const struct command command_deploy = {
    .name = "deploy",
    .arguments = "PROJECT [--model ID | --strategy STRATEGY]",
    .summary = "make a model live",
    .description = "Makes a model of the project live: the one of --model, or the one that a "
                   "strategy chooses:\n"
                   "  best_score   the best on the project's key metric, all models measured on\n"
                   "               the same test rows as they are now (the default)\n"
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
