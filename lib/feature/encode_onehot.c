/*
 * Categories as one 0/1 feature each (at most the 255 most frequent of those that are kept; rare
 * and unseen: all 0), and as their position in a list that the definition gives (unseen: -1).
 */
#include <string.h>

#include "feature/encoder_internal.h"
#include "feature/tally.h"

static enum err_code fit_onehot(const struct fit *fit, const struct column *from,
                                const struct column_override *how, struct encoder_column *column,
                                struct err *err)
{
    static const struct keep_rule rule = {.n_max = ONEHOT_MAX, .rows_least = 2, .or_all = true};
    CLEANUP(tally_release) struct tally tally = {0};

    TRY(tally_column(&tally, fit, from, err));
    TRY(tally_keep(&tally, &rule, &column->categories, err));
    return category_impute(&tally, how, fit->encoder, column, err);
}

static enum err_code fit_ordinal(const struct fit *fit, const struct column *from,
                                 const struct column_override *how, struct encoder_column *column,
                                 struct err *err)
{
    CLEANUP(tally_release) struct tally tally = {0};

    TRY(tally_column(&tally, fit, from, err));
    for (int i = 0; i < how->ordinal.n; i++)
        if (strmap_add(&column->categories, how->ordinal.items[i], strlen(how->ordinal.items[i])) ==
            STRMAP_NONE)
            return err_nomem(err);
    return category_impute(&tally, how, fit->encoder, column, err);
}

static int count_onehot(const struct encoder_column *column)
{
    return (int)column->categories.n_keys;
}

static const char *onehot_type(const struct encoder_column *column, int index)
{
    (void)column;
    (void)index;
    return "i";
}

static void put_onehot_suffix(const struct encoder_column *column, int index,
                              const char *const *labels, struct buf *name)
{
    const struct strmap_key *key = &column->categories.keys[index];

    (void)labels;
    buf_puts(name, ".is");
    put_label(name, key->text, key->length);
}

static void encode_onehot(const struct encoder *encoder, const struct encoder_column *column,
                          const struct cell *cell, float *features)
{
    uint32_t index = category_index(column, cell);

    (void)encoder;
    for (int i = 0; i < column->n_features; i++)
        features[i] = (uint32_t)i == index ? 1.0F : 0.0F;
}

static void encode_ordinal(const struct encoder *encoder, const struct encoder_column *column,
                           const struct cell *cell, float *features)
{
    uint32_t index = category_index(column, cell);

    (void)encoder;
    features[0] = index == STRMAP_NONE ? -1.0F : (float)index;
}

static void onehot_to_json(const struct encoder_column *column, struct buf *json)
{
    stored_put_names(json, "categories", &column->categories);
    category_put_impute(column, json);
}

static enum err_code onehot_from_json(struct stored_object *from, struct encoder *encoder,
                                      struct encoder_column *column, struct err *err)
{
    static const struct stored_member members[] = {{"categories", STORED_ARRAY, false}};
    const cJSON *categories;

    TRY(stored_read(from, members, 1, &categories, err));
    TRY(stored_names(categories, &column->categories, err));
    return category_read_impute(from, encoder, column, err);
}

const struct encoding_ops onehot_ops = {
    .name = "onehot",
    .n_features = count_onehot,
    .feature_type = onehot_type,
    .put_suffix = put_onehot_suffix,
    .fit = fit_onehot,
    .encode = encode_onehot,
    .to_json = onehot_to_json,
    .from_json = onehot_from_json,
};

const struct encoding_ops ordinal_ops = {
    .name = "ordinal",
    .fit = fit_ordinal,
    .encode = encode_ordinal,
    .to_json = onehot_to_json,
    .from_json = onehot_from_json,
};
