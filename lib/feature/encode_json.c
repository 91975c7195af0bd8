/*
 * JSON documents as columns of their own: the values at the paths that many documents have.
 *
 * Of all paths with a value that is not null, in at least 1 % of the training rows, at most the 50
 * most frequent (ties by bytes): as a number where all are numbers, as a boolean where all are
 * true or false, else as a category of its JSON text. Arrays count with their length, at a path
 * that is told apart from a scalar's. A category of a path has a code up to 1000 categories and its
 * frequency from 65 on; the 1000 most frequent are kept (for a linear model the 255 most frequent,
 * one-hot). A value that is not of its path's kind is
 * missing, as is every path of a document that is no JSON.
 */
#include <string.h>

#include "feature/encoder_internal.h"
#include "feature/json_survey.h"
#include "feature/tally.h"

#define PATH_CATEGORIES  1000
#define PATH_CODES_ALONE 64

/* The parts that lie at a path, -1: none. */
struct json_parts {
    int scalar, length;
};

/* Reading one document --------------------------------------------------------------------------
 */

/* The cells of the parts, as one document has them. */
struct document {
    const struct encoder_column *column;
    uint64_t seen[(PARTS_MAX * JSON_DEPTH_MAX + 63) / 64]; /* a bit for each of column->paths */
    struct cell cells[PARTS_MAX];
    char texts[PARTS_MAX][JSON_TEXT_MAX];
};

static void forget(struct document *document, const char *path, size_t length)
{
    for (int i = 0; i < document->column->n_parts; i++) {
        const char *name = document->column->parts[i].name;

        if (json_path_is_below(name, strlen(name), path, length))
            document->cells[i].is_null = true;
    }
}

static uint32_t document_enter(void *context, const char *path, size_t length)
{
    struct document *document = context;
    uint32_t at = strmap_find(&document->column->paths, path, length);

    if (at == STRMAP_NONE)
        return at;
    if (document->seen[at / 64] >> (at % 64) & 1)
        forget(document, path, length);
    document->seen[at / 64] |= UINT64_C(1) << (at % 64);
    return at;
}

static void document_scalar(void *context, uint32_t at, const struct json_reader *reader,
                            enum json_token token)
{
    struct document *document = context;
    int part = document->column->at_path[at].scalar;
    struct cell *cell = &document->cells[part < 0 ? 0 : part];

    if (part < 0)
        return;
    switch (document->column->parts[part].encoding) {
    case ENCODE_NUMBER:
        if (token == JSON_NUMBER)
            *cell = (struct cell){.kind = CELL_DOUBLE, .double_value = json_scalar_number(reader)};
        break;
    case ENCODE_BOOL:
        if (token == JSON_TRUE || token == JSON_FALSE)
            *cell = (struct cell){.kind = CELL_BOOL, .bool_value = token == JSON_TRUE};
        break;
    default:
        *cell = (struct cell){.kind = CELL_TEXT,
                              .text = document->texts[part],
                              .n_bytes = json_scalar_text(reader, token, document->texts[part])};
    }
}

static void document_array(void *context, uint32_t at, size_t n_items)
{
    struct document *document = context;
    int part = document->column->at_path[at].length;

    if (part >= 0)
        document->cells[part] = (struct cell){.kind = CELL_DOUBLE, .double_value = (double)n_items};
}

static void read_document(const struct encoder_column *column, const struct cell *cell,
                          struct document *document)
{
    const struct json_visitor visitor = {document, document_enter, document_scalar, document_array};

    document->column = column;
    memset(document->seen, 0, sizeof(document->seen));
    for (int i = 0; i < column->n_parts; i++)
        document->cells[i].is_null = true;
    if (!json_paths_visit(cell->text, cell->n_bytes, &visitor))
        forget(document, "", 0);
}

static void encode_json(const struct encoder *encoder, const struct encoder_column *column,
                        const struct cell *cell, float *features)
{
    struct document document;

    read_document(column, cell, &document);
    for (int i = 0; i < column->n_parts; i++)
        encode_cell(encoder, &column->parts[i], &document.cells[i], features);
}

/* Building the parts ----------------------------------------------------------------------------
 */

static enum err_code add_path(struct encoder_column *column, const char *path, size_t length,
                              uint32_t *ret_at, struct err *err)
{
    *ret_at = strmap_add(&column->paths, path, length);
    return *ret_at == STRMAP_NONE ? err_nomem(err) : ERR_OK;
}

/* Adds the part's path and all that lie above it. */
static enum err_code add_paths(struct encoder_column *column, const char *path, struct err *err)
{
    uint32_t at;

    TRY(add_path(column, "", 0, &at, err));
    for (size_t i = 0; path[i] != '\0'; i++) {
        if (path[i] == '\\' && path[i + 1] != '\0')
            i++;
        else if (path[i] == '.')
            TRY(add_path(column, path, i, &at, err));
    }
    return add_path(column, path, strlen(path), &at, err);
}

static enum err_code index_parts(struct encoder *encoder, struct encoder_column *column,
                                 struct err *err)
{
    uint32_t n;

    for (int i = 0; i < column->n_parts; i++)
        TRY(add_paths(column, column->parts[i].name, err));
    n = column->paths.n_keys;
    if (n > PARTS_MAX * JSON_DEPTH_MAX)
        return err_set(err, ERR_CORRUPT, "its paths are too deep");
    column->at_path = arena_alloc_array(&encoder->arena, n, sizeof(*column->at_path));
    if (column->at_path == NULL)
        return err_nomem(err);
    for (uint32_t at = 0; at < n; at++)
        column->at_path[at] = (struct json_parts){-1, -1};
    for (int i = 0; i < column->n_parts; i++) {
        const struct encoder_column *part = &column->parts[i];
        uint32_t at = strmap_find(&column->paths, part->name, strlen(part->name));
        int *place = part->is_length ? &column->at_path[at].length : &column->at_path[at].scalar;

        if (*place >= 0)
            return err_set(err, ERR_CORRUPT, "path \"%s\" is there twice", part->name);
        *place = i;
    }
    return ERR_OK;
}

static enum err_code alloc_parts(struct encoder *encoder, struct encoder_column *column, size_t n,
                                 struct err *err)
{
    column->parts = arena_alloc_array(&encoder->arena, n, sizeof(*column->parts));
    return column->parts == NULL ? err_nomem(err) : ERR_OK;
}

static enum err_code add_part(struct encoder *encoder, struct encoder_column *column,
                              const char *path, size_t length, enum encoding encoding,
                              struct encoder_column **ret_part, struct err *err)
{
    static const enum pg_type types[] = {
        [ENCODE_BOOL] = PG_BOOL,
        [ENCODE_NUMBER] = PG_FLOAT8,
        [ENCODE_CATEGORY] = PG_TEXT_TYPE,
        [ENCODE_ONEHOT] = PG_TEXT_TYPE,
    };
    struct encoder_column *part = &column->parts[column->n_parts];

    part->name = arena_strndup(&encoder->arena, path, length);
    if (part->name == NULL)
        return err_nomem(err);
    part->encoding = encoding;
    part->type = types[encoding];
    part->imputed.is_null = true;
    column->n_parts++;
    *ret_part = part;
    return ERR_OK;
}

/* Fitting ---------------------------------------------------------------------------------------
 */

static void tallies_release(struct tally (*tallies)[PARTS_MAX])
{
    for (int i = 0; i < PARTS_MAX; i++)
        tally_release(&(*tallies)[i]);
}

static enum err_code keep_categories(const struct fit *fit, const struct tally *tally,
                                     struct encoder_column *part, struct err *err)
{
    static const struct keep_rule rule = {
        .n_max = PATH_CATEGORIES, .rows_least = 2, .or_all = true};
    static const struct keep_rule onehot_rule = {
        .n_max = ONEHOT_MAX, .rows_least = 2, .or_all = true};

    if (fit->is_linear) {
        part->encoding = ENCODE_ONEHOT;
        return tally_keep(tally, &onehot_rule, &part->categories, err);
    }
    TRY(tally_keep(tally, &rule, &part->categories, err));
    part->has_code = true;
    part->has_frequency = part->categories.n_keys > PATH_CODES_ALONE;
    TRY(encoder_alloc_categories(fit->encoder, part, part->categories.n_keys, err));
    for (uint32_t i = 0; i < part->categories.n_keys; i++) {
        const struct strmap_key *key = &part->categories.keys[i];
        uint32_t at = strmap_find(&tally->own, key->text, key->length);

        part->frequencies[i] = (double)tally->counts[at] / (double)tally->n_rows;
    }
    return ERR_OK;
}

/* A text that is too long for a category counts as a value all the same. */
static enum err_code tally_value(struct tally *tally, const struct cell *cell, struct err *err)
{
    if (cell->is_null)
        return ERR_OK;
    if (cell->n_bytes > 0)
        return tally_add(tally, cell->text, cell->n_bytes, err);
    tally->n_rows++;
    return ERR_OK;
}

/* The categories of all parts that are some, in one pass over the rows. */
static enum err_code fit_categories(const struct fit *fit, const struct column *from,
                                    struct encoder_column *column, struct err *err)
{
    CLEANUP(tallies_release) struct tally tallies[PARTS_MAX] = {0};
    struct document document;

    for (size_t i = 0; i < fit->n_rows; i++) {
        struct cell cell;

        fit_cell(fit, from, i, &cell);
        if (cell.is_null)
            continue;
        read_document(column, &cell, &document);
        for (int k = 0; k < column->n_parts; k++)
            if (column->parts[k].encoding == ENCODE_CATEGORY)
                TRY(tally_value(&tallies[k], &document.cells[k], err));
    }
    for (int k = 0; k < column->n_parts; k++)
        if (column->parts[k].encoding == ENCODE_CATEGORY)
            TRY(keep_categories(fit, &tallies[k], &column->parts[k], err));
    return ERR_OK;
}

static enum err_code fit_json(const struct fit *fit, const struct column *from,
                              const struct column_override *how, struct encoder_column *column,
                              struct err *err)
{
    CLEANUP(survey_release) struct survey survey = {0};
    CLEANUP(free_ptr) struct found_path *found = NULL;
    size_t n = 0;

    (void)how;
    TRY(survey_rows(&survey, fit, from, err));
    TRY(survey_choose(&survey, fit->n_rows, &found, &n, err));
    TRY(alloc_parts(fit->encoder, column, n, err));
    for (size_t i = 0; i < n; i++) {
        struct encoder_column *part = NULL;

        TRY(add_part(fit->encoder, column, found[i].key->text, found[i].key->length,
                     encoding_of_path(&found[i]), &part, err));
        part->is_length = found[i].is_length;
    }
    TRY(index_parts(fit->encoder, column, err));
    return fit_categories(fit, from, column, err);
}

/* Features --------------------------------------------------------------------------------------
 */

/* Where the parts' features begin follows from those before them. */
static int count_features(const struct encoder_column *column)
{
    int n = 0;

    for (int i = 0; i < column->n_parts; i++) {
        column->parts[i].first_feature = n;
        column->parts[i].n_features = column_count_features(&column->parts[i]);
        n += column->parts[i].n_features;
    }
    return n;
}

/* The part that has the column's feature at index. */
static const struct encoder_column *part_of(const struct encoder_column *column, int index)
{
    const struct encoder_column *part = column->parts;

    while (index >= part->first_feature + part->n_features)
        part++;
    return part;
}

static const char *feature_type(const struct encoder_column *column, int index)
{
    const struct encoder_column *part = part_of(column, index);

    return column_feature_type(part, index - part->first_feature);
}

static void put_suffix(const struct encoder_column *column, int index, const char *const *labels,
                       struct buf *name)
{
    const struct encoder_column *part = part_of(column, index);
    const struct encoding_ops *ops = encoding_ops(part->encoding);

    if (part->name[0] != '\0')
        put_label(name, part->name, strlen(part->name));
    if (part->is_length)
        buf_puts(name, ".len");
    if (ops->put_suffix != NULL)
        ops->put_suffix(part, index - part->first_feature, labels, name);
}

/* Storing ---------------------------------------------------------------------------------------
 */

static void json_to_json(const struct encoder_column *column, struct buf *json)
{
    buf_puts(json, ",\"parts\":[");
    for (int i = 0; i < column->n_parts; i++) {
        const struct encoder_column *part = &column->parts[i];
        const struct encoding_ops *ops = encoding_ops(part->encoding);

        buf_puts(json, i > 0 ? ",{\"path\":" : "{\"path\":");
        json_put_text(json, part->name);
        buf_printf(json, ",\"encoding\":\"%s\",\"length\":%s", ops->name,
                   part->is_length ? "true" : "false");
        if (ops->to_json != NULL)
            ops->to_json(part, json);
        buf_putc(json, '}');
    }
    buf_putc(json, ']');
}

enum { PATH, ENCODING, LENGTH, N_PART };
static const struct stored_member part_members[] = {
    [PATH] = {"path", STORED_STRING, false},
    [ENCODING] = {"encoding", STORED_STRING, false},
    [LENGTH] = {"length", STORED_BOOL, false},
};

static enum err_code read_part(const cJSON *object, struct encoder *encoder,
                               struct encoder_column *column, struct err *err)
{
    struct stored_object from = {.object = object};
    const cJSON *items[N_PART];
    struct encoder_column *part = NULL;
    enum encoding encoding;

    TRY(stored_read(&from, part_members, N_PART, items, err));
    if (!encoding_from_name(items[ENCODING]->valuestring, &encoding) ||
        (encoding != ENCODE_NUMBER && encoding != ENCODE_BOOL && encoding != ENCODE_CATEGORY &&
         encoding != ENCODE_ONEHOT))
        return err_set(err, ERR_CORRUPT, "a path cannot be encoded so");
    if (strlen(items[PATH]->valuestring) > LABEL_BYTES_MAX)
        return err_set(err, ERR_CORRUPT, "a path is too long");
    TRY(add_part(encoder, column, items[PATH]->valuestring, strlen(items[PATH]->valuestring),
                 encoding, &part, err));
    part->is_length = cJSON_IsTrue(items[LENGTH]);
    if (part->is_length && encoding != ENCODE_NUMBER)
        return err_set(err, ERR_CORRUPT, "a length that is not a number");
    if (encoding_ops(encoding)->from_json != NULL)
        TRY(encoding_ops(encoding)->from_json(&from, encoder, part, err));
    if (part->n_means > 0)
        return err_set(err, ERR_CORRUPT, "a path has no means");
    return stored_end(&from, err);
}

static enum err_code json_from_json(struct stored_object *from, struct encoder *encoder,
                                    struct encoder_column *column, struct err *err)
{
    static const struct stored_member members[] = {{"parts", STORED_ARRAY, false}};
    const cJSON *parts, *object;

    TRY(stored_read(from, members, 1, &parts, err));
    if (cJSON_GetArraySize(parts) > PARTS_MAX)
        return err_set(err, ERR_CORRUPT, "\"parts\" has more than %d values", PARTS_MAX);
    TRY(alloc_parts(encoder, column, (size_t)cJSON_GetArraySize(parts), err));
    cJSON_ArrayForEach (object, parts)
        TRY(read_part(object, encoder, column, err));
    return index_parts(encoder, column, err);
}

const struct encoding_ops json_ops = {
    .name = "json",
    .n_features = count_features,
    .feature_type = feature_type,
    .put_suffix = put_suffix,
    .fit = fit_json,
    .encode = encode_json,
    .to_json = json_to_json,
    .from_json = json_from_json,
};
