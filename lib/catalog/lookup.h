/*
 * Errors that several parts of the catalog word alike. Internal to the catalog.
 */
#ifndef PGBOOST_CATALOG_LOOKUP_H
#define PGBOOST_CATALOG_LOOKUP_H

#include "pg/pg.h"

/* ERR_NOT_FOUND for a project's name, with the nearest that exists in the hint; or the error of
 * looking for it. Never ERR_OK. */
enum err_code catalog_no_project(struct pg *pg, const char *name, struct err *err);

/* ERR_NOT_FOUND when project is named (not NULL) and does not exist. For empty listings. */
MUST_CHECK enum err_code catalog_check_project(struct pg *pg, const char *project, struct err *err);

#endif
