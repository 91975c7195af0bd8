/*
 * Which paths the JSON documents of the training rows have, and what stands there. For lib/feature
 * only.
 */
#ifndef PGBOOST_FEATURE_JSON_SURVEY_H
#define PGBOOST_FEATURE_JSON_SURVEY_H

#include "feature/json_paths.h"
#include "feature/tally.h"

#define PARTS_MAX 50 /* paths of a column */

enum { NUMBERS, BOOLS, STRINGS, LENGTHS, N_KINDS };

struct path_counts {
    size_t rows[N_KINDS]; /* training rows that have such a value there */
    size_t seen;          /* the last row that came by, from 1 */
};

struct event {
    uint32_t at;
    int kind;
};

/* What the training rows have at which path. */
struct survey {
    struct strmap paths;
    struct path_counts *counts; /* [paths' capacity] */
    size_t capacity;
    size_t row; /* from 1 */
    struct event *events;
    size_t n_events, events_capacity; /* of the row */
    bool failed;                      /* memory ran out */
};

void survey_release(struct survey *survey);

MUST_CHECK enum err_code survey_rows(struct survey *survey, const struct fit *fit,
                                     const struct column *from, struct err *err);

struct found_path {
    const struct strmap_key *key;
    const struct path_counts *counts;
    bool is_length;
    size_t n_rows;
};

/* The paths that become parts, in their order. They point into the survey. The caller frees. */
MUST_CHECK enum err_code survey_choose(const struct survey *survey, size_t n_rows,
                                       struct found_path **ret_found, size_t *ret_n,
                                       struct err *err);
enum encoding encoding_of_path(const struct found_path *found);

#endif
