/* Rows of the relation, looked up by key, into feature vectors: by the cells that training reads.
 */
#include "predict/request.h"

static enum err_code encode_row(const struct encoder *encoder, const struct lookup_row *row,
                                struct cell_scratch *scratch, float *features, struct err *err)
{
    encode_missing(encoder, features);
    if (row->code != ERR_OK)
        return ERR_OK;
    for (int i = 0; i < encoder->n_columns; i++) {
        const struct encoder_column *column = &encoder->columns[i];
        struct pg_field field;
        struct cell cell;

        if (!lookup_field(row, i, &field))
            continue;
        if (cell_from_binary(column->type, field.data, field.n_bytes, scratch, &cell, err) !=
            ERR_OK)
            return err_prefix(err, "column \"%s\"", column->name);
        encode_cell(encoder, column, &cell, features);
    }
    return ERR_OK;
}

enum err_code rows_from_found(const struct request *request, const struct model *model,
                              const struct predict_limits *limits, const struct lookup_rows *found,
                              struct predict_scratch *scratch, struct rows *ret_rows,
                              struct err *err)
{
    size_t n_features = (size_t)model->encoder->n_features, needed;
    float *features;

    if (__builtin_mul_overflow(found->n + 1, n_features, &needed))
        return err_nomem(err);
    features = scratch_grow(scratch->features, &scratch->features_capacity, needed, sizeof(float));
    if (features == NULL)
        return err_nomem(err);
    scratch->features = features;
    for (size_t i = 0; i < found->n; i++)
        TRY(encode_row(model->encoder, &found->items[i], &scratch->cell, features + i * n_features,
                       err));
    TRY(rows_override(request, model, limits, found->n, scratch, err));
    *ret_rows =
        (struct rows){.n = found->n, .single = request_has(request, REQUEST_KEY), .found = found};
    return ERR_OK;
}
