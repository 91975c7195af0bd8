/*
 * Which of the options "impute", "encode" and "scale" fit a column. For lib/feature only.
 */
#ifndef PGBOOST_FEATURE_COLUMN_OPTIONS_H
#define PGBOOST_FEATURE_COLUMN_OPTIONS_H

#include "config/project.h"
#include "pg/relation.h"

/* ERR_CONFIG naming key, column and what fits; pointer is the JSON pointer of the override. "as"
 * has been found to fit. */
MUST_CHECK enum err_code check_options(const struct relation_column *column,
                                       const struct column_override *override, const char *pointer,
                                       struct err *err);

#endif
