#include "score/score.h"

#include <inttypes.h>
#include <unistd.h>

#include "base/clock.h"
#include "score/pipeline.h"

/* One score under way. */
struct score {
    struct pg *reader;
    const struct score_request *request;
    struct score_plan plan;
    struct score_job job;
    struct score_point point; /* behind which it goes on; n_keys 0: from the first row */
    struct writer writer;
};

static void score_release(struct score *score)
{
    writer_release(&score->writer);
    plan_release(&score->plan);
    score_point_release(&score->point);
}

/* A note of rows that are no longer in the table is none: someone has emptied it. */
static enum err_code find_point(struct score *score, struct err *err)
{
    const struct score_request *request = score->request;
    bool has = false;

    if (request->atomic || request->restart || score->plan.target.is_new)
        return ERR_OK;
    TRY(catalog_score_point(score->writer.pg, &score->job, request->goes_on_with_any, &score->point,
                            err));
    if (score->point.n_keys == score->plan.n_keys)
        TRY(target_has(score->writer.pg, &score->plan.target, score->point.key, &has, err));
    if (!has)
        score_point_release(&score->point);
    return ERR_OK;
}

/* The table is there before its first chunk, unless all come in one. */
static enum err_code begin(struct score *score, struct err *err)
{
    struct writer *writer = &score->writer;
    int n_keys = score->plan.n_keys;

    writer->key_ends = calloc((size_t)n_keys, sizeof(*writer->key_ends));
    if (writer->key_ends == NULL)
        return err_nomem(err);
    TRY(find_point(score, err));
    TRY(catalog_begin_score(writer->pg, &score->job, score->point.n_keys > 0, &writer->hold, err));
    score->plan.scored_us = writer->hold.scored_us;
    writer->n_rows = score->point.n_rows;
    return writer->atomic ? ERR_OK : target_create(writer->pg, &score->plan.target, err);
}

static int threads_of(const struct score_request *request)
{
    long n = request->threads > 0 ? request->threads : sysconf(_SC_NPROCESSORS_ONLN);

    return n < 1 ? 1 : n > 256 ? 256 : (int)n;
}

static enum err_code stream(struct score *score, struct err *err)
{
    const struct score_plan *plan = &score->plan;
    const struct keyed_copy what = {
        .keys = plan->read,
        .n_keys = plan->n_keys,
        .columns = plan->read + plan->n_keys,
        .n_columns = plan->n_columns,
        .after = score->point.n_keys > 0 ? score->point.key : NULL,
    };
    struct pipeline_options options = {
        .plan = plan,
        .reader = score->reader,
        .writer = &score->writer,
        .threads = threads_of(score->request),
        .progress = score->request->progress,
        .context = score->request->context,
        .n_expected = relation_expected_rows(score->reader, plan->relation),
    };
    CLEANUP(pg_copy_closep) struct pg_copy *copy = NULL;

    TRY(relation_copy_keyed(score->reader, plan->relation, &what, &copy, err));
    options.copy = copy;
    return pipeline_run(&options, err);
}

/* Rows at fault come again, and the order of the key may hide them from a score that goes on behind
 * them (NULLs come last): the next one begins anew. */
static void forget(struct score *score)
{
    struct writer *writer = &score->writer;
    struct err unused;

    pg_copy_in_stop(writer->pg);
    pg_rollback(writer->pg);
    if (catalog_forget_score(writer->pg, &score->job, &writer->hold, &unused) != ERR_OK)
        return; /* the connection is gone, or another score has begun: it begins where it wants to
                 */
}

/* What stays in the table. */
static enum err_code explain(struct score *score, enum err_code code, struct err *err)
{
    const struct writer *writer = &score->writer;

    if (code == ERR_CONFLICT && err->sqlstate[0] == '\0')
        return code; /* another score has taken over */
    if (code == ERR_DATA || code == ERR_CORRUPT) {
        forget(score);
        return code;
    }
    if (writer->atomic)
        return err_hint(err, "nothing was written to %s", score->plan.target.name);
    return err_hint(err, "%" PRId64 " rows are in %s and stay; the same score goes on behind them",
                    writer->n_rows, score->plan.target.name);
}

static enum err_code run(struct score *score, struct err *err)
{
    const struct score_request *request = score->request;
    enum err_code code;

    TRY(plan_init(&score->plan, score->reader, score->writer.pg, request, err));
    score->job = (struct score_job){
        .project_id = request->model->project_id,
        .model_id = request->model->id,
        .run_id = request->run_id,
        .relation = score->plan.relation->name,
        .target = score->plan.target.name,
        .explains = request->explain,
    };
    TRY(begin(score, err));
    code = stream(score, err);
    return code == ERR_OK ? ERR_OK : explain(score, code, err);
}

enum err_code score_run(struct pg *reader, struct pg *writer, const struct score_request *request,
                        struct score_result *ret_result, struct err *err)
{
    CLEANUP(score_release) struct score score = {.reader = reader, .request = request};
    int64_t begun_us = clock_us();
    struct err unused;

    score.writer = (struct writer){
        .pg = writer, .plan = &score.plan, .job = &score.job, .atomic = request->atomic};
    TRY(run(&score, err != NULL ? err : &unused));
    *ret_result = (struct score_result){
        .n_rows = score.writer.n_rows,
        .n_resumed = score.point.n_rows,
        .seconds = (double)(clock_us() - begun_us) / 1e6,
    };
    return ERR_OK;
}
