/*
 * libFuzzer's entry for model bytes: loads them, and walks and explains one row where they
 * are a model.
 *
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ilib -o fuzz_forest \
 *         tests/fuzz/fuzz_forest.c $(ls lib/forest/[a-z]*.c) \
 *         lib/base/err.c lib/base/buf.c lib/base/arena.c -lm
 *     ./fuzz_forest CORPUS      seeds: tests/unit/forest/make_models.py CORPUS
 */
#include <stdlib.h>

#include "forest/forest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(forest_freep) struct forest *forest = NULL;
    CLEANUP(free_ptr) float *row = NULL;
    CLEANUP(free_ptr) float *margins = NULL;
    CLEANUP(free_ptr) double *contributions = NULL, *scratch = NULL;

    if (forest_load(data, size, &forest, NULL) != ERR_OK)
        return 0;
    row = calloc((size_t)forest_n_features(forest), sizeof(*row));
    margins = calloc((size_t)forest_n_outputs(forest), sizeof(*margins));
    contributions = calloc((size_t)forest_n_outputs(forest),
                           ((size_t)forest_n_features(forest) + 1) * sizeof(*contributions));
    scratch = calloc(forest_shap_scratch(forest), sizeof(*scratch));
    if (row == NULL || margins == NULL || contributions == NULL || scratch == NULL)
        abort();
    forest_margin(forest, row, margins);
    forest_transform(forest, margins);
    forest_shap(forest, row, contributions, scratch);
    return 0;
}
