/* The readers of arrays alone. */
#include "cells.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum pg_type types[] = {
        PG_BOOL_ARRAY,   PG_INT2_ARRAY,    PG_INT4_ARRAY, PG_INT8_ARRAY, PG_FLOAT4_ARRAY,
        PG_FLOAT8_ARRAY, PG_NUMERIC_ARRAY, PG_TEXT_ARRAY, PG_VECTOR,
    };

    fuzz_cell(types, N_ELEMENTS(types), data, size);
    return 0;
}
