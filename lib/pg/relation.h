/*
 * What Postgres says of a relation: its columns, their types, and the statement that reads it.
 *
 * A relation is given as schema.name (quoted parts as in SQL: "My Schema"."Table"); an unqualified
 * name is looked for in public. Names travel as parameters, never inside a statement. Errors name
 * what is missing, and the hint has the near miss.
 */
#ifndef PGBOOST_PG_RELATION_H
#define PGBOOST_PG_RELATION_H

#include "base/arena.h"
#include "pg/pg.h"

/* How a column travels and what it may become. Domains count as their base type. */
enum pg_type {
    PG_BOOL,
    PG_INT2,
    PG_INT4,
    PG_INT8,
    PG_FLOAT4,
    PG_FLOAT8,
    PG_NUMERIC,
    PG_TEXT_TYPE, /* text, varchar, name, "char" */
    PG_BPCHAR,    /* char(n): trailing blanks mean nothing */
    PG_ENUM,
    PG_DATE,
    PG_TIMESTAMP,
    PG_TIMESTAMPTZ,
    PG_TIME, /* time without time zone */
    PG_INTERVAL,
    PG_MONEY, /* read as numeric: the binary form has no scale */
    PG_BIT,   /* bit(n), varbit */
    PG_POINT,
    PG_INT_RANGE, /* int4range, int8range */
    PG_NUM_RANGE,
    PG_DATE_RANGE,
    PG_TS_RANGE,
    PG_TSTZ_RANGE,
    PG_BOOL_ARRAY, /* arrays of one dimension */
    PG_INT2_ARRAY,
    PG_INT4_ARRAY,
    PG_INT8_ARRAY,
    PG_FLOAT4_ARRAY,
    PG_FLOAT8_ARRAY,
    PG_NUMERIC_ARRAY,
    PG_TEXT_ARRAY, /* of text, varchar, char(n) or an enum */
    PG_VECTOR,     /* pgvector's vector */
    PG_JSON,       /* json, jsonb */
    PG_UUID,
    PG_INET,
    PG_BYTEA, /* ids: left out unless declared a category */
    PG_OTHER, /* usable as a key (read as text), not as a feature */
    PG_TYPES
};

const char *pg_type_name(enum pg_type type); /* "int4": stored with encoders */
bool pg_type_from_name(const char *name, enum pg_type *ret_type);

#define PG_OID_TEXT        25
#define PG_OID_NUMERIC     1700
#define PG_OID_TIMESTAMPTZ 1184

struct relation_column {
    const char *name;
    const char *type_name; /* format_type: "numeric(10,2)" */
    const char *cast_name; /* the base type's, for values that must not be cut: "numeric" */
    enum pg_type type;
    uint32_t type_oid; /* of the base type */
    int attnum;
    bool not_null;
    bool readable;                  /* false: SELECT was granted on other columns only */
    const char *const *enum_labels; /* NULL-terminated, in enum order; NULL for other types */
};

struct relation {
    const char *name; /* quoted and qualified as Postgres prints it: demo.flight_features */
    uint32_t oid;
    char kind; /* pg_class.relkind: r, v, m, p, f */
    int n_columns;
    struct relation_column *columns; /* by attnum, dropped ones left out */
    struct arena arena;
};

/* Errors: ERR_NOT_FOUND (no schema, no relation; hint), ERR_DENIED (no USAGE or SELECT; the hint
 * holds the GRANT to run), ERR_INVALID (not a relation that holds rows; name cannot be parsed). */
MUST_CHECK enum err_code relation_open(struct pg *pg, const char *name,
                                       struct relation **ret_relation, struct err *err);
void relation_free(struct relation *relation);
DEFINE_FREEP(struct relation *, relation_free)

int relation_find(const struct relation *relation, const char *column); /* index, or -1 */

/* Appends the expression that reads a column in the form that lib/frame's cells take, be it by COPY
 * or as a binary result: PG_OTHER columns, enums, name-like types, uuid and bytea cast to text,
 * inet printed as text, money cast to numeric. A column that is not readable: ERR_DENIED. */
MUST_CHECK enum err_code relation_put_column(struct pg *pg, const struct relation *relation,
                                             const struct relation_column *column, struct buf *sql,
                                             struct err *err);

/* pg_type's OID of what that expression gives. */
uint32_t relation_wire_type(const struct relation_column *column);

/* Starts reading columns (indices into relation->columns) in one REPEATABLE READ READ ONLY
 * transaction: BEGIN, SET LOCAL (search_path pg_catalog, synchronize_seqscans off,
 * max_parallel_workers_per_gather 0, no statement_timeout), COPY (SELECT … FROM rel) TO STDOUT
 * (FORMAT binary), columns as relation_put_column has them. The transaction stays open; the
 * connection is meant to be thrown away after the read (a view's functions ran on it). */
MUST_CHECK enum err_code relation_copy(struct pg *pg, const struct relation *relation,
                                       const int *columns, int n_columns, struct pg_copy **ret_copy,
                                       struct err *err);

/* The same in the order of a key whose columns come first, in the binary form of their own types,
 * so that they can be written elsewhere as they are; NULLs come last. after[n_keys] (may be NULL):
 * only the rows behind this key, as text. */
struct keyed_copy {
    const int *keys, *columns; /* indices into relation->columns */
    int n_keys, n_columns;
    const char *const *after;
};
MUST_CHECK enum err_code relation_copy_keyed(struct pg *pg, const struct relation *relation,
                                             const struct keyed_copy *what,
                                             struct pg_copy **ret_copy, struct err *err);

/* How many rows the planner expects, for a bar that is drawn. 0: it cannot say. */
int64_t relation_expected_rows(struct pg *pg, const struct relation *relation);

#endif
