/*
 * What each column of a relation is for in a project: target, key, time, group, weight, feature, or
 * left out.
 *
 * A definition meets a relation here, and every disagreement is found before a row is read: a
 * column that is not there (nearest name in the hint), target among the excluded, a type that the
 * task cannot use. Errors: ERR_CONFIG with field the JSON pointer of the key.
 */
#ifndef PGBOOST_FEATURE_SCHEMA_H
#define PGBOOST_FEATURE_SCHEMA_H

#include "config/project.h"
#include "pg/relation.h"

enum column_role {
    COLUMN_TARGET = 1,
    COLUMN_KEY = 2,
    COLUMN_TIME = 4, /* may be a feature as well */
    COLUMN_FEATURE = 8,
    COLUMN_LEFT_OUT = 16, /* `why` says so */
    /* Never features: the groups that a prediction is asked for are others than those of training,
     * and a row that is predicted has no weight. A group may be part of a key of several columns.
     */
    COLUMN_GROUP = 32,
    COLUMN_WEIGHT = 64,
    COLUMN_EVENT = 128, /* of a survival, as the next: known when the target is */
    COLUMN_UPPER = 256,
};

struct schema_column {
    const char *name;
    enum pg_type type;
    int relation_index; /* into relation->columns */
    unsigned roles;
    enum column_as as;
    const struct column_override *override; /* what the definition says of it; NULL: nothing */
    const char *why; /* of COLUMN_LEFT_OUT: "excluded", "its type uuid is not a feature" … */
};

/* All strings point into the project, the relation or literals: both must outlive the schema. */
struct schema {
    int n_columns; /* of the relation, all of them */
    struct schema_column *columns;
    int target;
    int time, group, weight; /* indices; -1: none */
    int event, upper;        /* likewise */
    int n_keys, *keys;
    int n_features, *features;
    int n_read, *read; /* indices of the columns a run reads: target, keys, time, group, weight,
                          event, upper, features */
    enum task task;    /* never TASK_AUTO */
    struct arena arena;
};

/* Errors: ERR_CONFIG as above; ERR_NOMEM. */
MUST_CHECK enum err_code schema_new(const struct project *project, const struct relation *relation,
                                    struct schema **ret_schema, struct err *err);

/* May a column of this type be the target of a regression, or of a classification? */
bool schema_may_predict(enum pg_type type, enum task task);

/* Narrows the features to these columns (indices, each a feature of the schema), in this order: a
 * model from elsewhere has its own. The others are left out; `why` says so. */
void schema_use(struct schema *schema, const int *columns, int n_columns, const char *why);
void schema_free(struct schema *schema);
DEFINE_FREEP(struct schema *, schema_free)

#endif
