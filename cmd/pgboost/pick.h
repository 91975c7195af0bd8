/*
 * The project that a command works with, and its model: the live one, or the one that --model
 * names.
 */
#ifndef PGBOOST_CMD_PICK_H
#define PGBOOST_CMD_PICK_H

#include "catalog/catalog.h"
#include "config/project.h"
#include "model/model.h"

/* As it is defined now. The caller's to free. ERR_NOT_FOUND; ERR_CONFIG: by a newer version. */
MUST_CHECK enum err_code pick_project(struct pg *pg, const char *name, struct project **ret_project,
                                      struct err *err);

/* wanted 0: the live one. ret_row has everything of it; ret_model is opened, which is the caller's
 * to free. ERR_CONFLICT: none is live; ERR_NOT_FOUND: not one of the project; those of model_open.
 */
MUST_CHECK enum err_code pick_model(struct pg *pg, const char *project, int64_t wanted,
                                    struct model_rows *ret_row, struct model **ret_model,
                                    struct err *err);

#endif
