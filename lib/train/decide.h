/*
 * The promotion decision: does the new model go live?
 *
 * `if_better`: champion and challenger meet on the same rows. The live model is opened as serving
 * opens it and measured on this run's test rows by the same key metric. The new one must be better,
 * and better in 95 % of paired bootstrap replicates of those rows: a difference that other rows
 * might have turned around is none.
 *   - No live model, or one of another target or task: the new one goes live.
 *   - The relation can no longer feed the live model (a column of its is gone or has another type):
 *     the new one goes live.
 *   - The rule of the split has changed (size, seed, key, …): the live model has trained on some of
 *     these rows and would shine, so the two cannot be compared; the new one goes live when it
 * beats the baseline. The reason says which of these it was, with the numbers.
 */
#ifndef PGBOOST_TRAIN_DECIDE_H
#define PGBOOST_TRAIN_DECIDE_H

#include "train/control.h"
#include "train/measure.h"

struct decision {
    bool deploy;
    int64_t seen_version; /* of the project's deployments when it was taken */
    char reason[512];     /* a sentence with its numbers, for people */
};

/* What a new model brings. */
struct challenger {
    const struct project *project;
    const struct dataset *dataset;
    const char *split; /* dataset_split_rule */
    const struct metric *metric;
    const struct predictions *tested; /* its own on the test rows */
    double score, baseline_score;
};

MUST_CHECK enum err_code decide(struct control *control, const struct challenger *challenger,
                                struct decision *ret_decision, struct err *err);

#endif
