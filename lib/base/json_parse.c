#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

/* cJSON copies a number into 64 bytes and would read a longer one as two. */
#define NUMBER_LENGTH_MAX 63

static enum err_code refuse_at(const char *start, const char *at, enum err_code code,
                               const char *reason, struct err *err)
{
    int line, column;

    json_position(start, at, &line, &column);
    return err_set(err, code, "line %d, column %d: %s", line, column, reason);
}

static enum err_code check_number(const struct json_reader *reader, struct err *err)
{
    char number[NUMBER_LENGTH_MAX + 1]; /* the text need not be NUL-terminated */

    if (reader->length > NUMBER_LENGTH_MAX)
        return refuse_at(reader->start, reader->text, ERR_INVALID,
                         "a number has more than 63 characters", err);
    memcpy(number, reader->text, reader->length);
    number[reader->length] = '\0';
    if (!isfinite(strtod(number, NULL)))
        return refuse_at(reader->start, reader->text, ERR_INVALID,
                         "a number is too large for a double", err);
    return ERR_OK;
}

/* cJSON's strings end at a NUL: one inside would cut a name or a value in two. */
static enum err_code check_no_nul(const struct json_reader *reader, struct err *err)
{
    const char *at = reader->text, *end = at + reader->length;

    while (reader->escaped && at < end) {
        if (*at != '\\') {
            at++;
            continue;
        }
        if (at[1] == 'u' && memcmp(at + 2, "0000", 4) == 0)
            return refuse_at(reader->start, at, ERR_INVALID,
                             "a string holds \\u0000, which Postgres's text cannot", err);
        at += 2;
    }
    return ERR_OK;
}

static enum err_code check_strict(const char *text, size_t length, struct err *err)
{
    struct json_reader reader;

    json_reader_init(&reader, text, length);
    for (;;) {
        struct err reason;

        switch (json_next(&reader, &reason)) {
        case JSON_ERROR:
            return err_set(err, reason.code, "%s", reason.message);
        case JSON_END:
            return ERR_OK;
        case JSON_KEY:
        case JSON_STRING:
            TRY(check_no_nul(&reader, err));
            break;
        case JSON_NUMBER:
            TRY(check_number(&reader, err));
            break;
        default:
            break;
        }
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(const cJSON *const *)a)->string, (*(const cJSON *const *)b)->string);
}

/* By sorting, so that an object of very many keys costs n log n whatever they are. */
static enum err_code check_names_differ(const cJSON *object, struct err *err)
{
    CLEANUP(free_ptr) const cJSON **members = NULL;
    const cJSON *member;
    size_t n = 0;

    cJSON_ArrayForEach (member, object)
        n++;
    if (n < 2)
        return ERR_OK;
    members = calloc(n, sizeof(*members));
    if (members == NULL)
        return err_nomem(err);
    n = 0;
    cJSON_ArrayForEach (member, object)
        members[n++] = member;
    qsort(members, n, sizeof(*members), compare_names);
    for (size_t i = 1; i < n; i++) {
        if (strcmp(members[i - 1]->string, members[i]->string) == 0) {
            err_set(err, ERR_INVALID, "the key \"%s\" appears more than once in one object",
                    members[i]->string);
            return err_hint(err, "keep one of them");
        }
    }
    return ERR_OK;
}

/* Depth is bounded by the reader, so recursion is too. */
static enum err_code check_duplicates(const cJSON *value, struct err *err)
{
    const cJSON *child;

    if (cJSON_IsObject(value))
        TRY(check_names_differ(value, err));
    cJSON_ArrayForEach (child, value)
        TRY(check_duplicates(child, err));
    return ERR_OK;
}

static enum err_code parse(const char *text, size_t length, cJSON **ret_root, struct err *err)
{
    CLEANUP(cjson_delete_ptr) cJSON *root = NULL;

    TRY(check_strict(text, length, err));
    root = cJSON_ParseWithLengthOpts(text, length, NULL, false);
    if (root == NULL)
        return err_nomem(err); /* the text is JSON, so nothing else is left */
    TRY(check_duplicates(root, err));
    *ret_root = TAKE_PTR(root);
    return ERR_OK;
}

enum err_code json_parse(const char *text, size_t length, const char *what, cJSON **ret_root,
                         struct err *err)
{
    enum err_code code = parse(text, length, ret_root, err);

    if (code != ERR_OK && what != NULL)
        err_prefix(err, "%s", what);
    return code;
}
