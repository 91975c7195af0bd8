#include "score/window.h"

#include <string.h>

#include "model/answer.h"

/* Bounds of a window; a row that is longer has one to itself. */
#define WINDOW_ROWS  4000
#define WINDOW_BYTES ((size_t)1 << 20) /* of rows as they came */
#define MATRIX_BYTES ((size_t)8 << 20) /* of their features */

static size_t rows_of(const struct score_plan *plan)
{
    size_t n = MATRIX_BYTES / ((size_t)plan->model->encoder->n_features * sizeof(float) + 1);

    return n < 1 ? 1 : n > WINDOW_ROWS ? WINDOW_ROWS : n;
}

enum err_code window_init(struct window *window, const struct score_plan *plan, struct err *err)
{
    *window = (struct window){.n_most = rows_of(plan),
                              .n_fields = (size_t)plan->n_keys + (size_t)plan->n_columns};
    window->pieces = calloc(window->n_most * window->n_fields, sizeof(*window->pieces));
    return window->pieces != NULL ? ERR_OK : err_nomem(err);
}

void window_release(struct window *window)
{
    free(window->pieces);
    buf_release(&window->bytes);
    buf_release(&window->tuples);
}

void window_clear(struct window *window)
{
    window->n_rows = 0;
    buf_clear(&window->bytes);
    buf_clear(&window->tuples);
}

bool window_is_full(const struct window *window)
{
    return window->n_rows == window->n_most || window->bytes.length >= WINDOW_BYTES;
}

enum err_code window_add(struct window *window, const struct pg_field *fields, struct err *err)
{
    struct piece *pieces = &window->pieces[window->n_rows * window->n_fields];

    for (size_t i = 0; i < window->n_fields; i++) {
        pieces[i] = (struct piece){window->bytes.length, fields[i].n_bytes, fields[i].data == NULL};
        if (!pieces[i].is_null)
            buf_append(&window->bytes, fields[i].data, fields[i].n_bytes);
    }
    TRY(buf_check(&window->bytes, err));
    window->n_rows++;
    return ERR_OK;
}

/* Predicting ----------------------------------------------------------------------------------- */

enum err_code scorer_init(struct scorer *scorer, const struct score_plan *plan, struct err *err)
{
    size_t n_rows = rows_of(plan), n_outputs = (size_t)model_n_outputs(plan->model);

    *scorer = (struct scorer){.plan = plan};
    scorer->features = calloc(n_rows * (size_t)plan->model->encoder->n_features + 1, sizeof(float));
    scorer->outputs = calloc((n_rows + 1) * n_outputs, sizeof(float));
    scorer->probabilities = calloc((size_t)plan->model->n_labels + 1, sizeof(double));
    scorer->shap = calloc(plan->n_shap + 1, sizeof(double));
    if (scorer->features == NULL || scorer->outputs == NULL || scorer->probabilities == NULL ||
        scorer->shap == NULL)
        return err_nomem(err);
    return ERR_OK;
}

void scorer_release(struct scorer *scorer)
{
    free(scorer->features);
    free(scorer->outputs);
    free(scorer->probabilities);
    free(scorer->shap);
    cell_scratch_release(&scorer->cell);
    buf_release(&scorer->json);
}

/* One column of all rows, so that what belongs to it stays in the cache. */
static enum err_code encode_column(struct scorer *scorer, const struct window *window, int index,
                                   struct err *err)
{
    const struct score_plan *plan = scorer->plan;
    const struct encoder *encoder = plan->model->encoder;
    const struct encoder_column *column = &encoder->columns[index];
    const struct piece *piece = &window->pieces[plan->n_keys + index];
    float *features = scorer->features;

    for (size_t row = 0; row < window->n_rows;
         row++, piece += window->n_fields, features += encoder->n_features) {
        struct cell cell = {.kind = cell_kind_of(column->type), .is_null = true};

        if (!piece->is_null &&
            cell_from_binary(column->type, (const uint8_t *)window->bytes.data + piece->at,
                             piece->n_bytes, &scorer->cell, &cell, err) != ERR_OK)
            return err_prefix(err, "column \"%s\"", column->name);
        encode_cell(encoder, column, &cell, features);
    }
    return ERR_OK;
}

static void put_int(struct buf *tuples, uint64_t value, int n_bytes)
{
    char bytes[8];

    for (int i = 0; i < n_bytes; i++)
        bytes[i] = (char)(value >> 8 * (n_bytes - 1 - i));
    buf_append(tuples, bytes, (size_t)n_bytes);
}

/* jsonb: a version, then the text. */
static void put_json(struct buf *tuples, const struct buf *json)
{
    put_int(tuples, json->length + 1, 4);
    put_int(tuples, 1, 1);
    buf_append(tuples, json->data, json->length);
}

static void put_keys(const struct scorer *scorer, const struct window *window, size_t row,
                     struct buf *tuples)
{
    for (int i = 0; i < scorer->plan->n_keys; i++) {
        const struct piece *piece = window_key(window, row, i);

        put_int(tuples, piece->n_bytes, 4);
        if (piece->n_bytes > 0)
            buf_append(tuples, window->bytes.data + piece->at, piece->n_bytes);
    }
}

/* outputs: room for one row's, which the objective's transform replaces. */
static void put_prediction(struct scorer *scorer, const float *margins, float *outputs,
                           struct buf *tuples)
{
    const struct model *model = scorer->plan->model;
    double value = 0;
    int label = 0;

    memcpy(outputs, margins, (size_t)model_n_outputs(model) * sizeof(*outputs));
    model_predict(model, outputs, &value, scorer->probabilities, &label);
    if (model->n_labels > 0) {
        buf_append(tuples, scorer->plan->labels[label].bytes, scorer->plan->labels[label].n_bytes);
    } else {
        float number = (float)value;
        uint32_t bits;

        memcpy(&bits, &number, sizeof(bits));
        put_int(tuples, sizeof(bits), 4);
        put_int(tuples, bits, 4);
    }
}

/* In the order of enum extra. */
static enum err_code put_extras(struct scorer *scorer, const float *features, const float *margins,
                                struct buf *tuples, struct err *err)
{
    const struct score_plan *plan = scorer->plan;
    struct buf *json = &scorer->json;

    if (plan->has[EXTRA_PROBABILITIES]) {
        buf_clear(json);
        answer_put_probabilities(plan->model, scorer->probabilities, json);
        TRY(buf_check(json, err));
        put_json(tuples, json);
    }
    if (plan->has[EXTRA_MODEL_ID]) {
        put_int(tuples, 8, 4);
        put_int(tuples, (uint64_t)plan->model->id, 8);
    }
    if (plan->has[EXTRA_SCORED_AT]) {
        put_int(tuples, 8, 4);
        put_int(tuples, (uint64_t)plan->scored_us, 8);
    }
    if (plan->has[EXTRA_EXPLANATION]) {
        buf_clear(json);
        answer_put_explanation(plan->model, features, margins, scorer->shap, json);
        TRY(buf_check(json, err));
        put_json(tuples, json);
    }
    return ERR_OK;
}

enum err_code scorer_predict(struct scorer *scorer, struct window *window, struct err *err)
{
    const struct score_plan *plan = scorer->plan;
    const struct model *model = plan->model;
    size_t n_features = (size_t)model->encoder->n_features;
    size_t n_outputs = (size_t)model_n_outputs(model);
    const float *features = scorer->features, *margins = scorer->outputs;
    float *room = scorer->outputs + window->n_rows * n_outputs;

    for (int i = 0; i < model->encoder->n_columns; i++)
        TRY(encode_column(scorer, window, i, err));
    forest_margins(model->forest, features, window->n_rows, scorer->outputs);
    for (size_t row = 0; row < window->n_rows; row++) {
        put_int(&window->tuples, (uint64_t)plan->target.n_columns, 2);
        put_keys(scorer, window, row, &window->tuples);
        put_prediction(scorer, margins, room, &window->tuples);
        TRY(put_extras(scorer, features, margins, &window->tuples, err));
        features += n_features;
        margins += n_outputs;
    }
    return buf_check(&window->tuples, err);
}
