/* The readers of cells, of all types. */
#include "cells.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum pg_type types[PG_TYPES];

    for (int i = 0; i < PG_TYPES; i++)
        types[i] = (enum pg_type)i;
    fuzz_cell(types, PG_TYPES, data, size);
    return 0;
}
