#include "predict/tensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "model/members.h"

#define COLUMNS_MAX 10000 /* tensors of one request */

/* Types --------------------------------------------------------------------------------------- */

enum values { VALUES_BOOL = 1, VALUES_NUMBER = 2, VALUES_STRING = 4 };

static const struct {
    const char *name;
    unsigned values;
} datatypes[] = {
    {"BOOL", VALUES_BOOL},     {"BYTES", VALUES_STRING},  {"FP64", VALUES_NUMBER},
    {"FP32", VALUES_NUMBER},   {"FP16", VALUES_NUMBER},   {"INT64", VALUES_NUMBER},
    {"INT32", VALUES_NUMBER},  {"INT16", VALUES_NUMBER},  {"INT8", VALUES_NUMBER},
    {"UINT64", VALUES_NUMBER}, {"UINT32", VALUES_NUMBER}, {"UINT16", VALUES_NUMBER},
    {"UINT8", VALUES_NUMBER},
};

static unsigned values_of(const char *name, size_t length)
{
    for (size_t i = 0; i < N_ELEMENTS(datatypes); i++)
        if (strlen(datatypes[i].name) == length && memcmp(datatypes[i].name, name, length) == 0)
            return datatypes[i].values;
    return 0;
}

static unsigned kind_of(enum json_token token)
{
    switch (token) {
    case JSON_TRUE:
    case JSON_FALSE:
        return VALUES_BOOL;
    case JSON_NUMBER:
        return VALUES_NUMBER;
    case JSON_STRING:
        return VALUES_STRING;
    case JSON_NULL:
        return VALUES_BOOL | VALUES_NUMBER | VALUES_STRING;
    default:
        return 0;
    }
}

/* Tables: columns of values --------------------------------------------------------------------
 * A value is a piece of the body, as it stands there, quotes included. */

struct span {
    const char *text;
    size_t length;
};

struct vector {
    struct span name; /* a JSON string */
    struct span *values;
    size_t n, capacity;
};

struct table {
    struct vector *columns;
    size_t n, capacity;
};

static void table_release(struct table *table)
{
    for (size_t i = 0; i < table->n; i++)
        free(table->columns[i].values);
    free(table->columns);
}

/* Room for one more of n items; NULL when there is no memory. */
static void *grow(void *items, size_t n, size_t *capacity, size_t size)
{
    size_t more = *capacity * 2 + 16;

    if (n < *capacity)
        return items;
    items = reallocarray(items, more, size);
    if (items != NULL)
        *capacity = more;
    return items;
}

static enum err_code add_column(struct table *table, struct vector **ret_column, struct err *err)
{
    struct vector *columns;

    if (table->n == COLUMNS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d columns", COLUMNS_MAX);
    columns = grow(table->columns, table->n, &table->capacity, sizeof(*columns));
    if (columns == NULL)
        return err_nomem(err);
    table->columns = columns;
    *ret_column = &columns[table->n++];
    **ret_column = (struct vector){0};
    return ERR_OK;
}

/* The token that was just read, as it stands. */
static struct span span_of(const struct json_reader *reader, enum json_token token)
{
    switch (token) {
    case JSON_TRUE:
        return (struct span){"true", 4};
    case JSON_FALSE:
        return (struct span){"false", 5};
    case JSON_NUMBER:
        return (struct span){reader->text, reader->length};
    case JSON_STRING:
    case JSON_KEY:
        return (struct span){reader->text - 1, reader->length + 2};
    default:
        return (struct span){"null", 4};
    }
}

static enum err_code add_value(struct vector *column, struct span value, struct err *err)
{
    struct span *values = grow(column->values, column->n, &column->capacity, sizeof(value));

    if (values == NULL)
        return err_nomem(err);
    column->values = values;
    values[column->n++] = value;
    return ERR_OK;
}

/* Is it what may not come here, of scalars that are all at one depth, 1 or 2? is_whole: the last
 * row is, where there are rows. */
static bool breaks_rows(enum json_token token, int depth, size_t n_rows, bool is_whole)
{
    if (token == JSON_ARRAY_BEGIN)
        return depth == 2 || !is_whole;
    return n_rows > 0 && (token == JSON_ARRAY_END ? !is_whole : depth == 1);
}

/* The scalars of an array whose begin was just read: all in it, or in an array for each row, which
 * has `width` of them. */
static enum err_code read_values(struct json_reader *reader, unsigned allowed, size_t width,
                                 struct vector *column, struct err *err)
{
    size_t n_rows = 0;

    for (int depth = 1; depth > 0;) {
        enum json_token token = json_next(reader, err);

        if (token == JSON_ERROR)
            return err_prefix(err, "the body is not JSON");
        if (breaks_rows(token, depth, n_rows, column->n == n_rows * width))
            return err_set(err, ERR_INVALID, "nested arrays must be rows of %zu values", width);
        if (token == JSON_ARRAY_BEGIN) {
            depth++;
            n_rows++;
        } else if (token == JSON_ARRAY_END) {
            depth--;
        } else if ((kind_of(token) & allowed) == 0) {
            return err_set(err, ERR_INVALID, "found %s, which is not of the tensor's type",
                           json_found(token));
        } else {
            TRY(add_value(column, span_of(reader, token), err));
        }
    }
    return ERR_OK;
}

static void put_span(struct buf *json, struct span span)
{
    buf_append(json, span.text, span.length);
}

static enum err_code put_columns(const struct table *table, struct buf *json, struct err *err)
{
    size_t n_rows = table->n > 0 ? table->columns[0].n : 0;

    buf_puts(json, "\"columns\":[");
    for (size_t i = 0; i < table->n; i++) {
        if (table->columns[i].n != n_rows)
            return err_set(err, ERR_INVALID, "the columns differ in length: %zu and %zu", n_rows,
                           table->columns[i].n);
        if (i > 0)
            buf_putc(json, ',');
        put_span(json, table->columns[i].name);
    }
    buf_puts(json, "],\"rows\":[");
    for (size_t row = 0; row < n_rows; row++) {
        buf_puts(json, row > 0 ? ",[" : "[");
        for (size_t i = 0; i < table->n; i++) {
            if (i > 0)
                buf_putc(json, ',');
            put_span(json, table->columns[i].values[row]);
        }
        buf_putc(json, ']');
    }
    buf_putc(json, ']');
    return buf_check(json, err);
}

static void put_model_columns(const struct model *model, struct buf *json)
{
    buf_puts(json, "\"columns\":[");
    for (int i = 0; i < model->encoder->n_columns; i++) {
        if (i > 0)
            buf_putc(json, ',');
        json_put_text(json, model->encoder->columns[i].name);
    }
    buf_putc(json, ']');
}

/* One column of rows × columns values, by rows. */
static enum err_code put_matrix(const struct model *model, const struct vector *matrix,
                                size_t n_rows, struct buf *json, struct err *err)
{
    size_t width = (size_t)model->encoder->n_columns;

    put_model_columns(model, json);
    buf_puts(json, ",\"rows\":[");
    for (size_t row = 0; row < n_rows; row++) {
        buf_puts(json, row > 0 ? ",[" : "[");
        for (size_t i = 0; i < width; i++) {
            if (i > 0)
                buf_putc(json, ',');
            put_span(json, matrix->values[row * width + i]);
        }
        buf_putc(json, ']');
    }
    buf_putc(json, ']');
    return buf_check(json, err);
}

/* Members ---------------------------------------------------------------------------------------
 */

static enum err_code wrong(const char *pointer, const char *expected, enum json_token found,
                           struct err *err)
{
    err_set(err, ERR_INVALID, "expected %s, found %s", expected, json_found(found));
    return err_field(err, "%s", pointer);
}

static enum err_code read_body(const char *body, size_t length, struct member *members, int n,
                               enum unknown_members unknown, struct err *err)
{
    CLEANUP(buf_release) struct buf scratch = {0};
    struct json_reader reader;
    enum json_token token;
    enum err_code code;

    json_reader_init(&reader, body, length);
    token = json_next(&reader, err);
    if (token == JSON_ERROR)
        return err_prefix(err, "the body is not JSON");
    if (token != JSON_OBJECT_BEGIN)
        return wrong("", "an object", token, err);
    code = members_read(&reader, members, n, unknown, &scratch, err);
    if (code == ERR_OK && json_next(&reader, err) != JSON_END)
        code = ERR_INVALID;
    if (code == ERR_INVALID && err != NULL && err->field[0] == '\0') /* else a member is at fault */
        err_prefix(err, "the body is not JSON");
    return code;
}

/* A member's value as it stands in the body, which has been read once. */
static struct span raw_value(const struct member *member)
{
    struct json_reader reader = member->value;
    enum json_token token = json_next(&reader, NULL);
    const char *begin = member->value.at;

    if (token != JSON_OBJECT_BEGIN && token != JSON_ARRAY_BEGIN)
        return span_of(&reader, token);
    while (*begin != '{' && *begin != '[')
        begin++;
    if (json_skip(&reader, token, NULL) != ERR_OK)
        return (struct span){"null", 4};
    return (struct span){begin, (size_t)(reader.at - begin)};
}

/* Open Inference Protocol -----------------------------------------------------------------------
 */

void tensors_request_release(struct tensors_request *request)
{
    buf_release(&request->id);
}

enum { OIP_ID, OIP_INPUTS, OIP_OUTPUTS, OIP_PARAMETERS, OIP_MEMBERS };
static const struct member oip_members[OIP_MEMBERS] = {
    {.name = "id"}, {.name = "inputs"}, {.name = "outputs"}, {.name = "parameters"}};

enum { TENSOR_NAME, TENSOR_SHAPE, TENSOR_DATATYPE, TENSOR_DATA, TENSOR_PARAMETERS, TENSOR_MEMBERS };
static const struct member tensor_members[TENSOR_MEMBERS] = {{.name = "name"},
                                                             {.name = "shape"},
                                                             {.name = "datatype"},
                                                             {.name = "data"},
                                                             {.name = "parameters"}};
static const enum json_token tensor_tokens[] = {
    [TENSOR_NAME] = JSON_STRING,
    [TENSOR_SHAPE] = JSON_ARRAY_BEGIN,
    [TENSOR_DATATYPE] = JSON_STRING,
    [TENSOR_DATA] = JSON_ARRAY_BEGIN,
};

struct shape {
    int n_dims;
    size_t rows, width; /* width 1 where there is one dimension */
};

static enum err_code read_shape(struct json_reader reader, struct shape *ret_shape, struct err *err)
{
    struct shape shape = {.rows = 0, .width = 1};
    enum json_token token;

    json_next(&reader, NULL); /* the array's begin */
    while ((token = json_next(&reader, err)) == JSON_NUMBER) {
        char *end;
        unsigned long long n = strtoull(reader.text, &end, 10);

        if (reader.text[0] == '-' || end != reader.text + reader.length || n > INT32_MAX ||
            shape.n_dims == 2)
            return err_set(err, ERR_INVALID, "a shape is [rows] or [rows, columns]");
        *(shape.n_dims++ == 0 ? &shape.rows : &shape.width) = (size_t)n;
    }
    if (token != JSON_ARRAY_END || shape.n_dims == 0)
        return err_set(err, ERR_INVALID, "a shape is [rows] or [rows, columns]");
    *ret_shape = shape;
    return ERR_OK;
}

static enum err_code read_tensor(struct member *members, struct vector *column,
                                 struct shape *ret_shape, struct err *err)
{
    struct json_reader *data = &members[TENSOR_DATA].value;
    struct json_reader name = members[TENSOR_NAME].value;
    struct json_reader datatype = members[TENSOR_DATATYPE].value;
    unsigned allowed;

    for (size_t i = 0; i < N_ELEMENTS(tensor_tokens); i++)
        if (members[i].token != tensor_tokens[i])
            return err_set(err, ERR_INVALID, "a tensor needs \"%s\", %s", members[i].name,
                           json_found(tensor_tokens[i]));
    json_next(&datatype, NULL);
    allowed = values_of(datatype.text, datatype.length);
    if (allowed == 0)
        return err_set(err, ERR_INVALID, "there is no such datatype");
    TRY(read_shape(members[TENSOR_SHAPE].value, ret_shape, err));
    column->name = span_of(&name, json_next(&name, NULL));
    json_next(data, NULL);
    TRY(read_values(data, allowed, ret_shape->width, column, err));
    if (column->n != ret_shape->rows * ret_shape->width)
        return err_set(err, ERR_INVALID, "the data has %zu values, the shape %zu", column->n,
                       ret_shape->rows * ret_shape->width);
    return ERR_OK;
}

/* The next of "inputs", whose begin was just read. */
static enum err_code read_input(struct json_reader *reader, struct table *table,
                                struct shape *ret_shape, struct err *err)
{
    CLEANUP(buf_release) struct buf scratch = {0};
    struct member members[TENSOR_MEMBERS];
    struct vector *column;
    enum err_code code;
    size_t i = table->n;

    memcpy(members, tensor_members, sizeof(members));
    TRY(add_column(table, &column, err));
    code = members_read(reader, members, TENSOR_MEMBERS, IGNORE_UNKNOWN, &scratch, err);
    if (code == ERR_OK)
        code = read_tensor(members, column, ret_shape, err);
    if (code != ERR_OK)
        err_field(err, "/inputs/%zu", i);
    return code;
}

static const struct tensors_places in_columns = {.by_tensor = true};
static const struct tensors_places in_matrix = {.rows = "/inputs/0/data"};

static enum err_code put_inputs(struct json_reader reader, const struct model *model,
                                size_t max_rows, struct tensors_places *ret_places,
                                struct buf *json, struct err *err)
{
    CLEANUP(table_release) struct table table = {0};
    struct shape shape = {0};
    enum json_token token;

    json_next(&reader, NULL); /* the array's begin */
    while ((token = json_next(&reader, err)) == JSON_OBJECT_BEGIN) {
        if (table.n > 0 && shape.width != 1)
            return err_set(err, ERR_INVALID, "a matrix is the only input");
        TRY(read_input(&reader, &table, &shape, err));
        if (shape.rows > max_rows)
            return err_set(err, ERR_LIMIT, "%zu rows are more than %zu", shape.rows, max_rows);
    }
    if (token != JSON_ARRAY_END || table.n == 0)
        return wrong("/inputs", "tensors", token, err);
    *ret_places = shape.width == 1 ? in_columns : in_matrix;
    if (shape.width == 1)
        return put_columns(&table, json, err);
    if (table.n > 1 || shape.width != (size_t)model->encoder->n_columns) {
        err_set(err, ERR_INVALID, "a matrix has the model's %d columns, in their order, alone",
                model->encoder->n_columns);
        err_hint(err, "GET /v2/models/%s lists them", model->project);
        return err_field(err, "/inputs/0/shape");
    }
    return put_matrix(model, &table.columns[0], shape.rows, json, err);
}

enum err_code tensors_from_oip(const char *body, size_t length, const struct model *model,
                               size_t max_rows, struct tensors_request *ret_request,
                               struct buf *json, struct err *err)
{
    struct member members[OIP_MEMBERS];

    memcpy(members, oip_members, sizeof(members));
    TRY(read_body(body, length, members, OIP_MEMBERS, IGNORE_UNKNOWN, err));
    if (members[OIP_INPUTS].token != JSON_ARRAY_BEGIN)
        return wrong("/inputs", "an array of tensors", members[OIP_INPUTS].token, err);
    /* clients may write null for what they leave out */
    if (members[OIP_ID].token != JSON_STRING && members[OIP_ID].token != JSON_NULL)
        return wrong("/id", "a string", members[OIP_ID].token, err);
    if (members[OIP_ID].token == JSON_STRING)
        put_span(&ret_request->id, raw_value(&members[OIP_ID]));
    return put_inputs(members[OIP_INPUTS].value, model, max_rows, &ret_request->places, json, err);
}

/* Answers ---------------------------------------------------------------------------------------
 */

/* The predictions of an answer, and the probabilities by rows. */
struct answer {
    struct vector predictions, probabilities;
    enum json_token token; /* of the last prediction */
    bool whole;            /* all predictions are whole numbers */
};

static void answer_release(struct answer *answer)
{
    free(answer->predictions.values);
    free(answer->probabilities.values);
}

static enum err_code broken(struct err *err)
{
    return err_set(err, ERR_FAILED, "the answer cannot be rewritten");
}

static enum err_code read_probabilities(struct json_reader reader, struct answer *answer,
                                        struct err *err)
{
    json_next(&reader, NULL); /* the object's begin */
    while (json_next(&reader, NULL) == JSON_KEY) {
        if (json_next(&reader, NULL) != JSON_NUMBER)
            return broken(err);
        TRY(add_value(&answer->probabilities, span_of(&reader, JSON_NUMBER), err));
    }
    return ERR_OK;
}

static enum err_code read_prediction(struct json_reader *reader, struct answer *answer,
                                     struct buf *scratch, struct err *err)
{
    struct member members[] = {{.name = "prediction"}, {.name = "probabilities"}};
    struct json_reader value;

    TRY(members_read(reader, members, N_ELEMENTS(members), IGNORE_UNKNOWN, scratch, err));
    value = members[0].value;
    answer->token = json_next(&value, NULL);
    answer->whole &=
        answer->token == JSON_NUMBER && strspn(value.text, "-0123456789") >= value.length;
    TRY(add_value(&answer->predictions, span_of(&value, answer->token), err));
    if (members[1].token == JSON_OBJECT_BEGIN)
        TRY(read_probabilities(members[1].value, answer, err));
    return ERR_OK;
}

static enum err_code read_answer(const char *text, size_t length, struct answer *answer,
                                 struct err *err)
{
    CLEANUP(buf_release) struct buf scratch = {0};
    struct member members[] = {{.name = "predictions"}};
    struct json_reader reader;

    answer->whole = true;
    TRY(read_body(text, length, members, N_ELEMENTS(members), IGNORE_UNKNOWN, err));
    if (members[0].token != JSON_ARRAY_BEGIN)
        return broken(err);
    reader = members[0].value;
    json_next(&reader, NULL);
    while (json_next(&reader, NULL) == JSON_OBJECT_BEGIN)
        TRY(read_prediction(&reader, answer, &scratch, err));
    return ERR_OK;
}

static void put_values(struct buf *json, const struct vector *column)
{
    for (size_t i = 0; i < column->n; i++) {
        if (i > 0)
            buf_putc(json, ',');
        put_span(json, column->values[i]);
    }
}

/* What labels are, as a datatype: by the JSON of the first, since all are of one type. */
static const char *label_datatype(const struct model *model)
{
    const char *json = model->labels[0].json;

    if (json[0] == '"')
        return "BYTES";
    if (json[0] == 't' || json[0] == 'f')
        return "BOOL";
    return "INT64";
}

/* Whether labels are whole numbers is seen from the answer; of regression all is a float32. */
static const char *answer_datatype(const struct model *model, const struct answer *answer)
{
    if (model->n_labels == 0)
        return "FP32";
    if (answer->token == JSON_NUMBER && !answer->whole)
        return "FP64";
    return label_datatype(model);
}

enum err_code tensors_to_oip(const char *text, size_t length, const struct model *model,
                             const struct tensors_request *request, struct buf *json,
                             struct err *err)
{
    CLEANUP(answer_release) struct answer answer = {0};

    TRY(read_answer(text, length, &answer, err));
    buf_puts(json, "{\"model_name\":");
    json_put_text(json, model->project);
    buf_printf(json, ",\"model_version\":\"%" PRId64 "\"", model->id);
    if (request->id.length > 0)
        buf_printf(json, ",\"id\":%s", buf_text(&request->id));
    buf_printf(json,
               ",\"outputs\":[{\"name\":\"prediction\",\"datatype\":\"%s\",\"shape\":[%zu],"
               "\"data\":[",
               answer_datatype(model, &answer), answer.predictions.n);
    put_values(json, &answer.predictions);
    buf_puts(json, "]}");
    if (model->n_labels > 0) {
        buf_printf(json,
                   ",{\"name\":\"probabilities\",\"datatype\":\"FP64\",\"shape\":[%zu,%d],"
                   "\"data\":[",
                   answer.predictions.n, model->n_labels);
        put_values(json, &answer.probabilities);
        buf_puts(json, "]}");
    }
    buf_puts(json, "]}");
    return buf_check(json, err);
}

enum err_code tensors_to_mlflow(const char *text, size_t length, struct buf *json, struct err *err)
{
    CLEANUP(answer_release) struct answer answer = {0};

    TRY(read_answer(text, length, &answer, err));
    buf_puts(json, "{\"predictions\":[");
    put_values(json, &answer.predictions);
    buf_puts(json, "]}");
    return buf_check(json, err);
}

/* Metadata --------------------------------------------------------------------------------------
 */

/* What a column's values are in JSON: numbers, or text of any kind. */
static const char *column_datatype(const struct encoder_column *column)
{
    switch (column->type) {
    case PG_BOOL:
        return "BOOL";
    case PG_INT2:
    case PG_INT4:
    case PG_INT8:
        return "INT64";
    case PG_FLOAT4:
    case PG_FLOAT8:
    case PG_NUMERIC:
        return "FP64";
    default:
        return "BYTES";
    }
}

void tensors_put_metadata(const struct model *model, struct buf *json)
{
    buf_puts(json, "{\"name\":");
    json_put_text(json, model->project);
    buf_printf(json, ",\"versions\":[\"%" PRId64 "\"],\"platform\":\"pgboost_%s\",\"inputs\":[",
               model->id, model->algorithm);
    for (int i = 0; i < model->encoder->n_columns; i++) {
        buf_puts(json, i > 0 ? ",{\"name\":" : "{\"name\":");
        json_put_text(json, model->encoder->columns[i].name);
        buf_printf(json, ",\"datatype\":\"%s\",\"shape\":[-1]}",
                   column_datatype(&model->encoder->columns[i]));
    }
    buf_printf(json, "],\"outputs\":[{\"name\":\"prediction\",\"datatype\":\"%s\",\"shape\":[-1]}",
               model->n_labels == 0 ? "FP32" : label_datatype(model));
    if (model->n_labels > 0) {
        buf_printf(json,
                   ",{\"name\":\"probabilities\",\"datatype\":\"FP64\",\"shape\":[-1,%d],"
                   "\"labels\":[",
                   model->n_labels);
        for (int i = 0; i < model->n_labels; i++)
            buf_printf(json, i > 0 ? ",%s" : "%s", model->labels[i].json_key);
        buf_puts(json, "]}");
    }
    buf_puts(json, "]}");
}

/* MLflow ----------------------------------------------------------------------------------------
 */

enum { ML_SPLIT, ML_RECORDS, ML_INSTANCES, ML_INPUTS, ML_PARAMS, ML_MEMBERS };
static const struct member mlflow_members[ML_MEMBERS] = {{.name = "dataframe_split"},
                                                         {.name = "dataframe_records"},
                                                         {.name = "instances"},
                                                         {.name = "inputs"},
                                                         {.name = "params"}};

/* As the members are called that hold rows. */
static const struct tensors_places mlflow_places[ML_PARAMS] = {
    [ML_SPLIT] = {.columns = "/dataframe_split/columns", .rows = "/dataframe_split/data"},
    [ML_RECORDS] = {.rows = "/dataframe_records", .features = "/dataframe_records"},
    [ML_INSTANCES] = {.rows = "/instances", .features = "/instances"},
    [ML_INPUTS] = {.rows = "/inputs", .features = "/inputs"},
};

/* {"columns": […], "data": [[…]…]}; an index is of no use here. */
static enum err_code put_split(struct member *split, struct buf *json, struct err *err)
{
    CLEANUP(buf_release) struct buf scratch = {0};
    struct member members[] = {{.name = "columns"}, {.name = "data"}, {.name = "index"}};
    struct json_reader reader = split->value;

    if (json_next(&reader, NULL) != JSON_OBJECT_BEGIN)
        return wrong("/dataframe_split", "an object", split->token, err);
    TRY(members_read(&reader, members, N_ELEMENTS(members), REFUSE_UNKNOWN, &scratch, err));
    if (!members[0].named || !members[1].named) {
        err_set(err, ERR_INVALID, "expected \"columns\" and \"data\"");
        return err_field(err, "/dataframe_split");
    }
    buf_puts(json, "\"columns\":");
    put_span(json, raw_value(&members[0]));
    buf_puts(json, ",\"rows\":");
    put_span(json, raw_value(&members[1]));
    return buf_check(json, err);
}

/* Objects, or arrays of the model's columns. */
static enum err_code put_list(struct member *member, const struct model *model, struct buf *json,
                              struct err *err)
{
    struct json_reader reader = member->value;
    bool is_matrix;

    json_next(&reader, NULL);
    is_matrix = json_next(&reader, NULL) == JSON_ARRAY_BEGIN;
    if (is_matrix)
        put_model_columns(model, json);
    buf_puts(json, is_matrix ? ",\"rows\":" : "\"features\":");
    put_span(json, raw_value(member));
    return buf_check(json, err);
}

/* {"column": […], …} */
static enum err_code put_named(struct member *member, size_t max_rows, struct buf *json,
                               struct err *err)
{
    CLEANUP(table_release) struct table table = {0};
    struct json_reader reader = member->value;
    struct vector *column;
    enum json_token token;

    json_next(&reader, NULL);
    while (json_next(&reader, NULL) == JSON_KEY) {
        TRY(add_column(&table, &column, err));
        column->name = span_of(&reader, JSON_KEY);
        token = json_next(&reader, NULL);
        if (token != JSON_ARRAY_BEGIN)
            return wrong("/inputs", "an array for each column", token, err);
        TRY(read_values(&reader, VALUES_BOOL | VALUES_NUMBER | VALUES_STRING, 1, column, err));
        if (column->n > max_rows)
            return err_set(err, ERR_LIMIT, "%zu rows are more than %zu", column->n, max_rows);
    }
    return put_columns(&table, json, err);
}

enum err_code tensors_from_mlflow(const char *body, size_t length, const struct model *model,
                                  size_t max_rows, struct tensors_places *ret_places,
                                  struct buf *json, struct err *err)
{
    struct member members[ML_MEMBERS];
    int n = 0, given = 0;

    memcpy(members, mlflow_members, sizeof(members));
    TRY(read_body(body, length, members, ML_MEMBERS, IGNORE_UNKNOWN, err));
    for (int i = 0; i < ML_PARAMS; i++) {
        n += members[i].named;
        given = members[i].named ? i : given;
    }
    if (n != 1)
        return err_set(err, ERR_INVALID,
                       "expected one of dataframe_split, dataframe_records, instances and inputs");
    *ret_places = mlflow_places[given];
    if (given == ML_SPLIT)
        return put_split(&members[ML_SPLIT], json, err);
    if (given == ML_INPUTS && members[ML_INPUTS].token == JSON_OBJECT_BEGIN)
        return put_named(&members[ML_INPUTS], max_rows, json, err);
    if (members[given].token != JSON_ARRAY_BEGIN) {
        char pointer[40];

        snprintf(pointer, sizeof(pointer), "/%s", members[given].name);
        return wrong(pointer, "an array", members[given].token, err);
    }
    return put_list(&members[given], model, json, err);
}

/* Errors ----------------------------------------------------------------------------------------
 */

static bool place_in_tensor(struct err *err)
{
    unsigned long row, column;
    char more;

    if (sscanf(err->field, "/rows/%lu/%lu%c", &row, &column, &more) == 2)
        err_field(err, "/inputs/%lu/data/%lu", column, row);
    else if (sscanf(err->field, "/columns/%lu%c", &column, &more) == 1)
        err_field(err, "/inputs/%lu/name", column);
    else
        return false;
    return true;
}

void tensors_place(const struct tensors_places *places, struct err *err)
{
    const struct {
        const char *name, *place;
    } prefixes[] = {
        {"/columns", places->columns}, {"/rows", places->rows}, {"/features", places->features}};

    if (err == NULL || (places->by_tensor && place_in_tensor(err)))
        return;
    for (size_t i = 0; i < N_ELEMENTS(prefixes); i++) {
        size_t length = strlen(prefixes[i].name);

        if (prefixes[i].place == NULL || strncmp(err->field, prefixes[i].name, length) != 0)
            continue;
        err_field(err, "%s%s", prefixes[i].place, err->field + length);
        return;
    }
}
