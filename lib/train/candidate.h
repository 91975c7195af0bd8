/*
 * A booster on its way to the catalog, whether a run trained it or it came from elsewhere: golden
 * rows, opened as serving will open it, measured on the test rows beside the baseline.
 *
 * In that order: algorithm, bytes, encoder and hyperparams are the caller's to fill, and what
 * calibrate writes, where there are rows for it; candidate_prove, candidate_open, candidate_measure
 * fill the rest. Zeroed memory is valid.
 */
#ifndef PGBOOST_TRAIN_CANDIDATE_H
#define PGBOOST_TRAIN_CANDIDATE_H

#include "base/hash.h"
#include "train/measure.h"

struct candidate {
    const char *algorithm;  /* "dart": a literal */
    struct buf bytes;       /* XGBoost's UBJSON */
    struct buf hyperparams; /* JSON, as all below */
    struct buf encoder, labels, golden, metrics;
    struct buf calibration;        /* empty: none */
    struct buf calibration_report; /* members of the metrics: train/calibrate.h */
    char sha256[SHA256_HEX_SIZE];
    struct model *model;
    double score, baseline_score; /* key metric on the test rows */
    struct predictions tested;    /* on the test rows */
};
void candidate_release(struct candidate *candidate);

/* Encoded test rows, spread over the whole part, with XGBoost's own margins. */
MUST_CHECK enum err_code candidate_prove(struct candidate *candidate, const struct encoder *encoder,
                                         const struct dataset *dataset, struct err *err);

/* The model from what will be stored, verified before anyone sees it. `about` says whose it is:
 * project, task, metric and the ids. */
MUST_CHECK enum err_code candidate_open(struct candidate *candidate, const struct dataset *dataset,
                                        const struct model_row *about, struct err *err);

/* All metrics and reports on the test rows, beside the baselines. The JSON object stays open: the
 * caller has members to add. */
MUST_CHECK enum err_code candidate_measure(struct candidate *candidate,
                                           const struct project *project,
                                           const struct dataset *dataset,
                                           const struct rows *training, const struct metric *key,
                                           struct err *err);

/* As the catalog takes it; points into the arguments. split: how the test rows were chosen. */
struct new_model candidate_row(const struct candidate *candidate, const struct project *project,
                               const struct metric *key, const char *split);

#endif
