/*
 * Free text: its length in characters, its words, and which of the 64 most telling tokens are
 * there.
 *
 * A token is telling when the target's mean differs between rows with and without it. Of N training
 * rows that have a text, n have the token; the score is, at its largest over the target's outputs,
 *     |mean with - mean without| · sqrt(n · (N - n) / N) / deviation of the target
 * the z-score of two means under one deviation (population, of the N rows). Without a target mean
 * (more than 16 classes) it is n · (N - n) / N: what splits the rows most evenly.
 */
#include <string.h>

#include "feature/encode_text.h"
#include "feature/encoder_internal.h"
#include "feature/target_means.h"
#include "feature/tokens.h"

#define TOKENS_MAX     64
#define TALLIED_MAX    1000000 /* distinct tokens that are counted: the first ones */
#define ROWS_LEAST     5
#define ROWS_PER_TOKEN 1000 /* a token is in at least one of so many training rows */

#define DISTINCT_ALONE_MAX 64
#define WORDS_LEAST        3

enum { LENGTH, WORDS, FIRST_TOKEN };

bool is_free_text(const struct tally *tally, const struct candidate *kept, size_t n_kept)
{
    size_t n_words = 0, n_distinct = 0, n_kept_rows = 0;

    for (uint32_t i = 0; i < tally->texts->n_keys; i++)
        n_distinct += tally->counts[i] > 0;
    for (size_t i = 0; i < n_kept; i++)
        n_kept_rows += kept[i].count;
    if (n_distinct <= DISTINCT_ALONE_MAX ||
        (n_kept <= DISTINCT_ALONE_MAX && n_kept_rows * 2 >= tally->n_rows))
        return false;
    for (uint32_t i = 0; i < tally->texts->n_keys; i++)
        if (tally->counts[i] > 0)
            n_words += tally->counts[i] *
                       count_words(tally->texts->keys[i].text, tally->texts->keys[i].length);
    return n_words >= WORDS_LEAST * tally->n_rows;
}

static enum err_code tally_tokens(const struct fit *fit, const struct column *from,
                                  struct tally *tally, struct err *err)
{
    for (size_t i = 0; i < fit->n_rows; i++) {
        struct tokens tokens;
        struct cell cell;

        fit_cell(fit, from, i, &cell);
        if (cell.is_null)
            continue;
        tally->n_rows++;
        tokens_init(&tokens, cell.text, cell.n_bytes);
        while (tokens_next(&tokens))
            if (tokens.is_token)
                TRY(tally_once(tally, i, tokens.text, tokens.length, TALLIED_MAX, err));
    }
    return ERR_OK;
}

/* What the scores need of each candidate token. */
struct scoring {
    struct strmap tokens;
    size_t *counts;   /* [n tokens] rows with it */
    size_t *seen;     /* [n tokens] the last of them, from 1 */
    double *sums;     /* [n tokens × n_outputs] of the target over them */
    double *scores;   /* [n tokens] */
    size_t n_rows;    /* N */
    size_t n_outputs; /* 0: no target mean */
    double totals[MEANS_MAX], squares[MEANS_MAX];
};

static void scoring_release(struct scoring *scoring)
{
    strmap_release(&scoring->tokens);
    free(scoring->counts);
    free(scoring->seen);
    free(scoring->sums);
    free(scoring->scores);
}

static enum err_code scoring_init(struct scoring *scoring, const struct fit *fit,
                                  const struct tally *tally, struct err *err)
{
    struct keep_rule rule = {.n_max = SIZE_MAX, .rows_least = ROWS_LEAST};
    size_t n;

    if (fit->n_rows > ROWS_LEAST * ROWS_PER_TOKEN)
        rule.rows_least = (fit->n_rows + ROWS_PER_TOKEN - 1) / ROWS_PER_TOKEN;
    TRY(tally_keep(tally, &rule, &scoring->tokens, err));
    n = (size_t)scoring->tokens.n_keys + 1;
    scoring->n_outputs = (size_t)target_n_means(fit->target);
    scoring->n_rows = tally->n_rows;
    scoring->counts = calloc(n, sizeof(*scoring->counts));
    scoring->seen = calloc(n, sizeof(*scoring->seen));
    scoring->sums = calloc(n * (scoring->n_outputs + 1), sizeof(*scoring->sums));
    scoring->scores = calloc(n, sizeof(*scoring->scores));
    if (scoring->counts == NULL || scoring->seen == NULL || scoring->sums == NULL ||
        scoring->scores == NULL)
        return err_nomem(err);
    return ERR_OK;
}

/* The target of the i-th training row. */
static double target_of(const struct fit *fit, size_t i, size_t output)
{
    return encoder_target_value(fit->target, fit->rows[i], output);
}

static void sum_tokens(struct scoring *scoring, const struct fit *fit, const struct cell *cell,
                       size_t i)
{
    struct tokens tokens;

    tokens_init(&tokens, cell->text, cell->n_bytes);
    while (tokens_next(&tokens)) {
        uint32_t index = tokens.is_token ? strmap_find(&scoring->tokens, tokens.text, tokens.length)
                                         : STRMAP_NONE;

        if (index == STRMAP_NONE || scoring->seen[index] == i + 1)
            continue;
        scoring->seen[index] = i + 1;
        scoring->counts[index]++;
        for (size_t k = 0; k < scoring->n_outputs; k++)
            scoring->sums[index * scoring->n_outputs + k] += target_of(fit, i, k);
    }
}

/* totals, squares around the mean, and each token's sums: in the order of the rows. */
static void sum_rows(struct scoring *scoring, const struct fit *fit, const struct column *from)
{
    struct cell cell;

    for (size_t i = 0; i < fit->n_rows; i++) {
        fit_cell(fit, from, i, &cell);
        if (cell.is_null)
            continue;
        for (size_t k = 0; k < scoring->n_outputs; k++)
            scoring->totals[k] += target_of(fit, i, k);
        sum_tokens(scoring, fit, &cell, i);
    }
    for (size_t i = 0; i < fit->n_rows; i++) {
        fit_cell(fit, from, i, &cell);
        for (size_t k = 0; !cell.is_null && k < scoring->n_outputs; k++) {
            double off = target_of(fit, i, k) - scoring->totals[k] / (double)scoring->n_rows;

            scoring->squares[k] += off * off;
        }
    }
}

static double score_of(const struct scoring *scoring, uint32_t token)
{
    double n_all = (double)scoring->n_rows, n_with = (double)scoring->counts[token];
    double evenness = n_with * (n_all - n_with) / n_all, score = 0;

    if (scoring->n_outputs == 0 || n_with == n_all)
        return scoring->n_outputs == 0 ? evenness : 0;
    for (size_t k = 0; k < scoring->n_outputs; k++) {
        double sum = scoring->sums[token * scoring->n_outputs + k];
        double difference = sum / n_with - (scoring->totals[k] - sum) / (n_all - n_with);
        double z = fabs(difference) * sqrt(evenness) / sqrt(scoring->squares[k] / n_all);

        if (isfinite(z) && z > score)
            score = z;
    }
    return score;
}

struct ranked {
    const struct strmap_key *key;
    double score;
};

static int compare_ranked(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;

    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return compare_keys(a->key, b->key);
}

static enum err_code keep_telling(const struct scoring *scoring, struct strmap *kept,
                                  struct err *err)
{
    uint32_t n = scoring->tokens.n_keys;
    CLEANUP(free_ptr) struct ranked *ranked = calloc((size_t)n + 1, sizeof(*ranked));

    if (ranked == NULL)
        return err_nomem(err);
    for (uint32_t i = 0; i < n; i++)
        ranked[i] = (struct ranked){&scoring->tokens.keys[i], score_of(scoring, i)};
    qsort(ranked, n, sizeof(*ranked), compare_ranked);
    for (uint32_t i = 0; i < n && i < TOKENS_MAX; i++)
        if (strmap_add(kept, ranked[i].key->text, ranked[i].key->length) == STRMAP_NONE)
            return err_nomem(err);
    return ERR_OK;
}

static enum err_code fit_text(const struct fit *fit, const struct column *from,
                              const struct column_override *how, struct encoder_column *column,
                              struct err *err)
{
    CLEANUP(tally_release) struct tally tally = {0};
    CLEANUP(scoring_release) struct scoring scoring = {0};

    (void)how;
    TRY(tally_tokens(fit, from, &tally, err));
    TRY(scoring_init(&scoring, fit, &tally, err));
    sum_rows(&scoring, fit, from);
    return keep_telling(&scoring, &column->categories, err);
}

static int count_features(const struct encoder_column *column)
{
    return FIRST_TOKEN + (int)column->categories.n_keys;
}

static const char *feature_type(const struct encoder_column *column, int index)
{
    (void)column;
    return index < FIRST_TOKEN ? "q" : "i";
}

static void put_suffix(const struct encoder_column *column, int index, const char *const *labels,
                       struct buf *name)
{
    (void)labels;
    if (index < FIRST_TOKEN) {
        buf_puts(name, index == LENGTH ? ".length" : ".words");
    } else {
        const struct strmap_key *key = &column->categories.keys[index - FIRST_TOKEN];

        buf_puts(name, ".word");
        put_label(name, key->text, key->length);
    }
}

/* Characters of UTF-8: bytes that do not continue one. */
static size_t count_characters(const char *text, size_t n_bytes)
{
    size_t n = 0;

    for (size_t i = 0; i < n_bytes; i++)
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

static void encode_text(const struct encoder *encoder, const struct encoder_column *column,
                        const struct cell *cell, float *features)
{
    struct tokens tokens;
    size_t n_words = 0;

    (void)encoder;
    for (int i = FIRST_TOKEN; i < column->n_features; i++)
        features[i] = 0;
    tokens_init(&tokens, cell->text, cell->n_bytes);
    for (; tokens_next(&tokens); n_words++) {
        uint32_t index = tokens.is_token
                             ? strmap_find(&column->categories, tokens.text, tokens.length)
                             : STRMAP_NONE;

        if (index != STRMAP_NONE)
            features[FIRST_TOKEN + index] = 1;
    }
    features[LENGTH] = (float)count_characters(cell->text, cell->n_bytes);
    features[WORDS] = (float)n_words;
}

static void text_to_json(const struct encoder_column *column, struct buf *json)
{
    stored_put_names(json, "tokens", &column->categories);
}

static enum err_code text_from_json(struct stored_object *from, struct encoder *encoder,
                                    struct encoder_column *column, struct err *err)
{
    static const struct stored_member members[] = {{"tokens", STORED_ARRAY, false}};
    const cJSON *tokens;

    (void)encoder;
    TRY(stored_read(from, members, 1, &tokens, err));
    return stored_names(tokens, &column->categories, err);
}

const struct encoding_ops text_ops = {
    .name = "text",
    .n_features = count_features,
    .feature_type = feature_type,
    .put_suffix = put_suffix,
    .fit = fit_text,
    .encode = encode_text,
    .to_json = text_to_json,
    .from_json = text_from_json,
};
