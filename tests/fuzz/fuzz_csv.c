/* Fuzzing csv_to_table with libFuzzer: any bytes are refused, or become strict JSON. */
#include <stdint.h>

#include "base/json.h"
#include "predict/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_release) struct buf json = {0}, out = {0};
    struct err err = {0};

    buf_putc(&json, '{');
    if (csv_to_table((const char *)data, size, 64, &json, &err) != ERR_OK) {
        if (err.code != ERR_INVALID || err.message[0] == '\0')
            abort();
        return 0;
    }
    buf_putc(&json, '}');
    if (json_compact(json.data, json.length, &out, &err) != ERR_OK)
        abort();
    return 0;
}
