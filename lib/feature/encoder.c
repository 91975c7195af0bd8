#include "feature/encoder.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "feature/encoder_internal.h"

static const struct encoding_ops *const encodings[ENCODE_TYPES] = {
    [ENCODE_BOOL] = &bool_ops,         [ENCODE_NUMBER] = &number_ops,
    [ENCODE_CATEGORY] = &category_ops, [ENCODE_TIMESTAMP] = &timestamp_ops,
    [ENCODE_ONEHOT] = &onehot_ops,     [ENCODE_ORDINAL] = &ordinal_ops,
    [ENCODE_LIST] = &list_ops,         [ENCODE_TAGS] = &tags_ops,
    [ENCODE_JSON] = &json_ops,         [ENCODE_TEXT] = &text_ops,
};

const struct encoding_ops *encoding_ops(enum encoding encoding)
{
    return encodings[encoding];
}

bool encoding_from_name(const char *name, enum encoding *ret_encoding)
{
    for (size_t i = 0; i < N_ELEMENTS(encodings); i++) {
        if (strcmp(name, encodings[i]->name) == 0) {
            *ret_encoding = (enum encoding)i;
            return true;
        }
    }
    return false;
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

static void column_release(struct encoder_column *column)
{
    strmap_release(&column->categories);
    strmap_release(&column->paths);
    for (int i = 0; i < column->n_parts; i++)
        strmap_release(&column->parts[i].categories); /* parts have no parts */
}

void encoder_free(struct encoder *encoder)
{
    if (encoder == NULL)
        return;
    for (int i = 0; i < encoder->n_columns; i++)
        column_release(&encoder->columns[i]);
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
    column->imputed.is_null = true;
    *ret_column = column;
    return ERR_OK;
}

enum err_code encoder_add_other(struct encoder *encoder, const char *name, struct err *err)
{
    if (strmap_add(&encoder->other_names, name, strlen(name)) == STRMAP_NONE)
        return err_nomem(err);
    return ERR_OK;
}

int column_count_features(const struct encoder_column *column)
{
    const struct encoding_ops *ops = encodings[column->encoding];

    return ops->n_features == NULL ? 1 : ops->n_features(column);
}

const char *column_feature_type(const struct encoder_column *column, int index)
{
    const struct encoding_ops *ops = encodings[column->encoding];

    return ops->feature_type == NULL ? "q" : ops->feature_type(column, index);
}

enum err_code encoder_lay_out(struct encoder *encoder, struct err *err)
{
    size_t n;

    encoder->n_features = 0;
    for (int i = 0; i < encoder->n_columns; i++) {
        struct encoder_column *column = &encoder->columns[i];

        column->first_feature = encoder->n_features;
        column->n_features = column_count_features(column);
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
            encoder->feature_types[column->first_feature + k] = column_feature_type(column, k);
    }
    return ERR_OK;
}

void put_label(struct buf *name, const char *text, size_t length)
{
    buf_putc(name, '.');
    buf_append(name, text, length < LABEL_BYTES_MAX ? length : LABEL_BYTES_MAX);
}

/* "carrier", "carrier.mean.late", "scheduled_at.hour" … before it is made acceptable. */
static void put_feature_name(const struct encoder_column *column, int index,
                             const char *const *labels, struct buf *name)
{
    const struct encoding_ops *ops = encodings[column->encoding];

    buf_puts(name, column->name);
    if (ops->put_suffix != NULL)
        ops->put_suffix(column, index, labels, name);
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

void encode_cell(const struct encoder *encoder, const struct encoder_column *column,
                 const struct cell *cell, float *features)
{
    features += column->first_feature;
    if (cell->is_null)
        cell = &column->imputed;
    if (cell->is_null)
        fill_missing(features, column->n_features);
    else
        encodings[column->encoding]->encode(encoder, column, cell, features);
}

void encode_missing(const struct encoder *encoder, float *features)
{
    for (int i = 0; i < encoder->n_columns; i++)
        encode_cell(encoder, &encoder->columns[i], &encoder->columns[i].imputed, features);
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
