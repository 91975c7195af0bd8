#include "predict/request.h"

static void put_probabilities(const struct model *model, const float *probabilities,
                              struct buf *reply)
{
    buf_puts(reply, ",\"probabilities\":{");
    for (int i = 0; i < model->n_labels; i++) {
        if (i > 0)
            buf_putc(reply, ',');
        buf_puts(reply, model->labels[i].json_key);
        buf_putc(reply, ':');
        json_put_float(reply, probabilities[i]);
    }
    buf_putc(reply, '}');
}

/* What the model saw, and what it said before the objective's transform. */
static void put_encoded(const struct model *model, const float *features, const float *margins,
                        struct buf *reply)
{
    int n_outputs = model_n_outputs(model);

    buf_puts(reply, ",\"encoded\":{");
    for (int i = 0; i < model->encoder->n_features; i++) {
        if (i > 0)
            buf_putc(reply, ',');
        buf_puts(reply, model->feature_keys[i]);
        buf_putc(reply, ':');
        json_put_float(reply, features[i]);
    }
    buf_puts(reply, n_outputs == 1 ? "},\"margin\":" : "},\"margin\":[");
    for (int i = 0; i < n_outputs; i++) {
        if (i > 0)
            buf_putc(reply, ',');
        json_put_float(reply, margins[i]);
    }
    if (n_outputs != 1)
        buf_putc(reply, ']');
}

/* The members of one row's answer. probabilities[max(n_labels, 1)] is room to work in. */
static void put_answer(const struct model *model, const float *features, const float *margins,
                       float *probabilities, bool encoded, struct buf *reply)
{
    float value = 0;
    int label = 0;

    model_predict(model, margins, &value, probabilities, &label);
    buf_puts(reply, "\"prediction\":");
    if (model->n_labels == 0) {
        json_put_float(reply, value);
    } else {
        buf_puts(reply, model->labels[label].json);
        put_probabilities(model, probabilities, reply);
    }
    if (encoded)
        put_encoded(model, features, margins, reply);
}

void reply_write(const struct model *model, const struct rows *rows, bool encoded,
                 const struct predict_scratch *scratch, struct buf *reply)
{
    size_t n_features = (size_t)model->encoder->n_features;
    size_t n_outputs = (size_t)model_n_outputs(model);
    float *probabilities = scratch->outputs + rows->n * n_outputs;

    buf_puts(reply, model->json_head);
    if (rows->single) {
        put_answer(model, scratch->features, scratch->outputs, probabilities, encoded, reply);
        buf_putc(reply, '}');
        return;
    }
    buf_puts(reply, "\"predictions\":[");
    for (size_t row = 0; row < rows->n; row++) {
        buf_puts(reply, row > 0 ? ",{" : "{");
        put_answer(model, scratch->features + row * n_features, scratch->outputs + row * n_outputs,
                   probabilities, encoded, reply);
        buf_putc(reply, '}');
    }
    buf_puts(reply, "]}");
}
