#include "predict/request.h"

#include <string.h>

#include "model/value.h"

static const char *const names[REQUEST_MEMBERS] = {
    [REQUEST_PROJECT] = "project",   [REQUEST_FEATURES] = "features", [REQUEST_COLUMNS] = "columns",
    [REQUEST_ROWS] = "rows",         [REQUEST_MODEL_ID] = "model_id", [REQUEST_ENCODED] = "encoded",
    [REQUEST_KEY] = "key",           [REQUEST_KEYS] = "keys",         [REQUEST_EXPLAIN] = "explain",
    [REQUEST_INTERVAL] = "interval",
};

#define LOOKS_LIKE "a request looks like {\"project\": \"…\", "
#define EXAMPLE    LOOKS_LIKE "\"features\": {\"column\": value, …}}"
#define TABLE_EXAMPLE                                                                                    \
    LOOKS_LIKE "\"features\": {…}} or {…, \"columns\": [\"column\", …], \"rows\": [[value, …], " \
               "…]}"

static enum err_code missing(enum request_member member, struct err *err)
{
    err_set(err, ERR_INVALID, "\"%s\" is missing", names[member]);
    err_field(err, "/%s", names[member]);
    return err_hint(err, "%s",
                    member == REQUEST_COLUMNS || member == REQUEST_ROWS ? TABLE_EXAMPLE : EXAMPLE);
}

static enum err_code wrong_type(const struct request *request, enum request_member member,
                                const char *expected, struct err *err)
{
    err_set(err, ERR_INVALID, "expected %s, found %s", expected,
            json_found(request->members[member].token));
    return err_field(err, "/%s", names[member]);
}

/* Rows come as "features", or as "columns" with "rows". */
static enum err_code check_rows(const struct request *request, struct err *err)
{
    bool features = request_has(request, REQUEST_FEATURES);
    bool columns = request_has(request, REQUEST_COLUMNS), rows = request_has(request, REQUEST_ROWS);

    if (features && (columns || rows)) {
        err_set(err, ERR_INVALID, "\"features\" and \"%s\" exclude each other",
                columns ? "columns" : "rows");
        return err_field(err, columns ? "/columns" : "/rows");
    }
    if (!features && !columns && !rows)
        return missing(REQUEST_FEATURES, err);
    if (!features && !columns)
        return missing(REQUEST_COLUMNS, err);
    return !features && !rows ? missing(REQUEST_ROWS, err) : ERR_OK;
}

/* What later versions answer must not be silently left out by this one. */
static enum err_code check_available(const struct request *request, struct err *err)
{
    for (enum request_member member = REQUEST_KEY; member < REQUEST_MEMBERS; member++) {
        if (!request_has(request, member) || request->members[member].token == JSON_FALSE)
            continue;
        err_set(err, ERR_INVALID, "\"%s\" is not available in this version", names[member]);
        err_field(err, "/%s", names[member]);
        return err_hint(err, "send the row's columns as \"features\"");
    }
    return ERR_OK;
}

static enum err_code read_flag(const struct request *request, enum request_member member,
                               bool *ret_flag, struct err *err)
{
    enum json_token token = request->members[member].token;

    if (token != JSON_TRUE && token != JSON_FALSE && token != JSON_NULL)
        return wrong_type(request, member, "true or false", err);
    *ret_flag = token == JSON_TRUE;
    return ERR_OK;
}

enum err_code request_model_id(struct request *request, struct err *err)
{
    const struct member *member = &request->members[REQUEST_MODEL_ID];
    struct json_reader reader;
    int64_t id = 0;

    request->model_id = 0;
    if (member->token == JSON_NULL)
        return ERR_OK;
    if (member->token != JSON_NUMBER)
        return wrong_type(request, REQUEST_MODEL_ID, "a model's number", err);
    reader = member->value; /* which may be read again */
    json_next(&reader, err);
    for (size_t i = 0; i < reader.length; i++) {
        char c = reader.text[i];

        if (c < '0' || c > '9' || __builtin_mul_overflow(id, 10, &id) ||
            __builtin_add_overflow(id, c - '0', &id)) {
            id = 0;
            break;
        }
    }
    if (id == 0) {
        err_set(err, ERR_INVALID, "expected a model's number: a whole number above 0");
        return err_field(err, "/%s", names[REQUEST_MODEL_ID]);
    }
    request->model_id = id;
    return ERR_OK;
}

static enum err_code read_interval(struct request *request, struct err *err)
{
    static const char expected[] = "a number between 0 and 1, such as 0.9";
    struct member *member = &request->members[REQUEST_INTERVAL];

    request->interval = 0;
    if (member->token == JSON_NULL || member->token == JSON_FALSE)
        return ERR_OK;
    if (member->token != JSON_NUMBER)
        return wrong_type(request, REQUEST_INTERVAL, expected, err);
    json_next(&member->value, err);
    request->interval = strtod(member->value.text, NULL); /* ends where the number does */
    if (request->interval > 0 && request->interval < 1)
        return ERR_OK;
    err_set(err, ERR_INVALID, "expected %s", expected);
    return err_field(err, "/%s", names[REQUEST_INTERVAL]);
}

/* The reader has refused the text, or it is too deep. */
static enum err_code not_json(struct err *err)
{
    return err->code == ERR_INVALID ? err_prefix(err, "the body is not JSON") : err->code;
}

/* The members, and where their values are. */
static enum err_code read_members(struct json_reader *reader, struct buf *scratch,
                                  request_take_fn take, void *context, struct request *request,
                                  struct err *err)
{
    for (;;) {
        struct member *member = NULL;

        TRY(members_next(reader, request->members, REQUEST_MEMBERS, REFUSE_UNKNOWN, scratch,
                         &member, err));
        if (member == NULL)
            return ERR_OK;
        if (!take(context, request, (enum request_member)(member - request->members), reader))
            TRY(json_skip(reader, member->token, err));
    }
}

static enum err_code read_body(const char *body, size_t length, struct buf *scratch,
                               request_take_fn take, void *context, struct request *request,
                               struct err *err)
{
    struct json_reader reader;
    enum json_token token;

    if (length == 0)
        return err_set(err, ERR_INVALID, "the body is empty");
    json_reader_init(&reader, body, length);
    token = json_next(&reader, err);
    if (token == JSON_ERROR)
        return not_json(err);
    if (token != JSON_OBJECT_BEGIN)
        return err_set(err, ERR_INVALID, "expected an object, found %s", json_found(token));
    for (int i = 0; i < REQUEST_MEMBERS; i++)
        request->members[i].name = names[i];
    members_clear(request->members, REQUEST_MEMBERS);
    if (read_members(&reader, scratch, take, context, request, err))
        return err->field[0] == '\0' ? not_json(err) : err->code;
    return json_next(&reader, err) == JSON_END ? ERR_OK : not_json(err);
}

enum err_code request_read(const char *body, size_t length, struct buf *scratch,
                           request_take_fn take, void *context, struct request *ret_request,
                           struct err *err)
{
    enum err_code code = read_body(body, length, scratch, take, context, ret_request, err);

    if (code == ERR_INVALID && err->hint[0] == '\0')
        err_hint(err, EXAMPLE);
    TRY(code);
    TRY(check_available(ret_request, err));
    TRY(check_rows(ret_request, err));
    TRY(read_flag(ret_request, REQUEST_ENCODED, &ret_request->encoded, err));
    TRY(read_flag(ret_request, REQUEST_EXPLAIN, &ret_request->explain, err));
    TRY(read_interval(ret_request, err));
    return request_model_id(ret_request, err);
}

enum err_code request_project(const struct request *request, struct buf *scratch,
                              const char **ret_name, size_t *ret_length, struct err *err)
{
    struct json_reader reader = request->members[REQUEST_PROJECT].value;

    if (!request_has(request, REQUEST_PROJECT))
        return missing(REQUEST_PROJECT, err);
    if (request->members[REQUEST_PROJECT].token != JSON_STRING)
        return wrong_type(request, REQUEST_PROJECT, "a project's name as a string", err);
    json_next(&reader, err);
    return json_text(&reader, scratch, ret_name, ret_length, err);
}
