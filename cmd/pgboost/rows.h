/*
 * The catalog's rows as listings: each beside the command that lists it, for others to show too.
 */
#ifndef PGBOOST_CMD_ROWS_H
#define PGBOOST_CMD_ROWS_H

#include "catalog/catalog.h"
#include "list.h"

struct list list_of_projects(const struct project_rows *rows);
struct list list_of_runs(const struct run_rows *rows);
struct list list_of_models(const struct model_rows *rows);
struct list list_of_deployments(const struct deployment_rows *rows);

#define LIST_LIMIT 50 /* rows of a listing where --limit does not say */
#define LIMIT_OPTION                                                                               \
    {                                                                                              \
        "limit", "N", "at most N rows (default: 50)"                                               \
    }

#endif
