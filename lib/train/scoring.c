#include "train/scoring.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/log.h"
#include "score/score.h"

static enum err_code open_live(struct pg *pg, const char *project, struct model **ret_model,
                               struct err *err)
{
    CLEANUP(project_rows_release) struct project_rows rows = {0};

    TRY(catalog_projects(pg, project, &rows, err));
    if (rows.items[0].live_model_id == 0) {
        err_set(err, ERR_CONFLICT, "project \"%s\" has no live model yet", project);
        return err_hint(err, "train it first");
    }
    return model_load(pg, rows.items[0].live_model_id, ret_model, err);
}

static enum err_code progress(void *context, int64_t n_rows, int64_t n_expected, struct err *err)
{
    struct control *control = context;

    control_progress(control, "score", n_rows, n_expected, NAN, 0);
    return control_check(control, err);
}

static enum err_code connect_to(const char *dsn, const char *name, bool read_only,
                                struct pg **ret_pg, struct err *err)
{
    const struct pg_options options = {.dsn = dsn,
                                       .application_name = name,
                                       .statement_timeout_ms = SCORE_SILENCE_MS,
                                       .read_only = read_only};

    return pg_connect(&options, ret_pg, err);
}

static enum err_code score(struct control *control, const struct train_options *options,
                           const struct score_request *request, struct score_result *ret_result,
                           struct err *err)
{
    CLEANUP(pg_closep) struct pg *reader = NULL, *writer = NULL;
    struct err lost;
    enum err_code code;

    TRY(connect_to(options->read_dsn, "pgboost-worker (read)", true, &reader, err));
    TRY(connect_to(options->dsn, "pgboost-worker (score)", false, &writer, err));
    control_set_reader(control, reader);
    code = score_run(reader, writer, request, ret_result, err);
    control_set_reader(control, NULL);
    if (code == ERR_OK || control_check(control, &lost) == ERR_OK)
        return code;
    *err = lost; /* the reader was cut for this reason */
    return lost.code;
}

static enum err_code finish(struct control *control, const struct score_request *request,
                            const struct score_result *result, struct err *err)
{
    CLEANUP(buf_release) struct buf json = {0};
    struct pg *pg;
    enum err_code code;

    buf_printf(&json, "{\"stage\":\"scored\",\"done\":%" PRId64 ",\"total\":%" PRId64 "}",
               result->n_rows, result->n_rows);
    TRY(buf_check(&json, err));
    TRY(control_check(control, err));
    TRY(control_pg(control, &pg, err));
    control_set_ending(control, true);
    code =
        catalog_finish_score(pg, control_lease(control), request->model->id, buf_text(&json), err);
    control_set_ending(control, code == ERR_OK);
    return code;
}

enum err_code scoring_run(struct control *control, const struct train_options *options,
                          struct err *err)
{
    const struct lease *lease = control_lease(control);
    CLEANUP(project_freep) struct project *project = NULL;
    CLEANUP(model_freep) struct model *model = NULL;
    struct score_request request = {.progress = progress, .context = control};
    struct score_result result;
    struct pg *pg;

    control_progress(control, "score", 0, 0, NAN, 0);
    TRY(project_parse(lease->definition, strlen(lease->definition), lease->project, &project, err));
    TRY(control_pg(control, &pg, err));
    TRY(open_live(pg, lease->project, &model, err));
    request.model = model;
    request.project = project;
    request.from = project->score.from != NULL ? project->score.from : project->relation;
    request.into = project->score.into;
    request.explain = project->score.explain;
    request.atomic = project->score.atomic;
    request.run_id = lease->run_id;
    request.threads = options->threads;
    TRY(score(control, options, &request, &result, err));
    TRY(finish(control, &request, &result, err));
    log_info("relation scored", "run=%" PRId64 " model=%" PRId64 " rows=%" PRId64 " seconds=%.1f",
             lease->run_id, model->id, result.n_rows, result.seconds);
    return ERR_OK;
}
