/*
 * A profile of a column: what its values were, for people, later comparisons and warnings.
 *
 * In the way of the data: beside the frame; nothing is trained on it. Refuses: knowing what a
 * column is for.
 *
 * JSON, one object a column; what does not apply to a kind is left out:
 *   {"column","type","rows","missing","distinct",
 *    "min","max","mean","median",            numbers; times as text, without mean
 *    "histogram":{"low","high","counts":[…]}, numbers and times: 20 equal bins
 *    "top":[{"value","count"},…]}            text and booleans: the 10 most frequent
 * "distinct" is exact (of lists and documents: by a hash of 64 bits). Infinities count as values
 * and stay out of mean and histogram.
 */
#ifndef PGBOOST_FRAME_PROFILE_H
#define PGBOOST_FRAME_PROFILE_H

#include "frame/frame.h"

#define PROFILE_BINS     20
#define PROFILE_TOP      10
#define PROFILE_TEXT_MAX 200 /* bytes of a value that are shown */

struct column_profile {
    size_t n_missing, n_distinct;
    double min, max, mean, median; /* of numbers and times (µs); NaN: none */
    size_t bins[PROFILE_BINS];
    double low, high; /* of the bins: the smallest and the largest finite value */
    int n_top;
    struct {
        uint32_t code; /* of the dictionary; booleans 0, 1 */
        size_t count;
    } top[PROFILE_TOP];
};

MUST_CHECK enum err_code profile_column(const struct frame *frame, const struct column *column,
                                        struct column_profile *ret_profile, struct err *err);

/* The members above without braces, so that a caller can add its own. */
void profile_to_json(const struct frame *frame, const struct column *column,
                     const struct column_profile *profile, struct buf *json);

/* 32 hexadecimal digits that change when any value of any row does, and not when rows come in
 * another order (but by chance: 64 bits a row). For telling "the same data", by one release on
 * machines of one kind; not against adversaries. */
#define FINGERPRINT_SIZE 33
MUST_CHECK enum err_code frame_fingerprint(const struct frame *frame,
                                           char ret_hex[FINGERPRINT_SIZE], struct err *err);

#endif
