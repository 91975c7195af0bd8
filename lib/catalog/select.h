/*
 * Rows into structs, by a table: each field of a row struct names the SQL expression it comes from.
 *
 * The select list is written from the table, so that an expression and the member it fills stand on
 * one line and cannot drift apart. Internal to the catalog.
 */
#ifndef PGBOOST_CATALOG_SELECT_H
#define PGBOOST_CATALOG_SELECT_H

#include <stddef.h>

#include "base/arena.h"
#include "pg/pg.h"

enum field_type { FIELD_TEXT, FIELD_INT64, FIELD_UINT32, FIELD_INT, FIELD_DOUBLE, FIELD_BOOL };

struct field {
    const char *sql; /* an expression over the tables of the statement's FROM */
    enum field_type type;
    size_t offset; /* into the row struct */
};

struct row_spec {
    const struct field *fields;
    int n_fields;
    size_t item_size;
};

#define ROW_SPEC(row_type, fields_table)                                                           \
    {                                                                                              \
        .fields = (fields_table), .n_fields = (int)N_ELEMENTS(fields_table),                       \
        .item_size = sizeof(row_type)                                                              \
    }

/* What every *_rows struct of catalog.h is made of; texts and items live in the arena. */
struct selected {
    int n;
    void *items;
    struct arena arena;
};

/* SELECT (the spec's expressions) `tail`, which begins with FROM. Outputs untouched on failure. */
MUST_CHECK enum err_code catalog_select(struct pg *pg, const struct row_spec *spec,
                                        const char *tail, int n_params,
                                        const struct pg_param *params,
                                        struct selected *ret_selected, struct err *err);

/* Of a row m of pgboost.models: which transaction wrote it, and what. */
#define MODEL_ROW_VERSION "m.xmin::text || ' ' || m.sha256"

/* A moment as RFC 3339 text in UTC. */
#define SQL_TIME(column)                                                                           \
    "to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

#endif
