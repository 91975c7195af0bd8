/* The binary form that COPY sends: everything in network byte order. */
#include <math.h>
#include <string.h>

#include "frame/internal.h"

static const enum cell_kind cell_kinds[PG_TYPES] = {
    [PG_BOOL] = CELL_BOOL,
    [PG_INT2] = CELL_INT,
    [PG_INT4] = CELL_INT,
    [PG_INT8] = CELL_INT,
    [PG_FLOAT4] = CELL_FLOAT4,
    [PG_FLOAT8] = CELL_DOUBLE,
    [PG_NUMERIC] = CELL_DOUBLE,
    [PG_TEXT_TYPE] = CELL_TEXT,
    [PG_BPCHAR] = CELL_TEXT,
    [PG_ENUM] = CELL_TEXT,
    [PG_DATE] = CELL_TIMESTAMP,
    [PG_TIMESTAMP] = CELL_TIMESTAMP,
    [PG_TIMESTAMPTZ] = CELL_TIMESTAMP,
    [PG_OTHER] = CELL_TEXT,
};

/* Bytes of a type's binary form; 0: any number. */
static const uint8_t sizes[PG_TYPES] = {
    [PG_BOOL] = 1,   [PG_INT2] = 2, [PG_INT4] = 4,      [PG_INT8] = 8,        [PG_FLOAT4] = 4,
    [PG_FLOAT8] = 8, [PG_DATE] = 4, [PG_TIMESTAMP] = 8, [PG_TIMESTAMPTZ] = 8,
};

enum cell_kind cell_kind_of(enum pg_type type)
{
    return cell_kinds[type];
}

static int64_t read_int(const uint8_t *data, uint32_t n_bytes)
{
    uint64_t value = data[0] & 0x80 ? UINT64_MAX : 0;

    for (uint32_t i = 0; i < n_bytes; i++)
        value = value << 8 | data[i];
    return (int64_t)value;
}

void cell_set_days(struct cell *cell, int64_t days)
{
    cell->is_null = days < DATE_MIN_DAYS || days >= TIMESTAMP_END / USECS_PER_DAY;
    cell->int_value = cell->is_null ? 0 : days * USECS_PER_DAY;
}

static void set_float4(struct cell *cell, const uint8_t *data)
{
    uint32_t bits = (uint32_t)read_int(data, 4);

    memcpy(&cell->float_value, &bits, sizeof(bits));
    cell->is_null = isnan(cell->float_value);
}

static void set_float8(struct cell *cell, const uint8_t *data)
{
    int64_t bits = read_int(data, 8);

    memcpy(&cell->double_value, &bits, sizeof(bits));
    cell->is_null = isnan(cell->double_value);
}

static void set_text(struct cell *cell, const uint8_t *data, uint32_t n_bytes, bool trim)
{
    while (trim && n_bytes > 0 && data[n_bytes - 1] == ' ')
        n_bytes--;
    cell->text = (const char *)data;
    cell->n_bytes = n_bytes;
}

static void set_timestamp(struct cell *cell, int64_t us)
{
    cell->int_value = us;
    cell->is_null = us == INT64_MAX || us == INT64_MIN;
}

enum err_code cell_from_binary(enum pg_type type, const uint8_t *data, uint32_t n_bytes,
                               struct cell *ret_cell, struct err *err)
{
    struct cell cell = {.kind = cell_kinds[type]};

    if (sizes[type] != 0 && n_bytes != sizes[type])
        return err_set(err, ERR_CORRUPT, "%u bytes where %s has %d", n_bytes, pg_type_name(type),
                       sizes[type]);
    switch (type) {
    case PG_BOOL:
        cell.bool_value = data[0] != 0;
        break;
    case PG_INT2:
    case PG_INT4:
    case PG_INT8:
        cell.int_value = read_int(data, n_bytes);
        break;
    case PG_FLOAT4:
        set_float4(&cell, data);
        break;
    case PG_FLOAT8:
        set_float8(&cell, data);
        break;
    case PG_NUMERIC:
        TRY(numeric_to_double(data, n_bytes, &cell.double_value, err));
        cell.is_null = isnan(cell.double_value);
        break;
    case PG_DATE:
        cell_set_days(&cell, read_int(data, n_bytes));
        break;
    case PG_TIMESTAMP:
    case PG_TIMESTAMPTZ:
        set_timestamp(&cell, read_int(data, n_bytes));
        break;
    default:
        set_text(&cell, data, n_bytes, type == PG_BPCHAR);
        break;
    }
    *ret_cell = cell;
    return ERR_OK;
}
