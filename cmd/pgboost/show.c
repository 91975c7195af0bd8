#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "base/json.h"
#include "importance.h"
#include "measured.h"
#include "metric/metric.h"
#include "profile.h"
#include "rows.h"
#include "schedule/cron.h"
#include "searched.h"
#include "text.h"

#define LEADERS  10
#define N_COMING 3 /* times of the schedule */

/* What is shown of a project. */
struct page {
    struct project_rows project;
    struct model_rows models;           /* best first */
    struct model_rows live;             /* the live model, where it is not among them */
    struct run_rows runs;               /* the last one, or none */
    struct trials trials;               /* of the last run */
    struct deployment_rows deployments; /* the last decision, or none */
    struct schedule_rows schedule;      /* at most one of a kind */
    char deployed_at[40];               /* of the live model; "": none */
    char *profile;                      /* of the last run that has one; NULL: none */
    int64_t profile_run_id;
};

static void page_release(struct page *page)
{
    project_rows_release(&page->project);
    model_rows_release(&page->models);
    model_rows_release(&page->live);
    run_rows_release(&page->runs);
    trials_release(&page->trials);
    deployment_rows_release(&page->deployments);
    schedule_rows_release(&page->schedule);
    free(page->profile);
}

static enum err_code find_deployed_at(struct pg *pg, struct page *page, struct err *err)
{
    CLEANUP(live_rows_release) struct live_rows live = {0};

    TRY(catalog_live(pg, &live, err));
    for (int i = 0; i < live.n; i++)
        if (live.items[i].project_id == page->project.items[0].id &&
            live.items[i].deployed_at != NULL)
            snprintf(page->deployed_at, sizeof(page->deployed_at), "%s", live.items[i].deployed_at);
    return ERR_OK;
}

/* The live model; NULL: none. */
static const struct model_row *live_model(const struct page *page)
{
    int64_t model_id = page->project.items[0].live_model_id;

    for (int i = 0; i < page->models.n; i++)
        if (page->models.items[i].id == model_id)
            return &page->models.items[i];
    return page->live.n > 0 ? &page->live.items[0] : NULL;
}

static enum err_code read_page(struct pg *pg, const char *name, struct page *page, struct err *err)
{
    TRY(catalog_projects(pg, name, &page->project, err));
    TRY(catalog_models(pg, name, LEADERS, &page->models, err));
    if (page->project.items[0].live_model_id != 0 && live_model(page) == NULL)
        TRY(catalog_model(pg, page->project.items[0].live_model_id, &page->live, err));
    TRY(catalog_runs(pg, name, 1, &page->runs, err));
    if (page->runs.n > 0)
        TRY(trials_read(pg, page->runs.items[0].id, &page->trials, err));
    TRY(catalog_deployments(pg, name, 1, &page->deployments, err));
    TRY(catalog_schedules(pg, name, &page->schedule, err));
    TRY(catalog_last_profile(pg, name, &page->profile, &page->profile_run_id, err));
    return find_deployed_at(pg, page, err);
}

/* The next times of a schedule, by the clock of its zone or as RFC 3339 in UTC. None where it
 * cannot be used here. */
static void put_coming(struct buf *out, const struct schedule_row *row, bool in_utc,
                       const char *before, const char *after)
{
    CLEANUP(zone_freep) struct zone *zone = NULL;
    int64_t at_us = row->now_us;
    struct cron cron;

    if (cron_parse(row->schedule, &cron, NULL) != ERR_OK ||
        zone_new(row->timezone, &zone, NULL) != ERR_OK)
        return;
    for (int i = 0; i < N_COMING; i++) {
        struct civil civil;

        at_us = cron_next(&cron, zone, at_us);
        if (at_us == CRON_NEVER)
            return;
        civil_from_us(in_utc ? at_us : zone_to_local(zone, at_us), &civil);
        buf_printf(out, "%s%s%04d-%02d-%02d%c%02d:%02d%s", i > 0 ? (in_utc ? "," : ", ") : "",
                   before, (int)civil.year, civil.month, civil.day, in_utc ? 'T' : ' ', civil.hour,
                   civil.minute, after);
    }
}

/* Of a kind of runs; NULL: there is none. */
static const struct schedule_row *schedule_of(const struct page *page, const char *kind)
{
    for (int i = 0; i < page->schedule.n; i++)
        if (strcmp(page->schedule.items[i].kind, kind) == 0)
            return &page->schedule.items[i];
    return NULL;
}

static void put_schedule_json(struct buf *json, const char *name, const struct schedule_row *row)
{
    buf_printf(json, ",\"%s\":", name);
    if (row == NULL) {
        buf_puts(json, "null");
        return;
    }
    buf_puts(json, "{\"cron\":");
    json_put_text(json, row->schedule);
    buf_puts(json, ",\"timezone\":");
    json_put_text(json, row->timezone);
    buf_puts(json, ",\"next\":[");
    put_coming(json, row, true, "\"", ":00Z\"");
    buf_puts(json, "]}");
}

static void put_json(struct buf *json, const struct page *page)
{
    const struct list project = list_of_projects(&page->project);
    const struct list models = list_of_models(&page->models);
    const struct list runs = list_of_runs(&page->runs);
    const struct list deployments = list_of_deployments(&page->deployments);

    buf_puts(json, "{\"project\":");
    list_put_object(json, &project, 0);
    buf_puts(json, ",\"deployed_at\":");
    json_put_text(json, page->deployed_at[0] != '\0' ? page->deployed_at : NULL);
    buf_puts(json, ",\"models\":");
    list_put_array(json, &models);
    buf_puts(json, ",\"last_run\":");
    if (page->runs.n > 0)
        list_put_object(json, &runs, 0);
    else
        buf_puts(json, "null");
    buf_puts(json, ",\"last_decision\":");
    if (page->deployments.n > 0)
        list_put_object(json, &deployments, 0);
    else
        buf_puts(json, "null");
    put_schedule_json(json, "schedule", schedule_of(page, "training"));
    put_schedule_json(json, "score_schedule", schedule_of(page, "score"));
    buf_printf(json, ",\"profile\":%s}\n", page->profile != NULL ? page->profile : "null");
}

/* "3 days", "5 minutes" since an RFC 3339 moment in UTC, by this machine's clock. */
static void put_age(struct buf *out, const char *moment)
{
    static const struct {
        int seconds;
        const char *name;
    } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
    struct tm tm = {0};
    long age;

    if (strptime(moment, "%Y-%m-%dT%H:%M:%S", &tm) == NULL)
        return;
    age = (long)(time(NULL) - timegm(&tm));
    for (size_t i = 0; i < N_ELEMENTS(units); i++)
        if (age >= units[i].seconds || units[i].seconds == 1) {
            long n = age > 0 ? age / units[i].seconds : 0;

            buf_printf(out, "%ld %s%s", n, units[i].name, n == 1 ? "" : "s");
            return;
        }
}

static void put_fact(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "%-12s", name);
    text_put_safe(out, value);
    buf_putc(out, '\n');
}

static void put_live(struct buf *out, const struct page *page)
{
    const struct project_row *project = &page->project.items[0];
    const struct model_row *live = live_model(page);

    buf_printf(out, "%-12s", "live model");
    if (project->live_model_id == 0) {
        buf_puts(out, "none yet\n");
        return;
    }
    buf_printf(out, "%" PRId64, project->live_model_id);
    if (project->live_score != NULL)
        buf_printf(out, ", %s %.6g on test rows", project->metric,
                   strtod(project->live_score, NULL));
    if (page->deployed_at[0] != '\0') {
        buf_puts(out, ", live for ");
        put_age(out, page->deployed_at);
    }
    buf_putc(out, '\n');
    if (live != NULL && live->measured_by != 0)
        buf_printf(out,
                   "%-12srefitted on all rows; measured and compared by its twin, model %" PRId64
                   ", which did not learn from the test rows\n",
                   "", live->measured_by);
}

/* The last decision, in one sentence: whether the model went live, and why. */
static void put_decision(struct buf *out, const struct page *page)
{
    const struct deployment_row *decision =
        page->deployments.n > 0 ? &page->deployments.items[0] : NULL;

    if (decision == NULL)
        return;
    buf_printf(out, "%-12smodel %" PRId64 " %s", "decision", decision->model_id,
               decision->refused ? "did not go live" : "went live");
    if (decision->reason != NULL) {
        buf_puts(out, ": ");
        text_put_safe(out, decision->reason);
    } else {
        buf_puts(out, ", chosen by hand (");
        text_put_safe(out, decision->strategy);
        buf_putc(out, ')');
    }
    buf_putc(out, '\n');
}

static void put_last_run(struct buf *out, const struct page *page)
{
    const struct run_row *run = page->runs.n > 0 ? &page->runs.items[0] : NULL;

    buf_printf(out, "%-12s", "last run");
    if (run == NULL) {
        buf_puts(out, "none yet\n");
        return;
    }
    buf_printf(out, "%" PRId64 ", %s", run->id, run->status);
    if (run->finished_at != NULL) {
        buf_puts(out, " ");
        put_age(out, run->finished_at);
        buf_puts(out, " ago");
    }
    if (run->error != NULL) {
        buf_puts(out, ": ");
        text_put_safe(out, run->error);
    }
    buf_putc(out, '\n');
    if (run->hint != NULL)
        put_fact(out, "", run->hint);
}

static void put_schedule(struct buf *out, const char *name, const struct schedule_row *row)
{
    if (row == NULL)
        return;
    buf_printf(out, "%-12s", name);
    text_put_safe(out, row->schedule);
    buf_puts(out, ": ");
    put_coming(out, row, false, "", "");
    buf_puts(out, " (");
    text_put_safe(out, row->timezone);
    buf_puts(out, ")\n");
}

/* A line of the leaderboard: a model, or the baseline where it would stand among them. */
struct leader {
    const char *rank, *algorithm, *score, *created_at;
    int64_t model_id; /* 0: the baseline */
    bool live;
    char rank_text[12], score_text[32];
};

static const struct list_column leader_columns[] = {
    {"rank", "rank", LIST_TEXT, offsetof(struct leader, rank)},
    {"model", "model_id", LIST_ID, offsetof(struct leader, model_id)},
    {"algorithm", "algorithm", LIST_TEXT, offsetof(struct leader, algorithm)},
    {"score", "score", LIST_NUMBER, offsetof(struct leader, score)},
    {"live", "live", LIST_FLAG, offsetof(struct leader, live)},
    {"trained (UTC)", "created_at", LIST_TIME, offsetof(struct leader, created_at)},
};

static void add_model(struct leader *leader, const struct model_row *model, int rank)
{
    snprintf(leader->rank_text, sizeof(leader->rank_text), "%d", rank);
    leader->rank = leader->rank_text;
    leader->model_id = model->id;
    leader->algorithm = model->algorithm;
    leader->score = model->score;
    leader->created_at = model->created_at;
    leader->live = model->live;
}

/* The baseline of the best model that has one: later runs may have had other test rows. */
static void find_baseline(const struct page *page, struct leader *baseline, char *kind,
                          size_t kind_size)
{
    struct measured measured;

    for (int i = 0; i < page->models.n; i++) {
        measured_read(page->models.items[i].metrics, page->project.items[0].metric, &measured);
        if (measured.n == 0 || isnan(measured.items[0].baseline))
            continue;
        snprintf(baseline->score_text, sizeof(baseline->score_text), "%.17g",
                 measured.items[0].baseline);
        snprintf(kind, kind_size, "baseline (%s)", measured.baseline_kind);
        baseline->rank = "-";
        baseline->algorithm = kind;
        baseline->score = baseline->score_text;
        return;
    }
}

static double score_of(const char *text)
{
    return text != NULL ? strtod(text, NULL) : NAN;
}

static void put_leaderboard(struct buf *out, const struct page *page, bool colour)
{
    const struct project_row *project = &page->project.items[0];
    const struct metric *metric = metric_find(project->metric);
    struct {
        int n;
        struct leader items[LEADERS + 1];
    } board = {0};
    struct leader baseline = {0};
    char kind[48];
    bool stands; /* the baseline has its line, or there is none */

    find_baseline(page, &baseline, kind, sizeof(kind));
    stands = baseline.score == NULL || metric == NULL;
    for (int i = 0; i <= page->models.n; i++) {
        const struct model_row *model = i < page->models.n ? &page->models.items[i] : NULL;

        if (!stands && (model == NULL ||
                        !metric_better(metric, score_of(model->score), score_of(baseline.score)))) {
            board.items[board.n++] = baseline;
            stands = true;
        }
        if (model != NULL)
            add_model(&board.items[board.n++], model, i + 1);
    }
    buf_printf(out, "\nModels by %s on the test rows of their runs, best first\n", project->metric);
    list_put_table(out, &(struct list)LIST(leader_columns, board, ""), colour);
}

static enum err_code put_profile(struct buf *out, const struct page *page, bool colour,
                                 struct err *err)
{
    if (page->profile == NULL)
        return ERR_OK;
    buf_printf(out, "\nColumns as run %" PRId64 " read them\n", page->profile_run_id);
    return profile_put_table(out, page->profile, colour, err);
}

static enum err_code put_page(struct buf *out, const struct page *page, bool colour,
                              struct err *err)
{
    const struct project_row *project = &page->project.items[0];
    const struct model_row *live = live_model(page);

    put_fact(out, "project", project->name);
    put_fact(out, "relation", project->relation);
    put_fact(out, "target", project->target);
    put_fact(out, "task", project->task);
    put_fact(out, "metric", project->metric);
    put_live(out, page);
    put_decision(out, page);
    put_last_run(out, page);
    put_schedule(out, "schedule", schedule_of(page, "training"));
    put_schedule(out, "scores", schedule_of(page, "score"));
    if (page->runs.n > 0)
        profile_put_warnings(out, page->runs.items[0].stats);
    if (page->models.n > 0)
        put_leaderboard(out, page, colour);
    if (page->runs.n > 0)
        TRY(searched_put(out, &page->trials, page->runs.items[0].id, project, colour, err));
    if (live != NULL)
        importance_put_table(out, live->metrics, live->id, colour);
    return put_profile(out, page, colour, err);
}

static enum err_code run_show(struct cli *cli, struct err *err)
{
    CLEANUP(page_release) struct page page = {0};
    CLEANUP(pg_closep) struct pg *pg = NULL;
    CLEANUP(buf_release) struct buf out = {0};

    TRY(cli_connect(cli, &pg, err));
    TRY(read_page(pg, cli->args[0], &page, err));
    if (cli->json)
        put_json(&out, &page);
    else
        TRY(put_page(&out, &page, cli->colour, err));
    TRY(buf_check(&out, err));
    fputs(buf_text(&out), stdout);
    return ERR_OK;
}

const struct command command_show = {
    .name = "show",
    .arguments = "PROJECT",
    .summary = "show a project, its live model and its best models",
    .description =
        "Shows what a project predicts, which model is live and why, how the last run ended,\n"
        "and its best models by the key metric, with the baseline (the mean, or the share of\n"
        "each class) where it would stand among them; then the columns that the live model looks\n"
        "at most: mean |SHAP| is how much a column moves the margin of a row, and the loss "
        "without\n"
        "it how much worse the key metric's loss gets when its values are dealt to other rows.",
    .example = "pgboost show flight_delay",
    .min_args = 1,
    .max_args = 1,
    .run = run_show,
};
