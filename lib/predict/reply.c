#include <string.h>

#include "model/answer.h"
#include "predict/request.h"

static void put_interval(double value, double half_width, struct buf *reply)
{
    buf_puts(reply, ",\"interval\":{\"low\":");
    json_put_double(reply, value - half_width);
    buf_puts(reply, ",\"high\":");
    json_put_double(reply, value + half_width);
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

/* The members of row's answer. */
static void put_answer(const struct model *model, const struct request *request,
                       const struct rows *rows, size_t row, const struct predict_scratch *scratch,
                       struct buf *reply)
{
    size_t n_outputs = (size_t)model_n_outputs(model);
    const float *features = scratch->features + row * (size_t)model->encoder->n_features;
    const float *margins = scratch->outputs + row * n_outputs;
    float *outputs = scratch->outputs + rows->n * n_outputs; /* room for one row's */
    double value = 0;
    int label = 0;

    memcpy(outputs, margins, n_outputs * sizeof(*outputs));
    model_predict(model, outputs, &value, scratch->probabilities, &label);
    buf_puts(reply, "\"prediction\":");
    if (model->n_labels == 0) {
        json_put_float(reply, (float)value);
    } else {
        buf_puts(reply, model->labels[label].json);
        buf_puts(reply, ",\"probabilities\":");
        answer_put_probabilities(model, scratch->probabilities, reply);
    }
    if (request->interval > 0)
        put_interval(value, request->half_width, reply);
    if (request->encoded)
        put_encoded(model, features, margins, reply);
    if (request->explain) {
        buf_puts(reply, ",\"explanation\":");
        answer_put_explanation(model, features, margins, scratch->shap, reply);
    }
}

/* The row that is not there, in its place. */
static void put_problem(const struct lookup_row *row, size_t i, struct buf *reply)
{
    buf_printf(reply, "\"error\":{\"status\":%d,\"detail\":", err_http_status(row->code));
    json_put_text(reply, row->problem);
    buf_printf(reply, ",\"field\":\"/keys/%zu", i);
    if (row->field[0] != '\0') {
        CLEANUP(buf_release) struct buf field = {0};

        json_put_text(&field, row->field);
        if (field.length >= 2)
            buf_append(reply, field.data + 1, field.length - 2);
    }
    buf_puts(reply, "\"}");
}

/* How old the row is that was looked up. */
static void put_age(const struct rows *rows, size_t i, struct buf *reply)
{
    double seconds;

    if (rows->found == NULL || !lookup_age(rows->found, &rows->found->items[i], &seconds))
        return;
    buf_puts(reply, ",\"row_age_seconds\":");
    json_put_double(reply, seconds);
}

static void put_item(const struct model *model, const struct request *request,
                     const struct rows *rows, size_t row, const struct predict_scratch *scratch,
                     struct buf *reply)
{
    if (rows->found != NULL && rows->found->items[row].code != ERR_OK) {
        put_problem(&rows->found->items[row], row, reply);
        return;
    }
    put_answer(model, request, rows, row, scratch, reply);
    put_age(rows, row, reply);
}

void reply_write(const struct model *model, const struct request *request, const struct rows *rows,
                 const struct predict_scratch *scratch, struct buf *reply)
{
    buf_puts(reply, model->json_head);
    if (rows->single) {
        put_item(model, request, rows, 0, scratch, reply);
        buf_putc(reply, '}');
        return;
    }
    buf_puts(reply, "\"predictions\":[");
    for (size_t row = 0; row < rows->n; row++) {
        buf_puts(reply, row > 0 ? ",{" : "{");
        put_item(model, request, rows, row, scratch, reply);
        buf_putc(reply, '}');
    }
    buf_puts(reply, "]}");
}
