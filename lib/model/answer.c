#include "model/answer.h"

#include <inttypes.h>

#include "base/json.h"

/* What nothing was fitted to is XGBoost's float32, and written as one. */
void answer_put_probabilities(const struct model *model, const double *probabilities,
                              struct buf *json)
{
    bool calibrated = model->calibration.method != CALIBRATION_NONE;

    buf_putc(json, '{');
    for (int i = 0; i < model->n_labels; i++) {
        if (i > 0)
            buf_putc(json, ',');
        buf_puts(json, model->labels[i].json_key);
        buf_putc(json, ':');
        if (calibrated)
            json_put_double(json, probabilities[i]);
        else
            json_put_float(json, (float)probabilities[i]);
    }
    buf_putc(json, '}');
}

enum err_code answer_explainable(const struct model *model, size_t *ret_n_doubles, struct err *err)
{
    size_t n;

    if (!forest_has_covers(model->forest)) {
        err_set(err, ERR_CONFLICT,
                "model %" PRId64 " cannot be explained: it does not say how many "
                "training rows went which way",
                model->id);
        return err_hint(err, "train the project again");
    }
    if (__builtin_mul_overflow((size_t)model_n_outputs(model),
                               (size_t)model->encoder->n_features + 1, &n) ||
        __builtin_add_overflow(n, forest_shap_scratch(model->forest), &n))
        return err_nomem(err);
    *ret_n_doubles = n;
    return ERR_OK;
}

/* What a column adds to the margin of one output: the sum of its features' SHAP values, in the
 * float32 that is shown. contributions[n_features + 1] are the output's. */
static float column_share(const struct encoder_column *column, const double *contributions)
{
    double sum = 0;

    for (int i = 0; i < column->n_features; i++)
        sum += contributions[column->first_feature + i];
    return (float)sum;
}

/* The bias takes what the margin and the shares lost in float32, so that all add up to the margin
 * as it is shown. */
static double bias_share(const struct encoder *encoder, const double *contributions, float margin)
{
    double rest = (double)margin;

    for (int i = 0; i < encoder->n_columns; i++)
        rest -= (double)column_share(&encoder->columns[i], contributions);
    return rest;
}

static void put_bias(const struct encoder *encoder, const double *contributions,
                     const float *margins, int n_outputs, struct buf *json)
{
    size_t width = (size_t)encoder->n_features + 1;

    for (int k = 0; k < n_outputs; k++) {
        if (k > 0)
            buf_putc(json, ',');
        json_put_double(json, bias_share(encoder, contributions + (size_t)k * width, margins[k]));
    }
}

static void put_share(const struct encoder *encoder, const struct encoder_column *column,
                      const double *contributions, int n_outputs, struct buf *json)
{
    size_t width = (size_t)encoder->n_features + 1;

    for (int k = 0; k < n_outputs; k++) {
        if (k > 0)
            buf_putc(json, ',');
        json_put_float(json, column_share(column, contributions + (size_t)k * width));
    }
}

void answer_put_explanation(const struct model *model, const float *features, const float *margins,
                            double *scratch, struct buf *json)
{
    const struct encoder *encoder = model->encoder;
    int n_outputs = model_n_outputs(model);
    const char *begin = n_outputs == 1 ? "" : "[", *end = n_outputs == 1 ? "" : "]";

    forest_shap(model->forest, features, scratch,
                scratch + (size_t)n_outputs * ((size_t)encoder->n_features + 1));
    buf_puts(json, "{\"bias\":");
    buf_puts(json, begin);
    put_bias(encoder, scratch, margins, n_outputs, json);
    buf_puts(json, end);
    buf_puts(json, ",\"columns\":{");
    for (int i = 0; i < encoder->n_columns; i++) {
        if (i > 0)
            buf_putc(json, ',');
        json_put_text(json, encoder->columns[i].name);
        buf_putc(json, ':');
        buf_puts(json, begin);
        put_share(encoder, &encoder->columns[i], scratch, n_outputs, json);
        buf_puts(json, end);
    }
    buf_puts(json, "}}");
}
