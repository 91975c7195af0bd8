/*
 * Categories by code, frequency and target means, as many as there are.
 *
 * A category is kept when it has at least 2 training rows (all are kept when none has). K ≤ 64 kept
 * ones are told by their native code ('c'): 0 is rare or unseen, 1 … K by frequency (ties by
 * bytes). 64 < K ≤ 1000: code and share of rows. K > 1000: target mean smoothed by 20 prior rows
 * (out of fold on training rows; one mean for each of up to 16 classes) and share of rows; at most
 * the 100,000 most frequent. "encode" may ask for target means or frequency alone whatever K is. A
 * rare or unseen category is code 0, frequency 0, the prior mean. Booleans and whole numbers that
 * are declared categories go by their text. Text that is not UTF-8 counts as rare: no request can
 * send it. Text that turns out to be free text goes to encode_text.c, what nobody says another
 * encoding of to encode_onehot.c where the model is linear.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "feature/encode_text.h"
#include "feature/encoder_internal.h"
#include "feature/tally.h"
#include "feature/target_means.h"

#define CODES_ALONE_MAX 64     /* so many categories are told by their code */
#define CODES_MAX       1000   /* so many by code and frequency; more by means and frequency */
#define CATEGORIES_MAX  100000 /* the rest counts as unseen */

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

enum err_code category_indices(const struct encoder_column *column, const struct column *from,
                               const uint32_t *rows, size_t n_rows, uint32_t **ret_indices,
                               struct err *err)
{
    uint32_t *indices = calloc(n_rows + 1, sizeof(*indices));

    if (indices == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < n_rows; i++) {
        struct cell cell;

        column_cell(from, rows[i], &cell);
        if (cell.is_null)
            cell = column->imputed;
        indices[i] = cell.is_null ? STRMAP_NONE : category_index(column, &cell);
    }
    *ret_indices = indices;
    return ERR_OK;
}

static enum err_code fit_means(const struct fit *fit, const struct column *from,
                               struct encoder_column *column, struct err *err)
{
    CLEANUP(free_ptr) uint32_t *categories = NULL;
    struct mean_rows in = {.rows = fit->rows,
                           .n_rows = fit->n_rows,
                           .n_categories = column->categories.n_keys,
                           .target = fit->target};
    enum err_code code;

    TRY(category_indices(column, from, fit->rows, fit->n_rows, &categories, err));
    in.categories = categories;
    code = target_means(&in, -1, column->means, column->prior, err);
    if (code != ERR_OK)
        err_prefix(err, "column \"%s\"", column->name);
    return code;
}

static enum err_code refuse_target(const struct encoder_column *column, struct err *err)
{
    CLEANUP(buf_release) struct buf pointer = {0};

    buf_puts(&pointer, "/columns");
    json_pointer_append(&pointer, column->name);
    err_set(err, ERR_CONFIG,
            "key \"columns\": column \"%s\": \"encode\": \"target\" needs a target with a mean: a "
            "number, or at most %d classes",
            column->name, MEANS_MAX);
    err_field(err, "%s/encode", buf_text(&pointer));
    err_hint(err, "\"frequency\" and \"native\" do without");
    return ERR_CONFIG;
}

/* How categories are told: as the definition says or from how many there are. */
static enum err_code choose_policy(const struct fit *fit, const struct column_override *how,
                                   size_t n_kept, struct encoder_column *column, struct err *err)
{
    int n_means = target_n_means(fit->target);

    switch (how->encode) {
    case COLUMN_TARGET_MEANS:
        if (n_means == 0)
            return refuse_target(column, err);
        column->n_means = n_means;
        break;
    case COLUMN_FREQUENCY:
        column->has_frequency = true;
        break;
    default:
        column->has_code = n_kept <= CODES_MAX;
        column->has_frequency = n_kept > CODES_ALONE_MAX;
        column->n_means = n_kept > CODES_MAX ? n_means : 0;
    }
    return ERR_OK;
}

/* Nothing was said about this text: it may be free text. */
static bool is_open(const struct encoder_column *column, const struct column_override *how)
{
    return encoding_possible(column->type, ENCODE_TEXT) && how->as == AS_AUTO &&
           how->impute == IMPUTE_NONE && how->encode == COLUMN_NATIVE;
}

static enum err_code fit_category(const struct fit *fit, const struct column *from,
                                  const struct column_override *how, struct encoder_column *column,
                                  struct err *err)
{
    static const struct keep_rule rule = {.n_max = CATEGORIES_MAX, .rows_least = 2, .or_all = true};
    CLEANUP(tally_release) struct tally tally = {0};
    CLEANUP(free_ptr) struct candidate *kept = NULL;
    size_t n_kept = 0;

    TRY(tally_column(&tally, fit, from, err));
    TRY(tally_choose(&tally, &rule, &kept, &n_kept, err));
    if (is_open(column, how) && is_free_text(&tally, kept, n_kept)) {
        column->encoding = ENCODE_TEXT;
        return text_ops.fit(fit, from, how, column, err);
    }
    if (fit->is_linear && how->encode == COLUMN_NATIVE) {
        column->encoding = ENCODE_ONEHOT;
        return onehot_ops.fit(fit, from, how, column, err);
    }
    TRY(choose_policy(fit, how, n_kept, column, err));
    TRY(encoder_alloc_categories(fit->encoder, column, n_kept, err));
    for (size_t i = 0; i < n_kept; i++) {
        if (strmap_add(&column->categories, kept[i].key->text, kept[i].key->length) == STRMAP_NONE)
            return err_nomem(err);
        column->frequencies[i] = (double)kept[i].count / (double)tally.n_rows;
    }
    TRY(category_impute(&tally, how, fit->encoder, column, err));
    return column->n_means == 0 ? ERR_OK : fit_means(fit, from, column, err);
}

void encode_means(const struct encoder_column *column, uint32_t index, const double *means,
                  const double *prior, float *features)
{
    const double *values =
        index == STRMAP_NONE ? prior : means + (size_t)index * (size_t)column->n_means;

    for (int k = 0; k < column->n_means; k++)
        features[k] = to_feature(values[k]);
}

static void encode_category(const struct encoder *encoder, const struct encoder_column *column,
                            const struct cell *cell, float *features)
{
    uint32_t index = category_index(column, cell);

    (void)encoder;
    if (column->has_code)
        *features++ = index == STRMAP_NONE ? 0.0F : (float)(index + 1);
    encode_means(column, index, column->means, column->prior, features);
    if (column->has_frequency)
        features[column->n_means] =
            index == STRMAP_NONE ? 0.0F : to_feature(column->frequencies[index]);
}

static int count_features(const struct encoder_column *column)
{
    return column->has_code + column->n_means + column->has_frequency;
}

static const char *feature_type(const struct encoder_column *column, int index)
{
    return column->has_code && index == 0 ? "c" : "q";
}

static void put_suffix(const struct encoder_column *column, int index, const char *const *labels,
                       struct buf *name)
{
    int mean = index - column->has_code;

    if (mean < 0)
        return;
    buf_puts(name, mean < column->n_means ? ".mean" : ".frequency");
    if (mean < column->n_means && labels != NULL)
        buf_printf(name, ".%s", labels[mean]);
}

static void category_to_json(const struct encoder_column *column, struct buf *json)
{
    size_t n = column->categories.n_keys, n_means = (size_t)column->n_means;

    buf_printf(json, ",\"code\":%s,\"frequency\":%s,\"n_means\":%d",
               column->has_code ? "true" : "false", column->has_frequency ? "true" : "false",
               column->n_means);
    stored_put_names(json, "categories", &column->categories);
    stored_put_doubles(json, "frequencies", column->frequencies, n);
    stored_put_doubles(json, "means", column->means, n * n_means);
    stored_put_doubles(json, "prior", column->prior, n_means);
    category_put_impute(column, json);
}

enum { CODE, FREQUENCY, N_MEANS, CATEGORIES, FREQUENCIES, MEANS, PRIOR, N_MEMBERS };
static const struct stored_member members[] = {
    [CODE] = {"code", STORED_BOOL, false},
    [FREQUENCY] = {"frequency", STORED_BOOL, false},
    [N_MEANS] = {"n_means", STORED_NUMBER, false},
    [CATEGORIES] = {"categories", STORED_ARRAY, false},
    [FREQUENCIES] = {"frequencies", STORED_ARRAY, false},
    [MEANS] = {"means", STORED_ARRAY, false},
    [PRIOR] = {"prior", STORED_ARRAY, false},
};

static enum err_code category_from_json(struct stored_object *from, struct encoder *encoder,
                                        struct encoder_column *column, struct err *err)
{
    const cJSON *items[N_MEMBERS];
    size_t n, n_means;

    TRY(stored_read(from, members, N_MEMBERS, items, err));
    column->has_code = cJSON_IsTrue(items[CODE]);
    column->has_frequency = cJSON_IsTrue(items[FREQUENCY]);
    TRY(stored_int(items[N_MEANS], 0, MEANS_MAX, &column->n_means, err));
    TRY(stored_names(items[CATEGORIES], &column->categories, err));
    n = column->categories.n_keys;
    n_means = (size_t)column->n_means;
    TRY(encoder_alloc_categories(encoder, column, n, err));
    TRY(stored_doubles(items[FREQUENCIES], n, column->frequencies, err));
    TRY(stored_doubles(items[MEANS], n * n_means, column->means, err));
    TRY(stored_doubles(items[PRIOR], n_means, column->prior, err));
    return category_read_impute(from, encoder, column, err);
}

const struct encoding_ops category_ops = {
    .name = "category",
    .n_features = count_features,
    .feature_type = feature_type,
    .put_suffix = put_suffix,
    .fit = fit_category,
    .encode = encode_category,
    .to_json = category_to_json,
    .from_json = category_from_json,
};
