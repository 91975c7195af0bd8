/*
 * The promotion decision: does the new model go live?
 *
 * `if_better`: champion and challenger meet on the same rows. The live model is opened as serving
 * opens it and measured on this run's test rows by the same key metric; the new one must be better.
 * A first model goes live. Where the live model cannot be measured on these rows (its columns are
 * gone, the classes differ) it stays, and the reason says so.
 */
#ifndef PGBOOST_TRAIN_DECIDE_H
#define PGBOOST_TRAIN_DECIDE_H

#include "train/control.h"
#include "train/dataset.h"

struct decision {
    bool deploy;
    int64_t seen_version; /* of the project's deployments when it was taken */
    char reason[512];     /* a sentence with its numbers, for people */
};

MUST_CHECK enum err_code decide(struct control *control, const struct project *project,
                                const struct dataset *dataset, const struct metric *metric,
                                double score, struct decision *ret_decision, struct err *err);

#endif
