#include "predict/request.h"

#include <string.h>

#include "model/value.h"

static const char *const names[REQUEST_MEMBERS] = {
    [REQUEST_PROJECT] = "project",
    [REQUEST_FEATURES] = "features",
    [REQUEST_COLUMNS] = "columns",
    [REQUEST_ROWS] = "rows",
    [REQUEST_MODEL_ID] = "model_id",
    [REQUEST_ENCODED] = "encoded",
    [REQUEST_KEY] = "key",
    [REQUEST_KEYS] = "keys",
    [REQUEST_EXPLAIN] = "explain",
    [REQUEST_INTERVAL] = "interval",
    [REQUEST_CANDIDATES] = "candidates",
    [REQUEST_WHERE] = "where",
    [REQUEST_TOP] = "top",
    [REQUEST_LABEL] = "label",
};

/* By form. "features" override columns of rows that are looked up. */
#define BIT(member) (1u << (member))
static const struct {
    const char *route;
    unsigned members;
} forms[] = {
    [REQUEST_OF_PREDICT] = {"/predict", BIT(REQUEST_PROJECT) | BIT(REQUEST_FEATURES) |
                                            BIT(REQUEST_COLUMNS) | BIT(REQUEST_ROWS) |
                                            BIT(REQUEST_MODEL_ID) | BIT(REQUEST_ENCODED) |
                                            BIT(REQUEST_EXPLAIN) | BIT(REQUEST_INTERVAL) |
                                            BIT(REQUEST_KEY) | BIT(REQUEST_KEYS)},
    [REQUEST_OF_RANK] = {"/rank", BIT(REQUEST_PROJECT) | BIT(REQUEST_FEATURES) |
                                      BIT(REQUEST_MODEL_ID) | BIT(REQUEST_KEYS) |
                                      BIT(REQUEST_CANDIDATES) | BIT(REQUEST_WHERE) |
                                      BIT(REQUEST_TOP) | BIT(REQUEST_LABEL)},
};

#define LOOKS_LIKE "a request looks like {\"project\": \"…\", "
#define EXAMPLE    LOOKS_LIKE "\"features\": {\"column\": value, …}}"
#define RANK_EXAMPLE                                                                               \
    LOOKS_LIKE "\"candidates\": [{\"column\": value, …}, …], \"top\": 10}, with \"keys\" or "  \
               "\"where\" in place of candidates"
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

enum err_code request_wrong_type(const struct request *request, enum request_member member,
                                 const char *expected, struct err *err)
{
    err_set(err, ERR_INVALID, "expected %s, found %s", expected,
            json_found(request->members[member].token));
    return err_field(err, "/%s", names[member]);
}

static enum err_code exclude(enum request_member a, enum request_member b, struct err *err)
{
    err_set(err, ERR_INVALID, "\"%s\" and \"%s\" exclude each other", names[a], names[b]);
    return err_field(err, "/%s", names[b]);
}

/* The first of members (ends with REQUEST_MEMBERS) that is there; REQUEST_MEMBERS: none. A second
 * one is an error. */
static enum err_code one_of(const struct request *request, const enum request_member *members,
                            enum request_member *ret_member, struct err *err)
{
    *ret_member = REQUEST_MEMBERS;
    for (; *members != REQUEST_MEMBERS; members++) {
        if (!request_has(request, *members))
            continue;
        if (*ret_member != REQUEST_MEMBERS)
            return exclude(*ret_member, *members, err);
        *ret_member = *members;
    }
    return ERR_OK;
}

/* Rows are named by "key" or "keys", beside which "features" override columns; or they come as
 * "features", or as "columns" with "rows". */
static enum err_code check_rows(const struct request *request, struct err *err)
{
    static const enum request_member keyed[] = {REQUEST_KEY, REQUEST_KEYS, REQUEST_COLUMNS,
                                                REQUEST_MEMBERS};
    bool features = request_has(request, REQUEST_FEATURES);
    bool columns = request_has(request, REQUEST_COLUMNS), rows = request_has(request, REQUEST_ROWS);
    enum request_member first;

    TRY(one_of(request, keyed, &first, err));
    if (request_names_rows(request))
        return rows ? exclude(first, REQUEST_ROWS, err) : ERR_OK;
    if (features && (columns || rows))
        return exclude(REQUEST_FEATURES, columns ? REQUEST_COLUMNS : REQUEST_ROWS, err);
    if (!features && !columns && !rows)
        return missing(REQUEST_FEATURES, err);
    if (!features && !columns)
        return missing(REQUEST_COLUMNS, err);
    return !features && !rows ? missing(REQUEST_ROWS, err) : ERR_OK;
}

static enum err_code check_candidates(const struct request *request, struct err *err)
{
    static const enum request_member sources[] = {REQUEST_CANDIDATES, REQUEST_KEYS, REQUEST_WHERE,
                                                  REQUEST_MEMBERS};
    enum request_member first;

    TRY(one_of(request, sources, &first, err));
    if (first == REQUEST_MEMBERS) {
        missing(REQUEST_CANDIDATES, err);
        return err_hint(err, RANK_EXAMPLE);
    }
    if (first != REQUEST_WHERE && request->members[first].token != JSON_ARRAY_BEGIN)
        return request_wrong_type(request, first, "an array", err);
    if (first == REQUEST_WHERE && request->members[first].token != JSON_OBJECT_BEGIN)
        return request_wrong_type(request, first, "an object of columns and values", err);
    if (first == REQUEST_CANDIDATES && request_has(request, REQUEST_FEATURES))
        return exclude(REQUEST_CANDIDATES, REQUEST_FEATURES, err);
    return ERR_OK;
}

/* What belongs to another route must not be silently left out. */
static enum err_code check_form(const struct request *request, struct err *err)
{
    for (enum request_member member = 0; member < REQUEST_MEMBERS; member++) {
        if (!request_has(request, member) || (forms[request->form].members & BIT(member)) != 0)
            continue;
        err_set(err, ERR_INVALID, "POST %s has no member \"%s\"", forms[request->form].route,
                names[member]);
        return err_field(err, "/%s", names[member]);
    }
    return ERR_OK;
}

static enum err_code read_flag(const struct request *request, enum request_member member,
                               bool *ret_flag, struct err *err)
{
    enum json_token token = request->members[member].token;

    if (token != JSON_TRUE && token != JSON_FALSE && token != JSON_NULL)
        return request_wrong_type(request, member, "true or false", err);
    *ret_flag = token == JSON_TRUE;
    return ERR_OK;
}

/* A whole number above 0; 0: it is absent. */
static enum err_code read_whole(const struct request *request, enum request_member which,
                                const char *expected, int64_t *ret_number, struct err *err)
{
    const struct member *member = &request->members[which];
    struct json_reader reader;
    int64_t number = 0;

    *ret_number = 0;
    if (member->token == JSON_NULL)
        return ERR_OK;
    if (member->token != JSON_NUMBER)
        return request_wrong_type(request, which, expected, err);
    reader = member->value; /* which may be read again */
    json_next(&reader, err);
    for (size_t i = 0; i < reader.length; i++) {
        char c = reader.text[i];

        if (c < '0' || c > '9' || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, c - '0', &number)) {
            number = 0;
            break;
        }
    }
    if (number == 0) {
        err_set(err, ERR_INVALID, "expected %s: a whole number above 0", expected);
        return err_field(err, "/%s", names[which]);
    }
    *ret_number = number;
    return ERR_OK;
}

enum err_code request_model_id(struct request *request, struct err *err)
{
    return read_whole(request, REQUEST_MODEL_ID, "a model's number", &request->model_id, err);
}

static enum err_code read_interval(struct request *request, struct err *err)
{
    static const char expected[] = "a number between 0 and 1, such as 0.9";
    struct member *member = &request->members[REQUEST_INTERVAL];

    request->interval = 0;
    if (member->token == JSON_NULL || member->token == JSON_FALSE)
        return ERR_OK;
    if (member->token != JSON_NUMBER)
        return request_wrong_type(request, REQUEST_INTERVAL, expected, err);
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

static enum err_code read_options(struct request *request, struct err *err)
{
    TRY(check_form(request, err));
    TRY(request->form == REQUEST_OF_RANK ? check_candidates(request, err)
                                         : check_rows(request, err));
    TRY(read_flag(request, REQUEST_ENCODED, &request->encoded, err));
    TRY(read_flag(request, REQUEST_EXPLAIN, &request->explain, err));
    TRY(read_interval(request, err));
    TRY(read_whole(request, REQUEST_TOP, "a number of candidates", &request->top, err));
    return request_model_id(request, err);
}

enum err_code request_read(enum request_form form, const char *body, size_t length,
                           struct buf *scratch, request_take_fn take, void *context,
                           struct request *ret_request, struct err *err)
{
    enum err_code code;

    ret_request->form = form;
    code = read_body(body, length, scratch, take, context, ret_request, err);
    if (code == ERR_INVALID && err->hint[0] == '\0')
        err_hint(err, form == REQUEST_OF_RANK ? RANK_EXAMPLE : EXAMPLE);
    TRY(code);
    return read_options(ret_request, err);
}

enum err_code request_project(const struct request *request, struct buf *scratch,
                              const char **ret_name, size_t *ret_length, struct err *err)
{
    struct json_reader reader = request->members[REQUEST_PROJECT].value;

    if (!request_has(request, REQUEST_PROJECT))
        return missing(REQUEST_PROJECT, err);
    if (request->members[REQUEST_PROJECT].token != JSON_STRING)
        return request_wrong_type(request, REQUEST_PROJECT, "a project's name as a string", err);
    json_next(&reader, err);
    return json_text(&reader, scratch, ret_name, ret_length, err);
}
