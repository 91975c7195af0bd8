/*
 * A table that rows are written to by COPY: made where it is not there, and else checked. Rows of
 * keys that it has already replace what stands there.
 *
 * A new table takes the rows directly. One that was there gets them by way of a temporary table and
 * INSERT … ON CONFLICT … DO UPDATE, which casts to its own types and leaves its other columns
 * alone.
 *
 * Transactions are the caller's. Refuses: knowing what the rows mean.
 */
#ifndef PGBOOST_PG_TARGET_H
#define PGBOOST_PG_TARGET_H

#include "base/arena.h"
#include "pg/pg.h"

struct target_column {
    const char *name;
    const char *type; /* of the rows, as SQL: "bigint" */
    bool is_key;      /* keys stand first */
    bool may_lack;    /* a table that was there need not have it */
};

struct target {
    const char *name; /* quoted and qualified */
    bool is_new;      /* it is not there yet, or was made by target_create */
    int n_columns;
    struct target_column *columns; /* those of the rows, without what the table lacks */
    const char **types;            /* [n_columns] the table's own */
    const char *copy_sql, *stage_sql, *upsert_sql, *create_sql, *find_sql;
    struct arena arena;
};

/* What becomes of rows of these columns in a table of this name (schema.name; public). Errors:
 * ERR_CONFLICT: a column that is not there, no unique key of the key columns, a view;
 * ERR_NOT_FOUND: no such schema; those of relation_open. */
MUST_CHECK enum err_code target_open(struct pg *pg, const char *name,
                                     const struct target_column *columns, int n_columns,
                                     struct target *ret_target, struct err *err);
void target_release(struct target *target);

/* Makes the table where it is not there, with the key as its primary key. */
MUST_CHECK enum err_code target_create(struct pg *pg, const struct target *target, struct err *err);

/* In a transaction: rows come by pg_copy_in_put between the two. */
MUST_CHECK enum err_code target_begin(struct pg *pg, const struct target *target, struct err *err);
MUST_CHECK enum err_code target_end(struct pg *pg, const struct target *target, struct err *err);

/* Is there a row of this key (texts, one a key column)? */
MUST_CHECK enum err_code target_has(struct pg *pg, const struct target *target,
                                    const char *const *key, bool *ret_has, struct err *err);

#endif
