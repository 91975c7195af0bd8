/*
 * A model that was trained elsewhere becomes one of a project's.
 *
 *   file → XGBoost reads it and saves it again → its features' names meet the relation's columns →
 *   rows are read → golden rows → measured on the test rows as a run's model is → models row
 *
 * Every feature must be named after a column that is one number to a request as it is: a number or
 * a boolean. Nobody but the file's author knows what its categories or calendar parts are. Classes
 * count in the order of the project's labels. Nothing is written before all of it has passed.
 *
 * The test rows may be among those the model has learnt from, as nobody here can tell: its metrics
 * are for people, and no decision compares it with other models.
 *
 * Refuses: trusting the bytes. XGBoost may crash on them, so this runs in a process of its own.
 */
#ifndef PGBOOST_TRAIN_IMPORT_H
#define PGBOOST_TRAIN_IMPORT_H

#include "train/run.h"

struct import_request {
    const char *project;
    const char *file; /* UBJSON or JSON of XGBoost 1.7 or later, at most MODEL_BYTES_MAX */
    bool deploy;      /* make it live */
};

/* Of options: dsn, read_dsn. ERR_INVALID for a file that is no model, ERR_CONFLICT where it does
 * not fit the project; beside these, what reading a relation and making a dataset may say. */
MUST_CHECK enum err_code train_import(const struct train_options *options,
                                      const struct import_request *request, int64_t *ret_model_id,
                                      struct err *err);

#endif
