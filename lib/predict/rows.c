#include "predict/request.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json_scan.h"
#include "feature/encode_decimal.h"
#include "model/value.h"

/* Where the decoding stands. Columns are numbered through: the encoder's first, then the relation's
 * other ones, whose values are stepped over. */
struct decoder {
    const struct model *model;
    const struct encoder *encoder;
    const struct predict_limits *limits;
    struct predict_scratch *scratch;
    struct json_reader reader;
    const char *member; /* "features", "rows" or "columns": the first part of pointers */
    bool numbered;      /* row is the second */
    size_t row;
    size_t n_known;   /* columns there are */
    size_t n_columns; /* of "columns" */
    bool overrides;   /* the rows are there already: what is read stands in place of it */
    size_t n_rows;    /* as many as there are then */
};

void *scratch_grow(void *array, size_t *capacity, size_t n, size_t size)
{
    size_t wanted = *capacity < 64 ? 64 : *capacity, n_bytes;

    if (array != NULL && n <= *capacity)
        return array;
    while (wanted < n)
        if (__builtin_mul_overflow(wanted, 2, &wanted))
            return NULL;
    if (__builtin_mul_overflow(wanted, size, &n_bytes))
        return NULL;
    array = realloc(array, n_bytes);
    if (array != NULL)
        *capacity = wanted;
    return array;
}

/* Where an error is: /features/carrier, /features/3/carrier, /rows/3/0; name NULL: the row itself.
 */
static enum err_code at_name(const struct decoder *decoder, const char *name, size_t length,
                             struct err *err)
{
    CLEANUP(buf_release) struct buf pointer = {0};

    buf_printf(&pointer, "/%s", decoder->member);
    if (decoder->numbered)
        buf_printf(&pointer, "/%zu", decoder->row);
    if (name != NULL)
        value_pointer_append(&pointer, name, length);
    return err_field(err, "%s", buf_text(&pointer));
}

static enum err_code at_row(const struct decoder *decoder, struct err *err)
{
    return at_name(decoder, NULL, 0, err);
}

static enum err_code at_index(const struct decoder *decoder, size_t index, struct err *err)
{
    char text[24];

    return at_name(decoder, text, (size_t)snprintf(text, sizeof(text), "%zu", index), err);
}

static uint32_t find_column(const struct encoder *encoder, const char *name, size_t length)
{
    uint32_t column = strmap_find(&encoder->column_names, name, length);

    if (column != STRMAP_NONE)
        return column;
    column = strmap_find(&encoder->other_names, name, length);
    return column == STRMAP_NONE ? STRMAP_NONE : (uint32_t)encoder->n_columns + column;
}

static const struct strmap_key *column_name(const struct encoder *encoder, uint32_t column)
{
    uint32_t n_columns = (uint32_t)encoder->n_columns;

    return column < n_columns ? &encoder->column_names.keys[column]
                              : &encoder->other_names.keys[column - n_columns];
}

/* A model knows the columns that its relation had when it was trained, and nobody here the relation
 * as it is now: the name may be wrong, or a column that is new. */
static enum err_code unknown_column(const struct model *model, const char *name, size_t length,
                                    struct err *err)
{
    const char *nearest =
        value_nearest(name, length, model->column_names, model->encoder->n_columns);

    err_set(err, ERR_INVALID, "model %" PRId64 " was trained without a column \"%.*s\"", model->id,
            value_name_length(name, length), name);
    if (nearest != NULL)
        return err_hint(err,
                        "did you mean \"%s\"? If it is new in the relation, train again: "
                        "pgboost train %s",
                        nearest, model->project);
    return err_hint(err,
                    "leave it out or, if it is new in the relation, train again: pgboost train %s",
                    model->project);
}

/* The column that the key or string just read names, for the first time since seen was cleared. The
 * caller says where. */
static enum err_code read_column(struct decoder *decoder, uint32_t *ret_column,
                                 const char **ret_name, size_t *ret_length, struct err *err)
{
    const struct encoder *encoder = decoder->encoder;
    uint32_t column;

    TRY(json_text(&decoder->reader, &decoder->scratch->cell.string, ret_name, ret_length, err));
    column = find_column(encoder, *ret_name, *ret_length);
    if (column == STRMAP_NONE)
        return unknown_column(decoder->model, *ret_name, *ret_length, err);
    if (decoder->scratch->seen[column])
        return err_set(err, ERR_INVALID, "column \"%s\" is given twice",
                       column_name(encoder, column)->text);
    decoder->scratch->seen[column] = 1;
    *ret_column = column;
    return ERR_OK;
}

/* The value whose first token was just returned. The caller says where. */
static enum err_code read_value(struct decoder *decoder, uint32_t column, enum json_token token,
                                float *features, struct err *err)
{
    const struct encoder *encoder = decoder->encoder;

    if (column >= (uint32_t)encoder->n_columns)
        return json_skip(&decoder->reader, token, err);
    return value_decode(encoder, &encoder->columns[column], &decoder->reader, token,
                        &decoder->scratch->cell, features, err);
}

/* The name of the i-th member, when it is the one that the last row had there: compared as it is
 * written, it need not be read, nor looked up. */
static inline bool take_expected(struct decoder *decoder, size_t i, uint32_t *ret_column)
{
    const struct fragment *key;
    uint32_t column;

    if (i >= decoder->n_known)
        return false;
    column = decoder->scratch->order[i];
    if (column >= decoder->n_known || decoder->scratch->seen[column])
        return false;
    key = &decoder->model->column_keys[column];
    if (!json_take_key(&decoder->reader, key->text, key->length))
        return false;
    decoder->scratch->seen[column] = 1;
    *ret_column = column;
    return true;
}

/* The value of a column, when it is a number, to the end. Most are. */
static inline bool take_number(struct decoder *decoder, uint32_t column, enum json_token *ret_token,
                               float *features)
{
    const struct encoder *encoder = decoder->encoder;

    if (!json_take_number(&decoder->reader))
        return false;
    *ret_token = JSON_NUMBER;
    return column < (uint32_t)encoder->n_columns &&
           encode_decimal(&encoder->columns[column], &decoder->reader.number, features);
}

/* One row as {column: value, …}. */
static enum err_code decode_object(struct decoder *decoder, enum json_token token, float *features,
                                   struct err *err)
{
    if (token != JSON_OBJECT_BEGIN) {
        err_set(err, ERR_INVALID, "expected an object, found %s", json_found(token));
        return at_row(decoder, err);
    }
    memset(decoder->scratch->seen, 0, decoder->n_known);
    for (size_t i = 0;; i++) {
        const struct strmap_key *known;
        const char *name = "";
        size_t length = 0;
        uint32_t column;

        if (!take_expected(decoder, i, &column)) {
            token = json_next(&decoder->reader, err);
            if (token == JSON_OBJECT_END)
                return ERR_OK;
            if (token != JSON_KEY)
                return value_error(err);
            if (read_column(decoder, &column, &name, &length, err))
                return at_name(decoder, name, length, err);
            decoder->scratch->order[i] = column; /* each comes once: there is room */
        }
        token = JSON_ERROR;
        if (take_number(decoder, column, &token, features))
            continue;
        if (token != JSON_NUMBER)
            token = json_next(&decoder->reader, err);
        if (read_value(decoder, column, token, features, err)) {
            known = column_name(decoder->encoder, column); /* name may have been overwritten */
            return at_name(decoder, known->text, known->length, err);
        }
    }
}

/* One row as [value, …], one for each of "columns". */
static enum err_code decode_array(struct decoder *decoder, enum json_token token, float *features,
                                  struct err *err)
{
    size_t i = 0;

    if (token != JSON_ARRAY_BEGIN) {
        err_set(err, ERR_INVALID,
                "expected an array of values, one for each of \"columns\", found %s",
                json_found(token));
        return at_row(decoder, err);
    }
    while ((token = json_next(&decoder->reader, err)) != JSON_ARRAY_END && token != JSON_ERROR) {
        if (i == decoder->n_columns) {
            err_set(err, ERR_INVALID, "expected %zu values, as many as \"columns\", found more", i);
            return at_row(decoder, err);
        }
        if (read_value(decoder, decoder->scratch->columns[i], token, features, err))
            return at_index(decoder, i, err);
        i++;
    }
    if (token == JSON_ERROR)
        return value_error(err);
    if (i < decoder->n_columns) {
        err_set(err, ERR_INVALID, "expected %zu values, as many as \"columns\", found %zu",
                decoder->n_columns, i);
        return at_row(decoder, err);
    }
    return ERR_OK;
}

/* Columns that the row did not name are missing. */
static void encode_unnamed(const struct decoder *decoder, float *features)
{
    const struct encoder *encoder = decoder->encoder;

    for (int i = 0; i < encoder->n_columns; i++)
        if (!decoder->scratch->seen[i])
            encode_cell(encoder, &encoder->columns[i], &encoder->columns[i].imputed, features);
}

typedef enum err_code (*decode_row_fn)(struct decoder *decoder, enum json_token token,
                                       float *features, struct err *err);

/* What one object says of the row that is there; more objects than rows are an error. */
static enum err_code override_row(struct decoder *decoder, decode_row_fn decode,
                                  enum json_token token, struct err *err)
{
    size_t n_features = (size_t)decoder->encoder->n_features;

    if (decoder->row == decoder->n_rows) {
        err_set(err, ERR_INVALID, "expected an object for each of %zu rows, found more",
                decoder->n_rows);
        return at_row(decoder, err);
    }
    return decode(decoder, token, decoder->scratch->features + decoder->row * n_features, err);
}

/* One more row. */
static enum err_code decode_row(struct decoder *decoder, decode_row_fn decode,
                                enum json_token token, struct err *err)
{
    struct predict_scratch *scratch = decoder->scratch;
    size_t n_features = (size_t)decoder->encoder->n_features, needed;
    float *features;

    if (decoder->row == decoder->limits->max_rows) {
        err_set(err, ERR_LIMIT, "more than %zu rows in one request", decoder->limits->max_rows);
        err_hint(err, "send them in several requests");
        return at_row(decoder, err);
    }
    if (decoder->overrides)
        return override_row(decoder, decode, token, err);
    if (__builtin_mul_overflow(decoder->row + 1, n_features, &needed))
        return err_nomem(err);
    features = scratch_grow(scratch->features, &scratch->features_capacity, needed, sizeof(float));
    if (features == NULL)
        return err_nomem(err);
    scratch->features = features;
    features += decoder->row * n_features;
    TRY(decode(decoder, token, features, err));
    encode_unnamed(decoder, features);
    return ERR_OK;
}

/* The rows of an array whose JSON_ARRAY_BEGIN was just returned. */
static enum err_code decode_rows(struct decoder *decoder, decode_row_fn decode, struct err *err)
{
    decoder->numbered = true;
    for (;; decoder->row++) {
        enum json_token token = json_next(&decoder->reader, err);

        if (token == JSON_ARRAY_END)
            return ERR_OK;
        if (token == JSON_ERROR)
            return value_error(err);
        TRY(decode_row(decoder, decode, token, err));
    }
}

/* Turns the decoder to the beginning of a member's value; returns its first token. */
static enum json_token turn_to(struct decoder *decoder, const struct request *request,
                               enum request_member member, struct err *err)
{
    decoder->member = request->members[member].name;
    decoder->reader = request->members[member].value;
    return json_next(&decoder->reader, err);
}

static enum err_code decode_features(struct decoder *decoder, const struct request *request,
                                     enum request_member member, struct err *err)
{
    enum json_token token = turn_to(decoder, request, member, err);

    if (token == JSON_ARRAY_BEGIN)
        return decode_rows(decoder, decode_object, err);
    if (token != JSON_OBJECT_BEGIN) {
        err_set(err, ERR_INVALID, "expected an object or an array of objects, found %s",
                json_found(token));
        return at_row(decoder, err);
    }
    TRY(decode_row(decoder, decode_object, token, err));
    decoder->row = 1;
    return ERR_OK;
}

/* What "columns" names, into columns[n_known]: no column comes twice, so there is room for all. */
static enum err_code read_columns(struct decoder *decoder, uint32_t *columns, struct err *err)
{
    size_t n = 0;

    memset(decoder->scratch->seen, 0, decoder->n_known);
    for (;; n++) {
        enum json_token token = json_next(&decoder->reader, err);
        const char *name = "";
        size_t length = 0;

        if (token == JSON_ARRAY_END)
            break;
        if (token == JSON_ERROR)
            return value_error(err);
        if (token != JSON_STRING) {
            err_set(err, ERR_INVALID, "expected a column's name, found %s", json_found(token));
            return at_index(decoder, n, err);
        }
        if (read_column(decoder, &columns[n], &name, &length, err))
            return at_index(decoder, n, err);
    }
    decoder->n_columns = n;
    return ERR_OK;
}

static enum err_code decode_columns(struct decoder *decoder, const struct request *request,
                                    struct err *err)
{
    enum json_token token = turn_to(decoder, request, REQUEST_COLUMNS, err);
    struct predict_scratch *scratch = decoder->scratch;
    uint32_t *columns;

    if (token != JSON_ARRAY_BEGIN) {
        err_set(err, ERR_INVALID, "expected an array of column names, found %s", json_found(token));
        return at_row(decoder, err);
    }
    /* one more: the name after the last possible one is read before it is refused */
    columns = scratch_grow(scratch->columns, &scratch->columns_capacity, decoder->n_known + 1,
                           sizeof(*columns));
    if (columns == NULL)
        return err_nomem(err);
    scratch->columns = columns;
    return read_columns(decoder, columns, err);
}

static enum err_code decode_table(struct decoder *decoder, const struct request *request,
                                  struct err *err)
{
    TRY(decode_columns(decoder, request, err));
    if (turn_to(decoder, request, REQUEST_ROWS, err) != JSON_ARRAY_BEGIN) {
        err_set(err, ERR_INVALID, "expected an array of rows, found %s",
                json_found(request->members[REQUEST_ROWS].token));
        return at_row(decoder, err);
    }
    return decode_rows(decoder, decode_array, err);
}

static size_t n_known(const struct encoder *encoder)
{
    return (size_t)encoder->n_columns + encoder->other_names.n_keys;
}

/* What is kept of each known column. */
static enum err_code prepare_scratch(struct predict_scratch *scratch, size_t n, struct err *err)
{
    size_t n_ordered = scratch->order == NULL ? 0 : scratch->order_capacity;
    unsigned char *seen = scratch_grow(scratch->seen, &scratch->seen_capacity, n, 1);
    uint32_t *order;

    if (seen == NULL)
        return err_nomem(err);
    scratch->seen = seen;
    order = scratch_grow(scratch->order, &scratch->order_capacity, n, sizeof(*order));
    if (order == NULL)
        return err_nomem(err);
    for (size_t i = n_ordered; i < scratch->order_capacity; i++)
        order[i] = (uint32_t)i; /* that of the relation, to begin with */
    scratch->order = order;
    return ERR_OK;
}

enum err_code rows_decode(const struct request *request, const struct model *model,
                          const struct predict_limits *limits, struct predict_scratch *scratch,
                          struct rows *ret_rows, struct err *err)
{
    struct decoder decoder = {.model = model,
                              .encoder = model->encoder,
                              .n_known = n_known(model->encoder),
                              .limits = limits,
                              .scratch = scratch};

    TRY(prepare_scratch(scratch, decoder.n_known, err));
    if (request->form == REQUEST_OF_RANK)
        TRY(decode_features(&decoder, request, REQUEST_CANDIDATES, err));
    else if (request_has(request, REQUEST_FEATURES))
        TRY(decode_features(&decoder, request, REQUEST_FEATURES, err));
    else
        TRY(decode_table(&decoder, request, err));
    ret_rows->n = decoder.row;
    ret_rows->single = !decoder.numbered;
    ret_rows->found = NULL;
    ret_rows->after = decoder.reader;
    return ERR_OK;
}

/* One object, again for each row. */
static enum err_code override_all(struct decoder *decoder, const struct request *request,
                                  struct err *err)
{
    for (; decoder->row < decoder->n_rows; decoder->row++) {
        enum json_token token = turn_to(decoder, request, REQUEST_FEATURES, err);

        TRY(decode_row(decoder, decode_object, token, err));
    }
    return ERR_OK;
}

enum err_code rows_override(const struct request *request, const struct model *model,
                            const struct predict_limits *limits, size_t n_rows,
                            struct predict_scratch *scratch, struct err *err)
{
    struct decoder decoder = {.model = model,
                              .encoder = model->encoder,
                              .n_known = n_known(model->encoder),
                              .limits = limits,
                              .scratch = scratch,
                              .overrides = true,
                              .n_rows = n_rows};

    if (!request_has(request, REQUEST_FEATURES))
        return ERR_OK;
    TRY(prepare_scratch(scratch, decoder.n_known, err));
    if (request->members[REQUEST_FEATURES].token != JSON_ARRAY_BEGIN)
        return override_all(&decoder, request, err);
    TRY(decode_features(&decoder, request, REQUEST_FEATURES, err));
    if (decoder.row == n_rows)
        return ERR_OK;
    err_set(err, ERR_INVALID, "expected an object for each of %zu rows, found %zu", n_rows,
            decoder.row);
    return err_field(err, "/features");
}
