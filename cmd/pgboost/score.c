#include "score/score.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli.h"
#include "pick.h"
#include "progress.h"
#include "text.h"

#define LINE_MS 5000 /* between lines, where there is no terminal */

/* How far it is, on standard error. */
struct view {
    bool terminal, silent;
    int64_t begun_ms, line_at_ms;
};

static void draw(const struct view *view, int64_t n_rows, int64_t n_expected)
{
    CLEANUP(buf_release) struct buf line = {0};
    int seconds = (int)((clock_ms() - view->begun_ms) / 1000);

    buf_puts(&line, "\r\033[K");
    if (n_expected > 0)
        progress_put_bar(&line, n_rows, n_expected);
    buf_printf(&line, "%" PRId64 " rows", n_rows);
    if (n_expected > n_rows)
        buf_printf(&line, " of about %" PRId64, n_expected);
    buf_printf(&line, "  %d:%02d", seconds / 60, seconds % 60);
    fputs(buf_text(&line), stderr);
    fflush(stderr);
}

static enum err_code show(void *context, int64_t n_rows, int64_t n_expected, struct err *err)
{
    struct view *view = context;

    (void)err;
    if (view->silent)
        return ERR_OK;
    if (view->terminal) {
        draw(view, n_rows, n_expected);
    } else if (clock_ms() >= view->line_at_ms) {
        view->line_at_ms = clock_ms() + LINE_MS;
        if (n_rows > 0)
            fprintf(stderr, "%" PRId64 " rows are written\n", n_rows);
    }
    return ERR_OK;
}

static void put_json(struct buf *out, const struct score_request *request,
                     const struct score_result *result)
{
    buf_puts(out, "{\"project\":");
    json_put_text(out, request->project->name);
    buf_printf(out, ",\"model_id\":%" PRId64 ",\"relation\":", request->model->id);
    json_put_text(out, request->from);
    buf_puts(out, ",\"table\":");
    json_put_text(out, request->into);
    buf_printf(out,
               ",\"rows\":%" PRId64 ",\"resumed_rows\":%" PRId64 ",\"seconds\":", result->n_rows,
               result->n_resumed);
    json_put_double(out, result->seconds);
    buf_puts(out, "}\n");
}

static void put_text(struct buf *out, const struct score_request *request,
                     const struct score_result *result)
{
    int64_t n_new = result->n_rows - result->n_resumed;

    if (result->n_resumed > 0)
        buf_printf(out, "went on behind %" PRId64 " rows that were there\n", result->n_resumed);
    text_put_safe(out, request->project->name);
    buf_printf(out, ": model %" PRId64 " scored %" PRId64 " rows of ", request->model->id,
               result->n_rows);
    text_put_safe(out, request->from);
    buf_puts(out, " into ");
    text_put_safe(out, request->into);
    buf_printf(out, " in %.1f s", result->seconds);
    if (result->seconds > 0)
        buf_printf(out, " (%.0f a second)", (double)n_new / result->seconds);
    buf_putc(out, '\n');
}

/* Where rows go, for longer than a statement of the catalog takes. */
static enum err_code connect_writer(const struct cli *cli, struct pg **ret_pg, struct err *err)
{
    const struct pg_options options = {.dsn = cli->dsn,
                                       .application_name = "pgboost score",
                                       .statement_timeout_ms = SCORE_SILENCE_MS};

    return pg_connect(&options, ret_pg, err);
}

static enum err_code score(const struct cli *cli, struct score_request *request,
                           struct score_result *ret_result, struct err *err)
{
    CLEANUP(pg_closep) struct pg *reader = NULL, *writer = NULL;
    struct view view = {
        .terminal = isatty(STDERR_FILENO), .silent = cli->json, .begun_ms = clock_ms()};
    enum err_code code;

    view.line_at_ms = view.begun_ms + LINE_MS;
    request->progress = show;
    request->context = &view;
    TRY(cli_connect_read(cli, &reader, err));
    TRY(connect_writer(cli, &writer, err));
    code = score_run(reader, writer, request, ret_result, err);
    if (view.terminal && !view.silent)
        fputs("\r\033[K", stderr);
    return code;
}

static enum err_code run_score(struct cli *cli, struct err *err)
{
    CLEANUP(pg_closep) struct pg *pg = NULL;
    CLEANUP(model_rows_release) struct model_rows row = {0};
    CLEANUP(model_freep) struct model *model = NULL;
    CLEANUP(project_freep) struct project *project = NULL;
    CLEANUP(buf_release) struct buf out = {0};
    struct score_request request = {
        .from = cli_option(cli, "from"),
        .into = cli_option(cli, "into"),
        .explain = cli_option(cli, "explain") != NULL,
        .atomic = cli_option(cli, "atomic") != NULL,
        .restart = cli_option(cli, "restart") != NULL,
        .goes_on_with_any = true,
    };
    struct score_result result;
    int64_t model_id;

    if (request.from == NULL || request.into == NULL) {
        err_set(err, ERR_USAGE, "--from says which relation has the rows, --into which table");
        return err_hint(err, "usage: pgboost score %s", command_score.arguments);
    }
    TRY(cli_option_number(cli, "model", 0, &model_id, err));
    TRY(cli_connect(cli, &pg, err));
    TRY(pick_project(pg, cli->args[0], &project, err));
    TRY(pick_model(pg, cli->args[0], model_id, &row, &model, err));
    request.model = model;
    request.project = project;
    TRY(score(cli, &request, &result, err));
    if (cli->json)
        put_json(&out, &request, &result);
    else
        put_text(&out, &request, &result);
    TRY(buf_check(&out, err));
    fputs(buf_text(&out), stdout);
    return ERR_OK;
}

const struct command command_score = {
    .name = "score",
    .arguments = "PROJECT --from RELATION --into TABLE [OPTION]…",
    .summary = "predict every row of a relation, into a table",
    .description =
        "Reads the relation in the order of the project's key and writes into the table: the key,\n"
        "prediction, probabilities (of classes), model_id, scored_at. A table that is not there\n"
        "is made; in one that is, rows of keys it has are replaced. It then needs a unique key of\n"
        "these columns, and \"prediction\"; of the others it gets those that it has.\n"
        "Every 100,000 rows are committed. What is there when something fails stays there, and\n"
        "the same command goes on behind it, unless the live model is another by then.",
    .example = "pgboost score churn --from churn_features --into churn_scores\n"
               "pgboost score churn --from new_customers --into scores --explain --atomic",
    .min_args = 1,
    .max_args = 1,
    .options = {{"from", "RELATION", "where the rows are: schema.name"},
                {"into", "TABLE", "where the predictions go: schema.name"},
                {"model", "ID", "this model in place of the live one"},
                {"explain", NULL, "column explanation as well: what each column added"},
                {"atomic", NULL, "all in one transaction: every row, or none"},
                {"restart", NULL, "from the first row, whatever an earlier one has done"}},
    .run = run_score,
};
