#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "cli.h"
#include "text.h"

static enum err_code delete_model(struct cli *cli, struct pg *pg, int64_t model_id, struct err *err)
{
    TRY(catalog_delete_model(pg, model_id, err));
    printf(cli->json ? "{\"model_id\":%" PRId64 ",\"deleted\":true}\n"
                     : "model %" PRId64 " is deleted\n",
           model_id);
    return ERR_OK;
}

static enum err_code delete_project(struct cli *cli, struct pg *pg, const char *project,
                                    struct err *err)
{
    CLEANUP(buf_release) struct buf line = {0};

    TRY(catalog_delete_project(pg, project, cli_option(cli, "live") != NULL, err));
    if (cli->json) {
        buf_puts(&line, "{\"project\":");
        json_put_text(&line, project);
        buf_puts(&line, ",\"deleted\":true}");
    } else {
        text_put_safe(&line, project);
        buf_puts(&line, ": deleted");
    }
    puts(buf_text(&line));
    return ERR_OK;
}

static enum err_code run_delete(struct cli *cli, struct err *err)
{
    CLEANUP(pg_closep) struct pg *pg = NULL;
    int64_t model_id = 0;

    TRY(cli_option_number(cli, "model", 0, &model_id, err));
    if ((model_id != 0) == (cli->n_args == 1)) {
        err_set(err, ERR_USAGE, "expected either a project or --model ID");
        return err_hint(err, "see \"pgboost help delete\"");
    }
    TRY(cli_connect(cli, &pg, err));
    return model_id != 0 ? delete_model(cli, pg, model_id, err)
                         : delete_project(cli, pg, cli->args[0], err);
}

const struct command command_delete = {
    .name = "delete",
    .arguments = "PROJECT | --model ID",
    .summary = "delete a project, or one model",
    .description =
        "Deletes a model that is not live, or a project with its models, runs and history. A\n"
        "project with a live model is only deleted with --live, and none while a run of it is\n"
        "under way. What is deleted is gone; a deletion that is broken off can be begun again.",
    .example = "pgboost delete --model 17\npgboost delete old_churn --live",
    .min_args = 0,
    .max_args = 1,
    .options = {{"model", "ID", "this model"}, {"live", NULL, "even though a model of it is live"}},
    .run = run_delete,
};
