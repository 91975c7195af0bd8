/* The binary form that COPY sends: everything in network byte order. */
#include <endian.h>
#include <math.h>
#include <string.h>

#include "frame/internal.h"

const enum cell_kind cell_kinds[PG_TYPES] = {
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
    [PG_TIME] = CELL_DOUBLE,
    [PG_INTERVAL] = CELL_DOUBLE,
    [PG_MONEY] = CELL_DOUBLE,
    [PG_BIT] = CELL_LIST,
    [PG_POINT] = CELL_LIST,
    [PG_INT_RANGE] = CELL_LIST,
    [PG_NUM_RANGE] = CELL_LIST,
    [PG_DATE_RANGE] = CELL_LIST,
    [PG_TS_RANGE] = CELL_LIST,
    [PG_TSTZ_RANGE] = CELL_LIST,
    [PG_BOOL_ARRAY] = CELL_LIST,
    [PG_INT2_ARRAY] = CELL_LIST,
    [PG_INT4_ARRAY] = CELL_LIST,
    [PG_INT8_ARRAY] = CELL_LIST,
    [PG_FLOAT4_ARRAY] = CELL_LIST,
    [PG_FLOAT8_ARRAY] = CELL_LIST,
    [PG_NUMERIC_ARRAY] = CELL_LIST,
    [PG_TEXT_ARRAY] = CELL_TEXTS,
    [PG_VECTOR] = CELL_LIST,
    [PG_JSON] = CELL_JSON,
    [PG_UUID] = CELL_TEXT,
    [PG_INET] = CELL_TEXT,
    [PG_BYTEA] = CELL_TEXT,
    [PG_OTHER] = CELL_TEXT,
};

/* Bytes of a type's binary form; 0: any number. */
static const uint8_t sizes[PG_TYPES] = {
    [PG_BOOL] = 1,   [PG_INT2] = 2, [PG_INT4] = 4,      [PG_INT8] = 8,        [PG_FLOAT4] = 4,
    [PG_FLOAT8] = 8, [PG_DATE] = 4, [PG_TIMESTAMP] = 8, [PG_TIMESTAMPTZ] = 8, [PG_TIME] = 8,
};

/* Of one of the sizes above: most cells are no more than this. */
static int64_t read_int(const uint8_t *data, uint32_t n_bytes)
{
    uint16_t two;
    uint32_t four;
    uint64_t eight;

    switch (n_bytes) {
    case sizeof(two):
        memcpy(&two, data, sizeof(two));
        return (int16_t)be16toh(two);
    case sizeof(four):
        memcpy(&four, data, sizeof(four));
        return (int32_t)be32toh(four);
    default:
        memcpy(&eight, data, sizeof(eight));
        return (int64_t)be64toh(eight);
    }
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

static enum err_code set_timestamp(enum pg_type type, struct cell *cell, int64_t us,
                                   struct err *err)
{
    cell->int_value = us;
    cell->is_null = us == INT64_MAX || us == INT64_MIN;
    if (!cell->is_null && (us < TIMESTAMP_MIN || us >= TIMESTAMP_END))
        return cell_corrupt(type, err);
    return ERR_OK;
}

/* A document may be anything: what cells do not hold is a missing value. jsonb comes with a version
 * before the text, which no JSON begins with. */
static void set_json(struct cell *cell, struct cell_scratch *scratch, const uint8_t *data,
                     uint32_t n_bytes)
{
    bool is_jsonb = n_bytes > 0 && data[0] == 1;

    cell_set_document(cell, scratch, (const char *)data + is_jsonb, n_bytes - is_jsonb);
}

/* Types whose own files read them. Nothing may be left over. */
static enum err_code read_wire(enum pg_type type, struct wire wire, struct cell_scratch *scratch,
                               struct cell *cell, struct err *err)
{
    if (type == PG_INTERVAL)
        TRY(cell_interval_from_binary(&wire, cell, err));
    else if (type == PG_BIT)
        TRY(cell_bits_from_binary(&wire, scratch, cell, err));
    else if (type == PG_POINT)
        TRY(cell_point_from_binary(&wire, scratch, cell, err));
    else if (type == PG_VECTOR)
        TRY(cell_vector_from_binary(&wire, scratch, cell, err));
    else if (cell_is_range(type))
        TRY(cell_range_from_binary(type, &wire, scratch, cell, err));
    else
        TRY(cell_array_from_binary(type, &wire, scratch, cell, err));
    return wire.at == wire.end ? ERR_OK : cell_corrupt(type, err);
}

enum err_code cell_from_binary(enum pg_type type, const uint8_t *data, uint32_t n_bytes,
                               struct cell_scratch *scratch, struct cell *ret_cell, struct err *err)
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
    case PG_MONEY:
        TRY(numeric_to_double(data, n_bytes, &cell.double_value, err));
        cell.is_null = isnan(cell.double_value);
        break;
    case PG_DATE:
        cell_set_days(&cell, read_int(data, n_bytes));
        break;
    case PG_TIMESTAMP:
    case PG_TIMESTAMPTZ:
        TRY(set_timestamp(type, &cell, read_int(data, n_bytes), err));
        break;
    case PG_TIME:
        if (!cell_set_time_of_day(&cell, read_int(data, n_bytes)))
            return cell_corrupt(type, err);
        break;
    case PG_JSON:
        set_json(&cell, scratch, data, n_bytes);
        break;
    default:
        if (cell.kind == CELL_TEXT)
            set_text(&cell, data, n_bytes, type == PG_BPCHAR);
        else
            TRY(read_wire(type, (struct wire){data, data + n_bytes}, scratch, &cell, err));
        break;
    }
    *ret_cell = cell;
    return ERR_OK;
}
