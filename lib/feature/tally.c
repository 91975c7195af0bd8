#include "feature/tally.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

void tally_release(struct tally *tally)
{
    free(tally->counts);
    free(tally->seen);
    strmap_release(&tally->own);
}

/* Makes *array [capacity], zeroed from n on. */
static bool grow(size_t **array, size_t n, size_t capacity)
{
    size_t *grown = reallocarray(*array, capacity, sizeof(*grown));

    if (grown == NULL)
        return false;
    memset(grown + n, 0, (capacity - n) * sizeof(*grown));
    *array = grown;
    return true;
}

static enum err_code own_index(struct tally *tally, const char *text, size_t length,
                               uint32_t *ret_index, struct err *err)
{
    uint32_t index = strmap_add(&tally->own, text, length);
    size_t capacity = tally->own.keys_capacity;

    if (index == STRMAP_NONE)
        return err_nomem(err);
    if (index >= tally->capacity) {
        if (!grow(&tally->counts, tally->capacity, capacity) ||
            !grow(&tally->seen, tally->capacity, capacity))
            return err_nomem(err);
        tally->capacity = capacity;
    }
    *ret_index = index;
    return ERR_OK;
}

enum err_code tally_add(struct tally *tally, const char *text, size_t length, struct err *err)
{
    uint32_t index;

    TRY(own_index(tally, text, length, &index, err));
    tally->counts[index]++;
    tally->n_rows++;
    return ERR_OK;
}

enum err_code tally_once(struct tally *tally, size_t row, const char *text, size_t length,
                         uint32_t n_max, struct err *err)
{
    uint32_t index;

    if (n_max != 0 && tally->own.n_keys >= n_max &&
        strmap_find(&tally->own, text, length) == STRMAP_NONE)
        return ERR_OK;
    TRY(own_index(tally, text, length, &index, err));
    tally->counts[index] += tally->seen[index] != row + 1;
    tally->seen[index] = row + 1;
    return ERR_OK;
}

/* Text is in the frame's dictionary already: its codes are counted. */
static enum err_code tally_codes(struct tally *tally, const struct fit *fit,
                                 const struct column *from, struct err *err)
{
    tally->texts = &from->dictionary;
    tally->counts = calloc((size_t)from->dictionary.n_keys + 1, sizeof(*tally->counts));
    if (tally->counts == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < fit->n_rows; i++) {
        size_t at = column_at(from, fit->rows[i]);

        if (column_is_null(from, fit->rows[i]))
            continue;
        tally->counts[from->codes[at]]++;
        tally->n_rows++;
    }
    return ERR_OK;
}

enum err_code tally_column(struct tally *tally, const struct fit *fit, const struct column *from,
                           struct err *err)
{
    if (from->kind == CELL_TEXT)
        return tally_codes(tally, fit, from, err);
    for (size_t i = 0; i < fit->n_rows; i++) {
        struct category_text text;
        struct cell cell;

        fit_cell(fit, from, i, &cell);
        if (cell.is_null)
            continue;
        category_text(&cell, &text);
        TRY(tally_add(tally, text.text, text.length, err));
    }
    return ERR_OK;
}

int compare_keys(const struct strmap_key *a, const struct strmap_key *b)
{
    int order = memcmp(a->text, b->text, a->length < b->length ? a->length : b->length);

    return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

static int compare_candidates(const void *left, const void *right)
{
    const struct candidate *a = left, *b = right;

    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return compare_keys(a->key, b->key);
}

bool is_storable(const char *text, size_t length)
{
    return utf8_valid(text, length) && memchr(text, '\0', length) == NULL;
}

enum err_code tally_choose(const struct tally *tally, const struct keep_rule *rule,
                           struct candidate **ret_kept, size_t *ret_n, struct err *err)
{
    const struct strmap *texts = tally->texts != NULL ? tally->texts : &tally->own;
    struct candidate *kept = calloc((size_t)texts->n_keys + 1, sizeof(*kept));
    size_t n = 0, n_frequent = 0;

    if (kept == NULL)
        return err_nomem(err);
    for (uint32_t i = 0; i < texts->n_keys; i++) {
        const struct strmap_key *key = &texts->keys[i];

        if (tally->counts[i] > 0 && (rule->bytes_max == 0 || key->length <= rule->bytes_max) &&
            is_storable(key->text, key->length))
            kept[n++] = (struct candidate){key, tally->counts[i]};
    }
    qsort(kept, n, sizeof(*kept), compare_candidates);
    while (n_frequent < n && kept[n_frequent].count >= rule->rows_least)
        n_frequent++;
    if (n_frequent > 0 || !rule->or_all)
        n = n_frequent;
    *ret_kept = kept;
    *ret_n = n < rule->n_max ? n : rule->n_max;
    return ERR_OK;
}

enum err_code tally_keep(const struct tally *tally, const struct keep_rule *rule,
                         struct strmap *kept, struct err *err)
{
    CLEANUP(free_ptr) struct candidate *candidates = NULL;
    size_t n = 0;

    TRY(tally_choose(tally, rule, &candidates, &n, err));
    for (size_t i = 0; i < n; i++)
        if (strmap_add(kept, candidates[i].key->text, candidates[i].key->length) == STRMAP_NONE)
            return err_nomem(err);
    return ERR_OK;
}

void category_text(const struct cell *cell, struct category_text *ret_text)
{
    ret_text->text = ret_text->scratch;
    switch (cell->kind) {
    case CELL_TEXT:
        ret_text->text = cell->text;
        ret_text->length = cell->n_bytes;
        break;
    case CELL_BOOL:
        ret_text->text = cell->bool_value ? "true" : "false";
        ret_text->length = strlen(ret_text->text);
        break;
    default:
        ret_text->length = (size_t)snprintf(ret_text->scratch, sizeof(ret_text->scratch),
                                            "%" PRId64, cell->int_value);
    }
}

uint32_t category_index(const struct encoder_column *column, const struct cell *cell)
{
    struct category_text text;

    category_text(cell, &text);
    return strmap_find(&column->categories, text.text, text.length);
}

static enum err_code set_imputed(const char *text, size_t length, struct encoder *encoder,
                                 struct encoder_column *column, struct err *err)
{
    char *copy = arena_strndup(&encoder->arena, text, length);

    if (copy == NULL)
        return err_nomem(err);
    column->imputed = (struct cell){.kind = CELL_TEXT, .text = copy, .n_bytes = length};
    return ERR_OK;
}

enum err_code category_impute(const struct tally *tally, const struct column_override *how,
                              struct encoder *encoder, struct encoder_column *column,
                              struct err *err)
{
    static const struct keep_rule most_frequent = {.n_max = 1, .rows_least = 1};
    CLEANUP(free_ptr) struct candidate *first = NULL;
    size_t n = 0;

    if (how->impute == IMPUTE_LABEL)
        return set_imputed(how->impute_label, strlen(how->impute_label), encoder, column, err);
    if (how->impute != IMPUTE_MODE)
        return ERR_OK;
    TRY(tally_choose(tally, &most_frequent, &first, &n, err));
    return n == 0 ? ERR_OK
                  : set_imputed(first[0].key->text, first[0].key->length, encoder, column, err);
}

void category_put_impute(const struct encoder_column *column, struct buf *json)
{
    if (column->imputed.is_null)
        return;
    buf_puts(json, ",\"impute\":");
    json_put_string(json, column->imputed.text, column->imputed.n_bytes);
}

enum err_code category_read_impute(struct stored_object *from, struct encoder *encoder,
                                   struct encoder_column *column, struct err *err)
{
    static const struct stored_member members[] = {{"impute", STORED_STRING, true}};
    const cJSON *text;

    TRY(stored_read(from, members, 1, &text, err));
    return text == NULL
               ? ERR_OK
               : set_imputed(text->valuestring, strlen(text->valuestring), encoder, column, err);
}
