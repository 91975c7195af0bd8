/*
 * libFuzzer's entry for model bytes: loads them, and walks and explains rows where they are a
 * model. scripts/fuzz builds it and gives it models of every booster to start from.
 */
#include <stdlib.h>

#include "forest/forest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define N_ROWS  9      /* more than go in step */
#define ROW_MAX 100000 /* features × outputs; a few bytes may ask for much more */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(forest_freep) struct forest *forest = NULL;
    CLEANUP(free_ptr) float *rows = NULL;
    CLEANUP(free_ptr) float *margins = NULL;
    CLEANUP(free_ptr) double *contributions = NULL, *scratch = NULL;
    size_t n_features, n_outputs;

    if (forest_load(data, size, &forest, NULL) != ERR_OK)
        return 0;
    n_features = (size_t)forest_n_features(forest);
    n_outputs = (size_t)forest_n_outputs(forest);
    if ((n_features + 1) * n_outputs > ROW_MAX)
        return 0;
    rows = calloc(n_features, N_ROWS * sizeof(*rows));
    margins = calloc(n_outputs, N_ROWS * sizeof(*margins));
    contributions = calloc(n_outputs, (n_features + 1) * sizeof(*contributions));
    scratch = calloc(forest_shap_scratch(forest), sizeof(*scratch));
    if (rows == NULL || margins == NULL || contributions == NULL || scratch == NULL)
        abort();
    rows[0] = 3e9f;
    rows[n_features - 1] = __builtin_nanf("");
    forest_margins(forest, rows, N_ROWS, margins);
    forest_margin(forest, rows, margins);
    forest_transform(forest, margins);
    forest_shap(forest, rows, contributions, scratch);
    return 0;
}
