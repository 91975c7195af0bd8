/*
 * A contest: models of a project measured on the same test rows, as they are in the relation now.
 *
 * Stored scores come from the test rows of each model's own run and cannot be compared. The rows
 * are read and split here as a run would; only models that were split by the same rule take part,
 * since others have trained on some of these test rows.
 */
#ifndef PGBOOST_TRAIN_CONTEST_H
#define PGBOOST_TRAIN_CONTEST_H

#include "base/spill.h"
#include "catalog/catalog.h"

struct contest_result {
    int64_t model_id; /* the best */
    int n_measured, n_left_out;
    char reason[256]; /* a sentence with the numbers, for people */
};

/* catalog: where models are; reader: used up by the read. ERR_CONFLICT: no model can take part. */
MUST_CHECK enum err_code contest_run(struct pg *catalog, struct pg *reader, const char *project,
                                     const struct spill_rule *spill,
                                     struct contest_result *ret_result, struct err *err);

#endif
