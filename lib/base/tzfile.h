/*
 * A time zone as a table of changes, read from a file of the tz database (TZif, RFC 8536).
 *
 * The rule at the end of the file is written out for the 400 years after the last entry, as
 * Postgres does: after that everything repeats, and every look-up is one binary search.
 * Invariant: changes ascend strictly.
 */
#ifndef PGBOOST_BASE_TZFILE_H
#define PGBOOST_BASE_TZFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct tz_entry {
    int64_t at;     /* unix seconds */
    int32_t offset; /* seconds east of UTC from then on */
};

struct tz_table {
    int32_t first_offset; /* before the first entry */
    bool repeats;         /* the last 400 years of entries repeat for ever */
    size_t n;
    struct tz_entry *entries; /* malloc'ed; the caller frees it */
};

#define TZ_REPEAT_SECONDS INT64_C(12622780800) /* 400 years: 146097 days */

/* ERR_CORRUPT when the bytes are no such file; ERR_INVALID for a zone with leap seconds, which
 * Postgres refuses too. Messages have no subject: the caller puts it in front. */
MUST_CHECK enum err_code tz_table_parse(const void *data, size_t n_bytes,
                                        struct tz_table *ret_table, struct err *err);

#endif
