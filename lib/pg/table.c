/* Parameters and cells of statements. */
#include <inttypes.h>
#include <stdio.h>

#include "pg/pg.h"

struct pg_param pg_param_int(struct pg_int *storage, int64_t value)
{
    snprintf(storage->text, sizeof(storage->text), "%" PRId64, value);
    return PG_TEXT(storage->text);
}

void pg_table_release(struct pg_table *table)
{
    PQclear(table->result);
    *table = (struct pg_table){0};
}

bool pg_is_null(const struct pg_table *table, int row, int column)
{
    return PQgetisnull(table->result, row, column) != 0;
}

const char *pg_get_text(const struct pg_table *table, int row, int column)
{
    return pg_is_null(table, row, column) ? NULL : PQgetvalue(table->result, row, column);
}

int64_t pg_get_int64(const struct pg_table *table, int row, int column)
{
    const char *text = pg_get_text(table, row, column);

    return text != NULL ? strtoll(text, NULL, 10) : 0;
}

double pg_get_double(const struct pg_table *table, int row, int column)
{
    const char *text = pg_get_text(table, row, column);

    return text != NULL ? strtod(text, NULL) : 0;
}

bool pg_get_bool(const struct pg_table *table, int row, int column)
{
    const char *text = pg_get_text(table, row, column);

    return text != NULL && text[0] == 't';
}

const uint8_t *pg_get_bytes(const struct pg_table *table, int row, int column, size_t *ret_n_bytes)
{
    const char *bytes = pg_get_text(table, row, column);

    *ret_n_bytes = bytes != NULL ? (size_t)PQgetlength(table->result, row, column) : 0;
    return (const uint8_t *)bytes;
}
