/* Applying: the ways that lead a frame's rows to encode_cell. */
#include "feature/encoder.h"
#include "feature/encoder_internal.h"
#include "feature/target_means.h"

/* Rows that are encoded column by column before the next ones: their features stay in the cache. */
#define BLOCK_ROWS 512

static void apply_block(const struct encoder *encoder, const struct column *const *from,
                        const uint32_t *rows, size_t n_rows, float *matrix)
{
    for (int i = 0; i < encoder->n_columns; i++) {
        float *features = matrix;

        for (size_t row = 0; row < n_rows; row++, features += encoder->n_features) {
            struct cell cell;

            column_cell(from[i], rows[row], &cell);
            encode_cell(encoder, &encoder->columns[i], &cell, features);
        }
    }
}

enum err_code encoder_apply(const struct encoder *encoder, const struct frame *frame,
                            const uint32_t *rows, size_t n_rows, float *matrix, struct err *err)
{
    size_t n_columns = (size_t)encoder->n_columns;
    CLEANUP(free_ptr) const struct column **from = calloc(n_columns + 1, sizeof(struct column *));

    if (from == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < n_columns; i++)
        TRY(encoder_find_column(frame, encoder->columns[i].name, encoder->columns[i].type, &from[i],
                                err));
    for (size_t row = 0; row < n_rows; row += BLOCK_ROWS) {
        size_t n = n_rows - row < BLOCK_ROWS ? n_rows - row : BLOCK_ROWS;

        apply_block(encoder, from, rows + row, n, matrix + row * (size_t)encoder->n_features);
    }
    return frame_check(frame, err);
}

/* One column's means by the rows of the other folds. */
struct fold_column {
    const struct encoder_column *column;
    const struct column *from;
    double *means; /* [MEAN_FOLDS × n categories × n_means] */
    double prior[MEAN_FOLDS][MEANS_MAX];
};

struct encoder_folds {
    const struct encoder *encoder;
    const struct frame *frame;
    const uint32_t *rows;
    size_t n_rows;
    struct fold_column *columns; /* those that have means */
    int n_columns;
};

void encoder_folds_free(struct encoder_folds *folds)
{
    if (folds == NULL)
        return;
    for (int i = 0; i < folds->n_columns; i++)
        free(folds->columns[i].means);
    free(folds->columns);
    free(folds);
}

static enum err_code add_fold_column(struct encoder_folds *folds,
                                     const struct encoder_column *column,
                                     const struct encoder_target *target, struct err *err)
{
    struct fold_column *fold_column = &folds->columns[folds->n_columns++];
    size_t n_values = column->categories.n_keys * (size_t)column->n_means;
    CLEANUP(free_ptr) uint32_t *categories = NULL;
    struct mean_rows in = {.rows = folds->rows,
                           .n_rows = folds->n_rows,
                           .n_categories = column->categories.n_keys,
                           .target = target};

    if (column->n_means != target_n_means(target))
        return err_set(err, ERR_CONFLICT, "the encoder was fitted on another target");
    fold_column->column = column;
    fold_column->means = calloc(n_values * MEAN_FOLDS + 1, sizeof(double));
    if (fold_column->means == NULL)
        return err_nomem(err);
    TRY(encoder_find_column(folds->frame, column->name, column->type, &fold_column->from, err));
    TRY(category_indices(column, fold_column->from, folds->rows, folds->n_rows, &categories, err));
    in.categories = categories;
    for (int fold = 0; fold < MEAN_FOLDS; fold++)
        TRY(target_means(&in, fold, fold_column->means + (size_t)fold * n_values,
                         fold_column->prior[fold], err));
    return ERR_OK;
}

enum err_code encoder_folds_new(const struct encoder *encoder, const struct frame *frame,
                                const uint32_t *rows, size_t n_rows,
                                const struct encoder_target *target,
                                struct encoder_folds **ret_folds, struct err *err)
{
    CLEANUP(encoder_folds_freep) struct encoder_folds *folds = calloc(1, sizeof(*folds));

    if (folds == NULL)
        return err_nomem(err);
    folds->encoder = encoder;
    folds->frame = frame;
    folds->rows = rows;
    folds->n_rows = n_rows;
    folds->columns = calloc((size_t)encoder->n_columns + 1, sizeof(*folds->columns));
    if (folds->columns == NULL)
        return err_nomem(err);
    for (int i = 0; i < encoder->n_columns; i++)
        if (encoder->columns[i].n_means > 0)
            TRY(add_fold_column(folds, &encoder->columns[i], target, err));
    *ret_folds = TAKE_PTR(folds);
    return ERR_OK;
}

/* Over the means that encoder_apply wrote; matrix begins at the column's first mean. */
static enum err_code apply_out_of_fold(const struct encoder_folds *folds,
                                       const struct fold_column *fold_column, size_t first,
                                       size_t n, float *matrix, struct err *err)
{
    const struct encoder_column *column = fold_column->column;
    size_t n_values = column->categories.n_keys * (size_t)column->n_means;
    CLEANUP(free_ptr) uint32_t *categories = NULL;

    TRY(category_indices(column, fold_column->from, folds->rows + first, n, &categories, err));
    for (size_t i = 0; i < n; i++) {
        size_t fold = (first + i) % MEAN_FOLDS;

        if (!column->imputed.is_null || !column_is_null(fold_column->from, folds->rows[first + i]))
            encode_means(column, categories[i], fold_column->means + fold * n_values,
                         fold_column->prior[fold], matrix + i * (size_t)folds->encoder->n_features);
    }
    return ERR_OK;
}

enum err_code encoder_apply_folds(const struct encoder_folds *folds, size_t first, size_t n,
                                  float *matrix, struct err *err)
{
    TRY(encoder_apply(folds->encoder, folds->frame, folds->rows + first, n, matrix, err));
    for (int i = 0; i < folds->n_columns; i++) {
        const struct encoder_column *column = folds->columns[i].column;

        TRY(apply_out_of_fold(folds, &folds->columns[i], first, n,
                              matrix + column->first_feature + column->has_code, err));
    }
    return ERR_OK;
}
