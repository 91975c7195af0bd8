#include "model/model.h"

#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "model/value.h"

_Static_assert(sizeof(float) == sizeof(uint32_t), "base margins are stored as a float32's bits");

/* Steps of model_open, in order ---------------------------------------------------------------- */

static enum err_code check_digest(const struct model_row *row, struct model *model, struct err *err)
{
    char hex[SHA256_HEX_SIZE];

    (void)model;
    if (row->bytes == NULL || row->sha256 == NULL)
        return err_set(err, ERR_CORRUPT, "the model has no bytes");
    TRY(sha256_hex(row->bytes, row->n_bytes, hex, err));
    if (strcmp(hex, row->sha256) != 0) {
        err_set(err, ERR_CORRUPT, "the bytes are not those that were stored");
        return err_hint(err, "restore the row from a backup, or deploy another model");
    }
    return ERR_OK;
}

static enum err_code copy_names(const struct model_row *row, struct model *model, struct err *err)
{
    struct arena *arena = &model->arena;

    model->id = row->id;
    model->project_id = row->project_id;
    model->project = arena_strdup(arena, row->project);
    model->metric = arena_strdup(arena, row->metric != NULL ? row->metric : "");
    model->algorithm = arena_strdup(arena, row->algorithm != NULL ? row->algorithm : "");
    if (model->project == NULL || model->metric == NULL || model->algorithm == NULL)
        return err_nomem(err);
    for (enum task task = TASK_REGRESSION; task <= TASK_LAST; task++)
        if (row->task != NULL && strcmp(row->task, task_name(task)) == 0)
            model->task = task;
    if (model->task == TASK_AUTO)
        return err_set(err, ERR_CORRUPT, "unknown task \"%s\"", row->task != NULL ? row->task : "");
    return ERR_OK;
}

static enum err_code open_encoder(const struct model_row *row, struct model *model, struct err *err)
{
    if (row->encoder == NULL)
        return err_set(err, ERR_CORRUPT, "it is missing");
    return encoder_from_json(row->encoder, strlen(row->encoder), &model->encoder, err);
}

static enum err_code open_forest(const struct model_row *row, struct model *model, struct err *err)
{
    float base_margin;

    TRY(forest_load(row->bytes, row->n_bytes, &model->forest, err));
    memcpy(&base_margin, &row->base_margin_bits, sizeof(base_margin));
    forest_set_base_margin(model->forest, base_margin);
    if (forest_n_features(model->forest) != model->encoder->n_features)
        return err_set(err, ERR_CORRUPT, "it takes %d features, the encoder gives %d",
                       forest_n_features(model->forest), model->encoder->n_features);
    return ERR_OK;
}

/* Two labels share one margin, more have one each, and the objective must give probabilities. */
static enum err_code check_outputs(const struct model *model, struct err *err)
{
    const char *objective = model->n_labels == 2 ? "binary:logistic" : "multi:softprob";
    int n_outputs = forest_n_outputs(model->forest);

    if (n_outputs != (model->n_labels > 2 ? model->n_labels : 1))
        return err_set(err, ERR_CORRUPT, "%d labels do not fit a forest with %d outputs",
                       model->n_labels, n_outputs);
    if (model->n_labels > 0 && strcmp(forest_objective(model->forest), objective) != 0)
        return err_set(err, ERR_CORRUPT, "objective \"%s\" gives no probabilities for %d labels",
                       forest_objective(model->forest), model->n_labels);
    return ERR_OK;
}

/* Classification alone has some. */
static enum err_code open_labels(const struct model_row *row, struct model *model, struct err *err)
{

    if (model->task == TASK_CLASSIFICATION) {
        if (row->labels == NULL)
            return err_set(err, ERR_CORRUPT, "they are missing");
        TRY(labels_from_json(row->labels, strlen(row->labels), &model->arena, &model->labels,
                             &model->n_labels, err));
        if (model->n_labels < 2)
            return err_set(err, ERR_CORRUPT, "there are fewer than two");
    }
    return check_outputs(model, err);
}

/* A model of before there were calibrations has none, as one that was imported. */
static enum err_code open_calibration(const struct model_row *row, struct model *model,
                                      struct err *err)
{
    if (row->calibration == NULL)
        return ERR_OK;
    return calibration_from_json(row->calibration, strlen(row->calibration), model->n_labels,
                                 &model->arena, &model->calibration, err);
}

static enum err_code check_golden(const struct model_row *row, struct model *model, struct err *err)
{
    if (row->golden == NULL)
        return err_set(err, ERR_CORRUPT, "they are missing");
    return golden_check(row->golden, strlen(row->golden), model->encoder, model->forest, err);
}

/* A name as JSON writes it, in the arena; NULL when memory ran out. */
static const char *quote(struct model *model, const char *name, size_t length, struct buf *json)
{
    buf_clear(json);
    json_put_string(json, name, length);
    return json->failed ? NULL : arena_strndup(&model->arena, json->data, json->length);
}

static enum err_code prepare_keys(struct model *model, struct buf *json, struct err *err)
{
    const struct encoder *encoder = model->encoder;
    size_t n_columns = (size_t)encoder->n_columns, n = n_columns + encoder->other_names.n_keys;

    model->column_keys = arena_alloc_array(&model->arena, n, sizeof(*model->column_keys));
    if (model->column_keys == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < n; i++) {
        const struct strmap_key *name = i < n_columns ? &encoder->column_names.keys[i]
                                                      : &encoder->other_names.keys[i - n_columns];
        struct fragment *key = &model->column_keys[i];

        key->text = quote(model, name->text, name->length, json);
        if (key->text == NULL)
            return err_nomem(err);
        key->length = json->length;
    }
    return ERR_OK;
}

/* The fragments that every answer repeats, and requests. */
static enum err_code prepare_answers(const struct model_row *row, struct model *model,
                                     struct err *err)
{
    CLEANUP(buf_release) struct buf json = {0};
    const struct encoder *encoder = model->encoder;

    (void)row;
    TRY(prepare_keys(model, &json, err));
    model->column_names =
        arena_alloc_array(&model->arena, (size_t)encoder->n_columns, sizeof(*model->column_names));
    model->feature_keys =
        arena_alloc_array(&model->arena, (size_t)encoder->n_features, sizeof(*model->feature_keys));
    if (model->column_names == NULL || model->feature_keys == NULL)
        return err_nomem(err);
    for (int i = 0; i < encoder->n_columns; i++)
        model->column_names[i] = encoder->columns[i].name;
    for (int i = 0; i < encoder->n_features; i++) {
        const char *name = encoder->feature_names[i];

        model->feature_keys[i] = quote(model, name, strlen(name), &json);
        if (model->feature_keys[i] == NULL)
            return err_nomem(err);
    }
    buf_clear(&json);
    buf_puts(&json, "{\"project\":");
    json_put_text(&json, model->project);
    buf_printf(&json, ",\"model_id\":%" PRId64 ",", model->id);
    model->json_head = arena_strdup(&model->arena, buf_text(&json));
    return json.failed || model->json_head == NULL ? err_nomem(err) : ERR_OK;
}

static const struct {
    const char *name;
    enum err_code (*run)(const struct model_row *row, struct model *model, struct err *err);
} steps[] = {
    {"SHA-256", check_digest},     {"row", copy_names},          {"encoder", open_encoder},
    {"forest", open_forest},       {"labels", open_labels},      {"calibration", open_calibration},
    {"golden rows", check_golden}, {"answers", prepare_answers},
};

enum err_code model_open(const struct model_row *row, struct model **ret_model, struct err *err)
{
    CLEANUP(model_freep) struct model *model = calloc(1, sizeof(*model));

    if (model == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < N_ELEMENTS(steps); i++) {
        enum err_code code = steps[i].run(row, model, err);

        if (code == ERR_OK)
            continue;
        err_prefix(err, "model %" PRId64 ": %s", row->id, steps[i].name);
        return value_corrupt(code, err);
    }
    *ret_model = TAKE_PTR(model);
    return ERR_OK;
}

enum err_code model_load(struct pg *pg, int64_t model_id, struct model **ret_model, struct err *err)
{
    CLEANUP(model_rows_release) struct model_rows row = {0};

    TRY(catalog_model(pg, model_id, &row, err));
    return model_open(&row.items[0], ret_model, err);
}

void model_free(struct model *model)
{
    if (model == NULL)
        return;
    encoder_free(model->encoder);
    forest_free(model->forest);
    arena_release(&model->arena);
    free(model);
}

/* Predictions ---------------------------------------------------------------------------------- */

bool model_answers_hazards(const struct model *model)
{
    return strcmp(forest_objective(model->forest), "survival:cox") == 0;
}

int model_n_outputs(const struct model *model)
{
    return forest_n_outputs(model->forest);
}

int most_probable(const double *probabilities, int n)
{
    int best = 0;

    for (int i = 1; i < n; i++)
        if (probabilities[i] > probabilities[best])
            best = i;
    return best;
}

static void predict_two(const struct model *model, float *outputs, double *probabilities,
                        int *ret_label)
{
    const struct calibration *calibration = &model->calibration;
    float margin = outputs[0];

    forest_transform(model->forest, outputs);
    probabilities[1] = calibration_positive(calibration, margin, outputs[0]);
    probabilities[0] = 1 - probabilities[1];
    *ret_label = calibration->has_threshold ? probabilities[1] >= calibration->threshold
                                            : most_probable(probabilities, 2);
}

static void predict_more(const struct model *model, float *outputs, double *probabilities,
                         int *ret_label)
{
    if (model->calibration.method == CALIBRATION_TEMPERATURE) {
        calibration_soften(&model->calibration, outputs, model->n_labels, probabilities);
    } else {
        forest_transform(model->forest, outputs);
        for (int i = 0; i < model->n_labels; i++)
            probabilities[i] = (double)outputs[i];
    }
    *ret_label = most_probable(probabilities, model->n_labels);
}

void model_predict(const struct model *model, float *outputs, double *ret_value,
                   double *probabilities, int *ret_label)
{
    if (model->n_labels == 0) {
        forest_transform(model->forest, outputs);
        *ret_value = (double)outputs[0];
    } else if (model->n_labels == 2) {
        predict_two(model, outputs, probabilities, ret_label);
    } else {
        predict_more(model, outputs, probabilities, ret_label);
    }
}
