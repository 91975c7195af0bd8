/*
 * What Postgres's own catalog says of a relation's key, for a first definition.
 */
#include "catalog/catalog.h"
#include "catalog/select.h"

static const struct field name_fields[] = {{"a.attname", FIELD_TEXT, 0}};
static const struct row_spec name_spec = ROW_SPEC(const char *, name_fields);

void name_rows_release(struct name_rows *rows)
{
    arena_release(&rows->arena);
    *rows = (struct name_rows){0};
}

enum err_code catalog_primary_key(struct pg *pg, uint32_t relation_oid, struct name_rows *ret_rows,
                                  struct err *err)
{
    struct pg_int oid;
    struct selected selected;

    TRY(catalog_select(pg, &name_spec,
                       "FROM pg_index i"
                       " CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS part (attnum, position)"
                       " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = part.attnum"
                       " WHERE i.indrelid = $1::oid AND i.indisprimary"
                       " ORDER BY part.position",
                       1, (struct pg_param[]){pg_param_int(&oid, relation_oid)}, &selected, err));
    *ret_rows =
        (struct name_rows){.n = selected.n, .items = selected.items, .arena = selected.arena};
    return ERR_OK;
}
