/*
 * Rows into the table, in chunks: each a transaction that has the rows and the note of how far the
 * score came; or all in one.
 */
#ifndef PGBOOST_SCORE_WRITER_H
#define PGBOOST_SCORE_WRITER_H

#include "score/window.h"

struct writer {
    struct pg *pg;
    const struct score_plan *plan;
    const struct score_job *job;
    struct score_hold hold;
    bool atomic;
    bool in_chunk;      /* a transaction is open */
    int64_t n_in_chunk; /* rows of it */
    int64_t n_rows;     /* in the table, by commits; those of an earlier attempt count */
    struct buf key;     /* of the last row: the bytes of its columns … */
    size_t *key_ends;   /* … and where each ends */
};

void writer_release(struct writer *writer); /* the chunk under way is undone */

/* A window that is predicted. */
MUST_CHECK enum err_code writer_put(struct writer *writer, const struct window *window,
                                    struct err *err);
/* After the last: what is left, and the score's end. */
MUST_CHECK enum err_code writer_end(struct writer *writer, struct err *err);

#endif
