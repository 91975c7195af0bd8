/*
 * What each of Postgres's types may be in a project: a target, an order in time, a feature, and
 * what it is encoded as. One table for the schema and the encoder. For lib/feature only.
 */
#ifndef PGBOOST_FEATURE_TYPES_H
#define PGBOOST_FEATURE_TYPES_H

#include "config/project.h"
#include "feature/encoder.h"
#include "pg/relation.h"

enum type_use {
    USE_NONE,    /* never a feature */
    USE_ID,      /* only where it is declared a category */
    USE_FEATURE, /* by itself */
};

#define AS(as) (1u << (as))

struct type_traits {
    enum type_use use;
    enum encoding encoding;   /* what it becomes by itself */
    unsigned as;              /* AS() of what it may be declared, beside ignore */
    bool is_class, is_number; /* as a target */
    bool is_ordered;          /* as the time column */
};
const struct type_traits *type_traits(enum pg_type type);

/* An override that says nothing. */
extern const struct column_override no_override;

/* What a column of this type becomes. Text that is ENCODE_CATEGORY by itself may turn out to be
 * free text when its values are seen. */
enum encoding encoding_of(enum pg_type type, const struct column_override *how);

/* Could any definition make it so? */
bool encoding_possible(enum pg_type type, enum encoding encoding);

#endif
