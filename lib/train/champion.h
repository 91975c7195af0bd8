/*
 * A run that trains nothing: the models that are there meet on the same test rows (contest.h), and
 * the best goes live. What SQL asks for by pgboost.deploy(project, 'best_score'), since measuring
 * takes a worker.
 */
#ifndef PGBOOST_TRAIN_CHAMPION_H
#define PGBOOST_TRAIN_CHAMPION_H

#include "train/control.h"
#include "train/run.h"

/* Ends the run as succeeded, with the model that is live then; on failure the caller ends it. */
MUST_CHECK enum err_code champion_choose(struct control *control,
                                         const struct train_options *options, struct err *err);

#endif
