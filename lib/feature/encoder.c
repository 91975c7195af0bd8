#include "feature/encoder.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "feature/encoder_internal.h"

static const char *const encoding_names[] = {
    [ENCODE_BOOL] = "bool",
    [ENCODE_NUMBER] = "number",
    [ENCODE_CATEGORY] = "category",
    [ENCODE_TIMESTAMP] = "timestamp",
};

/* What types become, and which of them may be declared categories. */
static const struct {
    bool is_feature, may_be_category;
    enum encoding encoding;
} type_encodings[PG_TYPES] = {
    [PG_BOOL] = {true, true, ENCODE_BOOL},
    [PG_INT2] = {true, true, ENCODE_NUMBER},
    [PG_INT4] = {true, true, ENCODE_NUMBER},
    [PG_INT8] = {true, true, ENCODE_NUMBER},
    [PG_FLOAT4] = {true, false, ENCODE_NUMBER},
    [PG_FLOAT8] = {true, false, ENCODE_NUMBER},
    [PG_NUMERIC] = {true, false, ENCODE_NUMBER},
    [PG_TEXT_TYPE] = {true, true, ENCODE_CATEGORY},
    [PG_BPCHAR] = {true, true, ENCODE_CATEGORY},
    [PG_ENUM] = {true, true, ENCODE_CATEGORY},
    [PG_DATE] = {true, false, ENCODE_TIMESTAMP},
    [PG_TIMESTAMP] = {true, false, ENCODE_TIMESTAMP},
    [PG_TIMESTAMPTZ] = {true, false, ENCODE_TIMESTAMP},
};

/* A timestamp's features, in encode_timestamp's order; a date has all but the last. */
static const char *const timestamp_suffixes[] = {".days", ".month", ".day", ".weekday", ".hour"};

const char *encoding_name(enum encoding encoding)
{
    return encoding_names[encoding];
}

bool encoding_from_name(const char *name, enum encoding *ret_encoding)
{
    for (size_t i = 0; i < N_ELEMENTS(encoding_names); i++) {
        if (strcmp(name, encoding_names[i]) == 0) {
            *ret_encoding = (enum encoding)i;
            return true;
        }
    }
    return false;
}

enum encoding encoding_of(enum pg_type type, enum column_as as)
{
    return as == AS_CATEGORY ? ENCODE_CATEGORY : type_encodings[type].encoding;
}

bool encoding_possible(enum pg_type type, enum encoding encoding)
{
    return type_encodings[type].is_feature &&
           (type_encodings[type].encoding == encoding ||
            (encoding == ENCODE_CATEGORY && type_encodings[type].may_be_category));
}

enum err_code encoder_new(const char *timezone, size_t n_columns, struct encoder **ret_encoder,
                          struct err *err)
{
    CLEANUP(encoder_freep) struct encoder *encoder = calloc(1, sizeof(*encoder));

    if (encoder == NULL)
        return err_nomem(err);
    encoder->columns = arena_alloc_array(&encoder->arena, n_columns, sizeof(*encoder->columns));
    encoder->timezone = arena_strdup(&encoder->arena, timezone);
    if (encoder->columns == NULL || encoder->timezone == NULL)
        return err_nomem(err);
    TRY(zone_new(timezone, &encoder->zone, err));
    *ret_encoder = TAKE_PTR(encoder);
    return ERR_OK;
}

void encoder_free(struct encoder *encoder)
{
    if (encoder == NULL)
        return;
    for (int i = 0; i < encoder->n_columns; i++)
        strmap_release(&encoder->columns[i].categories);
    strmap_release(&encoder->column_names);
    strmap_release(&encoder->other_names);
    zone_free(encoder->zone);
    arena_release(&encoder->arena);
    free(encoder);
}

enum err_code encoder_add_column(struct encoder *encoder, const char *name, enum pg_type type,
                                 enum encoding encoding, struct encoder_column **ret_column,
                                 struct err *err)
{
    uint32_t index = strmap_add(&encoder->column_names, name, strlen(name));
    struct encoder_column *column;

    if (index == STRMAP_NONE)
        return err_nomem(err);
    if ((int)index != encoder->n_columns)
        return err_set(err, ERR_CONFLICT, "column \"%s\" is there twice", name);
    column = &encoder->columns[encoder->n_columns++];
    column->name = encoder->column_names.keys[index].text;
    column->type = type;
    column->encoding = encoding;
    *ret_column = column;
    return ERR_OK;
}

enum err_code encoder_add_other(struct encoder *encoder, const char *name, struct err *err)
{
    if (strmap_add(&encoder->other_names, name, strlen(name)) == STRMAP_NONE)
        return err_nomem(err);
    return ERR_OK;
}

enum err_code encoder_alloc_categories(struct encoder *encoder, struct encoder_column *column,
                                       size_t n_categories, struct err *err)
{
    struct arena *arena = &encoder->arena;
    size_t n_means;

    if (__builtin_mul_overflow(n_categories, (size_t)column->n_means, &n_means))
        return err_nomem(err);
    column->frequencies = arena_alloc_array(arena, n_categories, sizeof(double));
    column->means = arena_alloc_array(arena, n_means, sizeof(double));
    column->prior = arena_alloc_array(arena, (size_t)column->n_means, sizeof(double));
    if (column->frequencies == NULL || column->means == NULL || column->prior == NULL)
        return err_nomem(err);
    return ERR_OK;
}

static int count_features(const struct encoder_column *column)
{
    switch (column->encoding) {
    case ENCODE_CATEGORY:
        return column->has_code + column->n_means + column->has_frequency;
    case ENCODE_TIMESTAMP:
        return (int)N_ELEMENTS(timestamp_suffixes) - (column->type == PG_DATE);
    default:
        return 1;
    }
}

/* XGBoost's feature type of the column's feature at index. */
static const char *feature_type(const struct encoder_column *column, int index)
{
    if (column->encoding == ENCODE_BOOL)
        return "i";
    return column->encoding == ENCODE_CATEGORY && column->has_code && index == 0 ? "c" : "q";
}

enum err_code encoder_lay_out(struct encoder *encoder, struct err *err)
{
    size_t n;

    encoder->n_features = 0;
    for (int i = 0; i < encoder->n_columns; i++) {
        struct encoder_column *column = &encoder->columns[i];

        column->first_feature = encoder->n_features;
        column->n_features = count_features(column);
        encoder->n_features += column->n_features;
    }
    n = (size_t)encoder->n_features;
    encoder->feature_names = arena_alloc_array(&encoder->arena, n, sizeof(char *));
    encoder->feature_types = arena_alloc_array(&encoder->arena, n, sizeof(char *));
    if (encoder->feature_names == NULL || encoder->feature_types == NULL)
        return err_nomem(err);
    for (int i = 0; i < encoder->n_columns; i++) {
        const struct encoder_column *column = &encoder->columns[i];

        for (int k = 0; k < column->n_features; k++)
            encoder->feature_types[column->first_feature + k] = feature_type(column, k);
    }
    return ERR_OK;
}

/* "carrier", "carrier.mean.late", "scheduled_at.hour" … before it is made acceptable. */
static void put_feature_name(const struct encoder_column *column, int index,
                             const char *const *labels, struct buf *name)
{
    buf_puts(name, column->name);
    if (column->encoding == ENCODE_TIMESTAMP) {
        buf_puts(name, timestamp_suffixes[index]);
    } else if (column->encoding == ENCODE_CATEGORY && index >= column->has_code) {
        int mean = index - column->has_code;

        buf_puts(name, mean < column->n_means ? ".mean" : ".frequency");
        if (mean < column->n_means && labels != NULL)
            buf_printf(name, ".%s", labels[mean]);
    }
}

/* XGBoost's Python refuses "[", "]" and "<"; control characters and broken UTF-8 help nobody. */
static void make_acceptable(struct buf *name)
{
    size_t at = 0;

    while (at < name->length) {
        char *c = &name->data[at];
        int n_bytes = utf8_length(c, name->length - at);

        if (n_bytes == 0 || (unsigned char)*c < ' ' || *c == 0x7f || strchr("[]<", *c) != NULL) {
            *c = '_';
            n_bytes = 1;
        }
        at += (size_t)n_bytes;
    }
}

/* Adds the name to names, with a number when it is taken; STRMAP_NONE without memory. */
static uint32_t add_unique(struct strmap *names, struct buf *name)
{
    size_t length = name->length;

    for (int number = 2; !name->failed; number++) {
        if (strmap_find(names, buf_text(name), name->length) == STRMAP_NONE)
            return strmap_add(names, buf_text(name), name->length);
        name->length = length;
        buf_printf(name, "_%d", number);
    }
    return STRMAP_NONE;
}

static enum err_code name_features(struct encoder *encoder, const struct encoder_column *column,
                                   const char *const *labels, struct strmap *names, struct err *err)
{
    for (int k = 0; k < column->n_features; k++) {
        CLEANUP(buf_release) struct buf name = {0};
        char *copy;

        put_feature_name(column, k, labels, &name);
        make_acceptable(&name);
        if (add_unique(names, &name) == STRMAP_NONE)
            return err_nomem(err);
        copy = arena_strndup(&encoder->arena, buf_text(&name), name.length);
        if (copy == NULL)
            return err_nomem(err);
        encoder->feature_names[column->first_feature + k] = copy;
    }
    return ERR_OK;
}

enum err_code encoder_name_features(struct encoder *encoder, const char *const *labels,
                                    struct err *err)
{
    CLEANUP(strmap_release) struct strmap names = {0};

    for (int i = 0; i < encoder->n_columns; i++)
        TRY(name_features(encoder, &encoder->columns[i], labels, &names, err));
    return ERR_OK;
}

enum err_code encoder_find_column(const struct frame *frame, const char *name, enum pg_type type,
                                  const struct column **ret_column, struct err *err)
{
    int index = frame_find(frame, name);

    if (index < 0) {
        err_set(err, ERR_CONFLICT, "the rows have no column \"%s\", which the encoder reads", name);
        return err_hint(err, "a column that was dropped or renamed needs a new training");
    }
    if (frame->columns[index].type != type) {
        err_set(err, ERR_CONFLICT, "column \"%s\" is of type %s, the encoder reads %s", name,
                pg_type_name(frame->columns[index].type), pg_type_name(type));
        return err_hint(err, "a column that changed its type needs a new training");
    }
    *ret_column = &frame->columns[index];
    return ERR_OK;
}
