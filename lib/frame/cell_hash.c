/* A value as a number that tells it from others. */
#include <string.h>

#include "base/hash.h"
#include "frame/cell.h"

static uint64_t hash_texts(const struct cell *cell)
{
    uint64_t number = cell->n_items;

    for (size_t i = 0; i < cell->n_items; i++)
        number =
            number * 31 +
            (cell->texts[i].text == NULL ? 1 : hash64(cell->texts[i].text, cell->texts[i].n_bytes));
    return number;
}

uint64_t cell_hash(const struct cell *cell)
{
    uint64_t number = 0;

    switch (cell->kind) {
    case CELL_TEXT:
    case CELL_JSON:
        return hash64(cell->text, cell->n_bytes);
    case CELL_LIST:
        return hash64(cell->items, cell->n_items * sizeof(*cell->items));
    case CELL_TEXTS:
        number = hash_texts(cell);
        break;
    case CELL_BOOL:
        number = cell->bool_value;
        break;
    case CELL_FLOAT4:
        memcpy(&number, &cell->float_value, sizeof(cell->float_value));
        break;
    case CELL_INT:
    case CELL_TIMESTAMP:
    case CELL_DOUBLE: /* eight bytes each */
        memcpy(&number, &cell->int_value, sizeof(number));
        break;
    }
    return hash64(&number, sizeof(number));
}
