/*
 * The encoder as JSON, and back. What the catalog stores as jsonb, so members come in any order and
 * numbers without exponents.
 *
 *     {"version": 1, "timezone": "UTC",
 *      "columns": [{"name", "type", "encoding", "first_feature", what the encoding learnt}],
 *      "features": [{"name", "type"}], "other_columns": [names]}
 *
 * The members of an encoding are with it, in encode_*.c; an int64 is a text there, as it is more
 * than a JSON number holds. Later versions of the program add members that may be left out, so that
 * what earlier ones stored stays readable.
 *
 * What follows from the rest (types of features, where a column's begin) is stored for readers and
 * must agree when it is read.
 */
#include <string.h>

#include "base/json.h"
#include "feature/encoder.h"
#include "feature/encoder_internal.h"

#define ENCODER_VERSION 1

/* Writing. */

static void put_column(struct buf *json, const struct encoder_column *column)
{
    const struct encoding_ops *ops = encoding_ops(column->encoding);

    buf_puts(json, "{\"name\":");
    json_put_text(json, column->name);
    buf_printf(json, ",\"type\":\"%s\",\"encoding\":\"%s\",\"first_feature\":%d",
               pg_type_name(column->type), ops->name, column->first_feature);
    if (ops->to_json != NULL)
        ops->to_json(column, json);
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
    stored_put_names(json, "other_columns", &encoder->other_names);
    buf_putc(json, '}');
    return buf_check(json, err);
}

/* Reading. */

enum { VERSION, TIMEZONE, COLUMNS, FEATURES, OTHER_COLUMNS, N_DOCUMENT };
static const struct stored_member document_members[] = {
    [VERSION] = {"version", STORED_NUMBER, false},
    [TIMEZONE] = {"timezone", STORED_STRING, false},
    [COLUMNS] = {"columns", STORED_ARRAY, false},
    [FEATURES] = {"features", STORED_ARRAY, false},
    [OTHER_COLUMNS] = {"other_columns", STORED_ARRAY, false},
};

enum { COLUMN_NAME, COLUMN_TYPE, COLUMN_ENCODING, COLUMN_FIRST_FEATURE, N_COLUMN };
static const struct stored_member column_members[] = {
    [COLUMN_NAME] = {"name", STORED_STRING, false},
    [COLUMN_TYPE] = {"type", STORED_STRING, false},
    [COLUMN_ENCODING] = {"encoding", STORED_STRING, false},
    [COLUMN_FIRST_FEATURE] = {"first_feature", STORED_NUMBER, false},
};

enum { FEATURE_NAME, FEATURE_TYPE, N_FEATURE };
static const struct stored_member feature_members[] = {
    [FEATURE_NAME] = {"name", STORED_STRING, false},
    [FEATURE_TYPE] = {"type", STORED_STRING, false},
};

static enum err_code read_column(const cJSON *object, struct encoder *encoder, struct err *err)
{
    struct stored_object from = {.object = object};
    const cJSON *items[N_COLUMN];
    struct encoder_column *column = NULL;
    enum encoding encoding;
    enum pg_type type;

    TRY(stored_read(&from, column_members, N_COLUMN, items, err));
    if (!pg_type_from_name(items[COLUMN_TYPE]->valuestring, &type))
        return err_set(err, ERR_CORRUPT, "\"type\" is not one this program knows");
    if (!encoding_from_name(items[COLUMN_ENCODING]->valuestring, &encoding))
        return err_set(err, ERR_CORRUPT, "\"encoding\" is not one this program knows");
    if (!encoding_possible(type, encoding))
        return err_set(err, ERR_CORRUPT, "type %s cannot be encoded as %s", pg_type_name(type),
                       encoding_ops(encoding)->name);
    TRY(encoder_add_column(encoder, items[COLUMN_NAME]->valuestring, type, encoding, &column, err));
    if (encoding_ops(encoding)->from_json != NULL)
        TRY(encoding_ops(encoding)->from_json(&from, encoder, column, err));
    return stored_end(&from, err);
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
    struct stored_object from = {.object = object};
    const cJSON *items[N_FEATURE];

    TRY(stored_read(&from, feature_members, N_FEATURE, items, err));
    TRY(stored_end(&from, err));
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

    TRY(stored_length(features, (size_t)encoder->n_features, err));
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
    struct stored_object from = {.object = root};

    TRY(stored_read(&from, document_members, 1, items, err));
    if (items[VERSION]->valuedouble != ENCODER_VERSION)
        return err_set(err, ERR_CORRUPT, "it is of version %g, this program knows %d",
                       items[VERSION]->valuedouble, ENCODER_VERSION);
    TRY(stored_read(&from, document_members + 1, N_DOCUMENT - 1, items + 1, err));
    return stored_end(&from, err);
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
    TRY(stored_names(items[OTHER_COLUMNS], &encoder->other_names, err));
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
