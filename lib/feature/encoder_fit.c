/* Fitting: what an encoder learns from training rows. */
#include "feature/encoder.h"
#include "feature/encoder_internal.h"

static enum err_code fit_column(const struct fit *fit, const struct schema_column *schema_column,
                                struct err *err)
{
    const struct column_override *how =
        schema_column->override == NULL ? &no_override : schema_column->override;
    enum encoding encoding = encoding_of(schema_column->type, how);
    const struct encoding_ops *ops = encoding_ops(encoding);
    struct encoder_column *column;
    const struct column *from;

    TRY(encoder_find_column(fit->frame, schema_column->name, schema_column->type, &from, err));
    TRY(encoder_add_column(fit->encoder, schema_column->name, schema_column->type, encoding,
                           &column, err));
    return ops->fit == NULL ? ERR_OK : ops->fit(fit, from, how, column, err);
}

/* Only columns that are always null, or documents without a common path, give none. */
static enum err_code check_features(const struct encoder *encoder, struct err *err)
{
    if (encoder->n_features > 0)
        return ERR_OK;
    err_set(err, ERR_DATA, "no column has a value to learn from");
    return err_hint(err, "fill a column, or add one, in the view");
}

enum err_code encoder_fit(const struct schema *schema, const struct project *project,
                          const struct frame *frame, const uint32_t *rows, size_t n_rows,
                          const struct encoder_target *target, struct encoder **ret_encoder,
                          struct err *err)
{
    CLEANUP(encoder_freep) struct encoder *encoder = NULL;
    struct fit fit = {
        .project = project, .frame = frame, .rows = rows, .n_rows = n_rows, .target = target};

    TRY(encoder_new(project->timezone, (size_t)schema->n_features, &encoder, err));
    fit.encoder = encoder;
    for (int i = 0; i < schema->n_features; i++)
        TRY(fit_column(&fit, &schema->columns[schema->features[i]], err));
    TRY(frame_check(frame, err));
    for (int i = 0; i < schema->n_columns; i++)
        if (!(schema->columns[i].roles & COLUMN_FEATURE))
            TRY(encoder_add_other(encoder, schema->columns[i].name, err));
    TRY(encoder_lay_out(encoder, err));
    TRY(check_features(encoder, err));
    TRY(encoder_name_features(encoder, target->labels, err));
    *ret_encoder = TAKE_PTR(encoder);
    return ERR_OK;
}
