#include "pg/relation.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "pg/internal.h"

static const char *const type_names[PG_TYPES] = {
    [PG_BOOL] = "bool",
    [PG_INT2] = "int2",
    [PG_INT4] = "int4",
    [PG_INT8] = "int8",
    [PG_FLOAT4] = "float4",
    [PG_FLOAT8] = "float8",
    [PG_NUMERIC] = "numeric",
    [PG_TEXT_TYPE] = "text",
    [PG_BPCHAR] = "bpchar",
    [PG_ENUM] = "enum",
    [PG_DATE] = "date",
    [PG_TIMESTAMP] = "timestamp",
    [PG_TIMESTAMPTZ] = "timestamptz",
    [PG_TIME] = "time",
    [PG_INTERVAL] = "interval",
    [PG_MONEY] = "money",
    [PG_BIT] = "bit",
    [PG_POINT] = "point",
    [PG_INT_RANGE] = "intrange",
    [PG_NUM_RANGE] = "numrange",
    [PG_DATE_RANGE] = "daterange",
    [PG_TS_RANGE] = "tsrange",
    [PG_TSTZ_RANGE] = "tstzrange",
    [PG_BOOL_ARRAY] = "bool[]",
    [PG_INT2_ARRAY] = "int2[]",
    [PG_INT4_ARRAY] = "int4[]",
    [PG_INT8_ARRAY] = "int8[]",
    [PG_FLOAT4_ARRAY] = "float4[]",
    [PG_FLOAT8_ARRAY] = "float8[]",
    [PG_NUMERIC_ARRAY] = "numeric[]",
    [PG_TEXT_ARRAY] = "text[]",
    [PG_VECTOR] = "vector",
    [PG_JSON] = "json",
    [PG_UUID] = "uuid",
    [PG_INET] = "inet",
    [PG_BYTEA] = "bytea",
    [PG_OTHER] = "other",
};

/* pg_type's OIDs of built-in types never change. */
static const struct {
    uint32_t oid;
    enum pg_type type;
} type_oids[] = {
    {16, PG_BOOL},
    {18, PG_TEXT_TYPE /* "char" */},
    {19, PG_TEXT_TYPE /* name */},
    {20, PG_INT8},
    {21, PG_INT2},
    {23, PG_INT4},
    {PG_OID_TEXT, PG_TEXT_TYPE},
    {700, PG_FLOAT4},
    {701, PG_FLOAT8},
    {1042, PG_BPCHAR},
    {1043, PG_TEXT_TYPE /* varchar */},
    {1082, PG_DATE},
    {1114, PG_TIMESTAMP},
    {PG_OID_TIMESTAMPTZ, PG_TIMESTAMPTZ},
    {PG_OID_NUMERIC, PG_NUMERIC},
    {17, PG_BYTEA},
    {114, PG_JSON},
    {600, PG_POINT},
    {650, PG_INET /* cidr */},
    {790, PG_MONEY},
    {869, PG_INET},
    {1000, PG_BOOL_ARRAY},
    {1003, PG_TEXT_ARRAY /* of name */},
    {1005, PG_INT2_ARRAY},
    {1007, PG_INT4_ARRAY},
    {1009, PG_TEXT_ARRAY},
    {1014, PG_TEXT_ARRAY /* of char(n) */},
    {1015, PG_TEXT_ARRAY /* of varchar */},
    {1016, PG_INT8_ARRAY},
    {1021, PG_FLOAT4_ARRAY},
    {1022, PG_FLOAT8_ARRAY},
    {1083, PG_TIME},
    {1186, PG_INTERVAL},
    {1231, PG_NUMERIC_ARRAY},
    {1560, PG_BIT},
    {1562, PG_BIT /* varbit */},
    {2950, PG_UUID},
    {3802, PG_JSON /* jsonb */},
    {3904, PG_INT_RANGE},
    {3906, PG_NUM_RANGE},
    {3908, PG_TS_RANGE},
    {3910, PG_TSTZ_RANGE},
    {3912, PG_DATE_RANGE},
    {3926, PG_INT_RANGE /* int8range */},
};

static const struct {
    char kind;
    bool holds_rows;
    const char *what;
} kinds[] = {
    {'r', true, "a table"},
    {'p', true, "a partitioned table"},
    {'v', true, "a view"},
    {'m', true, "a materialized view"},
    {'f', true, "a foreign table"},
    {'i', false, "an index"},
    {'I', false, "an index"},
    {'S', false, "a sequence"},
    {'c', false, "a composite type"},
    {'t', false, "a TOAST table"},
};

const char *pg_type_name(enum pg_type type)
{
    return type_names[type];
}

bool pg_type_from_name(const char *name, enum pg_type *ret_type)
{
    for (int i = 0; i < PG_TYPES; i++) {
        if (strcmp(name, type_names[i]) == 0) {
            *ret_type = (enum pg_type)i;
            return true;
        }
    }
    return false;
}

/* type_kind: e an enum, E an array of one, v pgvector's vector, in whichever schema that is. */
static enum pg_type type_of(uint32_t oid, char type_kind)
{
    for (size_t i = 0; i < N_ELEMENTS(type_oids); i++)
        if (type_oids[i].oid == oid)
            return type_oids[i].type;
    return type_kind == 'e'   ? PG_ENUM
           : type_kind == 'E' ? PG_TEXT_ARRAY
           : type_kind == 'v' ? PG_VECTOR
                              : PG_OTHER;
}

/* The nearest to `name` in the table's first column, or NULL. */
static const char *nearest_in(const struct pg_table *table, const char *name)
{
    CLEANUP(free_ptr) const char **names = calloc((size_t)table->n_rows + 1, sizeof(*names));

    if (names == NULL)
        return NULL;
    for (int i = 0; i < table->n_rows; i++)
        names[i] = pg_get_text(table, i, 0);
    return nearest_name(name, names, table->n_rows);
}

static enum err_code no_schema(struct pg *pg, const struct relation_name *name, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table schemas = {0};
    const char *nearest;

    TRY(pg_rows(pg,
                "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' "
                "AND nspname <> 'information_schema' ORDER BY 1 LIMIT 5000",
                0, NULL, &schemas, err));
    nearest = nearest_in(&schemas, name->schema);
    err_set(err, ERR_NOT_FOUND, "there is no schema \"%s\" in this database", name->schema);
    if (nearest != NULL)
        return err_hint(err, "did you mean \"%s\"?", nearest);
    return err_hint(err, "connected to database \"%s\": is it the right one?", PQdb(pg->conn));
}

/* Elsewhere by the same name first, then a near miss in the schema. */
static enum err_code no_relation(struct pg *pg, const struct relation_name *name, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table elsewhere = {0}, beside = {0};
    const struct pg_param params[] = {PG_TEXT(name->name), PG_TEXT(name->schema)};
    const char *nearest;

    TRY(pg_rows(pg,
                "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) FROM pg_class c "
                "JOIN pg_namespace n "
                "ON n.oid = c.relnamespace WHERE c.relname = $1 AND n.nspname <> $2 "
                "AND c.relkind IN ('r', 'v', 'm', 'p', 'f') ORDER BY 1 LIMIT 1",
                2, params, &elsewhere, err));
    TRY(pg_rows(pg,
                "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE n.nspname = $1 AND c.relkind IN ('r', 'v', 'm', 'p', 'f') ORDER BY 1 "
                "LIMIT 5000",
                1, params + 1, &beside, err));
    nearest = nearest_in(&beside, name->name);
    err_set(err, ERR_NOT_FOUND, "there is no relation \"%s\" in schema \"%s\"", name->name,
            name->schema);
    if (elsewhere.n_rows > 0)
        return err_hint(err, "did you mean %s?", pg_get_text(&elsewhere, 0, 0));
    if (nearest != NULL)
        return err_hint(err, "did you mean \"%s\"?", nearest);
    return err_hint(err, "connected to database \"%s\": is it the right one?", PQdb(pg->conn));
}

static enum err_code check_kind(const char *name, char kind, struct err *err)
{
    for (size_t i = 0; i < N_ELEMENTS(kinds); i++) {
        if (kinds[i].kind != kind)
            continue;
        if (kinds[i].holds_rows)
            return ERR_OK;
        err_set(err, ERR_INVALID, "%s is %s: it holds no rows to learn from", name, kinds[i].what);
        return err_hint(err, "name a table, a view or a materialized view");
    }
    return err_set(err, ERR_INVALID, "%s is of a kind that is not known: \"%c\"", name, kind);
}

static enum err_code deny(const char *what, const char *grant, const char *on, const char *to,
                          struct err *err)
{
    err_set(err, ERR_DENIED, "no %s privilege on %s for role %s", what, on, to);
    return err_hint(err, "run as its owner: GRANT %s%s TO %s", grant, on, to);
}

/* Columns of find_relation's row. */
enum { FOUND_SCHEMA, FOUND_USAGE, FOUND_ROLE, FOUND_OID, FOUND_KIND, FOUND_NAME, FOUND_SELECT };

static enum err_code find_relation(struct pg *pg, const struct relation_name *name,
                                   struct relation *relation, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table found = {0};
    const struct pg_param params[] = {PG_TEXT(name->schema), PG_TEXT(name->name)};

    TRY(pg_rows(pg,
                "SELECT quote_ident(n.nspname), has_schema_privilege(n.oid, 'USAGE'), "
                "quote_ident(current_user), c.oid, c.relkind, quote_ident(n.nspname) || '.' || "
                "quote_ident(c.relname), "
                "has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT') "
                "FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid "
                "AND c.relname = $2 WHERE n.nspname = $1",
                2, params, &found, err));
    if (found.n_rows == 0)
        return no_schema(pg, name, err);
    if (!pg_get_bool(&found, 0, FOUND_USAGE))
        return deny("USAGE", "USAGE ON SCHEMA ", pg_get_text(&found, 0, FOUND_SCHEMA),
                    pg_get_text(&found, 0, FOUND_ROLE), err);
    if (pg_is_null(&found, 0, FOUND_OID))
        return no_relation(pg, name, err);
    relation->oid = (uint32_t)pg_get_int64(&found, 0, FOUND_OID);
    relation->kind = pg_get_text(&found, 0, FOUND_KIND)[0];
    relation->name = arena_strdup(&relation->arena, pg_get_text(&found, 0, FOUND_NAME));
    if (relation->name == NULL)
        return err_nomem(err);
    TRY(check_kind(relation->name, relation->kind, err));
    if (!pg_get_bool(&found, 0, FOUND_SELECT))
        return deny("SELECT", "SELECT ON ", relation->name, pg_get_text(&found, 0, FOUND_ROLE),
                    err);
    return ERR_OK;
}

static enum err_code read_columns(struct pg *pg, struct relation *relation, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table rows = {0};
    struct pg_int oid;
    const struct pg_param params[] = {pg_param_int(&oid, relation->oid)};

    /* Domains, also of domains, count as what they are made of. */
    TRY(pg_rows(
        pg,
        "WITH RECURSIVE base AS ("
        "SELECT attnum, attname, attnotnull, format_type(atttypid, atttypmod) AS type_name, "
        "has_column_privilege($1::oid, attnum, 'SELECT') AS readable, atttypid AS typid "
        "FROM pg_attribute WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped "
        "UNION ALL SELECT attnum, attname, attnotnull, type_name, readable, typbasetype "
        "FROM base JOIN pg_type t ON t.oid = typid WHERE typtype = 'd') "
        "SELECT attname, type_name, typid, CASE WHEN t.typcategory = 'A' AND e.typtype = 'e' "
        "THEN 'E' WHEN t.typcategory = 'U' AND t.typname = 'vector' THEN 'v' ELSE t.typtype END, "
        "attnum, attnotnull, readable, format_type(t.oid, -1) FROM base JOIN pg_type t ON t.oid = "
        "typid "
        "LEFT JOIN pg_type e ON e.oid = t.typelem WHERE t.typtype <> 'd' ORDER BY attnum",
        N_ELEMENTS(params), params, &rows, err));
    relation->columns =
        arena_alloc_array(&relation->arena, (size_t)rows.n_rows, sizeof(*relation->columns));
    if (relation->columns == NULL)
        return err_nomem(err);
    for (int i = 0; i < rows.n_rows; i++) {
        struct relation_column *column = &relation->columns[i];

        column->name = arena_strdup(&relation->arena, pg_get_text(&rows, i, 0));
        column->type_name = arena_strdup(&relation->arena, pg_get_text(&rows, i, 1));
        column->cast_name = arena_strdup(&relation->arena, pg_get_text(&rows, i, 7));
        if (column->name == NULL || column->type_name == NULL || column->cast_name == NULL)
            return err_nomem(err);
        column->type_oid = (uint32_t)pg_get_int64(&rows, i, 2);
        column->type = type_of(column->type_oid, pg_get_text(&rows, i, 3)[0]);
        column->attnum = (int)pg_get_int64(&rows, i, 4);
        column->not_null = pg_get_bool(&rows, i, 5);
        column->readable = pg_get_bool(&rows, i, 6);
    }
    relation->n_columns = rows.n_rows;
    return ERR_OK;
}

/* rows: attnum, label, in order; those of the column are copied. */
static enum err_code copy_labels(struct relation *relation, struct relation_column *column,
                                 const struct pg_table *rows, struct err *err)
{
    const char **labels =
        arena_alloc_array(&relation->arena, (size_t)rows->n_rows + 1, sizeof(*labels));
    int n = 0;

    if (labels == NULL)
        return err_nomem(err);
    for (int i = 0; i < rows->n_rows; i++) {
        if (pg_get_int64(rows, i, 0) != column->attnum)
            continue;
        labels[n] = arena_strdup(&relation->arena, pg_get_text(rows, i, 1));
        if (labels[n++] == NULL)
            return err_nomem(err);
    }
    column->enum_labels = labels;
    return ERR_OK;
}

static enum err_code read_enum_labels(struct pg *pg, struct relation *relation, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table rows = {0};
    struct pg_int oid;
    const struct pg_param params[] = {pg_param_int(&oid, relation->oid)};

    TRY(pg_rows(pg,
                "WITH RECURSIVE base AS ("
                "SELECT attnum, atttypid AS typid FROM pg_attribute "
                "WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped "
                "UNION ALL SELECT attnum, typbasetype "
                "FROM base JOIN pg_type t ON t.oid = typid WHERE typtype = 'd') "
                "SELECT attnum, enumlabel FROM base JOIN pg_enum ON enumtypid = typid "
                "ORDER BY attnum, enumsortorder",
                N_ELEMENTS(params), params, &rows, err));
    for (int i = 0; i < relation->n_columns; i++)
        if (relation->columns[i].type == PG_ENUM)
            TRY(copy_labels(relation, &relation->columns[i], &rows, err));
    return ERR_OK;
}

enum err_code relation_open(struct pg *pg, const char *name, struct relation **ret_relation,
                            struct err *err)
{
    CLEANUP(relation_freep) struct relation *relation = calloc(1, sizeof(*relation));
    struct relation_name parsed;

    if (relation == NULL)
        return err_nomem(err);
    TRY(relation_name_parse(name, &parsed, err));
    TRY(find_relation(pg, &parsed, relation, err));
    TRY(read_columns(pg, relation, err));
    TRY(read_enum_labels(pg, relation, err));
    *ret_relation = TAKE_PTR(relation);
    return ERR_OK;
}

void relation_free(struct relation *relation)
{
    if (relation == NULL)
        return;
    arena_release(&relation->arena);
    free(relation);
}

int relation_find(const struct relation *relation, const char *column)
{
    for (int i = 0; i < relation->n_columns; i++)
        if (strcmp(relation->columns[i].name, column) == 0)
            return i;
    return -1;
}
