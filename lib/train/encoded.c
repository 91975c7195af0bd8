#include "train/encoded.h"

#include <string.h>

#define BATCH_ROWS  65536
#define BATCH_BYTES ((size_t)8 << 20) /* of a batch of wide rows */

void encoded_release(struct encoded *encoded)
{
    free(encoded->values);
    free(encoded->labels);
    free(encoded->weights);
    free(encoded->lists);
    free(encoded->upper);
    spill_free(encoded->file);
    *encoded = (struct encoded){0};
}

static size_t row_bytes(const struct encoded *encoded)
{
    return (size_t)encoded->encoder->n_features * sizeof(float);
}

/* A batch holds whole lists. */
static size_t longest_list(const struct dataset *dataset, const struct rows *rows)
{
    size_t longest = 1;

    for (size_t begin = 0, end; dataset->lists != NULL && begin < rows->n; begin = end) {
        end = dataset_list_end(dataset, rows, begin);
        longest = end - begin > longest ? end - begin : longest;
    }
    return longest;
}

static size_t choose_batch_rows(const struct encoded *encoded, size_t n_least)
{
    size_t n = BATCH_BYTES / row_bytes(encoded);

    n = n < 1 ? 1 : n > BATCH_ROWS ? BATCH_ROWS : n;
    n = n < n_least ? n_least : n;
    return n < encoded->n_rows ? n : encoded->n_rows;
}

static enum err_code allocate(struct encoded *encoded, const struct dataset *dataset,
                              const struct rows *rows, const struct spill_rule *spill,
                              struct err *err)
{
    bool fits =
        spill == NULL || spill->above == 0 || encoded->n_rows <= spill->above / row_bytes(encoded);

    encoded->batch_rows = choose_batch_rows(encoded, longest_list(dataset, rows));
    encoded->labels = malloc(encoded->n_rows * sizeof(*encoded->labels) + 1);
    encoded->values =
        reallocarray(NULL, fits ? encoded->n_rows : encoded->batch_rows, row_bytes(encoded));
    if (encoded->labels == NULL || encoded->values == NULL)
        return err_nomem(err);
    return fits ? ERR_OK : spill_new(spill->folder, &encoded->file, err);
}

/* Where the rows from the first-th on are in memory. */
static float *place_of(const struct encoded *encoded, size_t first)
{
    return encoded->file != NULL ? encoded->values
                                 : encoded->values + first * (size_t)encoded->encoder->n_features;
}

static enum err_code fill(struct encoded *encoded, const struct dataset *dataset,
                          const struct rows *rows, const struct encoder_folds *folds,
                          struct err *err)
{
    for (size_t first = 0; first < rows->n; first += encoded->batch_rows) {
        size_t rest = rows->n - first, n = rest < encoded->batch_rows ? rest : encoded->batch_rows;
        float *values = place_of(encoded, first);

        if (folds != NULL)
            TRY(encoder_apply_folds(folds, first, n, values, err));
        else
            TRY(encoder_apply(encoded->encoder, dataset->frame, rows->items + first, n, values,
                              err));
        if (encoded->file != NULL)
            TRY(spill_append(encoded->file, values, n * row_bytes(encoded), NULL, err));
    }
    return ERR_OK;
}

/* Lists by their place among these. */
static enum err_code take_lists(struct encoded *encoded, const struct dataset *dataset,
                                const struct rows *rows, struct err *err)
{
    uint32_t list = 0;

    encoded->lists = malloc(rows->n * sizeof(*encoded->lists) + 1);
    if (encoded->lists == NULL)
        return err_nomem(err);
    for (size_t begin = 0, end; begin < rows->n; begin = end, list++) {
        end = dataset_list_end(dataset, rows, begin);
        for (size_t i = begin; i < end; i++)
            encoded->lists[i] = list;
    }
    return ERR_OK;
}

static enum err_code take_upper(struct encoded *encoded, const struct dataset *dataset,
                                const struct rows *rows, struct err *err)
{
    encoded->upper = malloc(rows->n * sizeof(*encoded->upper) + 1);
    if (encoded->upper == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < rows->n; i++)
        encoded->upper[i] = (float)dataset->upper[rows->items[i]];
    return ERR_OK;
}

/* What XGBoost takes beside the features: labels and weights as float32, lists, ends of times. */
static enum err_code take_labels(struct encoded *encoded, const struct dataset *dataset,
                                 const struct rows *rows, struct err *err)
{
    for (size_t i = 0; i < rows->n; i++)
        encoded->labels[i] = (float)(dataset->hazards ? dataset_signed_time(dataset, rows->items[i])
                                                      : dataset->y[rows->items[i]]);
    if (dataset->lists != NULL)
        TRY(take_lists(encoded, dataset, rows, err));
    if (dataset->upper != NULL && !dataset->hazards)
        TRY(take_upper(encoded, dataset, rows, err));
    if (dataset->weights == NULL)
        return ERR_OK;
    encoded->weights = malloc(rows->n * sizeof(*encoded->weights) + 1);
    if (encoded->weights == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < rows->n; i++)
        encoded->weights[i] = (float)dataset->weights[rows->items[i]];
    return ERR_OK;
}

static enum err_code init(struct encoded *encoded, const struct dataset *dataset,
                          const struct rows *rows, bool training, const struct spill_rule *spill,
                          struct err *err)
{
    struct encoder_target target = dataset_encoder_target(dataset);
    CLEANUP(encoder_folds_freep) struct encoder_folds *folds = NULL;

    TRY(allocate(encoded, dataset, rows, training ? spill : NULL, err));
    TRY(take_labels(encoded, dataset, rows, err));
    if (training)
        TRY(encoder_folds_new(encoded->encoder, dataset->frame, rows->items, rows->n, &target,
                              &folds, err));
    return fill(encoded, dataset, rows, folds, err);
}

enum err_code encoded_init(struct encoded *encoded, const struct encoder *encoder,
                           const struct dataset *dataset, const struct rows *rows, bool training,
                           const struct spill_rule *spill, struct err *err)
{
    enum err_code code;

    *encoded = (struct encoded){.encoder = encoder, .n_rows = rows->n};
    code = init(encoded, dataset, rows, training, spill, err);
    if (code != ERR_OK)
        encoded_release(encoded);
    return code;
}

static enum err_code read_batch(void *context, size_t first, size_t n, const float **ret_features,
                                struct err *err)
{
    const struct encoded *encoded = context;
    float *values = place_of(encoded, first);

    if (encoded->file != NULL)
        TRY(spill_read(encoded->file, first * row_bytes(encoded), values, n * row_bytes(encoded),
                       err));
    *ret_features = values;
    return ERR_OK;
}

enum err_code encoded_matrix(struct encoded *encoded, bool in_bins, int max_bin, int threads,
                             struct matrix **ret_matrix, struct err *err)
{
    const struct matrix_source source = {
        .n_rows = encoded->n_rows,
        .batch_rows = encoded->batch_rows,
        .n_features = encoded->encoder->n_features,
        .feature_names = encoded->encoder->feature_names,
        .feature_types = encoded->encoder->feature_types,
        .labels = encoded->labels,
        .weights = encoded->weights,
        .lists = encoded->lists,
        .upper = encoded->upper,
        .batch = read_batch,
        .context = encoded,
        .is_exact = !in_bins,
        .max_bin = max_bin,
        .threads = threads,
    };

    return matrix_new(&source, ret_matrix, err);
}
