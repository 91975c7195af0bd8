/*
 * Twins: rows that no feature tells apart, whatever their key and target. What is learnt of one is
 * known of the other, so that a test on one of them would test memory.
 *
 * In the way of the data: frame → twins → split, by random and stratified alone: by time and by
 * group it is the time or the group that keeps what is known from what is asked.
 *
 * The rule: rows with a twin take the hash of their features (split/split.h: its SQL, over the
 * features' texts in place of the key's; -0 counts as 0) as their place, all others keep their own.
 * Not the smallest of their hashes: that of ten rows is below 0.2 in nine cases of ten, and all of
 * them would test. Where values repeat by nature (TWINS_COARSE), a row's twins say nothing of it
 * that others would not, and there are none.
 *
 * Equal means: the same value as cells hold it, so that NaN and NULL are equal. One pass over each
 * column, in the order of the rows, makes a hash of 64 bits a row: two different rows of ten
 * million are taken for twins in one of 300,000 relations, and then only share a place.
 */
#ifndef PGBOOST_SPLIT_TWINS_H
#define PGBOOST_SPLIT_TWINS_H

#include "frame/frame.h"

#define TWINS_COARSE 10 /* rows for each that differs from others */

struct twins {
    uint64_t *places;  /* [frame rows], of `rows`; NULL: their hashes */
    size_t n_twins;    /* rows that have one */
    size_t n_distinct; /* rows that differ */
    bool is_coarse;
};
void twins_release(struct twins *twins);

/* Among rows[n_rows], ascending, by the columns of the frame that are features. hashes[frame rows]
 * are the rows' own. 17 bytes a row while it works; 8 stay where there are twins. */
MUST_CHECK enum err_code twins_find(const struct frame *frame, const int *columns, int n_columns,
                                    const uint32_t *rows, size_t n_rows, int64_t seed,
                                    const uint64_t *hashes, struct twins *ret_twins,
                                    struct err *err);

#endif
