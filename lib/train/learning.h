/*
 * The learning curve of a trial: the loss on the validation rows after each round, thinned as it
 * grows so that it never holds more than LEARNING_POINTS_MAX points.
 *
 * Rounds 1, 1 + s, 1 + 2s … stay, s a power of two that doubles whenever there is no more room, and
 * with them the best round and the last.
 */
#ifndef PGBOOST_TRAIN_LEARNING_H
#define PGBOOST_TRAIN_LEARNING_H

#include <stdbool.h>

#include "base/buf.h"

#define LEARNING_POINTS_MAX 200

struct learning_point {
    int round; /* 1 is the first; 0: none */
    double loss;
};

/* Zeroed memory is an empty one. */
struct learning {
    int n, stride; /* stride 0: no round yet */
    struct learning_point points[LEARNING_POINTS_MAX - 2];
    struct learning_point best, last;
};

/* After each round, in order; best: none before was as good. */
void learning_add(struct learning *learning, int round, double loss, bool best);

/* {"metric": …, "rounds": […], "valid": […]} */
void learning_put(const struct learning *learning, const char *metric, struct buf *json);

#endif
