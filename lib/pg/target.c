#include "pg/target.h"

#include <string.h>

#include "base/json.h"
#include "pg/internal.h"
#include "pg/relation.h"

#define STAGE "pg_temp.pgboost_rows"

void target_release(struct target *target)
{
    arena_release(&target->arena);
    *target = (struct target){0};
}

static enum err_code keep(struct target *target, struct buf *text, const char **ret_text,
                          struct err *err)
{
    TRY(buf_check(text, err));
    *ret_text = arena_strdup(&target->arena, buf_text(text));
    buf_clear(text);
    return *ret_text != NULL ? ERR_OK : err_nomem(err);
}

/* The table, as it is ------------------------------------------------------------------------- */

/* public.scores, of a schema that is there: the name that the table will have in relation_open. */
static enum err_code name_new_table(struct pg *pg, const char *text, struct target *target,
                                    struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table name = {0};
    struct relation_name parts;

    TRY(relation_name_parse(text, &parts, err));
    TRY(pg_rows(pg,
                "SELECT pg_catalog.format('%I.%I', nspname, $2::text)"
                " FROM pg_catalog.pg_namespace WHERE nspname = $1",
                2, (struct pg_param[]){PG_TEXT(parts.schema), PG_TEXT(parts.name)}, &name, err));
    if (name.n_rows == 0) {
        err_set(err, ERR_NOT_FOUND, "schema \"%s\" does not exist", parts.schema);
        return err_hint(err, "create it, or name another: --into schema.table");
    }
    target->name = arena_strdup(&target->arena, pg_get_text(&name, 0, 0));
    return target->name != NULL ? ERR_OK : err_nomem(err);
}

/* Only a table keeps rows by a key. */
static enum err_code check_kind(const struct relation *relation, struct err *err)
{
    if (relation->kind == 'r' || relation->kind == 'p')
        return ERR_OK;
    err_set(err, ERR_CONFLICT, "%s is no table that rows could be written to", relation->name);
    return err_hint(err, "name a table, or one that does not exist and is then made");
}

static enum err_code add_column(const struct relation *relation, const struct target_column *column,
                                struct target *target, struct err *err)
{
    int index = relation_find(relation, column->name);

    if (index < 0 && column->may_lack)
        return ERR_OK;
    if (index < 0) {
        err_set(err, ERR_CONFLICT, "table %s has no column \"%s\"", relation->name, column->name);
        return err_hint(err, "ALTER TABLE %s ADD COLUMN \"%s\" %s", relation->name, column->name,
                        column->type);
    }
    target->types[target->n_columns] =
        arena_strdup(&target->arena, relation->columns[index].type_name);
    if (target->types[target->n_columns] == NULL)
        return err_nomem(err);
    target->columns[target->n_columns++] = *column;
    return ERR_OK;
}

/* Of the columns named by $2, in whatever order, and nothing else: what ON CONFLICT can infer. */
static const char unique_sql[] =
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_index i"
    " WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid AND i.indimmediate"
    "  AND i.indpred IS NULL AND i.indexprs IS NULL"
    "  AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text COLLATE \"C\")"
    "    FROM unnest(i.indkey) WITH ORDINALITY k (attnum, n)"
    "    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum"
    "    WHERE k.n <= i.indnkeyatts)"
    "   = (SELECT array_agg(name ORDER BY name COLLATE \"C\")"
    "    FROM jsonb_array_elements_text($2::jsonb) name))";

static enum err_code check_key(struct pg *pg, const struct relation *relation,
                               const struct target *target, struct err *err)
{
    CLEANUP(buf_release) struct buf names = {0}, list = {0};
    CLEANUP(pg_table_release) struct pg_table found = {0};
    struct pg_int oid;

    for (int i = 0; i < target->n_columns && target->columns[i].is_key; i++) {
        buf_putc(&names, i > 0 ? ',' : '[');
        json_put_text(&names, target->columns[i].name);
        buf_puts(&list, i > 0 ? ", " : "");
        TRY(pg_quote_identifier(pg, &list, target->columns[i].name, err));
    }
    buf_putc(&names, ']');
    TRY(buf_check(&names, err));
    TRY(pg_row(pg, unique_sql, 2,
               (struct pg_param[]){pg_param_int(&oid, relation->oid), PG_TEXT(buf_text(&names))},
               &found, err));
    if (pg_get_bool(&found, 0, 0))
        return ERR_OK;
    err_set(err, ERR_CONFLICT, "table %s has no unique key of %s", relation->name, buf_text(&list));
    return err_hint(err, "ALTER TABLE %s ADD PRIMARY KEY (%s)", relation->name, buf_text(&list));
}

static enum err_code use_table(struct pg *pg, const struct relation *relation,
                               const struct target_column *columns, int n_columns,
                               struct target *target, struct err *err)
{
    TRY(check_kind(relation, err));
    target->name = arena_strdup(&target->arena, relation->name);
    if (target->name == NULL)
        return err_nomem(err);
    for (int i = 0; i < n_columns; i++)
        TRY(add_column(relation, &columns[i], target, err));
    return check_key(pg, relation, target, err);
}

/* Statements ---------------------------------------------------------------------------------- */

enum part { PART_NAME, PART_DEFINITION, PART_CAST, PART_EXCLUDED };

/* A list of columns, of all or of the keys or of the others. */
struct which {
    bool keys, others;
};
static const struct which all = {true, true}, keys = {true, false}, others = {false, true};

static enum err_code put_columns(struct pg *pg, const struct target *target, struct which which,
                                 enum part part, struct buf *sql, struct err *err)
{
    const char *separator = "";

    for (int i = 0; i < target->n_columns; i++) {
        const struct target_column *column = &target->columns[i];

        if (!(column->is_key ? which.keys : which.others))
            continue;
        buf_puts(sql, separator);
        separator = ", ";
        buf_puts(sql, part == PART_CAST ? "CAST(" : "");
        TRY(pg_quote_identifier(pg, sql, column->name, err));
        if (part == PART_DEFINITION)
            buf_printf(sql, " %s", column->type);
        if (part == PART_CAST)
            buf_printf(sql, " AS %s)", target->types[i]);
        if (part == PART_EXCLUDED) {
            buf_puts(sql, " = EXCLUDED.");
            TRY(pg_quote_identifier(pg, sql, column->name, err));
        }
    }
    return ERR_OK;
}

static enum err_code write_create(struct pg *pg, struct target *target, struct err *err)
{
    CLEANUP(buf_release) struct buf sql = {0};

    buf_printf(&sql, "CREATE TABLE %s (", target->name);
    TRY(put_columns(pg, target, all, PART_DEFINITION, &sql, err));
    buf_puts(&sql, ", PRIMARY KEY (");
    TRY(put_columns(pg, target, keys, PART_NAME, &sql, err));
    buf_puts(&sql, "))");
    return keep(target, &sql, &target->create_sql, err);
}

static enum err_code write_copy(struct pg *pg, struct target *target, struct err *err)
{
    CLEANUP(buf_release) struct buf sql = {0};

    buf_printf(&sql, "COPY %s (", target->is_new ? target->name : STAGE);
    TRY(put_columns(pg, target, all, PART_NAME, &sql, err));
    buf_puts(&sql, ") FROM STDIN (FORMAT binary)");
    return keep(target, &sql, &target->copy_sql, err);
}

static enum err_code write_stage(struct pg *pg, struct target *target, struct err *err)
{
    CLEANUP(buf_release) struct buf sql = {0};

    buf_puts(&sql, "CREATE TEMPORARY TABLE " STAGE " (");
    TRY(put_columns(pg, target, all, PART_DEFINITION, &sql, err));
    buf_puts(&sql, ") ON COMMIT DROP");
    return keep(target, &sql, &target->stage_sql, err);
}

static enum err_code write_upsert(struct pg *pg, struct target *target, struct err *err)
{
    CLEANUP(buf_release) struct buf sql = {0};

    buf_printf(&sql, "INSERT INTO %s (", target->name);
    TRY(put_columns(pg, target, all, PART_NAME, &sql, err));
    buf_puts(&sql, ") SELECT ");
    TRY(put_columns(pg, target, all, PART_CAST, &sql, err));
    buf_puts(&sql, " FROM " STAGE " ON CONFLICT (");
    TRY(put_columns(pg, target, keys, PART_NAME, &sql, err));
    buf_puts(&sql, ") DO UPDATE SET ");
    TRY(put_columns(pg, target, others, PART_EXCLUDED, &sql, err));
    return keep(target, &sql, &target->upsert_sql, err);
}

static enum err_code write_find(struct pg *pg, struct target *target, struct err *err)
{
    CLEANUP(buf_release) struct buf sql = {0};

    buf_printf(&sql, "SELECT EXISTS (SELECT FROM %s WHERE ", target->name);
    for (int i = 0; i < target->n_columns && target->columns[i].is_key; i++) {
        buf_puts(&sql, i > 0 ? " AND " : "");
        TRY(pg_quote_identifier(pg, &sql, target->columns[i].name, err));
        buf_printf(&sql, " = $%d::%s", i + 1, target->types[i]);
    }
    buf_putc(&sql, ')');
    return keep(target, &sql, &target->find_sql, err);
}

static enum err_code write_statements(struct pg *pg, struct target *target, struct err *err)
{
    TRY(write_create(pg, target, err));
    TRY(write_copy(pg, target, err));
    TRY(write_stage(pg, target, err));
    TRY(write_upsert(pg, target, err));
    return write_find(pg, target, err);
}

static enum err_code open_target(struct pg *pg, const char *name,
                                 const struct target_column *columns, int n_columns,
                                 struct target *target, struct err *err)
{
    CLEANUP(relation_freep) struct relation *relation = NULL;
    struct err missing;
    enum err_code code = relation_open(pg, name, &relation, &missing);

    target->columns =
        arena_alloc_array(&target->arena, (size_t)n_columns, sizeof(*target->columns));
    target->types = arena_alloc_array(&target->arena, (size_t)n_columns, sizeof(*target->types));
    if (target->columns == NULL || target->types == NULL)
        return err_nomem(err);
    if (code != ERR_OK && code != ERR_NOT_FOUND) {
        if (err != NULL)
            *err = missing;
        return code;
    }
    if (code == ERR_OK)
        return use_table(pg, relation, columns, n_columns, target, err);
    target->is_new = true;
    for (; target->n_columns < n_columns; target->n_columns++) {
        target->columns[target->n_columns] = columns[target->n_columns];
        target->types[target->n_columns] = columns[target->n_columns].type;
    }
    return name_new_table(pg, name, target, err);
}

enum err_code target_open(struct pg *pg, const char *name, const struct target_column *columns,
                          int n_columns, struct target *ret_target, struct err *err)
{
    CLEANUP(target_release) struct target target = {0};

    TRY(open_target(pg, name, columns, n_columns, &target, err));
    TRY(write_statements(pg, &target, err));
    *ret_target = target;
    target = (struct target){0};
    return ERR_OK;
}

/* Rows ---------------------------------------------------------------------------------------- */

enum err_code target_create(struct pg *pg, const struct target *target, struct err *err)
{
    enum err_code code;

    if (!target->is_new)
        return ERR_OK;
    code = pg_exec(pg, target->create_sql, 0, NULL, NULL, err);
    if (code != ERR_OK)
        err_prefix(err, "making table %s", target->name);
    return code;
}

/* The wait for each piece is bounded by the client instead of statement_timeout, as where rows are
 * read. */
enum err_code target_begin(struct pg *pg, const struct target *target, struct err *err)
{
    TRY(pg_exec(pg, "SELECT pg_catalog.set_config('statement_timeout', '0', true)", 0, NULL, NULL,
                err));
    if (!target->is_new)
        TRY(pg_exec(pg, target->stage_sql, 0, NULL, NULL, err));
    return pg_copy_in_begin(pg, target->copy_sql, err);
}

enum err_code target_end(struct pg *pg, const struct target *target, struct err *err)
{
    TRY(pg_copy_in_end(pg, err));
    return target->is_new ? ERR_OK : pg_exec(pg, target->upsert_sql, 0, NULL, NULL, err);
}

#define KEYS_MAX 32

enum err_code target_has(struct pg *pg, const struct target *target, const char *const *key,
                         bool *ret_has, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    struct pg_param params[KEYS_MAX];
    int n = 0;

    for (; n < target->n_columns && target->columns[n].is_key && n < KEYS_MAX; n++)
        params[n] = PG_TEXT(key[n]);
    TRY(pg_row(pg, target->find_sql, n, params, &table, err));
    *ret_has = pg_get_bool(&table, 0, 0);
    return ERR_OK;
}
