/*
 * Reading the rows of a run: what its definition asks for, and what other models need to be
 * measured on the same rows.
 *
 * In the way of the data: relation → frame (this). One REPEATABLE READ READ ONLY transaction. The
 * rows come in the order of the split's hash, so that the same rows make the same model however the
 * relation sends them.
 */
#ifndef PGBOOST_TRAIN_READ_H
#define PGBOOST_TRAIN_READ_H

#include "feature/schema.h"
#include "frame/frame.h"
#include "model/model.h"

/* For reader's statement_timeout_ms: a view that aggregates may work long before its first row. */
#define READ_SILENCE_MS 3600000

struct read_request {
    const struct project *project;
    const struct relation *relation;
    const struct schema *schema;
    const struct model *const *models; /* [n_models] */
    int n_models;
    struct spill_rule spill;
    const struct pg_copy_tape *tape; /* frame_options's; NULL: none */
    frame_progress_fn progress;      /* may be NULL */
    void *context;
};

/* The frame has schema->read's columns first, in that order, then those that models take and the
 * relation still has with the same type; its keys are the rows' hashes. reader is used up. */
MUST_CHECK enum err_code read_rows(struct pg *reader, const struct read_request *request,
                                   struct frame **ret_frame, struct err *err);

/* Rows of any relation, as they come (of a ranking by list), to measure a model on: the frame has
 * the target first, then what the project's answers need beside it (group; event, target_upper),
 * then what the model takes, and the project's weight where the relation has it. Of request:
 * project, relation, models (one), spill, progress, context. ERR_CONFLICT names every column that
 * is not there or of another type. reader is used up. */
MUST_CHECK enum err_code read_labelled(struct pg *reader, const struct read_request *request,
                                       const char *target, struct frame **ret_frame,
                                       struct err *err);

/* The relation and its columns that read_rows reads, as text: rows that were kept of the same are
 * those rows. */
MUST_CHECK enum err_code read_columns(const struct read_request *request, struct buf *text,
                                      struct err *err);

#endif
