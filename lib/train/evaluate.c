#include "train/evaluate.h"

#include "base/json.h"
#include "train/dataset.h"
#include "train/measure.h"

void evaluation_release(struct evaluation *evaluation)
{
    buf_release(&evaluation->unknown);
    buf_release(&evaluation->metrics);
    *evaluation = (struct evaluation){0};
}

static enum err_code read_dataset(struct pg *reader, const struct evaluate_request *request,
                                  struct dataset **ret_dataset, struct rows *ret_rows,
                                  struct err *err)
{
    CLEANUP(relation_freep) struct relation *relation = NULL;
    CLEANUP(frame_freep) struct frame *frame = NULL;
    struct read_request read = {
        .project = request->project,
        .models = &request->model,
        .n_models = 1,
        .spill = request->spill,
        .progress = request->progress,
        .context = request->context,
    };
    enum err_code code;

    TRY(relation_open(reader, request->relation, &relation, err));
    read.relation = relation;
    TRY(read_labelled(reader, &read, request->target, &frame, err));
    code = dataset_labelled(request->model, request->project, frame, ret_dataset, ret_rows, err);
    if (code != ERR_OK)
        return err_prefix(err, "relation %s", relation->name);
    frame = NULL;
    return ERR_OK;
}

/* Rows of labels that stand behind the model's own, and which labels they are. */
static void count_unknown(const struct model *model, const struct dataset *dataset,
                          const struct rows *rows, struct evaluation *evaluation)
{
    for (size_t i = 0; i < rows->n; i++)
        evaluation->n_unknown += dataset->y[rows->items[i]] >= model->n_labels;
    for (uint32_t k = (uint32_t)model->n_labels; k < dataset->labels.n; k++) {
        if (evaluation->n_unknown_labels++ >= EVALUATION_LABELS_MAX)
            continue;
        if (evaluation->unknown.length > 0)
            buf_putc(&evaluation->unknown, ',');
        buf_puts(&evaluation->unknown, dataset->labels.items[k].json_key);
    }
}

static enum err_code measure(const struct evaluate_request *request, const struct dataset *dataset,
                             const struct rows *rows, struct evaluation *evaluation,
                             struct err *err)
{
    CLEANUP(predictions_release) struct predictions predictions = {0};
    struct buf *json = &evaluation->metrics;
    double key;

    evaluation->n_rows = rows->n;
    evaluation->is_weighted = dataset->weights != NULL;
    evaluation->n_without_target = dataset->n_without_target;
    if (request->model->n_labels > 0)
        count_unknown(request->model, dataset, rows, evaluation);
    TRY(measure_model(request->model, dataset, rows, &predictions, err));
    TRY(frame_check(dataset->frame, err));
    buf_putc(json, '{');
    TRY(measure_metrics(&predictions, dataset->task, metric_find(request->metric), json, &key,
                        err));
    buf_putc(json, '}');
    TRY(buf_check(&evaluation->unknown, err));
    return buf_check(json, err);
}

enum err_code evaluate(struct pg *reader, const struct evaluate_request *request,
                       struct evaluation *ret_evaluation, struct err *err)
{
    CLEANUP(dataset_freep) struct dataset *dataset = NULL;
    CLEANUP(rows_release) struct rows rows = {0};
    CLEANUP(evaluation_release) struct evaluation evaluation = {0};

    TRY(read_dataset(reader, request, &dataset, &rows, err));
    TRY(measure(request, dataset, &rows, &evaluation, err));
    *ret_evaluation = evaluation;
    evaluation = (struct evaluation){0};
    return ERR_OK;
}
