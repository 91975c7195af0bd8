/*
 * Golden rows: what a model answered when it was made, so that every later load can be held to it.
 *
 * "inputs" and "margins" prove the forest (encoded rows, XGBoost's own margins); "rows" prove the
 * encoder (values as a request gives them, and what they were encoded as). Values are compared with
 * == : jsonb drops the sign of zero and prints numbers its own way, but their values are exact.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "model/members.h"
#include "model/model.h"
#include "model/value.h"

/* Writing -------------------------------------------------------------------------------------- */

static void put_floats(struct buf *json, const float *values, size_t n)
{
    buf_putc(json, '[');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_putc(json, ',');
        json_put_float(json, values[i]);
    }
    buf_putc(json, ']');
}

static void put_matrix(struct buf *json, const float *values, size_t n_rows, size_t n_columns)
{
    buf_putc(json, '[');
    for (size_t row = 0; row < n_rows; row++) {
        if (row > 0)
            buf_putc(json, ',');
        put_floats(json, values + row * n_columns, n_columns);
    }
    buf_putc(json, ']');
}

/* {"raw":{column: value, …},"encoded":[…]} */
static enum err_code put_raw_row(const struct encoder *encoder, const struct frame *frame,
                                 size_t row, float *features, struct buf *json, struct err *err)
{
    buf_puts(json, "{\"raw\":{");
    for (int i = 0; i < encoder->n_columns; i++) {
        const struct encoder_column *column = &encoder->columns[i];
        int at = frame_find(frame, column->name);
        struct cell cell;

        if (at < 0 || frame->columns[at].type != column->type)
            return err_set(err, ERR_CONFLICT, "the rows have no column \"%s\" of type %s",
                           column->name, pg_type_name(column->type));
        column_cell(&frame->columns[at], row, &cell);
        encode_cell(encoder, column, &cell, features);
        if (i > 0)
            buf_putc(json, ',');
        json_put_text(json, column->name);
        buf_putc(json, ':');
        if (cell.is_null)
            buf_puts(json, "null");
        else
            cell_to_json(column->type, &cell, json);
    }
    buf_puts(json, "},\"encoded\":");
    put_floats(json, features, (size_t)encoder->n_features);
    buf_putc(json, '}');
    return ERR_OK;
}

enum err_code golden_write(const struct encoder *encoder, const float *inputs, const float *margins,
                           size_t n_rows, int n_outputs, const struct frame *frame,
                           const uint32_t *raw_rows, size_t n_raw, struct buf *json,
                           struct err *err)
{
    CLEANUP(free_ptr) float *features = calloc((size_t)encoder->n_features + 1, sizeof(*features));

    if (features == NULL)
        return err_nomem(err);
    buf_puts(json, "{\"inputs\":");
    put_matrix(json, inputs, n_rows, (size_t)encoder->n_features);
    buf_puts(json, ",\"margins\":");
    put_matrix(json, margins, n_rows, (size_t)n_outputs);
    buf_puts(json, ",\"rows\":[");
    for (size_t i = 0; i < n_raw; i++) {
        if (i > 0)
            buf_putc(json, ',');
        TRY(put_raw_row(encoder, frame, raw_rows[i], features, json, err));
    }
    buf_puts(json, "]}");
    TRY(frame_check(frame, err));
    return buf_check(json, err);
}

/* Checking ------------------------------------------------------------------------------------- */

/* What one check works with; the vectors are pieces of one allocation. */
struct check {
    const struct encoder *encoder;
    const struct forest *forest;
    size_t n_features, n_outputs;
    float *features, *encoded; /* [n_features] */
    float *margins, *recorded; /* [n_outputs] */
    struct cell_scratch scratch;
};

/* A float32 as it was written: strtof on the text itself, as a detour over double rounds twice. The
 * number ends at a delimiter of the array that holds it, so strtof stops there. */
static bool read_float(const struct json_reader *reader, enum json_token token, float *ret_value)
{
    char *end;

    if (token == JSON_NULL) {
        *ret_value = NAN;
        return true;
    }
    if (token != JSON_NUMBER)
        return false;
    *ret_value = strtof(reader->text, &end);
    return end == reader->text + reader->length && isfinite(*ret_value);
}

/* Reads an array of exactly n float32 or null, whose first token was just returned. */
static enum err_code read_floats(struct json_reader *reader, enum json_token token, size_t n,
                                 float *values, struct err *err)
{
    if (token != JSON_ARRAY_BEGIN)
        return err_set(err, ERR_CORRUPT, "expected an array of numbers, found %s",
                       json_found(token));
    for (size_t i = 0; i < n; i++) {
        token = json_next(reader, err);
        if (!read_float(reader, token, &values[i]))
            return err_set(err, ERR_CORRUPT, "item %zu of %zu is not a float32 or null", i, n);
    }
    token = json_next(reader, err);
    if (token != JSON_ARRAY_END)
        return err_set(err, ERR_CORRUPT, "more than %zu numbers", n);
    return ERR_OK;
}

static enum err_code open_array(struct member *member, struct err *err)
{
    if (member->token != JSON_ARRAY_BEGIN)
        return err_set(err, ERR_CORRUPT, "\"%s\" is not an array", member->name);
    json_next(&member->value, err);
    return ERR_OK;
}

static enum err_code check_margins(struct check *check, struct err *err)
{
    forest_margin(check->forest, check->features, check->margins);
    for (size_t i = 0; i < check->n_outputs; i++)
        if (!(check->margins[i] == check->recorded[i])) {
            err_set(err, ERR_CORRUPT, "output %zu is not the margin that was recorded", i);
            return err_hint(err, "the stored model and this program disagree: train again");
        }
    return ERR_OK;
}

/* Walks both matrices side by side. */
static enum err_code check_forest(struct check *check, struct member *inputs,
                                  struct member *margins, struct err *err)
{
    TRY(open_array(inputs, err));
    TRY(open_array(margins, err));
    for (size_t row = 0;; row++) {
        enum json_token input = json_next(&inputs->value, err);
        enum json_token margin = json_next(&margins->value, err);

        if (input == JSON_ARRAY_END && margin == JSON_ARRAY_END) {
            if (row == 0)
                return err_set(err, ERR_CORRUPT, "there is not one row in \"inputs\"");
            return ERR_OK;
        }
        if (read_floats(&inputs->value, input, check->n_features, check->features, err) ||
            read_floats(&margins->value, margin, check->n_outputs, check->recorded, err) ||
            check_margins(check, err))
            return err_prefix(err, "row %zu", row);
    }
}

/* A request's value is shown to its sender; one of the rows that trained stays out of messages. */
static enum err_code refuse_value(const struct encoder_column *column, enum json_token token,
                                  struct err *err)
{
    bool shows = token == JSON_STRING || token == JSON_NUMBER || token == JSON_ARRAY_BEGIN;

    if (err != NULL && err->code == ERR_INVALID && shows)
        err_set(err, ERR_CORRUPT, "expected %s, found another value", cell_expected(column->type));
    return err_prefix(err, "column \"%s\"", column->name);
}

/* Encodes {column: value, …}, whose JSON_OBJECT_BEGIN was just returned, into check->features. */
static enum err_code encode_raw(struct check *check, struct json_reader *reader, struct err *err)
{
    const struct encoder *encoder = check->encoder;

    encode_missing(encoder, check->features);
    for (;;) {
        enum json_token token = json_next(reader, err);
        const char *name;
        uint32_t column;
        size_t length;

        if (token == JSON_OBJECT_END)
            return ERR_OK;
        if (token != JSON_KEY)
            return value_error(err);
        TRY(json_text(reader, &check->scratch.string, &name, &length, err));
        column = strmap_find(&encoder->column_names, name, length);
        if (column == STRMAP_NONE)
            return err_set(err, ERR_CORRUPT, "the encoder has no column \"%.*s\"", (int)length,
                           name);
        token = json_next(reader, err);
        if (value_decode(encoder, &encoder->columns[column], reader, token, &check->scratch,
                         check->features, err))
            return refuse_value(&encoder->columns[column], token, err);
    }
}

static enum err_code check_raw_row(struct check *check, struct json_reader *reader,
                                   enum json_token token, struct err *err)
{
    struct member members[] = {{.name = "raw"}, {.name = "encoded"}};

    if (token != JSON_OBJECT_BEGIN)
        return err_set(err, ERR_CORRUPT, "expected an object, found %s", json_found(token));
    TRY(members_read(reader, members, N_ELEMENTS(members), IGNORE_UNKNOWN, &check->scratch.string,
                     err));
    if (members[0].token != JSON_OBJECT_BEGIN)
        return err_set(err, ERR_CORRUPT, "\"raw\" is not an object");
    json_next(&members[0].value, err);
    TRY(encode_raw(check, &members[0].value, err));
    TRY(open_array(&members[1], err));
    TRY(read_floats(&members[1].value, JSON_ARRAY_BEGIN, check->n_features, check->encoded, err));
    for (size_t i = 0; i < check->n_features; i++) {
        float now = check->features[i], then = check->encoded[i];

        if (!(now == then || (isnan(now) && isnan(then)))) {
            err_set(err, ERR_CORRUPT, "feature \"%s\" is not encoded as it was recorded",
                    check->encoder->feature_names[i]);
            return err_hint(err, "the stored encoder and this program disagree: train again");
        }
    }
    return ERR_OK;
}

/* Raw rows are optional: a model whose rows were not at hand has none. */
static enum err_code check_encoder(struct check *check, struct member *rows, struct err *err)
{
    if (rows->token == JSON_NULL)
        return ERR_OK;
    TRY(open_array(rows, err));
    for (size_t row = 0;; row++) {
        enum json_token token = json_next(&rows->value, err);

        if (token == JSON_ARRAY_END)
            return ERR_OK;
        if (check_raw_row(check, &rows->value, token, err))
            return err_prefix(err, "raw row %zu", row);
    }
}

static enum err_code check_document(struct check *check, const char *json, size_t length,
                                    struct err *err)
{
    struct member members[] = {{.name = "inputs"}, {.name = "margins"}, {.name = "rows"}};
    struct json_reader reader;
    enum json_token token;

    json_reader_init(&reader, json, length);
    token = json_next(&reader, err);
    if (token == JSON_ERROR)
        return value_error(err);
    if (token != JSON_OBJECT_BEGIN)
        return err_set(err, ERR_CORRUPT, "not an object");
    TRY(members_read(&reader, members, N_ELEMENTS(members), IGNORE_UNKNOWN, &check->scratch.string,
                     err));
    if (json_next(&reader, err) != JSON_END)
        return value_error(err);
    TRY(check_forest(check, &members[0], &members[1], err));
    return check_encoder(check, &members[2], err);
}

enum err_code golden_check(const char *json, size_t length, const struct encoder *encoder,
                           const struct forest *forest, struct err *err)
{
    size_t n_features = (size_t)encoder->n_features, n_outputs = (size_t)forest_n_outputs(forest);
    CLEANUP(free_ptr) float *vectors = calloc(2 * (n_features + n_outputs), sizeof(*vectors));
    struct check check = {
        .encoder = encoder,
        .forest = forest,
        .n_features = n_features,
        .n_outputs = n_outputs,
        .features = vectors,
        .encoded = vectors + n_features,
        .margins = vectors + 2 * n_features,
        .recorded = vectors + 2 * n_features + n_outputs,
    };
    enum err_code code;

    if (vectors == NULL)
        return err_nomem(err);
    if (encoder->n_features != forest_n_features(forest))
        return err_set(err, ERR_CORRUPT, "the encoder gives %d features, the forest takes %d",
                       encoder->n_features, forest_n_features(forest));
    code = check_document(&check, json, length, err);
    cell_scratch_release(&check.scratch);
    return value_corrupt(code, err);
}
