/*
 * Arrays of text: which of the 64 most frequent elements are there (each counts once a row, needs 2
 * training rows and at most 256 bytes; ties by bytes), and how many elements in all.
 */
#include "feature/encoder_internal.h"
#include "feature/tally.h"

#define TAGS_MAX 64

static enum err_code fit_tags(const struct fit *fit, const struct column *from,
                              const struct column_override *how, struct encoder_column *column,
                              struct err *err)
{
    static const struct keep_rule rule = {
        .n_max = TAGS_MAX, .rows_least = 2, .bytes_max = LABEL_BYTES_MAX};
    CLEANUP(tally_release) struct tally tally = {0};

    (void)how;
    for (size_t i = 0; i < fit->n_rows; i++) {
        struct cell cell;

        fit_cell(fit, from, i, &cell);
        for (size_t k = 0; !cell.is_null && k < cell.n_items; k++)
            if (cell.texts[k].text != NULL && cell.texts[k].n_bytes <= LABEL_BYTES_MAX)
                TRY(tally_once(&tally, i, cell.texts[k].text, cell.texts[k].n_bytes, 0, err));
    }
    return tally_keep(&tally, &rule, &column->categories, err);
}

static int count_features(const struct encoder_column *column)
{
    return (int)column->categories.n_keys + 1;
}

static const char *feature_type(const struct encoder_column *column, int index)
{
    return (uint32_t)index < column->categories.n_keys ? "i" : "q";
}

static void put_suffix(const struct encoder_column *column, int index, const char *const *labels,
                       struct buf *name)
{
    const struct strmap_key *keys = column->categories.keys;

    (void)labels;
    if ((uint32_t)index == column->categories.n_keys) {
        buf_puts(name, ".len");
        return;
    }
    buf_puts(name, ".has");
    put_label(name, keys[index].text, keys[index].length);
}

static void encode_tags(const struct encoder *encoder, const struct encoder_column *column,
                        const struct cell *cell, float *features)
{
    uint32_t n_tags = column->categories.n_keys;

    (void)encoder;
    for (uint32_t i = 0; i < n_tags; i++)
        features[i] = 0;
    for (size_t i = 0; i < cell->n_items; i++) {
        const struct cell_string *tag = &cell->texts[i];
        uint32_t index = STRMAP_NONE;

        if (tag->text != NULL && tag->n_bytes <= LABEL_BYTES_MAX)
            index = strmap_find(&column->categories, tag->text, tag->n_bytes);
        if (index != STRMAP_NONE)
            features[index] = 1;
    }
    features[n_tags] = (float)cell->n_items;
}

static void tags_to_json(const struct encoder_column *column, struct buf *json)
{
    stored_put_names(json, "elements", &column->categories);
}

static enum err_code tags_from_json(struct stored_object *from, struct encoder *encoder,
                                    struct encoder_column *column, struct err *err)
{
    static const struct stored_member members[] = {{"elements", STORED_ARRAY, false}};
    const cJSON *elements;

    (void)encoder;
    TRY(stored_read(from, members, 1, &elements, err));
    return stored_names(elements, &column->categories, err);
}

const struct encoding_ops tags_ops = {
    .name = "tags",
    .n_features = count_features,
    .feature_type = feature_type,
    .put_suffix = put_suffix,
    .fit = fit_tags,
    .encode = encode_tags,
    .to_json = tags_to_json,
    .from_json = tags_from_json,
};
