#include "catalog/select.h"

static void write_select(const struct row_spec *spec, const char *tail, struct buf *sql)
{
    buf_puts(sql, "SELECT ");
    for (int i = 0; i < spec->n_fields; i++) {
        if (i > 0)
            buf_puts(sql, ", ");
        buf_puts(sql, spec->fields[i].sql);
    }
    buf_putc(sql, ' ');
    buf_puts(sql, tail);
}

static enum err_code read_text(const struct pg_table *table, int row, int column,
                               struct arena *arena, const char **ret_text, struct err *err)
{
    const char *text = pg_get_text(table, row, column);

    *ret_text = NULL;
    if (text != NULL) {
        *ret_text = arena_strdup(arena, text);
        if (*ret_text == NULL)
            return err_nomem(err);
    }
    return ERR_OK;
}

static enum err_code read_field(const struct pg_table *table, int row, int column,
                                const struct field *field, struct arena *arena, char *item,
                                struct err *err)
{
    void *member = item + field->offset;

    switch (field->type) {
    case FIELD_TEXT:
        return read_text(table, row, column, arena, member, err);
    case FIELD_INT64:
        *(int64_t *)member = pg_get_int64(table, row, column);
        break;
    case FIELD_UINT32:
        *(uint32_t *)member = (uint32_t)pg_get_int64(table, row, column);
        break;
    case FIELD_INT:
        *(int *)member = (int)pg_get_int64(table, row, column);
        break;
    case FIELD_DOUBLE:
        *(double *)member = pg_get_double(table, row, column);
        break;
    case FIELD_BOOL:
        *(bool *)member = pg_get_bool(table, row, column);
        break;
    }
    return ERR_OK;
}

enum err_code catalog_select(struct pg *pg, const struct row_spec *spec, const char *tail,
                             int n_params, const struct pg_param *params,
                             struct selected *ret_selected, struct err *err)
{
    CLEANUP(buf_release) struct buf sql = {0};
    CLEANUP(pg_table_release) struct pg_table table = {0};
    CLEANUP(arena_release) struct arena arena = {0};
    char *items;

    write_select(spec, tail, &sql);
    TRY(buf_check(&sql, err));
    TRY(pg_rows(pg, buf_text(&sql), n_params, params, &table, err));
    items = arena_alloc_array(&arena, (size_t)table.n_rows + 1, spec->item_size);
    if (items == NULL)
        return err_nomem(err);
    for (int row = 0; row < table.n_rows; row++)
        for (int i = 0; i < spec->n_fields; i++)
            TRY(read_field(&table, row, i, &spec->fields[i], &arena,
                           items + (size_t)row * spec->item_size, err));
    *ret_selected = (struct selected){.n = table.n_rows, .items = items, .arena = arena};
    arena = (struct arena){0};
    return ERR_OK;
}
