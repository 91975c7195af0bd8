/*
 * A spec meets its relation: the columns' types are those that the model knows, the key's columns
 * are there, and one statement reads all of it. For lib/lookup only.
 */
#ifndef PGBOOST_LOOKUP_PLAN_H
#define PGBOOST_LOOKUP_PLAN_H

#include "lookup/lookup.h"

/* Prepares the statement on pg, as the connection's number-th; through a pooler it is only made.
 * Errors: those of relation_open, but
 * ERR_CONFLICT for a relation or column that is gone or has another type; ERR_INVALID with field
 * /where/… for a column that the client named and the relation does not have. */
MUST_CHECK enum err_code plan_new(struct pg *pg, const struct lookup_spec *spec, bool is_where,
                                  unsigned number, struct lookup_plan **ret_plan, struct err *err);
/* Of the server's: whether it knew the statement is no matter, it does not by now. pg: may be NULL
 * or broken. */
void plan_deallocate(struct pg *pg, const struct lookup_plan *plan);
void plan_free(struct lookup_plan *plan);
DEFINE_FREEP(struct lookup_plan *, plan_free)

/* The statement: of keys, $1 … are arrays of texts, and the result's first column says, from 1,
 * which element a row belongs to; at most two rows come for each. Of where, $1 … are texts, and one
 * row more than there may be comes at most. */
MUST_CHECK enum err_code plan_put_sql(struct pg *pg, const struct lookup_plan *plan,
                                      const struct lookup_spec *spec, struct buf *sql,
                                      struct err *err);

#endif
