/*
 * The keys of one or of many asks as one statement, and the rows that come back. For lib/lookup
 * only.
 */
#ifndef PGBOOST_LOOKUP_BATCH_H
#define PGBOOST_LOOKUP_BATCH_H

#include "lookup/keys.h"

/* Zeroed memory is an empty batch. */
struct batch {
    struct key_texts texts;
    struct lookup_row *rows; /* [n] */
    size_t n, capacity;
    bool is_fresh;    /* its plan was made just now */
    bool is_anew;     /* … since the one before did not fit: what fails now is a row's */
    bool looks_stale; /* but a row failed as if it were the plan's fault */
    size_t *good;     /* those of rows that can be asked for */
    size_t n_good;
    PGresult **results;
    size_t n_results, results_capacity;
    struct buf literal[LOOKUP_KEYS_MAX];
    struct arena arena; /* of problems */
};
void batch_clear(struct batch *batch);
void batch_release(struct batch *batch);

/* Adds the key, or the keys of an array: what is wrong with one stands in its row. ERR_INVALID: no
 * array; ERR_LIMIT: too many. */
MUST_CHECK enum err_code batch_add(struct batch *batch, const struct lookup_plan *plan,
                                   const struct lookup_ask *ask, struct err *err);

/* Reads the rows of all keys. A key whose row fails is found by halves, so that the others have
 * theirs. Errors are the connection's, the plan's, or a deadline's (of all of it). */
MUST_CHECK enum err_code batch_run(struct batch *batch, const struct lookup_plan *plan,
                                   struct pg *pg, int64_t deadline_ms, struct err *err);

/* The rows that the values of a LOOKUP_WHERE find, one of the batch each. */
MUST_CHECK enum err_code batch_run_where(struct batch *batch, const struct lookup_plan *plan,
                                         struct pg *pg, const struct lookup_ask *ask,
                                         struct err *err);

/* Puts the rows of a plan that sorts_here into the order of their keys. */
void batch_sort(struct batch *batch, const struct lookup_plan *plan);

/* Does the error say that the statement no longer fits the relation? Of one that was made just now
 * fewer do. */
bool batch_is_stale(const struct err *err, bool is_fresh);

#endif
