#include "train/evaluate.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "config/options.h"
#include "measured.h"
#include "metric/metric.h"
#include "pick.h"
#include "text.h"

/* What was measured, and of what. */
struct report {
    const char *project, *relation, *target, *metric, *weight; /* the caller's */
    int64_t model_id;
    struct evaluation evaluation;
};

/* On a terminal, how far the read is. */
static enum err_code show_rows(void *context, size_t n_rows, struct err *err)
{
    (void)context;
    (void)err;
    fprintf(stderr, "\r\033[Kread %zu rows", n_rows);
    return ERR_OK;
}

static enum err_code measure(const struct cli *cli, const struct model *model,
                             const struct project *project, struct report *report, struct err *err)
{
    CLEANUP(pg_closep) struct pg *reader = NULL;
    bool terminal = isatty(STDERR_FILENO) && !cli->json;
    struct evaluate_request request = {
        .model = model,
        .project = project,
        .target = report->target,
        .metric = report->metric,
        .relation = report->relation,
        .progress = terminal ? show_rows : NULL,
    };
    enum err_code code;

    TRY(options_spill(NULL, NULL, &request.spill, err));
    TRY(cli_connect_read(cli, &reader, err));
    code = evaluate(reader, &request, &report->evaluation, err);
    if (terminal)
        fputs("\r\033[K", stderr);
    return code;
}

static void put_json(struct buf *json, const struct report *report)
{
    const struct evaluation *evaluation = &report->evaluation;

    buf_puts(json, "{\"project\":");
    json_put_text(json, report->project);
    buf_printf(json, ",\"model_id\":%" PRId64 ",\"relation\":", report->model_id);
    json_put_text(json, report->relation);
    buf_puts(json, ",\"weight\":");
    json_put_text(json, evaluation->is_weighted ? report->weight : NULL);
    buf_printf(json, ",\"rows\":%zu,\"rows_without_target\":%zu", evaluation->n_rows,
               evaluation->n_without_target);
    buf_printf(json, ",\"unknown_labels\":{\"rows\":%zu,\"n\":%zu,\"labels\":[%s]}",
               evaluation->n_unknown, evaluation->n_unknown_labels, buf_text(&evaluation->unknown));
    buf_printf(json, ",\"metrics\":%s}\n", buf_text(&evaluation->metrics));
}

/* A line of the table. */
struct line {
    const char *name, *value, *meaning;
    char value_text[32];
};

/* Metrics that are in the target's own unit. */
static bool has_unit(const char *metric)
{
    static const char *const names[] = {"rmse", "mae", "medae", "bias", "pinball"};

    for (size_t i = 0; i < N_ELEMENTS(names); i++)
        if (strcmp(metric, names[i]) == 0)
            return true;
    return false;
}

static void put_table(struct buf *out, const struct measured *measured, const char *target,
                      bool colour)
{
    static const struct list_column columns[] = {
        {"metric", "metric", LIST_TEXT, offsetof(struct line, name)},
        {"value", "value", LIST_NUMBER, offsetof(struct line, value)},
        {"meaning", "meaning", LIST_TEXT, offsetof(struct line, meaning)},
    };
    struct {
        int n;
        struct line items[MEASURED_MAX];
    } lines = {.n = measured->n};
    CLEANUP(arena_release) struct arena texts = {0};

    for (int i = 0; i < measured->n; i++) {
        const struct measured_metric *metric = &measured->items[i];
        const char *title = metric_find(metric->name)->title;
        CLEANUP(buf_release) struct buf meaning = {0};
        struct line *line = &lines.items[i];

        buf_puts(&meaning, title);
        if (has_unit(metric->name))
            buf_printf(&meaning, ", in units of %s", target);
        snprintf(line->value_text, sizeof(line->value_text), "%.17g", metric->model);
        line->name = metric->name;
        line->value = isnan(metric->model) ? NULL : line->value_text;
        line->meaning = arena_strdup(&texts, buf_text(&meaning));
    }
    list_put_table(out, &(struct list)LIST(columns, lines, ""), colour);
}

/* What the numbers do not say. */
static void put_notes(struct buf *out, const struct report *report, const struct measured *measured)
{
    const struct evaluation *evaluation = &report->evaluation;
    int n = 0;

    for (int i = 0; i < measured->n; i++)
        if (isnan(measured->items[i].model))
            buf_printf(out, "%s%s",
                       n++ > 0 ? ", " : "Not defined on these rows: ", measured->items[i].name);
    if (n > 0)
        buf_putc(out, '\n');
    if (evaluation->is_weighted) {
        buf_puts(out, "Each row counts by its ");
        text_put_safe(out, report->weight);
        buf_putc(out, '\n');
    }
    if (evaluation->n_without_target > 0) {
        buf_printf(out, "Left out: %zu rows without ", evaluation->n_without_target);
        text_put_safe(out, report->target);
        buf_putc(out, '\n');
    }
    if (evaluation->n_unknown > 0) {
        buf_printf(out, "Never predicted: %zu rows of labels that the model never saw: ",
                   evaluation->n_unknown);
        text_put_safe(out, buf_text(&evaluation->unknown));
        buf_puts(out, evaluation->n_unknown_labels > EVALUATION_LABELS_MAX ? ", …\n" : "\n");
    }
}

static void put_page(struct buf *out, const struct report *report, bool colour)
{
    CLEANUP(buf_release) struct buf notes = {0};
    struct measured measured;

    text_put_safe(out, report->project);
    buf_printf(out, ": model %" PRId64 " on %zu rows of ", report->model_id,
               report->evaluation.n_rows);
    text_put_safe(out, report->relation);
    buf_puts(out, "\n\n");
    measured_read(buf_text(&report->evaluation.metrics), report->metric, &measured);
    put_table(out, &measured, report->target, colour);
    put_notes(&notes, report, &measured);
    if (notes.length > 0)
        buf_printf(out, "\n%s", buf_text(&notes));
}

static void report_release(struct report *report)
{
    evaluation_release(&report->evaluation);
}

static enum err_code run_evaluate(struct cli *cli, struct err *err)
{
    CLEANUP(pg_closep) struct pg *pg = NULL;
    CLEANUP(model_rows_release) struct model_rows row = {0};
    CLEANUP(model_freep) struct model *model = NULL;
    CLEANUP(project_freep) struct project *project = NULL;
    CLEANUP(report_release)
    struct report report = {.project = cli->args[0], .relation = cli_option(cli, "from")};
    CLEANUP(buf_release) struct buf out = {0};

    if (report.relation == NULL) {
        err_set(err, ERR_USAGE, "--from says which relation has the rows");
        return err_hint(err, "usage: pgboost evaluate %s", command_evaluate.arguments);
    }
    TRY(cli_option_number(cli, "model", 0, &report.model_id, err));
    TRY(cli_connect(cli, &pg, err));
    TRY(pick_model(pg, report.project, report.model_id, &row, &model, err));
    TRY(pick_project(pg, report.project, &project, err));
    report.model_id = model->id;
    report.weight = project->weight;
    report.target = row.items[0].target;
    report.metric = row.items[0].metric;
    TRY(measure(cli, model, project, &report, err));
    if (cli->json)
        put_json(&out, &report);
    else
        put_page(&out, &report, cli->colour);
    TRY(buf_check(&out, err));
    fputs(buf_text(&out), stdout);
    return ERR_OK;
}

const struct command command_evaluate = {
    .name = "evaluate",
    .arguments = "PROJECT --from RELATION [--model ID]",
    .summary = "measure a model on any labelled rows",
    .description =
        "Prints every metric of the live model, or of that of --model, on the rows of a relation\n"
        "as they are now: a table or view that has the target the model was trained for and the\n"
        "columns it takes, by the same names and types, for a ranking the group, for survival the\n"
        "event or the target's upper end. It needs neither the project's key nor its time. Rows\n"
        "without a target are left out and counted; a row counts by the project's weight where "
        "the\n"
        "relation has that column. A label that the model never saw is one more class, which it\n"
        "never predicts. Whether the model has learnt from these rows is for you to know: on such\n"
        "rows it looks better than it is.",
    .example = "pgboost evaluate flight_delay --from demo.flights_of_march\n"
               "pgboost evaluate flight_delay --from demo.flights_of_march --model 42 --json",
    .min_args = 1,
    .max_args = 1,
    .options = {{"from", "RELATION", "where the rows are: schema.name"},
                {"model", "ID", "this model in place of the live one"}},
    .run = run_evaluate,
};
