/*
 * A model's predictions for every row of a relation, into a table.
 *
 * In the way of the data: relation → COPY → windows of rows → cells → encoder → forest → COPY →
 * table. What stands in a row of the table is what POST /predict answers for it, to the bit: cells,
 * encoder, forest and answers are the same functions. Memory is constant: a few windows for each
 * thread. Two connections: one reads a snapshot in the order of the key, one writes.
 *
 *   score.c      the whole way on one page
 *   plan.c       which columns are read, what the table's are, and what becomes of them
 *   window.c     some rows: as they came, and as they go
 *   pipeline.c   windows on their way through threads, in order
 *   writer.c     chunks of rows into the table, each with the note of how far it came
 *
 * The table: the project's key, prediction, probabilities (of classes), model_id, scored_at and, on
 * request, explanation. One that is there needs the key and the prediction; rows of keys it has are
 * replaced.
 *
 * Chunks are committed one by one: what is written when something fails stays, and the same score
 * goes on behind it. How far it is stands in pgboost.scores, written in the transaction of the rows
 * themselves, so both connections to write and the catalog are one. Refuses: choosing a model.
 */
#ifndef PGBOOST_SCORE_SCORE_H
#define PGBOOST_SCORE_SCORE_H

#include "config/project.h"
#include "model/model.h"

/* For the statement_timeout_ms of both connections: a view that aggregates may work long before its
 * first row. */
#define SCORE_SILENCE_MS 3600000

/* n_rows are in the table (atomic: on their way to it), about n_expected (0: not known) come. A
 * failure stops the score. */
typedef enum err_code (*score_progress_fn)(void *context, int64_t n_rows, int64_t n_expected,
                                           struct err *err);

struct score_request {
    const struct model *model;
    const struct project *project; /* its key names the rows */
    const char *from, *into;       /* relation and table: schema.name */
    bool explain;                  /* column explanation: what each column added */
    bool atomic;                   /* one transaction: all rows or none */
    bool restart;                  /* from the first row, whatever was done before */
    int64_t run_id;                /* 0: a command */
    bool goes_on_with_any;         /* with a score of another run too that did not end */
    int threads;                   /* that predict; 0: as many as there are cores */
    score_progress_fn progress;    /* may be NULL; several times a second */
    void *context;
};

struct score_result {
    int64_t n_rows;    /* in the table */
    int64_t n_resumed; /* of them by the score that this one went on with */
    double seconds;
};

/* reader is used up by the read. Errors: ERR_CONFIG (the project has no key), ERR_CONFLICT (columns
 * that the model takes, or the table lacks; a table without a unique key; another score into it),
 * ERR_DATA (a row without a key, several of one key), those of Postgres. The hint says what stays
 * in the table. */
MUST_CHECK enum err_code score_run(struct pg *reader, struct pg *writer,
                                   const struct score_request *request,
                                   struct score_result *ret_result, struct err *err);

#endif
