/* The reader of json and jsonb alone. */
#include "cells.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum pg_type types[] = {PG_JSON};

    fuzz_cell(types, N_ELEMENTS(types), data, size);
    return 0;
}
