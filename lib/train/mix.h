/*
 * Threads for one booster, or boosters side by side? By what is faster on these rows.
 */
#ifndef PGBOOST_TRAIN_MIX_H
#define PGBOOST_TRAIN_MIX_H

#include "train/search.h"

/* Times a few rounds with one thread and with all of them. *ret_side_by_side: as many boosters of
 * one thread each get more rounds done. Never where there are many rows (threads share the work
 * well there, and each worker holds its own copy of them), or not the memory for the copies. */
MUST_CHECK enum err_code mix_measure(const struct search_request *request, bool *ret_side_by_side,
                                     struct err *err);

#endif
