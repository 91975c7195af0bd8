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

struct fence {
    char run_id[24], epoch[24];
};

struct fence fence_of(const struct lease *lease);
#define FENCE_PARAMS(fence) PG_TEXT((fence).run_id), PG_TEXT((fence).epoch)

/* ERR_CONFLICT "the lease of run N is lost". */
enum err_code fence_lost(const struct lease *lease, struct err *err);

/* A CTE: trials that were under way when the runs of the CTE `ended` ended have no result. */
#define END_TRIALS                                                                                 \
    "trials AS (UPDATE pgboost.trials t SET status = 'failed',"                                    \
    " error = 'the run ended before the trial' FROM ended"                                         \
    " WHERE t.run_id = ended.id AND t.status = 'running')"

#endif
