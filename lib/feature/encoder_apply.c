/* Applying: the ways that lead a frame's rows to encode_cell. */
#include "feature/encoder.h"
#include "feature/encoder_internal.h"
#include "feature/target_means.h"

enum err_code encoder_apply(const struct encoder *encoder, const struct frame *frame,
                            const uint32_t *rows, size_t n_rows, float *matrix, struct err *err)
{
    for (int i = 0; i < encoder->n_columns; i++) {
        const struct encoder_column *column = &encoder->columns[i];
        const struct column *from;

        TRY(encoder_find_column(frame, column->name, column->type, &from, err));
        for (size_t row = 0; row < n_rows; row++) {
            struct cell cell;

            column_cell(from, rows[row], &cell);
            encode_cell(encoder, column, &cell, matrix + row * (size_t)encoder->n_features);
        }
    }
    return ERR_OK;
}

/* Writes the means of one column over those that encoder_apply wrote: fold by fold, by the other
 * folds' rows. matrix begins at the column's first mean, a row every n_features. */
static enum err_code apply_out_of_fold(const struct encoder_column *column,
                                       const struct column *from, const struct mean_rows *in,
                                       int n_features, float *matrix, struct err *err)
{
    size_t n_means = (size_t)column->n_means;
    CLEANUP(free_ptr) double *means = calloc(in->n_categories * n_means, sizeof(*means));
    double prior[MEANS_MAX];

    if (means == NULL)
        return err_nomem(err);
    for (int fold = 0; fold < MEAN_FOLDS; fold++) {
        TRY(target_means(in, fold, means, prior, err));
        for (size_t i = (size_t)fold; i < in->n_rows; i += MEAN_FOLDS)
            if (!column->imputed.is_null || !column_is_null(from, in->rows[i]))
                encode_means(column, in->categories[i], means, prior,
                             matrix + i * (size_t)n_features);
    }
    return ERR_OK;
}

enum err_code encoder_apply_training(const struct encoder *encoder, const struct frame *frame,
                                     const uint32_t *rows, size_t n_rows,
                                     const struct encoder_target *target, float *matrix,
                                     struct err *err)
{
    TRY(encoder_apply(encoder, frame, rows, n_rows, matrix, err));
    for (int i = 0; i < encoder->n_columns; i++) {
        const struct encoder_column *column = &encoder->columns[i];
        CLEANUP(free_ptr) uint32_t *categories = NULL;
        struct mean_rows in = {.rows = rows,
                               .n_rows = n_rows,
                               .n_categories = column->categories.n_keys,
                               .target = target};
        const struct column *from;

        if (column->n_means == 0)
            continue;
        if (column->n_means != target_n_means(target))
            return err_set(err, ERR_CONFLICT, "the encoder was fitted on another target");
        TRY(encoder_find_column(frame, column->name, column->type, &from, err));
        TRY(category_indices(column, from, rows, n_rows, &categories, err));
        in.categories = categories;
        TRY(apply_out_of_fold(column, from, &in, encoder->n_features,
                              matrix + column->first_feature + column->has_code, err));
    }
    return ERR_OK;
}
