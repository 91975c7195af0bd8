/*
 * The fence around a worker's writes: rows of runs that its lease still holds.
 *
 * FENCED is a condition on pgboost.runs whose $1 and $2 are FENCE_PARAMS. Internal to the catalog.
 */
#ifndef PGBOOST_CATALOG_FENCE_H
#define PGBOOST_CATALOG_FENCE_H

#include "catalog/catalog.h"

/* A constant of a header as text inside of a statement. */
#define TEXT_OF_(x) #x
#define TEXT_OF(x)  TEXT_OF_(x)

#define FENCED "id = $1::bigint AND lease_epoch = $2::bigint AND status = 'running'"

#define LEASE_END "clock_timestamp() + interval '" TEXT_OF(LEASE_SECONDS) " seconds'"

/* Are trials of the run to be had? */
#define IS_OPEN(search) "(" search " IS NOT NULL AND " search " ->> 'closed' IS NULL)"
#define SEARCHING       "(status = 'running' AND " IS_OPEN("search") " AND NOT cancel_requested)"

/* What is left of a run's search, four columns, and how they are read from column `at` on. */
#define OFFER_LEFT(search)                                                                         \
    "(" search " ->> 'trials')::integer, (" search " ->> 'parallel')::integer,"                    \
    " coalesce(extract(epoch FROM (" search " ->> 'until')::timestamptz - clock_timestamp()),"     \
    "  'infinity'), " search " ->> 'closed' IS NOT NULL"
void offer_from_row(const struct pg_table *table, int at, struct search_offer *ret_offer);

struct fence {
    char run_id[24], epoch[24];
};

struct fence fence_of(const struct lease *lease);
#define FENCE_PARAMS(fence) PG_TEXT((fence).run_id), PG_TEXT((fence).epoch)

/* ERR_CONFLICT "the lease of run N is lost". */
enum err_code fence_lost(const struct lease *lease, struct err *err);

/* CTEs, for the runs of the CTE `ended` (id, over) that are over: trials under way have no result,
 * and nobody needs the rows. */
#define END_TRIALS                                                                                 \
    "trials AS (UPDATE pgboost.trials t SET status = 'failed',"                                    \
    " error = 'the run ended before the trial', ended_at = clock_timestamp(), lease_until = NULL"  \
    " FROM ended WHERE over AND t.run_id = ended.id AND t.status = 'running'),"                    \
    " run_rows AS (DELETE FROM pgboost.run_rows r USING ended WHERE over AND r.run_id = ended.id)"

#endif
