/*
 * The encoder as JSON, and back. What the catalog stores as jsonb, so members come in any order and
 * numbers without exponents.
 *
 *     {"version": 1, "timezone": "UTC",
 *      "columns": [{"name", "type", "encoding", "first_feature",
 *                   of a category: "code", "frequency", "n_means", "categories": [texts by code],
 *                                  "frequencies", "means", "prior",
 *                   of a timestamp: "start_us" (as text: an int64 is more than a JSON number
 * holds)}], "features": [{"name", "type"}], "other_columns": [names]}
 *
 * What follows from the rest (types of features, where a column's begin) is stored for readers and
 * must agree when it is read.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "feature/encoder.h"
#include "feature/encoder_internal.h"

#define ENCODER_VERSION 1

/* Writing. */

static void put_doubles(struct buf *json, const char *name, const double *values, size_t n)
{
    buf_printf(json, ",\"%s\":[", name);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_putc(json, ',');
        json_put_double(json, values[i]);
    }
    buf_putc(json, ']');
}

static void put_names(struct buf *json, const char *name, const struct strmap *names)
{
    buf_printf(json, ",\"%s\":[", name);
    for (uint32_t i = 0; i < names->n_keys; i++) {
        if (i > 0)
            buf_putc(json, ',');
        json_put_string(json, names->keys[i].text, names->keys[i].length);
    }
    buf_putc(json, ']');
}

static void put_category(struct buf *json, const struct encoder_column *column)
{
    size_t n = column->categories.n_keys, n_means = (size_t)column->n_means;

    buf_printf(json, ",\"code\":%s,\"frequency\":%s,\"n_means\":%d",
               column->has_code ? "true" : "false", column->has_frequency ? "true" : "false",
               column->n_means);
    put_names(json, "categories", &column->categories);
    put_doubles(json, "frequencies", column->frequencies, n);
    put_doubles(json, "means", column->means, n * n_means);
    put_doubles(json, "prior", column->prior, n_means);
}

static void put_column(struct buf *json, const struct encoder_column *column)
{
    buf_puts(json, "{\"name\":");
    json_put_text(json, column->name);
    buf_printf(json, ",\"type\":\"%s\",\"encoding\":\"%s\",\"first_feature\":%d",
               pg_type_name(column->type), encoding_name(column->encoding), column->first_feature);
    if (column->encoding == ENCODE_CATEGORY)
        put_category(json, column);
    else if (column->encoding == ENCODE_TIMESTAMP)
        buf_printf(json, ",\"start_us\":\"%" PRId64 "\"", column->start_us);
    buf_putc(json, '}');
}

enum err_code encoder_to_json(const struct encoder *encoder, struct buf *json, struct err *err)
{
    buf_printf(json, "{\"version\":%d,\"timezone\":", ENCODER_VERSION);
    json_put_text(json, encoder->timezone);
    buf_puts(json, ",\"columns\":[");
    for (int i = 0; i < encoder->n_columns; i++) {
        if (i > 0)
            buf_putc(json, ',');
        put_column(json, &encoder->columns[i]);
    }
    buf_puts(json, "],\"features\":[");
    for (int i = 0; i < encoder->n_features; i++) {
        buf_puts(json, i > 0 ? ",{\"name\":" : "{\"name\":");
        json_put_text(json, encoder->feature_names[i]);
        buf_printf(json, ",\"type\":\"%s\"}", encoder->feature_types[i]);
    }
    buf_putc(json, ']');
    put_names(json, "other_columns", &encoder->other_names);
    buf_putc(json, '}');
    return buf_check(json, err);
}

/* Reading. An object has the members that are listed, of these types, and no other. */

enum member_type { MEMBER_STRING, MEMBER_NUMBER, MEMBER_BOOL, MEMBER_ARRAY };

struct member {
    const char *name;
    enum member_type type;
};

static const struct {
    const char *what;
    cJSON_bool (*is)(const cJSON *item);
} member_types[] = {
    [MEMBER_STRING] = {"a string", cJSON_IsString},
    [MEMBER_NUMBER] = {"a number", cJSON_IsNumber},
    [MEMBER_BOOL] = {"true or false", cJSON_IsBool},
    [MEMBER_ARRAY] = {"an array", cJSON_IsArray},
};

enum { VERSION, TIMEZONE, COLUMNS, FEATURES, OTHER_COLUMNS, N_DOCUMENT };
static const struct member document_members[] = {
    [VERSION] = {"version", MEMBER_NUMBER},
    [TIMEZONE] = {"timezone", MEMBER_STRING},
    [COLUMNS] = {"columns", MEMBER_ARRAY},
    [FEATURES] = {"features", MEMBER_ARRAY},
    [OTHER_COLUMNS] = {"other_columns", MEMBER_ARRAY},
};

enum { COLUMN_NAME, COLUMN_TYPE, COLUMN_ENCODING, COLUMN_FIRST_FEATURE, N_COLUMN };
static const struct member column_members[] = {
    [COLUMN_NAME] = {"name", MEMBER_STRING},
    [COLUMN_TYPE] = {"type", MEMBER_STRING},
    [COLUMN_ENCODING] = {"encoding", MEMBER_STRING},
    [COLUMN_FIRST_FEATURE] = {"first_feature", MEMBER_NUMBER},
};

enum { CODE, FREQUENCY, N_MEANS, CATEGORIES, FREQUENCIES, MEANS, PRIOR, N_CATEGORY };
static const struct member category_members[] = {
    [CODE] = {"code", MEMBER_BOOL},
    [FREQUENCY] = {"frequency", MEMBER_BOOL},
    [N_MEANS] = {"n_means", MEMBER_NUMBER},
    [CATEGORIES] = {"categories", MEMBER_ARRAY},
    [FREQUENCIES] = {"frequencies", MEMBER_ARRAY},
    [MEANS] = {"means", MEMBER_ARRAY},
    [PRIOR] = {"prior", MEMBER_ARRAY},
};

static const struct member timestamp_members[] = {{"start_us", MEMBER_STRING}};

enum { FEATURE_NAME, FEATURE_TYPE, N_FEATURE };
static const struct member feature_members[] = {
    [FEATURE_NAME] = {"name", MEMBER_STRING},
    [FEATURE_TYPE] = {"type", MEMBER_STRING},
};

static enum err_code read_members(const cJSON *object, const struct member *members, int n_members,
                                  const cJSON **items, struct err *err)
{
    for (int i = 0; i < n_members; i++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, members[i].name);

        if (item == NULL)
            return err_set(err, ERR_CORRUPT, "\"%s\" is missing", members[i].name);
        if (!member_types[members[i].type].is(item))
            return err_set(err, ERR_CORRUPT, "\"%s\" is not %s", members[i].name,
                           member_types[members[i].type].what);
        items[i] = item;
    }
    return ERR_OK;
}

/* read_members looked for all that there may be: one more has no meaning here. */
static enum err_code refuse_others(const cJSON *object, int n_members, struct err *err)
{
    if (cJSON_GetArraySize(object) == n_members)
        return ERR_OK;
    return err_set(err, ERR_CORRUPT, "it has a member that this program does not know");
}

static enum err_code check_length(const cJSON *array, size_t n, struct err *err)
{
    size_t length = (size_t)cJSON_GetArraySize(array);

    if (length == n)
        return ERR_OK;
    return err_set(err, ERR_CORRUPT, "\"%s\" has %zu values, expected %zu", array->string, length,
                   n);
}

static enum err_code read_doubles(const cJSON *array, size_t n, double *values, struct err *err)
{
    const cJSON *item;

    TRY(check_length(array, n, err));
    cJSON_ArrayForEach (item, array) {
        if (!cJSON_IsNumber(item))
            return err_set(err, ERR_CORRUPT, "\"%s\" holds something other than numbers",
                           array->string);
        *values++ = item->valuedouble;
    }
    return ERR_OK;
}

/* Texts that differ, in their order. */
static enum err_code read_names(const cJSON *array, struct strmap *names, struct err *err)
{
    const cJSON *item;
    uint32_t i = 0;

    cJSON_ArrayForEach (item, array) {
        uint32_t index;

        if (!cJSON_IsString(item))
            return err_set(err, ERR_CORRUPT, "\"%s\" holds something other than strings",
                           array->string);
        index = strmap_add(names, item->valuestring, strlen(item->valuestring));
        if (index == STRMAP_NONE)
            return err_nomem(err);
        if (index != i++)
            return err_set(err, ERR_CORRUPT, "\"%s\" holds a string twice", array->string);
    }
    return ERR_OK;
}

static enum err_code read_category(const cJSON *object, struct encoder *encoder,
                                   struct encoder_column *column, struct err *err)
{
    const cJSON *items[N_CATEGORY];
    size_t n, n_means;

    TRY(read_members(object, category_members, N_CATEGORY, items, err));
    TRY(refuse_others(object, N_COLUMN + N_CATEGORY, err));
    column->has_code = cJSON_IsTrue(items[CODE]);
    column->has_frequency = cJSON_IsTrue(items[FREQUENCY]);
    column->n_means = items[N_MEANS]->valueint;
    if (column->n_means < 0 || column->n_means > MEANS_MAX ||
        items[N_MEANS]->valuedouble != column->n_means)
        return err_set(err, ERR_CORRUPT, "\"n_means\" is not a whole number from 0 to %d",
                       MEANS_MAX);
    TRY(read_names(items[CATEGORIES], &column->categories, err));
    n = column->categories.n_keys;
    n_means = (size_t)column->n_means;
    TRY(encoder_alloc_categories(encoder, column, n, err));
    TRY(read_doubles(items[FREQUENCIES], n, column->frequencies, err));
    TRY(read_doubles(items[MEANS], n * n_means, column->means, err));
    return read_doubles(items[PRIOR], n_means, column->prior, err);
}

static enum err_code read_timestamp(const cJSON *object, struct encoder_column *column,
                                    struct err *err)
{
    const cJSON *start;
    long long value;
    char *end;

    TRY(read_members(object, timestamp_members, 1, &start, err));
    TRY(refuse_others(object, N_COLUMN + 1, err));
    errno = 0;
    value = strtoll(start->valuestring, &end, 10);
    if (errno != 0 || end == start->valuestring || *end != '\0')
        return err_set(err, ERR_CORRUPT, "\"start_us\" is not a whole number");
    column->start_us = value;
    return ERR_OK;
}

static enum err_code read_column(const cJSON *object, struct encoder *encoder, struct err *err)
{
    const cJSON *items[N_COLUMN];
    struct encoder_column *column = NULL;
    enum encoding encoding;
    enum pg_type type;

    TRY(read_members(object, column_members, N_COLUMN, items, err));
    if (!pg_type_from_name(items[COLUMN_TYPE]->valuestring, &type))
        return err_set(err, ERR_CORRUPT, "\"type\" is not one this program knows");
    if (!encoding_from_name(items[COLUMN_ENCODING]->valuestring, &encoding))
        return err_set(err, ERR_CORRUPT, "\"encoding\" is not one this program knows");
    if (!encoding_possible(type, encoding))
        return err_set(err, ERR_CORRUPT, "type %s cannot be encoded as %s", pg_type_name(type),
                       encoding_name(encoding));
    TRY(encoder_add_column(encoder, items[COLUMN_NAME]->valuestring, type, encoding, &column, err));
    if (encoding == ENCODE_CATEGORY)
        return read_category(object, encoder, column, err);
    if (encoding == ENCODE_TIMESTAMP)
        return read_timestamp(object, column, err);
    return refuse_others(object, N_COLUMN, err);
}

static enum err_code read_columns(const cJSON *columns, struct encoder *encoder, struct err *err)
{
    const cJSON *object;
    int i = 0;

    cJSON_ArrayForEach (object, columns) {
        enum err_code code = read_column(object, encoder, err);

        if (code != ERR_OK) {
            err_prefix(err, "column %d", i);
            return code;
        }
        i++;
    }
    return encoder_lay_out(encoder, err);
}

/* Where features begin is counted, not believed. */
static enum err_code check_first_features(const cJSON *columns, const struct encoder *encoder,
                                          struct err *err)
{
    const struct encoder_column *column = encoder->columns;
    const cJSON *object;

    cJSON_ArrayForEach (object, columns) {
        const cJSON *first = cJSON_GetObjectItemCaseSensitive(object, "first_feature");

        if (first->valuedouble != column->first_feature)
            return err_set(err, ERR_CORRUPT, "column %d: \"first_feature\" is not %d",
                           (int)(column - encoder->columns), column->first_feature);
        column++;
    }
    return ERR_OK;
}

static enum err_code read_feature(const cJSON *object, const char *type, struct encoder *encoder,
                                  const char **ret_name, struct err *err)
{
    const cJSON *items[N_FEATURE];

    TRY(read_members(object, feature_members, N_FEATURE, items, err));
    TRY(refuse_others(object, N_FEATURE, err));
    if (strcmp(items[FEATURE_TYPE]->valuestring, type) != 0)
        return err_set(err, ERR_CORRUPT, "\"type\" is not \"%s\"", type);
    *ret_name = arena_strdup(&encoder->arena, items[FEATURE_NAME]->valuestring);
    return *ret_name == NULL ? err_nomem(err) : ERR_OK;
}

static enum err_code read_features(const cJSON *features, struct encoder *encoder, struct err *err)
{
    CLEANUP(strmap_release) struct strmap names = {0};
    const cJSON *object;
    int i = 0;

    TRY(check_length(features, (size_t)encoder->n_features, err));
    cJSON_ArrayForEach (object, features) {
        const char **name = &encoder->feature_names[i];
        enum err_code code = read_feature(object, encoder->feature_types[i], encoder, name, err);
        uint32_t index;

        if (code != ERR_OK) {
            err_prefix(err, "feature %d", i);
            return code;
        }
        index = strmap_add(&names, *name, strlen(*name));
        if (index == STRMAP_NONE)
            return err_nomem(err);
        if (index != (uint32_t)i++)
            return err_set(err, ERR_CORRUPT, "two features are named \"%s\"", *name);
    }
    return ERR_OK;
}

/* The version first: another one may have other members. */
static enum err_code read_document(const cJSON *root, const cJSON **items, struct err *err)
{
    TRY(read_members(root, document_members, 1, items, err));
    if (items[VERSION]->valuedouble != ENCODER_VERSION)
        return err_set(err, ERR_CORRUPT, "it is of version %g, this program knows %d",
                       items[VERSION]->valuedouble, ENCODER_VERSION);
    TRY(read_members(root, document_members, N_DOCUMENT, items, err));
    return refuse_others(root, N_DOCUMENT, err);
}

static enum err_code read_encoder(const char *text, size_t length, struct encoder **ret_encoder,
                                  struct err *err)
{
    CLEANUP(cjson_delete_ptr) cJSON *root = NULL;
    CLEANUP(encoder_freep) struct encoder *encoder = NULL;
    const cJSON *items[N_DOCUMENT];

    TRY(json_parse(text, length, NULL, &root, err));
    TRY(read_document(root, items, err));
    TRY(encoder_new(items[TIMEZONE]->valuestring, (size_t)cJSON_GetArraySize(items[COLUMNS]),
                    &encoder, err));
    TRY(read_columns(items[COLUMNS], encoder, err));
    TRY(check_first_features(items[COLUMNS], encoder, err));
    TRY(read_features(items[FEATURES], encoder, err));
    TRY(read_names(items[OTHER_COLUMNS], &encoder->other_names, err));
    *ret_encoder = TAKE_PTR(encoder);
    return ERR_OK;
}

enum err_code encoder_from_json(const char *text, size_t length, struct encoder **ret_encoder,
                                struct err *err)
{
    struct err reason = {0};
    enum err_code code = read_encoder(text, length, ret_encoder, &reason);

    if (code == ERR_OK || code == ERR_NOMEM)
        return code == ERR_OK ? ERR_OK : err_nomem(err);
    return err_set(err, ERR_CORRUPT, "the encoder: %s", reason.message); /* as it was stored */
}
