/*
 * Which rows train, which validate, which test.
 *
 * Test rows are chosen first and take no part in anything but the last measurement. A row's place
 * follows from a hash of its key (of the whole row where the project names no key) and the seed, so
 * that the same row stays on its side from run to run, and anyone can work it out in SQL:
 *
 *     ('x' || left(encode(sha256(convert_to(SEED || '|' || key::text, 'UTF8')), 'hex'), 13))
 *         ::bit(52)::bigint / 2.0^52        -- in [0, 1)
 *
 * (several key columns are joined by '|'; a NULL is an empty text; a numeric key goes by its value:
 * key::float8::text). Without a key it is all columns of the frame.
 *   random      test: hash < size, or the smallest hash where none is
 *   stratified  within each class, the round(size × n) rows of the smallest hash (at least one when
 *               the class has two rows; one at least stays)
 *   time        the newest rows: the smallest time T such that at most size of the rows are at or
 *               after it; rows with a NULL time never test, and count as the oldest
 *   group       as random, by the hash of the group's text in place of the key's: whole groups go
 *               to one side. A row whose group is NULL is a group of its own, by its own hash
 * The rest is one fold or several: each has rows that train and rows that validate. One fold, the
 * hold-out: validation rows (share: split_validation_share) are the newest of the rest, or those at
 * the hash's other end, so that a larger test does not move them; at least the last place.
 * Several: a row validates in the fold floor(n_folds × before ÷ n), where n are the rows of the
 * rest and before those of a smaller place, and trains in all others. Stratified: within each
 * class; the only row of its class always trains.
 *   time        n are the newer half of the rest, before those of them that are older; a row trains
 *               in the folds that validate on newer rows, never on older ones
 * A fold in which no row would validate or train is left out.
 * Rows of equal time, or (otherwise) of one place, stay on one side:
 * of several classes, on that of the one with the smallest hash. A row's place is its hash unless
 * the caller gives another (`places`): split_group_places, or split/twins.h.
 * Each part is ordered by hash, then by row: where keys differ, the order the relation sent them in
 * does not matter.
 *
 * Refuses: looking at any value but key, class, group and time.
 */
#ifndef PGBOOST_SPLIT_SPLIT_H
#define PGBOOST_SPLIT_SPLIT_H

#include "frame/frame.h"

enum split_by { SPLIT_RANDOM, SPLIT_STRATIFIED, SPLIT_TIME, SPLIT_GROUP };

struct split_options {
    enum split_by by;
    double test_size;        /* (0, 1) */
    const uint64_t *hashes;  /* [frame rows] by split_key_hash */
    const uint64_t *places;  /* [frame rows], or NULL: the hashes; SPLIT_GROUP: of the groups */
    int time;                /* frame column index; SPLIT_TIME only */
    const int64_t *times;    /* [frame rows] in place of that column's, INT64_MIN: none; or NULL */
    const uint32_t *classes; /* [frame rows]; SPLIT_STRATIFIED only */
    uint32_t n_classes;
    bool searching; /* several settings compete on the validation rows */
    int n_folds;    /* 0 and 1: a hold-out; at most SPLIT_FOLDS_MAX */
};
#define SPLIT_FOLDS_MAX 100

struct rows {
    uint32_t *items;
    size_t n;
};

struct fold {
    struct rows train, valid;
    int64_t valid_from; /* SPLIT_TIME: first time of the validation rows, as the column holds it */
};

/* Every row but the test rows is in the last fold. */
struct split {
    int n_folds; /* ≥ 1 */
    struct fold *folds;
    struct rows test;
    int64_t test_from; /* SPLIT_TIME: first time of the test rows */
    size_t n_groups;   /* SPLIT_GROUP: different places */
};
static inline const struct fold *split_last(const struct split *split)
{
    return &split->folds[split->n_folds - 1];
}

/* Splits rows[n_rows] of frame (those whose target is not NULL). ERR_DATA when a part would be
 * empty, there are fewer than 10 rows, or of several folds fewer than two are left: the message has
 * the numbers, the hint what to change. */
MUST_CHECK enum err_code split_new(const struct frame *frame, const uint32_t *rows, size_t n_rows,
                                   const struct split_options *options, struct split **ret_split,
                                   struct err *err);
void split_free(struct split *split);
DEFINE_FREEP(struct split *, split_free)

/* Share of the non-test rows that validate: clamp(500/n, .1, .2) below 5,000 rows, else
 * clamp(2500/n, .01, .1); doubled when searching, at most .2 (AutoGluon's rule). */
double split_validation_share(size_t n_rows, bool searching);

/* What a row is hashed by. */
struct split_key {
    int64_t seed;
    int n_columns;
    const int *columns;        /* of the row's cells; NULL: the first n_columns */
    const enum pg_type *types; /* [n_columns], of those columns */
    struct buf text;           /* room to work in: the caller releases it */
};

/* The hash of a row, as a whole number of SPLIT_HASH_BITS: the SQL above, before its division. Of
 * the signature that a frame's order wants; context is a struct split_key. */
#define SPLIT_HASH_BITS 52
MUST_CHECK enum err_code split_key_hash(void *context, const struct cell *cells, uint64_t *ret_hash,
                                        struct err *err);

/* The places of n_rows rows by their group: by the rule above of the group's value; hashes[n_rows]
 * stand for the groups that are NULL. The caller frees ret_places[n_rows]. */
MUST_CHECK enum err_code split_group_places(const struct column *group, int64_t seed,
                                            const uint64_t *hashes, size_t n_rows,
                                            uint64_t **ret_places, struct err *err);

#endif
