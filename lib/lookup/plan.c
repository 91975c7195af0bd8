#include "lookup/plan.h"

#include <stdio.h>
#include <string.h>

#include "base/nearest.h"

/* The relation -------------------------------------------------------------------------------- */

static enum err_code no_column(const struct relation *relation, const char *name, struct err *err)
{
    err_set(err, ERR_CONFLICT, "%s has no column \"%s\" any more", relation->name, name);
    return err_hint(err, "bring it back, or train the project again");
}

static enum err_code check_columns(const struct relation *relation, const struct lookup_spec *spec,
                                   struct err *err)
{
    for (int i = 0; i < spec->n_columns; i++) {
        const struct lookup_column *column = &spec->columns[i];
        int found = relation_find(relation, column->name);

        if (found < 0)
            return no_column(relation, column->name, err);
        if (relation->columns[found].type == column->type)
            continue;
        err_set(err, ERR_CONFLICT, "column \"%s\" of %s is of type %s; the model knows it as %s",
                column->name, relation->name, relation->columns[found].type_name,
                pg_type_name(column->type));
        return err_hint(err, "train the project again");
    }
    return ERR_OK;
}

static enum err_code no_such_where(const struct relation *relation, const char *name,
                                   struct err *err)
{
    CLEANUP(free_ptr) const char **names = calloc((size_t)relation->n_columns + 1, sizeof(*names));
    CLEANUP(buf_release) struct buf pointer = {0};
    const char *nearest;

    if (names == NULL)
        return err_nomem(err);
    for (int i = 0; i < relation->n_columns; i++)
        names[i] = relation->columns[i].name;
    nearest = nearest_name(name, names, relation->n_columns);
    err_set(err, ERR_INVALID, "%s has no column \"%.120s\"", relation->name, name);
    buf_puts(&pointer, "/where");
    json_pointer_append(&pointer, name);
    err_field(err, "%.200s", buf_text(&pointer));
    return nearest != NULL ? err_hint(err, "did you mean \"%s\"?", nearest) : ERR_INVALID;
}

/* Types that a value of JSON names, and that "=" compares. */
static bool is_comparable(enum pg_type type)
{
    switch (type) {
    case PG_JSON:
    case PG_POINT:
    case PG_BIT:
    case PG_VECTOR:
        return false;
    default:
        return type < PG_INT_RANGE || type > PG_TEXT_ARRAY;
    }
}

static enum err_code find_params(struct lookup_plan *plan, const struct lookup_spec *spec,
                                 struct err *err)
{
    const struct relation *relation = plan->relation;
    const char *const *names = plan->is_where ? spec->where : spec->keys;

    plan->n_params = plan->is_where ? spec->n_where : spec->n_keys;
    plan->params = arena_alloc_array(&plan->arena, (size_t)plan->n_params + 1, sizeof(int));
    if (plan->params == NULL)
        return err_nomem(err);
    for (int i = 0; i < plan->n_params; i++) {
        int found = relation_find(relation, names[i]);

        if (found < 0)
            return plan->is_where ? no_such_where(relation, names[i], err)
                                  : no_column(relation, names[i], err);
        if (!is_comparable(relation->columns[found].type))
            return err_set(err, plan->is_where ? ERR_INVALID : ERR_CONFLICT,
                           "column \"%s\" of %s is of type %s, by which no row can be found",
                           names[i], relation->name, relation->columns[found].type_name);
        plan->params[i] = found;
    }
    return ERR_OK;
}

static bool is_int(enum pg_type type)
{
    return type == PG_INT2 || type == PG_INT4 || type == PG_INT8;
}

static enum err_code find_keys(struct lookup_plan *plan, const struct lookup_spec *spec,
                               struct err *err)
{
    plan->n_keys = spec->n_keys;
    plan->key_names = arena_alloc_array(&plan->arena, (size_t)spec->n_keys + 1, sizeof(char *));
    plan->key_is_int = arena_alloc(&plan->arena, (size_t)spec->n_keys + 1);
    if (plan->key_names == NULL || plan->key_is_int == NULL)
        return err_nomem(err);
    plan->sorts_here = plan->is_where;
    for (int i = 0; i < spec->n_keys; i++) {
        int found = relation_find(plan->relation, spec->keys[i]);

        if (found < 0)
            return no_column(plan->relation, spec->keys[i], err);
        plan->key_names[i] = plan->relation->columns[found].name;
        plan->key_is_int[i] = is_int(plan->relation->columns[found].type);
        plan->sorts_here &= plan->key_is_int[i];
    }
    return ERR_OK;
}

/* A time that is a number says nothing of when it was. */
static void find_time(struct lookup_plan *plan, const struct lookup_spec *spec)
{
    int found = spec->time_column != NULL ? relation_find(plan->relation, spec->time_column) : -1;

    if (found < 0 || !plan->relation->columns[found].readable)
        return;
    plan->time_type = plan->relation->columns[found].type;
    plan->has_age = plan->time_type == PG_DATE || plan->time_type == PG_TIMESTAMP ||
                    plan->time_type == PG_TIMESTAMPTZ;
}

/* A cast of a key to text has no other type, whatever it was. */
static enum err_code note_types(struct lookup_plan *plan, const struct lookup_spec *spec,
                                struct err *err)
{
    const struct relation_column *columns = plan->relation->columns;
    int n = 0;

    plan->types = arena_alloc_array(
        &plan->arena, (size_t)spec->n_columns + (size_t)spec->n_keys + 2, sizeof(*plan->types));
    if (plan->types == NULL)
        return err_nomem(err);
    for (int i = 0; i < spec->n_columns; i++)
        plan->types[n++] =
            relation_wire_type(&columns[relation_find(plan->relation, spec->columns[i].name)]);
    for (int i = 0; i < spec->n_keys; i++)
        plan->types[n++] = plan->key_is_int[i]
                               ? columns[relation_find(plan->relation, spec->keys[i])].type_oid
                               : PG_OID_TEXT;
    if (plan->has_age) {
        plan->types[n++] = columns[relation_find(plan->relation, spec->time_column)].type_oid;
        plan->types[n++] = PG_OID_TIMESTAMPTZ;
    }
    plan->n_types = n;
    return ERR_OK;
}

/* The statement ------------------------------------------------------------------------------- */

static enum err_code put_selected(struct pg *pg, const struct lookup_plan *plan,
                                  const struct lookup_spec *spec, struct buf *sql, struct err *err)
{
    const struct relation *relation = plan->relation;

    for (int i = 0; i < spec->n_columns; i++) {
        int found = relation_find(relation, spec->columns[i].name);

        buf_puts(sql, i > 0 ? ", " : "");
        TRY(relation_put_column(pg, relation, &relation->columns[found], sql, err));
    }
    for (int i = 0; i < plan->n_keys; i++) {
        buf_puts(sql, spec->n_columns + i > 0 ? ", " : "");
        buf_puts(sql, plan->key_is_int[i] ? "" : "pg_catalog.to_jsonb(");
        TRY(pg_quote_identifier(pg, sql, plan->key_names[i], err));
        buf_puts(sql, plan->key_is_int[i] ? "" : ")::pg_catalog.text");
    }
    if (plan->has_age) {
        buf_puts(sql, ", ");
        TRY(pg_quote_identifier(pg, sql, spec->time_column, err));
        buf_puts(sql, ", pg_catalog.statement_timestamp()");
    }
    return buf_check(sql, err);
}

/* "id" = key.k1 AND …, or "id" = $1::bigint AND … */
static enum err_code put_condition(struct pg *pg, const struct lookup_plan *plan, struct buf *sql,
                                   struct err *err)
{
    for (int i = 0; i < plan->n_params; i++) {
        const struct relation_column *column = &plan->relation->columns[plan->params[i]];

        buf_puts(sql, i > 0 ? " AND " : " WHERE ");
        TRY(pg_quote_identifier(pg, sql, column->name, err));
        if (plan->is_where)
            buf_printf(sql, " = $%d::%s", i + 1, column->cast_name);
        else
            buf_printf(sql, " = pgboost_key.k%d", i + 1);
    }
    return buf_check(sql, err);
}

/* By key, so that equals stand in the same order each time. */
static enum err_code put_where(struct pg *pg, const struct lookup_plan *plan,
                               const struct lookup_spec *spec, struct buf *sql, struct err *err)
{
    buf_puts(sql, "SELECT 1::bigint, ");
    TRY(put_selected(pg, plan, spec, sql, err));
    buf_printf(sql, " FROM %s AS pgboost_row", plan->relation->name);
    TRY(put_condition(pg, plan, sql, err));
    for (int i = 0; i < plan->n_keys && !plan->sorts_here; i++) {
        buf_puts(sql, i > 0 ? ", " : " ORDER BY ");
        buf_puts(sql, "pgboost_row.");
        TRY(pg_quote_identifier(pg, sql, plan->key_names[i], err));
    }
    buf_printf(sql, " LIMIT %zu",
               spec->max_rows + 1); /* of a parameter the planner expects little */
    return buf_check(sql, err);
}

/* Each key runs the plan that one alone would have: LIMIT keeps the planner from making one join of
 * them all, and a key of many rows from sending them. */
static enum err_code put_keys(struct pg *pg, const struct lookup_plan *plan,
                              const struct lookup_spec *spec, struct buf *sql, struct err *err)
{
    buf_puts(sql, "SELECT pgboost_key.n, pgboost_row.* FROM ROWS FROM (");
    for (int i = 0; i < plan->n_params; i++)
        buf_printf(sql, "%spg_catalog.unnest($%d::%s[])", i > 0 ? ", " : "", i + 1,
                   plan->relation->columns[plan->params[i]].cast_name);
    buf_puts(sql, ") WITH ORDINALITY AS pgboost_key (");
    for (int i = 0; i < plan->n_params; i++)
        buf_printf(sql, "k%d, ", i + 1);
    buf_puts(sql, "n), LATERAL (SELECT ");
    TRY(put_selected(pg, plan, spec, sql, err));
    buf_printf(sql, " FROM %s AS pgboost_row", plan->relation->name);
    TRY(put_condition(pg, plan, sql, err));
    buf_puts(sql, " LIMIT 2) AS pgboost_row");
    return buf_check(sql, err);
}

enum err_code plan_put_sql(struct pg *pg, const struct lookup_plan *plan,
                           const struct lookup_spec *spec, struct buf *sql, struct err *err)
{
    return plan->is_where ? put_where(pg, plan, spec, sql, err)
                          : put_keys(pg, plan, spec, sql, err);
}

/* Life ---------------------------------------------------------------------------------------- */

/* What a client did not name is not what a client did not find. */
static enum err_code as_conflict(enum err_code code, struct err *err)
{
    if (code != ERR_NOT_FOUND)
        return code;
    if (err != NULL)
        err->code = ERR_CONFLICT;
    return ERR_CONFLICT;
}

static enum err_code meet(struct pg *pg, const struct lookup_spec *spec, struct lookup_plan *plan,
                          struct err *err)
{
    TRY(as_conflict(relation_open(pg, spec->relation, &plan->relation, err), err));
    TRY(zone_new(spec->timezone, &plan->zone, err));
    TRY(check_columns(plan->relation, spec, err));
    TRY(find_keys(plan, spec, err));
    TRY(find_params(plan, spec, err));
    plan->n_columns = spec->n_columns;
    find_time(plan, spec);
    return note_types(plan, spec, err);
}

enum err_code plan_new(struct pg *pg, const struct lookup_spec *spec, bool is_where,
                       unsigned number, struct lookup_plan **ret_plan, struct err *err)
{
    CLEANUP(plan_freep) struct lookup_plan *plan = calloc(1, sizeof(*plan));
    CLEANUP(buf_release) struct buf sql = {0};

    if (plan == NULL)
        return err_nomem(err);
    plan->is_where = is_where;
    snprintf(plan->name, sizeof(plan->name), "pgboost_%u", number);
    TRY(meet(pg, spec, plan, err));
    TRY(plan_put_sql(pg, plan, spec, &sql, err));
    plan->sql = arena_strdup(&plan->arena, buf_text(&sql));
    if (plan->sql == NULL)
        return err_nomem(err);
    if (!pg_pooled(pg))
        TRY(as_conflict(pg_prepare(pg, plan->name, plan->sql, err), err));
    *ret_plan = TAKE_PTR(plan);
    return ERR_OK;
}

void plan_deallocate(struct pg *pg, const struct lookup_plan *plan)
{
    char sql[48];

    if (pg == NULL || pg_broken(pg) || pg_pooled(pg))
        return;
    snprintf(sql, sizeof(sql), "DEALLOCATE %s", plan->name);
    (void)!pg_exec(pg, sql, 0, NULL, NULL, NULL);
}

void plan_free(struct lookup_plan *plan)
{
    if (plan == NULL)
        return;
    relation_free(plan->relation);
    zone_free(plan->zone);
    arena_release(&plan->arena);
    free(plan);
}
