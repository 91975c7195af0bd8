/*
 * A run that trains nothing: the live model predicts a relation into a table (score/score.h), as
 * "score" of its definition says.
 *
 * An attempt that ended in the middle is gone on with by the next one of the same run; another run
 * begins anew, since the rows may be others by then.
 */
#ifndef PGBOOST_TRAIN_SCORING_H
#define PGBOOST_TRAIN_SCORING_H

#include "train/control.h"
#include "train/run.h"

MUST_CHECK enum err_code scoring_run(struct control *control, const struct train_options *options,
                                     struct err *err);

#endif
