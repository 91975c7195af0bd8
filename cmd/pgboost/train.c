#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "measured.h"
#include "own_worker.h"
#include "profile.h"
#include "progress.h"
#include "rows.h"
#include "text.h"

#define POLL_MS     200
#define PATIENCE_MS 5000 /* for a trainer to pick the run up */

/* A run that is followed. */
struct follow {
    const struct cli *cli;
    struct pg *pg;
    int64_t run_id;
    int64_t queued_until_ms; /* when we start a worker of our own; DEADLINE_NEVER: no more */
    struct own_worker worker;
    struct progress progress;
    struct run_rows run; /* as last seen */
};

static void follow_release(struct follow *follow)
{
    run_rows_release(&follow->run);
    own_worker_release(&follow->worker);
    pg_close(follow->pg);
}

/* Ctrl-C ends the following, not the run. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

static void catch_interrupt(void)
{
    struct sigaction action = {.sa_handler = on_interrupt};

    sigaction(SIGINT, &action, NULL);
}

static void wait_a_moment(void)
{
    const struct timespec moment = {.tv_nsec = POLL_MS * 1000000L};

    nanosleep(&moment, NULL);
}

static bool is_status(const struct follow *follow, const char *status)
{
    return strcmp(follow->run.items[0].status, status) == 0;
}

static enum err_code look(struct follow *follow, struct err *err)
{
    struct run_rows run = {0};

    TRY(catalog_run(follow->pg, follow->run_id, &run, err));
    run_rows_release(&follow->run);
    follow->run = run;
    return ERR_OK;
}

static enum err_code start_worker(struct follow *follow, struct err *err)
{
    enum err_code code;

    if (follow->queued_until_ms != 0 && !follow->cli->json) {
        progress_clear(&follow->progress);
        fprintf(stderr, "no trainer has picked the run up for %d s: starting a worker here\n",
                PATIENCE_MS / 1000);
    }
    follow->queued_until_ms = DEADLINE_NEVER;
    code = own_worker_start(follow->cli, follow->run_id, &follow->worker, err);
    if (code != ERR_OK)
        err_prefix(err, "run %" PRId64 " stays queued", follow->run_id);
    return code;
}

/* Our worker is gone and the run has not ended. Where another worker has it, all is well; otherwise
 * it is free again, and who asked for it is told why. */
static enum err_code mourn_worker(struct follow *follow, const char *reason, const char *last_words,
                                  struct err *err)
{
    TRY(catalog_worker_died(follow->pg, follow->run_id, follow->worker.name, reason, true, NULL,
                            err));
    TRY(look(follow, err));
    if (!is_status(follow, "queued"))
        return ERR_OK;
    progress_clear(&follow->progress);
    err_set(err, ERR_FAILED, "%s%s%s", reason, last_words[0] != '\0' ? ": " : "", last_words);
    return err_hint(err,
                    "run %" PRId64 " is queued again: \"pgboost train\" takes it up, "
                    "\"pgboost cancel %" PRId64 "\" ends it",
                    follow->run_id, follow->run_id);
}

/* Until the run has ended, or Ctrl-C (*ret_ended false). */
static enum err_code follow_run(struct follow *follow, bool *ret_ended, struct err *err)
{
    CLEANUP(buf_release) struct buf reason = {0}, last_words = {0};

    for (;;) {
        /* asked before looking: a worker that ends well has ended its run by then */
        bool worker_ended = own_worker_ended(&follow->worker, &reason, &last_words);

        TRY(look(follow, err));
        *ret_ended = follow->run.items[0].finished_at != NULL;
        if (*ret_ended)
            break;
        if (worker_ended)
            TRY(mourn_worker(follow, buf_text(&reason), buf_text(&last_words), err));
        else if (is_status(follow, "queued") && clock_ms() >= follow->queued_until_ms)
            TRY(start_worker(follow, err));
        if (interrupted)
            break;
        progress_show(&follow->progress, &follow->run.items[0]);
        wait_a_moment();
    }
    progress_clear(&follow->progress);
    return ERR_OK;
}

/* The end ----------------------------------------------------------------------------------------
 */

static void put_decision(struct buf *out, const struct deployment_rows *deployments,
                         int64_t model_id)
{
    for (int i = 0; i < deployments->n; i++) {
        const struct deployment_row *row = &deployments->items[i];

        if (row->model_id != model_id)
            continue;
        buf_puts(out, row->refused ? "not deployed" : "deployed");
        if (row->reason != NULL) {
            buf_puts(out, ": ");
            text_put_safe(out, row->reason);
        }
        buf_putc(out, '\n');
        return;
    }
    buf_puts(out, "not deployed\n");
}

static void put_result(struct buf *out, const struct follow *follow, const struct model_row *model,
                       const struct deployment_rows *deployments)
{
    const struct run_row *run = &follow->run.items[0];
    struct measured measured;

    measured_read(model->metrics, model->metric, &measured);
    profile_put_warnings(out, run->stats);
    buf_printf(out, "run %" PRId64 " trained model %" PRId64 " in %.1f s\n", run->id, model->id,
               run->seconds);
    if (measured.test_rows > 0)
        buf_printf(out, "measured on %" PRId64 " test rows that took no part in training\n\n",
                   measured.test_rows);
    measured_put_table(out, &measured, follow->cli->colour);
    buf_putc(out, '\n');
    put_decision(out, deployments, model->id);
}

static void put_result_json(struct buf *out, const struct follow *follow,
                            const struct model_row *model,
                            const struct deployment_rows *deployments)
{
    const struct run_row *run = &follow->run.items[0];
    bool deployed = false;

    for (int i = 0; i < deployments->n; i++)
        if (deployments->items[i].model_id == model->id && !deployments->items[i].refused)
            deployed = true;
    buf_printf(out, "{\"run_id\":%" PRId64 ",\"status\":\"%s\",\"model_id\":%" PRId64, run->id,
               run->status, model->id);
    buf_printf(out, ",\"deployed\":%s,\"metric\":", deployed ? "true" : "false");
    json_put_text(out, model->metric);
    buf_printf(out, ",\"metrics\":%s,\"stats\":%s}\n", model->metrics,
               run->stats != NULL ? run->stats : "null");
}

static enum err_code print_result(struct follow *follow, struct err *err)
{
    CLEANUP(model_rows_release) struct model_rows model = {0};
    CLEANUP(deployment_rows_release) struct deployment_rows deployments = {0};
    CLEANUP(buf_release) struct buf out = {0};
    const struct run_row *run = &follow->run.items[0];

    TRY(catalog_model(follow->pg, run->model_id, &model, err));
    TRY(catalog_deployments(follow->pg, run->project, LIST_LIMIT, &deployments, err));
    if (follow->cli->json)
        put_result_json(&out, follow, &model.items[0], &deployments);
    else
        put_result(&out, follow, &model.items[0], &deployments);
    TRY(buf_check(&out, err));
    fputs(buf_text(&out), stdout);
    return ERR_OK;
}

static enum err_code refuse_run(const struct follow *follow, struct err *err)
{
    const struct run_row *run = &follow->run.items[0];

    if (is_status(follow, "cancelled"))
        return err_set(err, ERR_CANCELLED, "run %" PRId64 " was cancelled", run->id);
    err_set(err, ERR_FAILED, "run %" PRId64 " failed: %s", run->id,
            run->error != NULL ? run->error : "no reason is known");
    if (run->hint != NULL)
        err_hint(err, "%s", run->hint);
    return ERR_FAILED;
}

static void print_detached(const struct follow *follow)
{
    fprintf(stderr,
            "run %" PRId64 " goes on without this terminal\n"
            "  pgboost runs           shows how it ends\n"
            "  pgboost cancel %" PRId64 "%*sstops it\n",
            follow->run_id, follow->run_id, follow->run_id < 10 ? 7 : 6, "");
}

/* The start --------------------------------------------------------------------------------------
 */

static enum err_code queue(struct follow *follow, struct err *err)
{
    const struct cli *cli = follow->cli;
    bool existing = false;

    TRY(cli_connect(cli, &follow->pg, err));
    TRY(catalog_queue_run(follow->pg, cli->args[0], "command", cli_option(cli, "here") != NULL,
                          &follow->run_id, &existing, err));
    if (cli_option(cli, "no-wait") != NULL)
        printf(cli->json ? "{\"run_id\":%" PRId64 "}\n" : "%" PRId64 "\n", follow->run_id);
    else if (existing && !cli->json)
        fprintf(stderr, "the project has a queued run already: following run %" PRId64 "\n",
                follow->run_id);
    return ERR_OK;
}

static enum err_code run_train(struct cli *cli, struct err *err)
{
    CLEANUP(follow_release) struct follow follow = {.cli = cli};
    bool here = cli_option(cli, "here") != NULL, ended = false;
    enum err_code code;

    if (here && cli_option(cli, "no-wait") != NULL)
        return err_set(err, ERR_USAGE, "--here and --no-wait exclude each other");
    TRY(queue(&follow, err));
    if (cli_option(cli, "no-wait") != NULL)
        return ERR_OK;
    catch_interrupt();
    progress_init(&follow.progress, cli->json);
    follow.queued_until_ms = here ? 0 : clock_ms() + PATIENCE_MS;
    code = follow_run(&follow, &ended, err);
    if (code == ERR_UNREACHABLE)
        err_prefix(err, "run %" PRId64 " goes on but can no longer be followed", follow.run_id);
    if (code != ERR_OK)
        return code;
    if (!ended) {
        print_detached(&follow);
        return ERR_OK;
    }
    return is_status(&follow, "succeeded") ? print_result(&follow, err) : refuse_run(&follow, err);
}

const struct command command_train = {
    .name = "train",
    .arguments = "PROJECT [--here | --no-wait]",
    .summary = "train a project, follow the run, print the result",
    .description =
        "Queues a run and follows it: with a bar on a terminal, with a line a stage elsewhere. A\n"
        "pgboostd that trains picks it up; when none does within 5 s, a worker is started here.\n"
        "Ctrl-C detaches: the run goes on. A project that has a run in the queue gets no second\n"
        "one. Ends with the metrics on test rows beside the baseline's, and whether the model was\n"
        "deployed and why. Exit status 1 when the run fails or is cancelled.",
    .example = "pgboost train flight_delay\n"
               "pgboost train flight_delay --no-wait\n"
               "0 3 * * *  pgboost train flight_delay --json >> train.log   # in a crontab",
    .min_args = 1,
    .max_args = 1,
    .options = {{"here", NULL, "start a worker here at once"},
                {"no-wait", NULL, "queue the run, print its id, and end"}},
    .run = run_train,
};
