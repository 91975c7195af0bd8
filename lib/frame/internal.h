/*
 * What the files of lib/frame share. For lib/frame only.
 */
#ifndef PGBOOST_FRAME_INTERNAL_H
#define PGBOOST_FRAME_INTERNAL_H

#include "frame/frame.h"

/* Postgres's timestamps: from 4714-11-24 BC to before 294277-01-01. A date may be later than that,
 * and is then a missing value like ±infinity. */
#define TIMESTAMP_MIN INT64_C(-211813488000000000)
#define TIMESTAMP_END INT64_C(9223371331200000000)
#define DATE_MIN_DAYS (TIMESTAMP_MIN / USECS_PER_DAY)

/* Days as a cell of a date. */
void cell_set_days(struct cell *cell, int64_t days);

/* Text of a date, timestamp or timestamptz; false when it is none. */
bool cell_parse_time(enum pg_type type, const struct zone *zone, const char *text, size_t n_bytes,
                     struct cell *ret_cell);

/* frame_append with a bound on all columns' bytes (0: none): ERR_LIMIT. */
MUST_CHECK enum err_code frame_append_within(struct frame *frame, const struct cell *cells,
                                             size_t max_bytes, struct err *err);

enum err_code frame_too_large(const struct frame *frame, size_t max_bytes, struct err *err);

#endif
