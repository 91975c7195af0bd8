/*
 * Evaluating: every metric of a model on the rows of any labelled relation, as they are now.
 *
 * In the way of the data: relation → frame → dataset without a split → predictions → metrics. The
 * relation needs the model's columns, the target it was trained for and what an answer is made of
 * beside it (of a ranking the group, of a survival the event or the target's upper end), and
 * nothing else: neither the project's key nor its time; the weight where it has it. Memory is
 * bounded as a run's is: rows beyond the bound go to a file, and are encoded block by block.
 *
 * Refuses: knowing whether the model has learnt from these rows.
 */
#ifndef PGBOOST_TRAIN_EVALUATE_H
#define PGBOOST_TRAIN_EVALUATE_H

#include "base/buf.h"
#include "train/read.h"

struct evaluate_request {
    const struct model *model;
    const struct project
        *project;         /* its definition now: which columns are group, event, weight … */
    const char *target;   /* what it was trained for */
    const char *metric;   /* its key metric */
    const char *relation; /* as people write it */
    struct spill_rule spill;
    frame_progress_fn progress; /* may be NULL */
    void *context;
};

#define EVALUATION_LABELS_MAX 20 /* that are named */

struct evaluation {
    size_t n_rows;           /* measured */
    size_t n_without_target; /* left out */
    bool is_weighted;        /* by the project's weight, which the relation has */
    size_t n_unknown;        /* of the measured: of a label that the model never saw */
    size_t n_unknown_labels; /* which are so many */
    struct buf unknown;      /* the first of them, as JSON strings with commas between them */
    struct buf metrics;      /* a JSON object */
};
void evaluation_release(struct evaluation *evaluation);

/* A label that the model never saw is one more class, of probability 0: a model of two labels is
 * then measured as one of three. Weights are as in training. Errors: those of relation_open,
 * read_labelled, dataset_labelled. reader is used up. */
MUST_CHECK enum err_code evaluate(struct pg *reader, const struct evaluate_request *request,
                                  struct evaluation *ret_evaluation, struct err *err);

#endif
