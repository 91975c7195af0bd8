/* Fitting: what an encoder learns from training rows. */
#include <string.h>

#include "base/utf8.h"
#include "feature/encoder.h"
#include "feature/encoder_internal.h"
#include "feature/target_means.h"

#define CODES_ALONE_MAX 64     /* so many categories are told by their code */
#define CODES_MAX       1000   /* so many by code and frequency; more by means and frequency */
#define CATEGORIES_MAX  100000 /* the rest counts as unseen */
#define ROWS_TO_KEEP    2      /* a category of fewer rows is rare */

/* The arguments of a fit. */
struct fit {
    const struct frame *frame;
    const uint32_t *rows;
    size_t n_rows;
    const struct encoder_target *target;
};

/* How often each text of a column stands in the training rows. */
struct tally {
    const struct strmap *texts; /* the column's dictionary, or own */
    size_t *counts;             /* [texts' keys] */
    size_t n_rows;              /* not null */
    struct strmap own;
};

static void tally_release(struct tally *tally)
{
    free(tally->counts);
    strmap_release(&tally->own);
}

/* Text is in the frame's dictionary already: its codes are counted. */
static enum err_code tally_codes(const struct fit *fit, const struct column *column,
                                 struct tally *tally, struct err *err)
{
    tally->texts = &column->dictionary;
    tally->counts = calloc((size_t)column->dictionary.n_keys + 1, sizeof(*tally->counts));
    if (tally->counts == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < fit->n_rows; i++) {
        if (column_is_null(column, fit->rows[i]))
            continue;
        tally->counts[column->codes[fit->rows[i]]]++;
        tally->n_rows++;
    }
    return ERR_OK;
}

/* Numbers and booleans declared categories: one pass to meet the texts, one to count them. */
static enum err_code tally_texts(const struct fit *fit, const struct column *column,
                                 struct tally *tally, struct err *err)
{
    struct category_text text;
    struct cell cell;

    for (size_t i = 0; i < fit->n_rows; i++) {
        column_cell(column, fit->rows[i], &cell);
        if (cell.is_null)
            continue;
        category_text(&cell, &text);
        if (strmap_add(&tally->own, text.text, text.length) == STRMAP_NONE)
            return err_nomem(err);
        tally->n_rows++;
    }
    tally->texts = &tally->own;
    tally->counts = calloc((size_t)tally->own.n_keys + 1, sizeof(*tally->counts));
    if (tally->counts == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < fit->n_rows; i++) {
        column_cell(column, fit->rows[i], &cell);
        if (cell.is_null)
            continue;
        category_text(&cell, &text);
        tally->counts[strmap_find(&tally->own, text.text, text.length)]++;
    }
    return ERR_OK;
}

struct candidate {
    const struct strmap_key *key;
    size_t count;
};

/* The most frequent first, equals by their bytes. */
static int compare_candidates(const void *left, const void *right)
{
    const struct candidate *a = left, *b = right;
    uint32_t shorter = a->key->length < b->key->length ? a->key->length : b->key->length;
    int order;

    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    order = memcmp(a->key->text, b->key->text, shorter);
    return order != 0 ? order
                      : (a->key->length > b->key->length) - (a->key->length < b->key->length);
}

/* Neither JSON nor a request can hold it: such a text stays rare. */
static bool is_storable(const struct strmap_key *key)
{
    return utf8_valid(key->text, key->length) && memchr(key->text, '\0', key->length) == NULL;
}

/* The texts that become categories, in the order of their codes. The caller frees *ret_kept. */
static enum err_code choose_kept(const struct tally *tally, struct candidate **ret_kept,
                                 size_t *ret_n, struct err *err)
{
    struct candidate *kept = calloc((size_t)tally->texts->n_keys + 1, sizeof(*kept));
    size_t n = 0, n_frequent = 0;

    if (kept == NULL)
        return err_nomem(err);
    for (uint32_t i = 0; i < tally->texts->n_keys; i++)
        if (tally->counts[i] > 0 && is_storable(&tally->texts->keys[i]))
            kept[n++] = (struct candidate){&tally->texts->keys[i], tally->counts[i]};
    qsort(kept, n, sizeof(*kept), compare_candidates);
    while (n_frequent < n && kept[n_frequent].count >= ROWS_TO_KEEP)
        n_frequent++;
    if (n_frequent > 0)
        n = n_frequent;
    *ret_kept = kept;
    *ret_n = n < CATEGORIES_MAX ? n : CATEGORIES_MAX;
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

    TRY(category_indices(column, from, fit->rows, fit->n_rows, &categories, err));
    in.categories = categories;
    return target_means(&in, -1, column->means, column->prior, err);
}

/* How categories are told follows from how many there are. */
static void choose_policy(const struct encoder_target *target, size_t n_kept,
                          struct encoder_column *column)
{
    column->has_code = n_kept <= CODES_MAX;
    column->has_frequency = n_kept > CODES_ALONE_MAX;
    column->n_means = n_kept > CODES_MAX ? target_n_means(target) : 0;
}

static enum err_code fit_category(const struct fit *fit, const struct column *from,
                                  struct encoder *encoder, struct encoder_column *column,
                                  struct err *err)
{
    CLEANUP(tally_release) struct tally tally = {0};
    CLEANUP(free_ptr) struct candidate *kept = NULL;
    size_t n_kept = 0;

    if (from->kind == CELL_TEXT)
        TRY(tally_codes(fit, from, &tally, err));
    else
        TRY(tally_texts(fit, from, &tally, err));
    TRY(choose_kept(&tally, &kept, &n_kept, err));
    choose_policy(fit->target, n_kept, column);
    TRY(encoder_alloc_categories(encoder, column, n_kept, err));
    for (size_t i = 0; i < n_kept; i++) {
        if (strmap_add(&column->categories, kept[i].key->text, kept[i].key->length) == STRMAP_NONE)
            return err_nomem(err);
        column->frequencies[i] = (double)kept[i].count / (double)tally.n_rows;
    }
    return column->n_means == 0 ? ERR_OK : fit_means(fit, from, column, err);
}

static void fit_timestamp(const struct fit *fit, const struct column *from,
                          struct encoder_column *column)
{
    bool is_first = true;

    for (size_t i = 0; i < fit->n_rows; i++) {
        if (column_is_null(from, fit->rows[i]))
            continue;
        if (is_first || from->ints[fit->rows[i]] < column->start_us)
            column->start_us = from->ints[fit->rows[i]];
        is_first = false;
    }
}

static enum err_code fit_column(const struct fit *fit, const struct schema_column *schema_column,
                                struct encoder *encoder, struct err *err)
{
    enum encoding encoding = encoding_of(schema_column->type, schema_column->as);
    struct encoder_column *column;
    const struct column *from;

    TRY(encoder_find_column(fit->frame, schema_column->name, schema_column->type, &from, err));
    TRY(encoder_add_column(encoder, schema_column->name, schema_column->type, encoding, &column,
                           err));
    if (encoding == ENCODE_CATEGORY)
        return fit_category(fit, from, encoder, column, err);
    if (encoding == ENCODE_TIMESTAMP)
        fit_timestamp(fit, from, column);
    return ERR_OK;
}

enum err_code encoder_fit(const struct schema *schema, const struct project *project,
                          const struct frame *frame, const uint32_t *rows, size_t n_rows,
                          const struct encoder_target *target, struct encoder **ret_encoder,
                          struct err *err)
{
    CLEANUP(encoder_freep) struct encoder *encoder = NULL;
    const struct fit fit = {.frame = frame, .rows = rows, .n_rows = n_rows, .target = target};

    TRY(encoder_new(project->timezone, (size_t)schema->n_features, &encoder, err));
    for (int i = 0; i < schema->n_features; i++)
        TRY(fit_column(&fit, &schema->columns[schema->features[i]], encoder, err));
    for (int i = 0; i < schema->n_columns; i++)
        if (!(schema->columns[i].roles & COLUMN_FEATURE))
            TRY(encoder_add_other(encoder, schema->columns[i].name, err));
    TRY(encoder_lay_out(encoder, err));
    TRY(encoder_name_features(encoder, target->labels, err));
    *ret_encoder = TAKE_PTR(encoder);
    return ERR_OK;
}
